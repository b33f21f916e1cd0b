"""Does an image show what a grounded model was told? Exact measures, each with what originals get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, max_pool2d, pad

from course_utils.datasets.annotations import annotate, cushion, ends
from course_utils.datasets.layouts import relaid
from course_utils.datasets.scene import Scene
from course_utils.datasets.sprites import CELL, concepts
from course_utils.evaluation.boxes import box_of, found_spots, iou
from course_utils.evaluation.scenes import evaluation_scenes, render
from course_utils.networks import SceneRecogniser, device_of

# Pixels of an image of 128 that an edge may lie beside the asked one
TOLERANCE = 2
# Of the colour gradient, in [-1, 1] a pixel: what is steeper is an edge
STEEP = 0.2
# Of the distance between what may be in front and what may not, in [-1, 1]
UNLIKE = 0.3
# Pixels by which an order can be told
FEWEST = 40


def layout_scenes(count: int, apart: bool = True, split: str = "test") -> list[Scene]:
    """Evaluation scenes laid out anew, half of one thing and half of two: always the same.

    apart: no two boxes touch, so that each thing is a spot of its own; else all show two that overlap.
    """
    one: list[Scene] = []
    two: list[Scene] = []
    singles = count // 2 if apart else 0
    old = evaluation_scenes(split, 4 * count)
    for seed in range(100 * count):
        new = relaid(old[seed % len(old)], seed)
        if len(new.objects) == 1:
            one.append(new)
        elif _apart(new) if apart else int(_ordered(new, 128)[2].sum()) > FEWEST:
            two.append(new)
        if len(one) >= singles and len(two) >= count - singles:
            break
    return one[:singles] + two[: count - singles]


def _apart(scene: Scene) -> bool:
    one, other = (placed.box for placed in scene.objects)
    return max(max(one[i] - other[i + 2], other[i] - one[i + 2]) for i in range(2)) > 0.02


def box_table(images: Tensor, scenes: Sequence[Scene], recogniser: SceneRecogniser | None = None) -> dict[str, Tensor]:
    """For each thing of each scene, (N,): iou of its box with the nearest found one, and with a recogniser whether that
    names the thing that stands in its box right, among all 98.

    For that all outside of the box, widened by a sixteenth, is made background.
    """
    overlaps, alone, wanted = [], [], []
    for image, scene in zip(images.cpu(), scenes):
        spots, ground = found_spots(image)
        boxes = [box_of(spot) for spot in spots]
        for placed in scene.objects:
            overlaps.append(max((iou(placed.box, box) for box in boxes), default=0.0))
            alone.append(_only(image, ground, _inside(placed.box, image.shape[-1])))
            wanted.append(concepts()[placed.concept].index)
    found = {"iou": torch.tensor(overlaps)}
    if recogniser is not None:
        found["named"] = (_named(recogniser, torch.stack(alone)) == torch.tensor(wanted)).float()
    return found


def agreement(kind: str, images: Tensor, scenes: Sequence[Scene], recogniser: SceneRecogniser | None = None) -> Tensor:
    """How well images (B, 3, 128, 128) agree with the grounding that their scenes give, for each (B,):

    boxes: mean IoU. keypoints: mean distance to those of the found spots, in image sides, 1 where nothing was found.
    depth: IoU of what is nearer than the background with the found spots (`right_in_front` judges the order of things).
    edges: F1 with steep colour changes, up to two pixels aside. normals: mean angle in degrees to those of found spots,
    where there is a thing. semantic: mean IoU of the regions of each thing with the found spots of that name; needs the
    recogniser.
    """
    if kind == "semantic":
        return _semantic(images, scenes, recogniser)
    one = {"boxes": _boxes, "keypoints": _keypoints, "depth": _nearer, "edges": _edges, "normals": _normals}[kind]
    return torch.tensor([one(image, scene) for image, scene in zip(images.cpu().float(), scenes)])


def _boxes(image: Tensor, scene: Scene) -> float:
    return box_table(image[None], [scene])["iou"].mean().item()


def _keypoints(image: Tensor, scene: Scene) -> float:
    """Each thing is compared with the spot that agrees best."""
    found = [ends(spot) for spot in found_spots(image)[0]]
    gaps = [min((float(np.linalg.norm(asked[:, :2].numpy() - each, axis=1).mean()) for each in found), default=1.0)
            for asked in annotate(scene, 64).keypoints]
    return sum(gaps) / len(gaps)


def _nearer(image: Tensor, scene: Scene) -> float:
    asked = (annotate(scene, image.shape[-1]).depth > 0).numpy()
    found = np.any(found_spots(image)[0] or [np.zeros_like(asked)], axis=0)
    return float((asked & found).sum() / (asked | found).sum())


def right_in_front(images: Tensor, scenes: Sequence[Scene]) -> Tensor:
    """For scenes of two things that overlap, (B,): 1 if the right one is in front, else 0.

    Where the scene and the same with the other thing in front differ: which of both is the image (3, 128, 128) nearer
    to?
    """
    found = []
    for image, scene in zip(images.cpu().float(), scenes):
        right, wrong, there = _ordered(scene, image.shape[-1])
        gaps = [(image - other).abs().sum(0)[there].mean() for other in (right, wrong)]
        found.append(float(gaps[0] < gaps[1]))
    return torch.tensor(found)


def _ordered(scene: Scene, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The scene, the same with the other thing in front, and where they differ, (size, size) bool."""
    right, wrong = render([scene, replace(scene, objects=scene.objects[::-1])], size)
    return right, wrong, (right - wrong).abs().amax(0) > UNLIKE


def _edges(image: Tensor, scene: Scene) -> float:
    asked = (annotate(scene, image.shape[-1]).edges > 0.5)[None, None].float()
    found = steep(image[None])
    wide = 2 * TOLERANCE + 1
    near_asked, near_found = (max_pool2d(edges, wide, 1, TOLERANCE) for edges in (asked, found))
    precision = (found * near_asked).sum() / found.sum().clamp(min=1)
    recall = (asked * near_found).sum() / asked.sum().clamp(min=1)
    return float(2 * precision * recall / (precision + recall).clamp(min=1e-6))


def steep(images: Tensor) -> Tensor:
    """Where colours change steeply, (B, 1, H, W) of 0 and 1: the ridges of the gradient, by Sobel's filter."""
    right = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    kernel = torch.stack([right, right.T])[:, None].repeat(images.shape[1], 1, 1, 1)
    smooth = avg_pool2d(pad(images, (2, 2, 2, 2), mode="replicate"), 3, 1)
    slopes = conv2d(smooth, kernel, groups=images.shape[1])
    size = slopes.unflatten(1, (-1, 2)).norm(dim=2).amax(1, keepdim=True)
    return ((size > STEEP) & (size >= 0.8 * max_pool2d(size, 5, 1, 2))).float()


def _normals(image: Tensor, scene: Scene) -> float:
    asked, size = annotate(scene, image.shape[-1]), image.shape[-1]
    found = np.zeros((3, size, size), np.float32)
    found[2] = 1
    for spot in found_spots(image)[0]:
        rows, columns = spot.nonzero()
        blur = 3 * max(np.ptp(rows), np.ptp(columns)) / CELL
        found = np.where(spot, cushion(spot, blur), found)
    there = (asked.depth > 0).numpy() | (found[2] < 0.999)
    cosine = (asked.normals.numpy() * found).sum(0)[there].clip(-1, 1)
    return float(np.degrees(np.arccos(cosine)).mean())


def _semantic(images: Tensor, scenes: Sequence[Scene], recogniser: SceneRecogniser) -> Tensor:
    images = images.cpu().float()
    spots = [found_spots(image) for image in images]
    alone = [_only(image, ground, ndimage.binary_dilation(spot, iterations=3))
             for image, (some, ground) in zip(images, spots) for spot in some]
    names = iter(_named(recogniser, torch.stack(alone)).tolist() if alone else [])
    scores = []
    for scene, (some, _) in zip(scenes, spots):
        labels = np.zeros((images.shape[-1],) * 2, int)
        for spot in some:
            labels[spot] = 1 + next(names)
        asked, each = annotate(scene, images.shape[-1]).semantic.numpy(), []
        for number in np.unique(asked[asked > 0]):
            one, other = asked == number, labels == number
            each.append((one & other).sum() / (one | other).sum())
        scores.append(float(np.mean(each)))
    return torch.tensor(scores)


def _inside(box, size: int) -> np.ndarray:
    """A box, widened by a sixteenth of the image's side, as a mask."""
    left, top, right, bottom = (round(size * value) for value in box)
    wide, mask = size // 16, np.zeros((size, size), bool)
    mask[max(top - wide, 0) : bottom + wide, max(left - wide, 0) : right + wide] = True
    return mask


def _only(image: Tensor, ground: np.ndarray, mask: np.ndarray) -> Tensor:
    return torch.where(torch.from_numpy(mask), image, torch.from_numpy(ground))


def _named(recogniser: SceneRecogniser, images: Tensor) -> Tensor:
    """The numbers of the concepts that are recognised best, (N,)."""
    small = avg_pool2d(images, images.shape[-1] // 64).to(device_of(recogniser))
    return recogniser.look(small, torch.zeros(len(images), 2, dtype=torch.long))["concepts"].argmax(1)
