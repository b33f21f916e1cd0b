"""Stable Diffusion on emoji scenes: the U-Nets of notebook 12, on latents."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
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
            batch["covers"] = covers(rows, batch["tokens"].shape[1]).to(generator.device)
        return self.examples(scenes, generator) | batch

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        batch = dict(batch)
        covered = batch.pop("covers", None)
        if covered is None:
            return super().loss(network, batch)
        whole = getattr(network, "module", network)
        with attending(whole) as seen:
            loss = super().loss(network, batch)
        there = (batch["tokens"] != PAD)[:, None]
        # Where all tokens are objects', nothing else can be attended to
        free = there.all(2)
        for attention in seen:
            mine, any_of_them = ((attention * which).sum(2) for which in (covered, there))
            right = torch.where(covered.any(2), mine, torch.where(free, 1, 1 - any_of_them))
            loss = loss - self.look / len(seen) * right.clamp(min=1e-4).log().mean(1)
        return loss

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


def covers(layouts: list[Layout], tokens: int, side: int = 8) -> Tensor:
    """Which tokens are those of an object in whose box a place lies, (B, side * side, tokens) bool."""
    middles = (torch.arange(side) + 0.5) / side
    y, x = torch.cartesian_prod(middles, middles).T
    found = torch.zeros(len(layouts), side * side, tokens, dtype=torch.bool)
    for row, layout in zip(found, layouts):
        for k, (_, (left, top, right, bottom)) in enumerate(layout):
            row[:, 3 * k : 3 * k + 3] = ((left <= x) & (x <= right) & (top <= y) & (y <= bottom))[:, None]
    return found


@contextlib.contextmanager
def attending(network: LayoutUNet) -> Iterator[list[Tensor]]:
    """Within the block each call leaves here, for each transformer block, what its places attend to: (B, places,
    tokens), means over the heads."""
    seen: list[Tensor] = []

    def watch(attention: nn.Module, given: tuple, options: dict[str, Tensor]) -> None:
        query, key = attention.to_q(given[0]), attention.to_k(options["encoder_hidden_states"])
        query, key = (x.unflatten(2, (attention.heads, -1)).transpose(1, 2) for x in (query, key))
        seen.append((attention.scale * query @ key.mT).float().softmax(-1).mean(1))

    hooks = [part.attn2.register_forward_pre_hook(watch, with_kwargs=True) for part in network.unet.modules()
             if hasattr(part, "attn2")]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
