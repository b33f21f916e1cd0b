"""Stable Diffusion on emoji scenes: the U-Nets of notebook 12, on latents."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from course_utils.datasets.scenes import Scene
from course_utils.datasets.vocabulary import FAMILIAR
from course_utils.evaluation.boxes import box_scores
from course_utils.evaluation.scenes import evaluation_scenes, render
from course_utils.networks import (
    Autoencoder,
    LatentUNet,
    LayoutTokenizer,
    LayoutUNet,
    device_of,
    load_network,
)
from course_utils.networks.latent_unet import Layout
from course_utils.systems import stable_diffusion, unclip
from course_utils.systems.model import noised
from course_utils.training.recipes.autoencoder import SIZE, SDAutoencoder, encoded, parts, seen_again
from course_utils.training.recipes.glide import GLIDEBase, SceneRecipe, truth


class LatentRecipe(SceneRecipe):
    """A U-Net on the latents of scenes. They are encoded in the batch, which takes a fifth of the time."""

    predicts, lr = "v", 1.5e-3

    @cached_property
    def autoencoder(self) -> Autoencoder:
        # Its latents are those of sd-autoencoder
        return load_network("sd-decoder")

    def examples(self, scenes: list[Scene], generator: torch.Generator) -> dict[str, Tensor]:
        autoencoder = self.autoencoder.to(generator.device)
        # What is asked for is decided under much noise
        return noised(encoded(autoencoder, scenes).to(generator.device), generator, late=True)

    def dropped(self, n: int, generator: torch.Generator) -> Tensor:
        """Which examples are not told what they show, (n,) bool."""
        return torch.rand(n, generator=generator, device=generator.device) < self.p_uncond

    def system(self, network: nn.Module) -> stable_diffusion.Latent:
        """What samples from the network."""
        raise NotImplementedError

    def asked(self, scenes: list[Scene]) -> list:
        """What the system is asked for, to draw these scenes."""
        raise NotImplementedError

    def answers(self, network: nn.Module, scenes: list[Scene]) -> Tensor:
        """Samples for scenes, (B, 3, 128, 128), on the CPU."""
        system = self.system(network)
        return torch.cat([system.sample(self.asked(part), seed=i).cpu() for i, part in enumerate(parts(scenes, 64))])

    def preview(self, network: nn.Module) -> Tensor:
        return self.answers(network, evaluation_scenes("test", 16))


class SDBase(LatentRecipe, GLIDEBase):
    """From a caption, as the states of the frozen CLIP's text encoder, to latents; captions as in GLIDE's base."""

    name = "sd-base"
    images, slow = 400_000, ()

    @cached_property
    def clip(self) -> nn.Module:
        return load_network("clip")

    def network(self) -> LatentUNet:
        return LatentUNet(SDAutoencoder.latent_channels, predicts=self.predicts)

    def system(self, network: LatentUNet) -> stable_diffusion.StableDiffusion:
        where = device_of(network)
        return stable_diffusion.StableDiffusion(network, self.autoencoder.to(where), self.clip.to(where))

    def asked(self, scenes: list[Scene]) -> list[str]:
        return [scene.caption for scene in scenes]

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0,
              split: str = "train") -> dict[str, Tensor]:
        scenes = self.scenes(n, generator, split, images_seen)
        text = self.read(scenes, generator)
        return self.examples(scenes, generator) | text

    def read(self, scenes: list[Scene], generator: torch.Generator) -> dict[str, Tensor]:
        """The states of the scenes' captions, some of which are dropped."""
        dropped = self.dropped(len(scenes), generator).tolist()
        captions = ["" if gone else scene.caption for gone, scene in zip(dropped, scenes)]
        return {"text": unclip.read(self.clip.to(generator.device), captions)["states"]}

    def measures(self, network: LatentUNet) -> dict[str, float]:
        """The loss, and how true samples are to captions of each split, where the recogniser of scenes is trained."""
        return SceneRecipe.measures(self, network) | truth(
            lambda scenes: avg_pool2d(self.answers(network, scenes), 2))


class SDLayout(LatentRecipe):
    """From boxes with a concept each to latents: the base's U-Net goes on with an encoder of layouts."""

    name = "sd-layout"
    images, lr = 110_000, 1e-3

    def network(self) -> LayoutUNet:
        unet = load_network("sd-base")
        network = LayoutUNet(len(FAMILIAR), unet=unet.options)
        network.unet.load_state_dict(unet.state_dict())
        return network

    def system(self, network: LayoutUNet) -> stable_diffusion.LayoutToImage:
        return stable_diffusion.LayoutToImage(network, self.autoencoder.to(device_of(network)))

    def asked(self, scenes: list[Scene]) -> list[Layout]:
        return [[(FAMILIAR.index(placed.concept), placed.box) for placed in scene.objects] for scene in scenes]

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0,
              split: str = "train") -> dict[str, Tensor]:
        scenes = self.scenes(n, generator, split)
        dropped, rows = self.dropped(n, generator).tolist(), []
        for gone, objects in zip(dropped, self.asked(scenes)):
            # In any order, for a layout is a set
            order = torch.randperm(len(objects), generator=generator, device=generator.device).tolist()
            rows.append([] if gone else [objects[i] for i in order])
        tokens = LayoutTokenizer(len(FAMILIAR))(rows).to(generator.device)
        return self.examples(scenes, generator) | {"tokens": tokens}

    def measures(self, network: LayoutUNet) -> dict[str, float]:
        """The loss, how well boxes are kept, and whether their classes are named, in scenes whose objects do not touch.

        The IoU of chance is that of the boxes that the next scene asked for, the IoU of originals the most to expect.
        """
        found = super().measures(network)
        scenes = [scene for scene in evaluation_scenes("test", 256) if len(scene.objects) == 1 or
                  scene.relations[0][1] != "in front of"]
        made, real = self.answers(network, scenes), render(scenes, SIZE)
        for name, count in (("one", 1), ("two", 2)):
            chosen = [i for i, scene in enumerate(scenes) if len(scene.objects) == count]
            asked = [[placed.box for placed in scenes[i].objects] for i in chosen]
            for kind, images, boxes in (("", made, asked), ("_chance", made, asked[1:] + asked[:1]),
                                        ("_originals", real, asked)):
                scores = box_scores(images[chosen], boxes)
                found[f"iou_{name}{kind}"] = round(scores.mean().item(), 4)
                if not kind:
                    found[f"iou_{name}_error"] = round((scores.std() / len(scores) ** 0.5).item(), 4)
        return found | seen_again(made, real, scenes)
