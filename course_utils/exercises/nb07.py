"""The exercises of notebook 07, SR3."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded


def _pairs(seed: int, channels: int = 3):
    """Large images (2, C, 24, 16), and small ones (2, C, 6, 4) that are not theirs."""
    draws = seeded(seed)
    for _ in range(2):
        yield (torch.rand(2, channels, 24, 16, generator=draws) * 2 - 1,
               torch.rand(2, channels, 6, 4, generator=draws) * 2 - 1)


def _squares(low: Tensor) -> Tensor:
    return interpolate(low, scale_factor=4, mode="nearest")


def _abar_cases():
    draws = seeded(2)
    for abar in ([0.99, 0.8, 0.4, 0.1, 0.01], [0.9, 0.5, 0.05, 0.001, 1e-5]):
        yield torch.tensor(abar), torch.randint(1, 5, (50,), generator=draws), torch.rand(50, generator=draws)


def _gap(made: Tensor, low: Tensor) -> Tensor:
    return (avg_pool2d(made, 4) - low).square().flatten(1).mean(1)


def _draw_cases():
    draws = seeded(4)
    for _ in range(2):
        # Three of everything, so that a wrong axis gets its sentence and not one about shapes
        yield (torch.randn(3, 3, 3, 4, 5, generator=draws) * torch.rand(3, 3, 4, 5, generator=draws),)


EXERCISES = [
    Exercise(
        name="psnr_of_draws",
        judge=number(
            right=24.99,
            answers={
                28.0: "That is the regression's own. A draw differs from the truth by more: by the truth's distance "
                      "from the mean, and by its own.",
                14.0: "Half of the decibels is not twice the error. Decibels are logarithms: twice the error is "
                      "10 log10(2) less.",
                31.01: "Twice the error is a *lower* PSNR.",
                26.49: "That is a factor of the square root of 2, in place of 2. It is the *squared* error that "
                       "doubles, and PSNR is made of the squared error.",
                21.98: "That is a factor of four: 20 log10(2). PSNR has 10 log10 of the squared error.",
                26.0: "Twice the error is not two decibels less. How much is 10 log10(2)?",
            },
            otherwise="The squared error of a perfect draw is twice that of the perfect mean (section 1). What does a "
                      "factor of two in the error do to 10 log10(4 / error)?",
            tolerance=0.004,
        ),
        hints=("By what factor is the squared error larger? Section 1 measured it.",
               "PSNR = 10 log10(4 / error). A factor of two in the error takes off 10 log10(2)."),
        solution="import math\n\npsnr_of_draws = 28.0 - 10 * math.log10(2)",
        means="25.0 dB: three decibels for images that could be true. A method that loses less is not better than "
              "perfect: it varies less than the truth does.",
    ),
    Exercise(
        name="network_input",
        judge=tensors(
            lambda: _pairs(1),
            lambda xt, low: torch.cat([xt, _squares(low)], 1),
            {
                "xt must come first: the network's first weights belong to it.":
                    lambda xt, low: torch.cat([_squares(low), xt], 1),
                "You have tiled the small image: four by four small copies. Each pixel must become a square of its "
                "own, so that it lies over the pixels it tells of.":
                    lambda xt, low: torch.cat([xt, low.repeat(1, 1, 4, 4)], 1),
                "xt twice: the small image is missing.": lambda xt, low: torch.cat([xt, xt], 1),
            },
            "Enlarge low to the size of xt, each pixel a square of four by four, and join both along dimension 1.",
        ),
        hints=("interpolate(low, scale_factor=4) makes squares: its mode is 'nearest' unless told.",
               "torch.cat([...], dim=1) joins channels."),
        solution="def network_input(xt, low):\n"
                 "    large = torch.nn.functional.interpolate(low, scale_factor=4)\n"
                 "    return torch.cat([xt, large], dim=1)",
        means="Place for place: what lies over a pixel of xt tells of that pixel. Convolutions need nothing else.",
    ),
    Exercise(
        name="abar_between",
        judge=tensors(
            _abar_cases,
            lambda abar, t, u: abar[t - 1] + u * (abar[t] - abar[t - 1]),
            {
                "That goes evenly from root to root. The root is only what the network is told; here the values of "
                "abar themselves are wanted, evenly from one to the other.":
                    lambda abar, t, u: (abar[t - 1].sqrt() + u * (abar[t].sqrt() - abar[t - 1].sqrt())) ** 2,
                "Those are roots. Only the network is told the root; abar itself is wanted.":
                    lambda abar, t, u: (abar[t - 1] + u * (abar[t] - abar[t - 1])).sqrt(),
                "At u = 0 it must be the value of step t-1, at u = 1 that of step t. Yours is the other way round.":
                    lambda abar, t, u: abar[t] + u * (abar[t - 1] - abar[t]),
                "Those are the values of the schedule itself; u is not used.": lambda abar, t, u: abar[t],
                "The share of the way is missing: abar[t-1] alone is the value of step t-1.":
                    lambda abar, t, u: abar[t - 1],
                "You go on from step t to step t+1. The step before is t-1.":
                    lambda abar, t, u: abar[t] + u * (abar[(t + 1).clamp(max=len(abar) - 1)] - abar[t]),
                "A mean of the two values: u says how far to go from one to the other.":
                    lambda abar, t, u: (abar[t] + abar[t - 1]) / 2,
                "You multiply the value by u. u is a share of the way between two values.":
                    lambda abar, t, u: u * abar[t],
            },
            "Start at abar[t - 1] and go the share u of the way to abar[t]. (t starts at 1 here, so both exist.)",
        ),
        hints=("abar[t] picks a value for each entry of t.", "start + u * (end - start)"),
        solution="def abar_between(abar, t, u):\n    return abar[t - 1] + u * (abar[t] - abar[t - 1])",
        means="Trained so, the network has met every level of noise there is, and any schedule will do.",
    ),
    Exercise(
        name="my_consistency",
        judge=tensors(
            lambda: _pairs(3),
            lambda made, low: _gap(made, low) / 4,
            {
                "Right in [-1, 1]. The paper counts images in [0, 1]: differences are half as large, their squares a "
                "quarter.": _gap,
                "Differences are half as large in [0, 1], but it is their squares that are averaged: divide by 4.":
                    lambda made, low: _gap(made, low) / 2,
                "A sum over the pixels: the mean is wanted.":
                    lambda made, low: (avg_pool2d(made, 4) - low).square().flatten(1).sum(1) / 4,
                "That is the root of the mean square. SR3 leaves out the root.":
                    lambda made, low: (_gap(made, low) / 4).sqrt(),
                "In units of 1e-5: right, but here the plain number is wanted.":
                    lambda made, low: 1e5 * _gap(made, low) / 4,
                "You shrink by skipping: every fourth pixel. A mean of four by four is wanted (avg_pool2d).":
                    lambda made, low: (made[..., ::4, ::4] - low).square().flatten(1).mean(1) / 4,
                "That is the mean absolute difference. Square it.":
                    lambda made, low: (avg_pool2d(made, 4) - low).abs().flatten(1).mean(1),
                "You enlarge the small image and compare at full size. That asks whether the answer is *blurred*. "
                "Shrink the answer.": lambda made, low: (made - _squares(low)).square().flatten(1).mean(1) / 4,
                "That is half of the mean absolute difference. Square first.":
                    lambda made, low: (avg_pool2d(made, 4) - low).abs().flatten(1).mean(1) / 2,
            },
            "Shrink `made` with avg_pool2d, take the difference from `low`, square it, average over all but the batch; "
            "and mind the range.",
        ),
        hints=("torch.nn.functional.avg_pool2d(made, 4) has the size of low.",
               ".square().flatten(1).mean(1) is one number an image.",
               "In [0, 1] every difference is half of that in [-1, 1]."),
        solution="def my_consistency(made, low):\n"
                 "    small_again = torch.nn.functional.avg_pool2d(made, 4)\n"
                 "    return (small_again - low).square().flatten(1).mean(1) / 4",
        means="It says whether what was given has been kept, and nothing about what was invented.",
    ),
    Exercise(
        name="invented_map",
        judge=tensors(
            _draw_cases,
            lambda draws: draws.std(0).mean(1),
            {
                "That is the spread over the batch. The answers to one small image lie along dimension 0.":
                    lambda draws: draws.std(1).mean(1),
                "The spread over the colours: it says how colourful a pixel is. The answers lie along dimension 0.":
                    lambda draws: draws.std(2).mean(0),
                "Variance; the standard deviation is wanted.": lambda draws: draws.var(0).mean(1),
                "The mean over the colours must come after the spread: two draws that differ in colour only would "
                "count as equal.": lambda draws: draws.mean(2).std(0),
                "That is the mean of the answers: the image they agree on, not how far they differ.":
                    lambda draws: draws.mean(0).mean(1),
                "A sum over the colours; the mean is wanted.": lambda draws: draws.std(0).sum(1),
                "The root of the mean variance: take the root first (that is `std`), then the mean.":
                    lambda draws: draws.var(0).mean(1).sqrt(),
                "One spread over answers and colours together: it also says how colourful a pixel is.":
                    lambda draws: draws.std((0, 2)),
                "You took the largest of the colours; the mean is wanted.": lambda draws: draws.std(0).amax(1),
                "You divided by K; the standard deviation of torch divides by K - 1 (`correction=1`), its usual.":
                    lambda draws: draws.std(0, correction=0).mean(1),
            },
            "First the standard deviation over dimension 0 (the answers), then the mean over the colours.",
        ),
        hints=("draws.std(0) has the shape (B, C, H, W).", "Then .mean(1)."),
        solution="def invented_map(draws):\n    return draws.std(0).mean(1)",
        means="Bright: invented. Dark: all answers agree, which is no proof: a network may be surer than it "
              "should be ('Measure it').",
    ),
    Exercise(
        name="corrected",
        judge=tensors(
            lambda: _pairs(5),
            lambda made, low: made + _squares(low - avg_pool2d(made, 4)),
            {
                "The sign is wrong: what is *lacking* must be added: low minus what the answer shrinks to.":
                    lambda made, low: made - _squares(low - avg_pool2d(made, 4)),
                "Nothing has changed.": lambda made, low: made,
                "Enlarged smoothly, what you add does not shrink back to what was lacking. Use squares.":
                    lambda made, low: made + interpolate(low - avg_pool2d(made, 4), scale_factor=4, mode="bicubic"),
                "Right, and then cut to [-1, 1]: where something was cut, the answer is no longer consistent.":
                    lambda made, low: (made + _squares(low - avg_pool2d(made, 4))).clamp(-1, 1),
                "That is the small image in squares: consistent, and all detail is lost.":
                    lambda made, low: _squares(low),
                "Half of what lacks: shrunk again, it is still off.":
                    lambda made, low: made + _squares(low - avg_pool2d(made, 4)) / 2,
                "You add the small image itself, not what the answer lacks of it.":
                    lambda made, low: made + _squares(low),
                "That is the detail alone: the small image is taken out and not put back.":
                    lambda made, low: made - _squares(avg_pool2d(made, 4)),
            },
            "lacking = low - avg_pool2d(made, 4); each pixel of it becomes a square of four by four; add it to made.",
        ),
        hints=("What is low minus avg_pool2d(made, 4)?", "interpolate(lacking, scale_factor=4) makes squares."),
        solution="def corrected(made, low):\n"
                 "    lacking = low - torch.nn.functional.avg_pool2d(made, 4)\n"
                 "    return made + torch.nn.functional.interpolate(lacking, scale_factor=4)",
        means="One line makes any answer consistent. Put into every step of a sampler, it enlarges images with a "
              "model that was never trained to (see 'To explore').",
    ),
]
