"""Where objects stand in images of scenes: their boxes, found without any network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from scipy.ndimage import binary_opening, gaussian_filter, label
from torch import Tensor

from course_utils.datasets import to_model_range
from course_utils.datasets.grounds import COLOURS, PATTERNS, Ground, paint

Box = Sequence[float]
# Of a colour, in [-1, 1]: what differs by more from the background is part of an object. Two tones of a pattern differ
# by less than sprites do
DIFFERENT = 0.25
SMALLEST = 0.004  # of the image: a smaller spot is no object


def found_boxes(image: Tensor, most: int = 3) -> list[tuple[float, float, float, float]]:
    """The boxes (left, top, right, bottom) in [0, 1] of the spots of an image, see `found_spots`."""
    return [box_of(spot) for spot in found_spots(image, most)[0]]


def box_of(spot: np.ndarray) -> tuple[float, float, float, float]:
    """The box of a spot (H, H) bool that is not empty."""
    (rows, columns), size = spot.nonzero(), len(spot)
    return columns.min() / size, rows.min() / size, (columns.max() + 1) / size, (rows.max() + 1) / size


def found_spots(image: Tensor, most: int = 3) -> tuple[list[np.ndarray], np.ndarray]:
    """The largest spots of an image (3, H, H) in [-1, 1] that are not background, at most `most`, each (H, H) bool; and
    the background without them, (3, H, H).

    The background is the one of the course's that lies nearest to most pixels. Objects that touch are one spot.
    """
    size = image.shape[-1]
    smooth = gaussian_filter(image.float().numpy(), (0, size / 128, size / 128))
    gaps = np.abs(_grounds(size) - smooth[None]).max(1)
    # The median over the pixels does not see objects that cover less than half
    ground = np.quantile(gaps.reshape(len(gaps), -1), 0.4, axis=1).argmin()
    spots, count = label(binary_opening(gaps[ground] > DIFFERENT, iterations=max(1, size // 64)))
    areas = np.bincount(spots.ravel(), minlength=count + 1)[1:]
    largest = [i for i in np.argsort(-areas, kind="stable")[:most] if areas[i] >= SMALLEST * size * size]
    return [spots == i + 1 for i in largest], _grounds(size)[ground]


def iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes (left, top, right, bottom), in 0..1."""
    width, height = (min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1))
    inside = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return inside / (sum(areas) - inside)


def box_scores(images: Tensor, asked: Sequence[Sequence[Box]]) -> Tensor:
    """For each asked box of each image (B, 3, H, H) the largest IoU with a found one, 0 where nothing was found: (N,).
    """
    return torch.tensor([max((iou(box, found) for found in boxes), default=0.0)
                         for image, wanted in zip(images.cpu(), asked)
                         for boxes in [found_boxes(image, max(3, len(wanted)))] for box in wanted])


@cache
def _grounds(size: int) -> np.ndarray:
    grounds = [Ground(colour, pattern) for colour in COLOURS for pattern in PATTERNS]
    return np.stack([to_model_range(torch.from_numpy(paint(ground, size).copy())).numpy() for ground in grounds])
