"""The judge of emoji scenes: it measures how true the pictures of notebooks 09 to 13 are to their captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, interpolate

from course_utils.datasets import to_model_range
from course_utils.datasets.scene import GRID, corner, place
from course_utils.datasets.scenes import Scene, Scenes, render_all
from course_utils.datasets.sprites import STYLES, concepts
from course_utils.datasets.vocabulary import COLOUR_NAMES, FAMILIAR, RELATIONS, truths
from course_utils.networks import SceneRecogniser
from course_utils.training.recipe import Recipe

# Many pairs: which of two objects stands in front is what takes longest to learn
SHARES = (0.3, 0.6, 0.1)
# What generators never see is every second lesson
LESSONS = ("train", "train", "train", "unseen-style", "unseen-ground", "unseen-relation")


class SceneRecogniserRecipe(Recipe):
    """Scenes of all concepts and combinations, held-out ones too: a judge must know what generators never saw."""

    name = "scene-recogniser"
    data = ("emoji scenes of 98 concepts, train and unseen splits, pairs in both orders, half drawn at 32 x 32 and "
            "enlarged, half at 64 x 64")
    images, batch_size, weight_decay = 400_000, 64, 0.05
    most_noise = 0.1

    def network(self) -> SceneRecogniser:
        return SceneRecogniser(list(concepts()), list(STYLES), list(COLOUR_NAMES), list(RELATIONS))

    def batch(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        numbers = torch.randint(2**40, (n,), generator=generator, device=generator.device).tolist()
        worlds = [Scenes(split, length=2**40, seed=1, shares=SHARES) for split in LESSONS]
        scenes = [worlds[number % len(worlds)].scene(number) for number in numbers]
        # Were some pairs shown in one order only, the judge could answer without looking
        scenes = [swapped(scene) if len(scene.objects) == 2 and number // len(worlds) % 2 else scene
                  for number, scene in zip(numbers, scenes)]
        small, large = drawn(scenes[: n // 2], 32, generator.device), drawn(scenes[n // 2 :], 64, generator.device)
        pictures = torch.cat([interpolate(small, scale_factor=2, mode="bilinear"), large])
        # Samples are a little noisy; that must not confuse the judge
        level = self.most_noise * torch.rand(n, 1, 1, 1, generator=generator, device=generator.device)
        noise = torch.randn(pictures.shape, generator=generator, device=generator.device)
        found = {name: value.to(generator.device) for name, value in truths(scenes).items()}
        return {"pictures": pictures + level * noise} | found

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        logits = network(batch["pictures"], batch["pair"].clamp(min=0))
        shown = torch.zeros_like(logits["concepts"])
        here, which = (batch["concepts"] >= 0).nonzero(as_tuple=True)
        shown[here, batch["concepts"][here, which]] = 1
        total = binary_cross_entropy_with_logits(logits["concepts"], shown, reduction="none").sum(1)
        batch = batch | {"count": batch["count"] - 1}
        return total + sum(cross_entropy(logits[name].float(), batch[name], reduction="none", ignore_index=-1)
                           for name in ("style", "ground", "count", "relation"))

    def measures(self, network: SceneRecogniser) -> dict[str, float]:
        """How much it sees in real scenes of the familiar concepts that it was not trained on, at both sizes."""
        found = {}
        for split in ("test", "unseen-style", "unseen-ground", "unseen-relation"):
            world = Scenes(split, among=FAMILIAR, shares=SHARES)
            scenes = [world.scene(number) for number in range(1000)]
            for size in (32, 64):
                right = network.judge(drawn(scenes, size), truths(scenes))
                found |= means(right, f"{split}_{size}")
        # The last ones the other way around: does it look, or does it know these pairs?
        scenes = [swapped(scene) for scene in scenes]
        return found | means(network.judge(drawn(scenes, 64), truths(scenes)), "unseen-relation_64_swapped")


def swapped(scene: Scene) -> Scene:
    """A scene of two whose objects have changed places; its caption is no longer true."""
    back, front = scene.objects
    return replace(scene, objects=(place(front.concept, scene.style, *corner(back, GRID), front.flipped),
                                   place(back.concept, scene.style, *corner(front, GRID), back.flipped)))


def drawn(scenes: Sequence[Scene], size: int, where="cpu") -> Tensor:
    """Scenes as pictures (B, 3, size, size) in [-1, 1], on the device `where`."""
    return to_model_range(render_all(scenes, size).to(where))


def means(right: dict[str, Tensor], what: str) -> dict[str, float]:
    """What the judge found of many pictures, for training.json; without what it could not judge of any."""
    return {f"{name}_{what}": round(values.nanmean().item(), 4) for name, values in right.items()
            if not values.isnan().all()}
