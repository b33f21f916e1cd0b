"""Samples of garments: their distance to the test split, and whether they show the class that was asked for."""

from __future__ import annotations

from torch import Tensor

from course_utils.datasets import to_model_range
from course_utils.datasets.garments import Garments
from course_utils.measure import frechet_distance
from course_utils.networks import load_network


def recognised(images: Tensor) -> tuple[float, Tensor]:
    """The Frechet distance of images (N, 1, 32, 32) to the test split, and the class of each by the recogniser (N,)."""
    recogniser = load_network("garment-recogniser").to(images.device)
    features, real = (recogniser.look(part.to(images.device))[0]
                      for part in (images, to_model_range(Garments("test").images)))
    return frechet_distance(features, real), recogniser.head(features).argmax(1).cpu()


def scores(images: Tensor, label: Tensor, suffix: str) -> dict[str, float]:
    """`recognised` as measures for training.json: distance, and accuracy against label (N,)."""
    distance, classes = recognised(images)
    return {f"frechet_{suffix}": round(distance, 3),
            f"accuracy_{suffix}": round((classes == label).float().mean().item(), 4)}
