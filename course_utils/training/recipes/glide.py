"""GLIDE on emoji scenes: base, upsampler, inpainting and the noised CLIP of notebook 09."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from course_utils.datasets import masks
from course_utils.datasets.captions import caption
from course_utils.datasets.scenes import Scene, Scenes
from course_utils.datasets.vocabulary import FAMILIAR, said, words
from course_utils.evaluation.scenes import evaluate, evaluation_scenes, means, render
from course_utils.kernels import q_sample
from course_utils.measure import psnr
from course_utils.networks import NetworkError, NoisyCLIP, SceneRecogniser, TextUNet, device_of, load_network
from course_utils.networks.clip import contrastive_loss
from course_utils.networks.text import Tokenizer
from course_utils.runtime import seeded
from course_utils.systems import glide
from course_utils.systems.inpainting import MaskedImage
from course_utils.systems.model import SCHEDULE, noised
from course_utils.training.recipe import DiffusionRecipe

# Words of the longest caption
LENGTH = 28
# Of the samples that are recorded with `glide-wrong-captions`
PROMPTS = (
    "a panda in sticker style on a blue background", "an outlined castle on a pink background",
    "a flat penguin on an orange background", "a flat rocket on a navy background",
    "a lion in sticker style on a teal background", "a flat ghost above a flat pizza on a purple background",
    "a flat house left of a flat pine tree on a blue background", "a flat sun above a flat car on a navy background")
PREVIEW_SCALES = (1.0, 2.0, 3.0, 5.0)


def data_of(shares: tuple[float, float, float]) -> str:
    """The scenes of a recipe in words; shares: of those with one, two and three objects."""
    one, two, three = (f"{share:.0%}" for share in shares)
    return f"emoji scenes of 48 concepts, train split, {one} with one object, {two} with two, {three} with three"


class SceneRecipe(DiffusionRecipe):
    """Captioned scenes of the 48 familiar concepts, made as they are needed and never twice."""

    shares = (0.5, 0.45, 0.05)
    data = data_of(shares)
    batch_size, p_uncond = 32, 0.1

    def scenes(self, n: int, generator: torch.Generator, split: str = "train", images_seen: int = 0) -> list[Scene]:
        """`n` scenes of a split."""
        numbers = torch.randint(2**40, (n,), generator=generator, device=generator.device)
        world = Scenes(split, length=2**40, among=FAMILIAR, shares=self.shares, coarse=True)
        return [world.scene(number) for number in numbers.tolist()]

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer(words(), LENGTH)

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0,
              split: str = "train") -> dict[str, Tensor]:
        scenes = self.scenes(n, generator, split, images_seen)
        tokens = self.tokenizer([scene.caption for scene in scenes]).to(generator.device)
        return self.examples(scenes, generator) | {"tokens": glide.drop_captions(tokens, generator, self.p_uncond)}

    def examples(self, scenes: list[Scene], generator: torch.Generator) -> dict[str, Tensor]:
        """A training batch from scenes, without their captions."""
        return noised(render(scenes, 32, generator.device), generator)

    def held_out(self, network) -> list[dict[str, Tensor]]:
        """Batches of the test split, always the same."""
        generator = seeded(0, device_of(network))
        return [self.batch(64, generator, split="test") for _ in range(8)]

    def measures(self, network) -> dict[str, float]:
        """The loss on scenes of the test split."""
        losses = torch.cat([self.loss(network, batch) for batch in self.held_out(network)])
        return {"held_out_loss": round(losses.mean().item(), 5)}


class GLIDEBase(SceneRecipe):
    """From a caption to 32 x 32, the U-Net with most of its work at 8 x 8, and the text transformer."""

    name = "glide-base"
    # So long captions are worded in one way, and name what is left, above or behind first. Which word belongs to which
    # object is learned then; from all wordings at once a small network would learn it far later
    plain = 100_000
    data = f"{SceneRecipe.data}; up to {plain:,} images one wording of captions"
    images = 480_000
    slow = ("text.blocks",)

    def scenes(self, n: int, generator: torch.Generator, split: str = "train", images_seen: int = 0) -> list[Scene]:
        scenes = super().scenes(n, generator, split)
        if split == "train" and images_seen < self.plain:
            return [replace(scene, caption=caption(scene, "medium", variant=2)) for scene in scenes]
        return scenes

    def examples(self, scenes: list[Scene], generator: torch.Generator) -> dict[str, Tensor]:
        # What a caption decides is decided under much noise
        return noised(render(scenes, 32, generator.device), generator, late=True)

    def network(self) -> TextUNet:
        shape = {"channels": 3, "widths": [64, 256], "middle": 4, "predicts": self.predicts}
        return TextUNet(words(), shape, LENGTH)

    def system(self, network: TextUNet) -> glide.TextConditional:
        """What samples from the network."""
        return glide.TextConditional(network)

    def preview(self, network: TextUNet) -> Tensor:
        return self.system(network).sample([scene.caption for scene in evaluation_scenes("test", 32)])

    def measures(self, network: TextUNet) -> dict[str, float]:
        """The loss, and how true samples are to captions of each split, where the recogniser of scenes is trained."""
        return super().measures(network) | truth(lambda scenes: self.answers(network, scenes))

    def answers(self, network: TextUNet, scenes: list[Scene]) -> Tensor:
        """Samples of the captions of scenes."""
        base = self.system(network)
        return torch.cat([base.sample([scene.caption for scene in scenes[i : i + 64]], seed=i)
                          for i in range(0, len(scenes), 64)])


def recogniser_of_scenes() -> SceneRecogniser | None:
    """What judges samples; None where it is not trained."""
    try:
        return load_network("scene-recogniser")
    except NetworkError:
        return None


def truth(drawn: Callable[[list[Scene]], Tensor]) -> dict[str, float]:
    """How true what `drawn` makes of scenes (B, 3, H, H), H 32 or 64, is to those of each split.

    Empty where the recogniser of scenes is not trained.
    """
    recogniser, found = recogniser_of_scenes(), {}
    if recogniser is None:
        return found
    for split in ("test", "unseen-style", "unseen-ground", "unseen-relation"):
        scenes = evaluation_scenes(split, 256)
        found |= means(evaluate(recogniser, drawn(scenes), said(scenes)), split)
    return found


class GLIDEWrongCaptions(GLIDEBase):
    """The base goes on with two captions in five exchanged between images: what guidance is good for (notebook 09)."""

    name = "glide-wrong-captions"
    wrong = 0.4
    data = f"{SceneRecipe.data}; {wrong:.0%} of the captions belong to other images"
    images, lr, plain = 14_000, 5e-4, 0

    def network(self) -> TextUNet:
        return load_network("glide-base").requires_grad_(True).train()

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0,
              split: str = "train") -> dict[str, Tensor]:
        batch = super().batch(n, generator, images_seen, split)
        wrong = torch.rand(n, generator=generator, device=generator.device) < self.wrong
        batch["tokens"][wrong] = batch["tokens"][wrong].roll(1, dims=0)
        return batch

    def preview(self, network: TextUNet) -> Tensor:
        """Rows of the same eight prompts and noises, one for each guidance scale."""
        base = glide.TextConditional(network)
        return torch.cat([base.sample(PROMPTS, scale, seed=1) for scale in PREVIEW_SCALES])

    def measures(self, network: TextUNet) -> dict[str, float]:
        """The loss: how true samples are at which guidance scale is measured by tests/bench/glide.py."""
        return SceneRecipe.measures(self, network)


class GLIDEUpsampler(SceneRecipe):
    """From 32 x 32 and the caption to 64 x 64. The small images are rendered small, as those of the base."""

    name = "glide-upsampler"
    images, batch_size, lr = 150_000, 32, 1.5e-3

    def network(self) -> TextUNet:
        shape = {"channels": 3, "widths": [32, 64, 128], "middle": 2, "image_channels": 3, "vector_dim": 1,
                 "predicts": self.predicts}
        return TextUNet(words(), shape, LENGTH, layers=2)

    def examples(self, scenes: list[Scene], generator: torch.Generator) -> dict[str, Tensor]:
        large, small = (render(scenes, size, generator.device) for size in (64, 32))
        level = glide.MAX_AUGMENTATION * torch.rand(len(scenes), generator=generator, device=generator.device)
        return noised(large, generator) | glide.enlarge_and_augment(small, level, generator)

    def preview(self, network: TextUNet) -> Tensor:
        """Rows of eight: samples for small images, the originals."""
        made, large = self.answers(network, 16)
        return torch.cat([made[:8], large[:8], made[8:], large[8:]])

    def measures(self, network: TextUNet) -> dict[str, float]:
        """The loss, and what samples share with the originals."""
        return super().measures(network) | {"psnr_sample": round(psnr(*self.answers(network, 64)).mean().item(), 2)}

    def system(self, network: TextUNet) -> glide.Upsampler:
        """What samples from the network."""
        return glide.Upsampler(network)

    def answers(self, network: TextUNet, n: int) -> tuple[Tensor, Tensor]:
        """Samples of real small scenes, and the same scenes drawn large."""
        scenes = evaluation_scenes("test", n)
        made = self.system(network).sample([scene.caption for scene in scenes], render(scenes, 32))
        return made.cpu(), render(scenes, 64)


class GLIDEInpaint(GLIDEBase):
    """The base goes on with four more channels: the kept part of the image, and the mask."""

    name = "glide-inpaint"
    data = SceneRecipe.data
    images, lr, plain = 100_000, 5e-4, 0

    def network(self) -> TextUNet:
        return load_network("glide-base").widened(4)

    def examples(self, scenes: list[Scene], generator: torch.Generator) -> dict[str, Tensor]:
        mask = masks.mixed(len(scenes), 32, generator)
        return MaskedImage.batch(render(scenes, 32, generator.device), mask, generator)

    def preview(self, network: TextUNet) -> Tensor:
        """Rows of eight: images with holes, and filled ones."""
        scenes, mask = evaluation_scenes("test", 16), masks.mixed(16, 32, seeded(0))
        x0 = render(scenes, 32)
        made = glide.Inpainter(network).sample([scene.caption for scene in scenes], x0, mask).cpu()
        return torch.cat([x0[:8] * mask[:8], made[:8], x0[8:] * mask[8:], made[8:]])

    def measures(self, network: TextUNet) -> dict[str, float]:
        """The loss: how true an image is to its caption, most of it real, would say little."""
        return SceneRecipe.measures(self, network)


class GLIDECLIP(SceneRecipe):
    """Which caption belongs to which noisy image: the noised CLIP of CLIP guidance."""

    name = "glide-clip"
    shares = (0.6, 0.35, 0.05)
    data = data_of(shares)
    images, batch_size, lr, weight_decay, p_uncond = 300_000, 128, 1e-3, 0.05, 0.0

    def network(self) -> NoisyCLIP:
        return NoisyCLIP(words(), LENGTH)

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        return contrastive_loss(network(batch["xt"], batch["t"], batch["tokens"]))

    def measures(self, network: NoisyCLIP) -> dict[str, float]:
        """The loss, and how often it finds an image's caption among 64, at some times."""
        found, batches = super().measures(network), self.held_out(network)
        for t in (0, 250, 500, 750):
            abar = SCHEDULE.at(t, batches[0]["x0"]).float()
            logits = [network(q_sample(batch["x0"], abar.expand(64), batch["seed"]), t, batch["tokens"]).cpu()
                      for batch in batches]
            right = [each.argmax(1) == torch.arange(64) for each in logits]
            found[f"accuracy_at_{t}"] = round(torch.cat(right).float().mean().item(), 4)
        return found
