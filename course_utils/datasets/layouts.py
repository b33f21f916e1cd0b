"""Scenes laid out anew: the things of a scene anywhere and in several sizes, and what a model can be told of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import torch

from course_utils.datasets.annotations import annotate
from course_utils.datasets.captions import LENGTHS, caption
from course_utils.datasets.heldout import contains_held_out
from course_utils.datasets.scene import GRID, MOST, Scene, place
from course_utils.datasets.sprites import check_choice

# Steps of the cells, in 1/32 of the image's side: a latent of notebook 12 covers so much
STEP = 2
SIDES = {1: (12, 16, 20, 24, 28), 2: (12, 14, 16, 18), 3: (10, 12)}
# The share of scenes of several things in which they may overlap, by so much of the smaller cell
OVERLAPPING, OVERLAP = 0.25, 0.35
KINDS = ("boxes", "keypoints", "depth", "edges", "normals", "semantic")


def relaid(scene: Scene, seed: int, overlapping: float = OVERLAPPING) -> Scene:
    """The same things, style and background with other places and sizes, and a caption of its own.

    A coarse scene of the course has few layouts; these are any. No held-out relation comes about. Things may overlap
    with probability `overlapping`.
    """
    u = Random(seed).random
    while True:
        most = OVERLAP if u() < overlapping else 0.0
        cells = [_cell(u, len(scene.objects)) for _ in scene.objects]
        if any(_overlap(one, other) > most for i, one in enumerate(cells) for other in cells[:i]):
            continue
        objects = tuple(place(placed.concept, scene.style, *cell) for placed, cell in zip(scene.objects, cells))
        new = replace(scene, objects=objects)
        if not contains_held_out(new):
            r = u()
            return replace(new, caption=caption(new, LENGTHS[(r > 0.25) + (r > 0.75)], int(u() * 12),
                                                int(u() * len(objects))))


def _cell(u, count: int) -> tuple[int, int, int]:
    """Left, top and side."""
    side = SIDES[count][int(u() * len(SIDES[count]))]
    left, top = (STEP * int(u() * ((GRID - side) // STEP + 1)) for _ in range(2))
    return left, top, side


def _overlap(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """The share of the smaller cell that the other covers."""
    width, height = (min(one[i] + one[2], other[i] + other[2]) - max(one[i], other[i]) for i in range(2))
    return max(width, 0) * max(height, 0) / min(one[2], other[2]) ** 2


def told(scenes: Sequence[Scene], kind: str, size: int = 64):
    """What a grounded model is told of scenes, as `systems.gligen` takes it.

    boxes: for each scene a list of (name, box). keypoints (B, 3, 5, 3). depth (B, size, size): 0 the background, 1 the
    nearest thing. edges (B, size, size). normals (B, 3, size, size). semantic (B, size, size) labels.
    """
    check_choice("grounding", kind, KINDS)
    if kind == "boxes":
        return [[(placed.concept, placed.box) for placed in scene.objects] for scene in scenes]
    found = [annotate(scene, size) for scene in scenes]
    if kind == "keypoints":
        return torch.stack([each.padded(MOST)["keypoints"] for each in found])
    if kind == "depth":
        return torch.stack([each.depth / len(each.boxes) for each in found])
    return torch.stack([getattr(each, kind) for each in found])
