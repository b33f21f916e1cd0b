"""Stable Diffusion on emoji scenes: the U-Nets of notebook 12, on latents."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from course_utils.datasets.layouts import relaid
from course_utils.datasets.scenes import Scene
from course_utils.datasets.vocabulary import FAMILIAR
from course_utils.evaluation.boxes import box_scores
from course_utils.evaluation.grounding import layout_scenes
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
from course_utils.networks.text import PAD
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
        return torch.cat([self.draw(system, self.asked(part), i).cpu() for i, part in enumerate(parts(scenes, 64))])

    def draw(self, system: stable_diffusion.Latent, asked: list, seed: int) -> Tensor:
        """Samples of what is asked for."""
        return system.sample(asked, seed=seed)

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
    """From boxes with a concept each to latents: the base's U-Net goes on with an encoder of layouts.

    Half of the scenes are laid out anew, so that boxes may lie anywhere. A part of the loss, as in GLIGEN's boxes,
    shows what to attend to: places in a box to the three tokens of its object, others to none.
    """

    name = "sd-layout"
    images, lr = 80_000, 1e-3
    data = f"{SceneRecipe.data}; half of them laid out anew, in any places and several sizes"
    look = 0.1

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
        if split == "train":
            numbers = torch.randint(2**40, (n,), generator=generator, device=generator.device).tolist()
            scenes = [relaid(scene, number) if number < 2**39 else scene for scene, number in zip(scenes, numbers)]
        dropped, rows = self.dropped(n, generator).tolist(), []
        for gone, objects in zip(dropped, self.asked(scenes)):
            # In any order, for a layout is a set
            order = torch.randperm(len(objects), generator=generator, device=generator.device).tolist()
            rows.append([] if gone else [objects[i] for i in order])
        batch = {"tokens": LayoutTokenizer(len(FAMILIAR))(rows).to(generator.device)}
        if split == "train":
            batch["covers"] = covers(rows, batch["tokens"].shape[1] // 3).to(generator.device)
        return self.examples(scenes, generator) | batch

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        batch = dict(batch)
        covered = batch.pop("covers", None)
        if covered is None:
            return super().loss(network, batch)
        with getattr(network, "module", network).watched() as seen:
            loss = super().loss(network, batch)
        return loss + self.look * misled(seen, covered, (batch["tokens"] != PAD)[:, None])

    def measures(self, network: LayoutUNet) -> dict[str, float]:
        """The loss, how well boxes are kept, and whether their classes are named, in scenes whose objects do not touch:
        of one and of two objects as in other notebooks, and laid out anew ("anywhere").

        The IoU of chance is that of the boxes that the next scene asked for, the IoU of originals the most to expect.
        """
        found = super().measures(network)
        scenes = [scene for scene in evaluation_scenes("test", 256) if len(scene.objects) == 1 or
                  scene.relations[0][1] != "in front of"]
        made, real = self.answers(network, scenes), render(scenes, SIZE)
        anew = layout_scenes(128)
        groups = {name: (made, real, [i for i, scene in enumerate(scenes) if len(scene.objects) == count], scenes)
                  for name, count in (("one", 1), ("two", 2))}
        groups["anywhere"] = (self.answers(network, anew), render(anew, SIZE), list(range(len(anew))), anew)
        for name, (drawn, true, chosen, of) in groups.items():
            asked = [[placed.box for placed in of[i].objects] for i in chosen]
            for kind, images, boxes in (("", drawn, asked), ("_chance", drawn, asked[1:] + asked[:1]),
                                        ("_originals", true, asked)):
                scores = box_scores(images[chosen], boxes)
                found[f"iou_{name}{kind}"] = round(scores.mean().item(), 4)
                if not kind:
                    found[f"iou_{name}_error"] = round((scores.std() / len(scores) ** 0.5).item(), 4)
        return found | seen_again(made, real, scenes)


def covers(layouts: list[Layout], objects: int) -> Tensor:
    """Which tokens, three for each object, are of one in whose box a place lies, (B, places, 3 * objects) bool."""
    nowhere = (1.0, 1.0, 0.0, 0.0)
    boxes = [[box for _, box in layout] + (objects - len(layout)) * [nowhere] for layout in layouts]
    return inside(torch.tensor(boxes), places()).repeat_interleave(3, dim=2)


def places(side: int = 8) -> Tensor:
    """The middles of side x side places, x and y in [0, 1], row by row, (side * side, 2)."""
    middles = (torch.arange(side) + 0.5) / side
    return torch.cartesian_prod(middles, middles).flip(1)


def inside(boxes: Tensor, places: Tensor) -> Tensor:
    """Which places (P, 2) lie in which boxes (B, N, 4), (B, P, N) bool."""
    (low, high), places = boxes[:, None].split(2, dim=3), places[None, :, None]
    return ((places >= low) & (places <= high)).all(3)


def misled(seen: list[Tensor], covers: Tensor, there: Tensor) -> Tensor:
    """How far attention (B, heads, P, N) of each block is from what is right, (B,): -log of the right share, a mean.

    Right is to attend to the tokens that cover a place, (B, P, N) bool, and where none does to no token that is
    `there`, (B, 1, N) bool; unless all are, for then nothing else can be attended to.
    """
    total, crowded = 0.0, there.all(2)
    for attention in seen:
        mine, theirs = ((attention.mean(1) * which).sum(2) for which in (covers, there))
        right = torch.where(covers.any(2), mine, torch.where(crowded, 1, 1 - theirs))
        total = total - right.clamp(min=1e-4).log().mean(1)
    return total / len(seen)
