"""Imagen on emoji scenes: the cascade of notebook 10, which is GLIDE's with a frozen text encoder and a third stage."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from course_utils.datasets.unseen_words import unseen_words
from course_utils.evaluation.scenes import evaluation_scenes, render
from course_utils.measure import psnr
from course_utils.networks import FrozenTextUNet, SentenceEncoder, UNet, load_network, load_text_encoder
from course_utils.networks.frozen_text import Encoder
from course_utils.runtime import autocast
from course_utils.systems import glide, imagen
from course_utils.systems.model import noised
from course_utils.systems.sr3 import augment
from course_utils.training.recipes.glide import GLIDEBase, GLIDEUpsampler, SceneRecipe

# Noise on the states in training, at most, so that what lies near a known word is drawn like it. They have a standard
# deviation of 0.44. From GLIDE's budget on there is less: who is left and who is right is a fine difference of states
STATE_NOISE, LATE_STATE_NOISE = 0.4, 0.1
CROP, CROPS = 64, 4


class FrozenText(SceneRecipe):
    """Captions as the states of the frozen encoder."""

    @cached_property
    def encoder(self) -> Encoder:
        return load_text_encoder()

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0,
              split: str = "train") -> dict[str, Tensor]:
        scenes, where = self.scenes(n, generator, split, images_seen), generator.device
        with autocast(where):
            states, mask = self.encoder.to(where)([scene.caption for scene in scenes])
        states, mask = states.to(where), mask.to(where)
        most = LATE_STATE_NOISE if images_seen >= GLIDEBase.images else STATE_NOISE
        level = most * torch.rand(n, 1, 1, generator=generator, device=where) * (split == "train")
        states = states + level * torch.randn(states.shape, generator=generator, device=where)
        dropped = torch.rand(n, 1, generator=generator, device=where) < self.p_uncond
        return self.examples(scenes, generator) | {"states": states, "mask": mask & ~dropped}


class ImagenBase(FrozenText, GLIDEBase):
    """GLIDE's base and its U-Net; only the text encoder differs, and the training goes on for a third longer.

    The shipped one was first trained for GLIDE's 480,000 images and then resumed, so its learning rate fell twice.
    """

    name = "imagen-base"
    images, slow = 640_000, ()

    def network(self) -> FrozenTextUNet:
        return FrozenTextUNet({"channels": 3, "widths": [64, 256], "middle": 4, "predicts": self.predicts})

    def system(self, network: FrozenTextUNet) -> imagen.FrozenTextConditional:
        return imagen.FrozenTextConditional(network, self.encoder)


class ImagenSentence(ImagenBase):
    """The base's U-Net goes on with the multilingual encoder: one vector for a sentence, in place of its tokens."""

    name = "imagen-sentence"
    images, lr, plain = 120_000, 1e-3, 0
    data = SceneRecipe.data

    @cached_property
    def encoder(self) -> Encoder:
        return SentenceEncoder()

    def network(self) -> FrozenTextUNet:
        return continued("imagen-base", dim=512, length=1)

    def preview(self, network: FrozenTextUNet) -> Tensor:
        """Samples of Korean captions: another thing each time, colours in turn."""
        return self.system(network).sample([scene.caption for scene in unseen_words("korean")[:: 6 * 3 + 1]])


class ImagenUpsampler(FrozenText, GLIDEUpsampler):
    """From 32 x 32 and the caption to 64 x 64: GLIDE's U-Net goes on with the frozen encoder."""

    name = "imagen-upsampler"
    images, lr = 60_000, 1e-3

    def network(self) -> FrozenTextUNet:
        return continued("glide-upsampler")

    def system(self, network: FrozenTextUNet) -> imagen.Upsampler:
        return imagen.Upsampler(network, self.encoder)


def continued(name: str, **options) -> FrozenTextUNet:
    """A network for another encoder, for training, whose U-Net is that of a checkpoint."""
    unet = load_network(name).unet
    given = {key: value for key, value in unet.options.items() if key not in ("text_dim", "qk_norm")}
    network = FrozenTextUNet(given | {"vector_dim": unet.options["vector_dim"] - unet.options["text_dim"]},
                             width=unet.options["text_dim"], **options)
    network.unet.load_state_dict(unet.state_dict())
    return network


class ImagenUpsampler128(SceneRecipe):
    """From 64 x 64 to 128 x 128 without a caption or attention, trained on crops (the paper's section 2.5)."""

    name = "imagen-upsampler-128"
    images, lr = 300_000, 1.5e-3
    data = f"{SceneRecipe.data}; crops of {CROP} x {CROP} out of 128 x 128, {CROPS} of each scene"

    def network(self) -> UNet:
        return UNet(channels=3, stem=4, widths=[64, 128, 192], middle=0, image_channels=3, vector_dim=1,
                    predicts=self.predicts)

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0,
              split: str = "train") -> dict[str, Tensor]:
        scenes, where = self.scenes(-(-n // CROPS), generator, split), generator.device
        large, small = (render(scenes, size, where) for size in (128, 64))
        both = torch.cat([large, glide.enlarged(small)], dim=1).repeat_interleave(CROPS, 0)[:n]
        # At even places, where the pixels of the small image begin
        left, top = 2 * torch.randint((128 - CROP) // 2 + 1, (2, n), generator=generator, device=where)
        crops = torch.stack([image[:, y : y + CROP, x : x + CROP] for image, x, y in
                             zip(both, left.tolist(), top.tolist())])
        level = glide.MAX_AUGMENTATION * torch.rand(n, generator=generator, device=where)
        return noised(crops[:, :3], generator) | augment(crops[:, 3:], level, generator)

    def preview(self, network: UNet) -> Tensor:
        """Rows of four: samples for small images, the originals."""
        return torch.cat(self.answers(network, 4))

    def measures(self, network: UNet) -> dict[str, float]:
        """The loss, and what samples share with the originals."""
        return super().measures(network) | {"psnr_sample": round(psnr(*self.answers(network, 32)).mean().item(), 2)}

    def answers(self, network: UNet, n: int) -> tuple[Tensor, Tensor]:
        """Samples of real small scenes, and the same scenes drawn large."""
        scenes = evaluation_scenes("test", n)
        return imagen.LastUpsampler(network).sample(render(scenes, 64)).cpu(), render(scenes, 128)
