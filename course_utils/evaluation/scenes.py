"""Samples of scenes: do they show what their captions say?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from course_utils.datasets import to_model_range
from course_utils.datasets.scene import GRID, corner, place
from course_utils.datasets.scenes import Scene, Scenes, render_all
from course_utils.datasets.vocabulary import FAMILIAR, said
from course_utils.networks import SceneRecogniser


def evaluation_scenes(split: str, count: int) -> list[Scene]:
    """Scenes whose captions say style and ground, and of two objects the relation: always the same.

    Half show one object and half two; with unseen styles and grounds all show one, with unseen relations two.
    """
    alone = {"unseen-style": count, "unseen-ground": count, "unseen-relation": 0}.get(split, count // 2)
    scenes = []
    for shares, wanted in (((1, 0, 0), alone), ((0, 1, 0), count - alone)):
        world = Scenes(split, among=FAMILIAR, shares=shares, coarse=True)
        complete = (scene for scene in map(world.scene, range(len(world))) if _says_all(scene))
        scenes += [next(complete) for _ in range(wanted)]
    return scenes


def _says_all(scene: Scene) -> bool:
    found = said([scene])
    names = ("style", "ground") if len(scene.objects) == 1 else ("style", "ground", "relation")
    return all(found[name] >= 0 for name in names)


def render(scenes: Sequence[Scene], size: int, device="cpu") -> Tensor:
    """Scenes as images (B, 3, size, size) in [-1, 1], on the device."""
    return to_model_range(render_all(scenes, size).to(device))


def swap_objects(scene: Scene) -> Scene:
    """A scene of two whose objects have changed places; its caption is no longer true."""
    back, front = scene.objects
    return replace(scene, objects=(place(front.concept, scene.style, *corner(back, GRID), front.flipped),
                                   place(back.concept, scene.style, *corner(front, GRID), back.flipped)))


def evaluate(recogniser: SceneRecogniser, images: Tensor, said: dict[str, Tensor]) -> dict[str, Tensor]:
    """The `fidelity` of images (B, 3, H, W) in [-1, 1] to what was said of them."""
    return fidelity(recogniser.look(images, said["pair"]), said)


def fidelity(seen: dict[str, Tensor], said: dict[str, Tensor]) -> dict[str, Tensor]:
    """How true images are to their captions: concept, style, ground, count and relation, (B,) each.

    1 is right, 0 wrong, NaN not asked; the mean over images is `nanmean()`. concept: the share of the n named objects
    among the n that are recognised best. relation: only where both objects are recognised.
    seen: logits by name, from SceneRecogniser.look. said: numbers by name, from datasets.vocabulary.said, -1 where a
    caption says nothing. Images paired with other captions give the values of chance.
    """
    right = {name: _hits(seen[name], said[name]) for name in ("style", "ground", "relation")}
    right["count"] = _hits(seen["count"], said["count"] - 1)
    rank = seen["concepts"].argsort(1, descending=True).argsort(1)
    named = said["concepts"] >= 0
    found = named & (rank.gather(1, said["concepts"].clamp(min=0)) < said["count"][:, None])
    right["concept"] = found.sum(1) / named.sum(1)
    right["relation"][right["concept"] < 1] = torch.nan
    return right


def _hits(logits: Tensor, wanted: Tensor) -> Tensor:
    """1 where the largest logit is the wanted one, 0 elsewhere, NaN where nothing (-1) is wanted: (B,)."""
    return torch.where(wanted < 0, torch.nan, (logits.argmax(1) == wanted).float())


def mean_and_error(values: Tensor, name: str, digits: int = 4) -> dict[str, float]:
    """The mean of values (N,) and its standard error, by `name` and NAME_error; nothing for less than two values."""
    if len(values) < 2:
        return {}
    numbers = {name: values.mean(), f"{name}_error": values.std() / len(values) ** 0.5}
    return {key: round(number.item(), digits) for key, number in numbers.items()}


def means(right: dict[str, Tensor], suffix: str) -> dict[str, float]:
    """The means of `fidelity` over many images, for training.json; without what no image was asked for."""
    return {f"{name}_{suffix}": round(values.nanmean().item(), 4) for name, values in right.items()
            if not values.isnan().all()}
