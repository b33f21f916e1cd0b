"""The exercises of notebook 12, Stable Diffusion."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.exercises.base import Exercise, Faults, choice, number, tensors


def _cases():
    one = torch.tensor([0.1, 0.2, 0.5, 0.8])
    for other in ([0.3, 0.4, 0.9, 0.7], [0.6, 0.2, 0.9, 0.8], [0.2, 0.3, 0.4, 0.6], [0.6, 0.85, 0.9, 0.95],
                  [0.0, 0.1, 0.9, 0.7]):
        yield one, torch.tensor(other)


def _area(box: Tensor) -> Tensor:
    return (box[2:] - box[:2]).prod()


def _shared(one: Tensor, other: Tensor, least: float = 0.0) -> Tensor:
    sides = torch.minimum(one[2:], other[2:]) - torch.maximum(one[:2], other[:2])
    return sides.clamp(min=least).prod()


def _iou(one: Tensor, other: Tensor, least: float = 0.0) -> Tensor:
    return _shared(one, other, least) / (_area(one) + _area(other) - _shared(one, other, least))


FAULTS = Faults("bdac", {
    "a": "Without the caption the network draws something else, on another background.",
    "b": "After a single step the owl is there, without detail and in glaring colours: a first guess, guided.",
    "c": "Exchanged channels leave every part in its place, and give it the wrong colours.",
    "d": "With height and width exchanged the owl lies on its side, and each part of 8 x 8 pixels is still upright.",
})
# Of exercise 4
shuffled = FAULTS.runs


EXERCISES = [
    Exercise(
        name="times_fewer_pairs",
        grade=number(
            right=4096,
            mistakes={
                64: "64 times fewer *positions*. Each of them is compared with all, so pairs are the square of that.",
                8: "Each side is 8 times shorter. How many positions are that, and how many pairs?",
                512: "That is 8 to the power of 3. Positions are a square (8 x 8), and pairs the square of those.",
                24: "That is how many numbers an image has for each number of the latents. Channels do not count here.",
                48: "That is the ratio of numbers in Stable Diffusion 1. Channels do not count here.",
            },
            otherwise="Positions: (H / 8) x (W / 8). Pairs of positions: the square of that.",
        ),
        hints=("With H x W pixels there are (H W)^2 pairs.", "(H W)^2 / (H W / 64)^2 = ?"),
        solution="times_fewer_pairs = 8 ** 4",
        means="Convolutions become 64 times cheaper, attention between all positions 4,096 times. What pixels can "
              "afford only at small sides, latents can afford at full resolution.",
    ),
    Exercise(
        name="box_iou",
        grade=tensors(
            _cases,
            _iou,
            {
                "You forgot that boxes may not overlap: a negative side must count as 0. Use clamp(min=0).":
                    lambda one, other: _iou(one, other, -9.0),
                "The shared area is counted twice in the union. Subtract it once.":
                    lambda one, other: _shared(one, other) / (_area(one) + _area(other)),
                "That is the shared area alone. Divide it by the area of the union.":
                    lambda one, other: _shared(one, other),
                "That is the share of the first box that is covered. A huge second box would always be perfect.":
                    lambda one, other: _shared(one, other) / _area(one),
                "That is the share of the second box that is covered.":
                    lambda one, other: _shared(one, other) / _area(other),
                "You divide by the smaller of the two boxes. Divide by the union.":
                    lambda one, other: _shared(one, other) / torch.minimum(_area(one), _area(other)),
                "You divide by the larger of the two boxes. Divide by the union.":
                    lambda one, other: _shared(one, other) / torch.maximum(_area(one), _area(other)),
            },
            "The sides of the shared box: the smaller right and bottom minus the larger left and top.",
        ),
        hints=("The shared box: the larger of the two lefts and tops, the smaller of the two rights and bottoms.",
               "Its sides are negative where the boxes do not overlap: clamp(min=0).",
               "union = area of one + area of the other - shared"),
        solution="def box_iou(one, other):\n"
                 "    sides = torch.minimum(one[2:], other[2:]) - torch.maximum(one[:2], other[:2])\n"
                 "    shared = sides.clamp(min=0).prod()\n"
                 "    areas = [(box[2:] - box[:2]).prod() for box in (one, other)]\n"
                 "    return shared / (areas[0] + areas[1] - shared)",
        means="IoU punishes a box that is too large as well as one that is too small, so it is the usual measure of "
              "layouts and detectors.",
    ),
    Exercise(
        name="mirrored_latents",
        grade=choice(
            right="b",
            mistakes={
                "a": "Look at the lower row: are the edges of the last image whole, as in the mirrored image?",
                "c": "Compare with the first image: which way does it face?",
            },
        ),
        hints=("Compare the third and the fourth image of the lower row.",
               "Where a slanted edge crosses a block of 8 x 8 pixels: which way does it slant?"),
        solution='mirrored_latents = "b"',
        means="One latent holds what is inside its block of 8 x 8 pixels, with left and right: slants keep their "
              "direction, and edges tear. So mirror the images, and encode them afterwards.",
    ),
    Exercise(
        name="faults",
        grade=FAULTS,
        hints=("In one run background and thing are others. In one run the owl lacks all detail.",
               "In one run all parts are at the wrong places, in another at the right ones, in wrong colours."),
        solution=f'faults = "{FAULTS.order}"',
        means="Wrong places or colours of something recognisable are a mistake *after* the diffusion, something else "
              "is one *before* it.",
    ),
]
