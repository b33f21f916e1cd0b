"""Masks: holes of every kind, of a sensible size, anywhere."""

import pytest
import torch

from course_utils.datasets import masks
from course_utils.runtime import seeded


@pytest.mark.parametrize("kind,least,most", [("box", 0.05, 0.4), ("half", 0.5, 0.5), ("stroke", 0.04, 0.75),
                                             ("silhouette", 0.03, 0.75)])
@pytest.mark.parametrize("size", [32, 64])
def test_masks_are_0_and_1_with_holes_of_a_sensible_size(kind, least, most, size):
    made = masks.KINDS[kind](200, size, seeded(0))
    assert made.shape == (200, 1, size, size) and made.dtype == torch.float32
    assert bool(((made == 0) | (made == 1)).all())
    shares = 1 - made.mean((1, 2, 3))
    assert least <= shares.min() and shares.max() <= most and 0.15 < shares.mean() <= 0.5
    assert torch.equal(made, masks.KINDS[kind](200, size, seeded(0)))
    assert not torch.equal(made, masks.KINDS[kind](200, size, seeded(1)))
    often = 1 - made.mean((0, 1))
    assert (often > 0).float().mean() > 0.85 and often.max() < 0.9


def test_mixed_masks_are_of_all_kinds():
    made = masks.mixed(400, 32, seeded(0))
    halves = ((1 - made.mean((1, 2, 3))) == 0.5).float().mean()
    assert made.shape == (400, 1, 32, 32) and 0.15 < halves < 0.4
    assert masks.mixed(0, 32, seeded(0)).shape == (0, 1, 32, 32)
