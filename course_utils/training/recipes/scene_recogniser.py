"""The recogniser of emoji scenes, which measures how true the images of notebooks 09 to 13 are to their captions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, interpolate

from course_utils.datasets.scenes import Scenes
from course_utils.datasets.sprites import STYLES, concepts
from course_utils.datasets.vocabulary import COLOUR_NAMES, FAMILIAR, RELATIONS, truths
from course_utils.evaluation.scenes import evaluate, means, render, swap_objects
from course_utils.networks import SceneRecogniser
from course_utils.training.recipe import Recipe

# Many pairs: which of two objects stands in front takes longest to learn
SHARES = (0.3, 0.6, 0.1)
# Half of the batches show what generative models never see
SPLITS = ("train", "train", "train", "unseen-style", "unseen-ground", "unseen-relation")


class SceneRecogniserRecipe(Recipe):
    """Scenes of all concepts and combinations, held-out ones too: it must know what generative models never saw."""

    name = "scene-recogniser"
    data = ("emoji scenes of 98 concepts, train and unseen splits, pairs in both orders, half drawn at 32 x 32 and "
            "enlarged, half at 64 x 64")
    images, batch_size, weight_decay = 400_000, 64, 0.05
    most_noise = 0.1

    def network(self) -> SceneRecogniser:
        return SceneRecogniser(list(concepts()), list(STYLES), list(COLOUR_NAMES), list(RELATIONS))

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0) -> dict[str, Tensor]:
        numbers = torch.randint(2**40, (n,), generator=generator, device=generator.device).tolist()
        worlds = [Scenes(split, length=2**40, seed=1, shares=SHARES) for split in SPLITS]
        scenes = [worlds[number % len(worlds)].scene(number) for number in numbers]
        # Were some pairs shown in one order only, it could tell the relation without looking
        scenes = [swap_objects(scene) if len(scene.objects) == 2 and number // len(worlds) % 2 else scene
                  for number, scene in zip(numbers, scenes)]
        small, large = render(scenes[: n // 2], 32, generator.device), render(scenes[n // 2 :], 64, generator.device)
        images = torch.cat([interpolate(small, scale_factor=2, mode="bilinear"), large])
        # Samples are a little noisy; that must not confuse it
        level = self.most_noise * torch.rand(n, 1, 1, 1, generator=generator, device=generator.device)
        noise = torch.randn(images.shape, generator=generator, device=generator.device)
        found = {name: value.to(generator.device) for name, value in truths(scenes).items()}
        return {"images": images + level * noise} | found

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        logits = network(batch["images"], batch["pair"].clamp(min=0))
        shown = torch.zeros_like(logits["concepts"])
        here, which = (batch["concepts"] >= 0).nonzero(as_tuple=True)
        shown[here, batch["concepts"][here, which]] = 1
        total = binary_cross_entropy_with_logits(logits["concepts"], shown, reduction="none").sum(1)
        batch = batch | {"count": batch["count"] - 1}
        return total + sum(cross_entropy(logits[name].float(), batch[name], reduction="none", ignore_index=-1)
                           for name in ("style", "ground", "count", "relation"))

    def measures(self, network: SceneRecogniser) -> dict[str, float]:
        """How well it recognises real scenes of the familiar concepts that it was not trained on, at both sizes."""
        found = {}
        for split in ("test", "unseen-style", "unseen-ground", "unseen-relation"):
            world = Scenes(split, among=FAMILIAR, shares=SHARES)
            scenes = [world.scene(number) for number in range(1000)]
            for size in (32, 64):
                right = evaluate(network, render(scenes, size), truths(scenes))
                found |= means(right, f"{split}_{size}")
        # The last ones the other way around: does it look, or does it know these pairs by heart?
        scenes = [swap_objects(scene) for scene in scenes]
        return found | means(evaluate(network, render(scenes, 64), truths(scenes)), "unseen-relation_64_swapped")
