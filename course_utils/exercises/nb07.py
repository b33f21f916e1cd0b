"""The exercises of notebook 07, SR3."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded


def _pairs(seed: int, channels: int = 3):
    """Large images (2, C, 24, 16), and unrelated small ones (2, C, 6, 4)."""
    generator = seeded(seed)
    for _ in range(2):
        yield (torch.rand(2, channels, 24, 16, generator=generator) * 2 - 1,
               torch.rand(2, channels, 6, 4, generator=generator) * 2 - 1)


def _squares(low: Tensor) -> Tensor:
    return interpolate(low, scale_factor=4, mode="nearest")


def _abar_cases():
    generator = seeded(2)
    for abar in ([0.99, 0.8, 0.4, 0.1, 0.01], [0.9, 0.5, 0.05, 0.001, 1e-5]):
        yield torch.tensor(abar), torch.randint(1, 5, (50,), generator=generator), torch.rand(50, generator=generator)


def _gap(made: Tensor, low: Tensor) -> Tensor:
    return (avg_pool2d(made, 4) - low).square().flatten(1).mean(1)


def _draw_cases():
    generator = seeded(4)
    for _ in range(2):
        # All sizes are 3, so that a wrong axis gets its own feedback and not one about shapes
        yield (torch.randn(3, 3, 3, 4, 5, generator=generator) * torch.rand(3, 3, 4, 5, generator=generator),)


EXERCISES = [
    Exercise(
        name="psnr_of_draws",
        grade=number(
            right=24.99,
            mistakes={
                28.0: "That is the regression's own. A sample differs from the truth by more: by the truth's distance "
                      "from the mean, and by its own.",
                14.0: "Half of the decibels is not twice the error. Decibels are logarithms: twice the error is "
                      "10 log10(2) less.",
                31.01: "Twice the error is a *lower* PSNR.",
                26.49: "That is a factor of the square root of 2, in place of 2. It is the *squared* error that "
                       "doubles, and PSNR is made of the squared error.",
                21.98: "That is a factor of four: 20 log10(2). PSNR has 10 log10 of the squared error.",
                26.0: "Twice the error is not two decibels less. How much is 10 log10(2)?",
            },
            otherwise="The squared error of a perfect sample is twice that of the perfect mean (section 1). What does "
                      "a factor of two in the error do to 10 log10(4 / error)?",
            tolerance=0.004,
        ),
        hints=("By what factor is the squared error larger? Section 1 measured it.",
               "PSNR = 10 log10(4 / error). A factor of two in the error subtracts 10 log10(2)."),
        solution="import math\n\npsnr_of_draws = 28.0 - 10 * math.log10(2)",
        means="25.0 dB: three decibels less, for plausible images. A method that loses less is not better than "
              "perfect: it varies less than the truth does.",
    ),
    Exercise(
        name="network_input",
        grade=tensors(
            lambda: _pairs(1),
            lambda xt, low: torch.cat([xt, _squares(low)], 1),
            {
                "xt must come first: the first input channels of the network are for it.":
                    lambda xt, low: torch.cat([_squares(low), xt], 1),
                "You have tiled the small image: four by four small copies. Each pixel must become a square, so that "
                "it is aligned with the pixels of xt that it describes.":
                    lambda xt, low: torch.cat([xt, low.repeat(1, 1, 4, 4)], 1),
                "xt twice: the small image is missing.": lambda xt, low: torch.cat([xt, xt], 1),
            },
            "Enlarge low to the size of xt, each pixel a 4 x 4 square, and concatenate both along dimension 1.",
        ),
        hints=("interpolate(low, scale_factor=4) makes squares: its mode is 'nearest' by default.",
               "torch.cat([...], dim=1) concatenates channels."),
        solution="def network_input(xt, low):\n"
                 "    large = torch.nn.functional.interpolate(low, scale_factor=4)\n"
                 "    return torch.cat([xt, large], dim=1)",
        means="The condition is aligned with xt pixel by pixel. Convolutions need nothing else.",
    ),
    Exercise(
        name="abar_between",
        grade=tensors(
            _abar_cases,
            lambda abar, t, u: abar[t - 1] + u * (abar[t] - abar[t - 1]),
            {
                "That interpolates from root to root. Only the network's input is the root; here interpolate the "
                "values of abar themselves.":
                    lambda abar, t, u: (abar[t - 1].sqrt() + u * (abar[t].sqrt() - abar[t - 1].sqrt())) ** 2,
                "Those are roots. Only the network's input is the root; return abar itself.":
                    lambda abar, t, u: (abar[t - 1] + u * (abar[t] - abar[t - 1])).sqrt(),
                "At u = 0 it must be the value of step t-1, at u = 1 that of step t. Yours is the other way round.":
                    lambda abar, t, u: abar[t] + u * (abar[t - 1] - abar[t]),
                "Those are the values of the schedule itself; u is not used.": lambda abar, t, u: abar[t],
                "u times the difference is missing: abar[t-1] alone is the value of step t-1.":
                    lambda abar, t, u: abar[t - 1],
                "You interpolate between steps t and t+1. The step before is t-1.":
                    lambda abar, t, u: abar[t] + u * (abar[(t + 1).clamp(max=len(abar) - 1)] - abar[t]),
                "That is the mean of the two values: u says how far to go from one to the other.":
                    lambda abar, t, u: (abar[t] + abar[t - 1]) / 2,
                "You multiply the value by u. u is the weight of an interpolation between two values.":
                    lambda abar, t, u: u * abar[t],
            },
            "Interpolate linearly from abar[t - 1] at u = 0 to abar[t] at u = 1. (t starts at 1, so both exist.)",
        ),
        hints=("abar[t] picks a value for each entry of t.", "start + u * (end - start)"),
        solution="def abar_between(abar, t, u):\n    return abar[t - 1] + u * (abar[t] - abar[t - 1])",
        means="Trained this way, the network has seen every noise level, and works with any schedule.",
    ),
    Exercise(
        name="my_consistency",
        grade=tensors(
            lambda: _pairs(3),
            lambda made, low: _gap(made, low) / 4,
            {
                "Right for [-1, 1]. The paper's images are in [0, 1]: differences are half as large, their squares a "
                "quarter.": _gap,
                "Differences are half as large in [0, 1], but it is their squares that are averaged: divide by 4.":
                    lambda made, low: _gap(made, low) / 2,
                "That is the sum over the pixels; take the mean.":
                    lambda made, low: (avg_pool2d(made, 4) - low).square().flatten(1).sum(1) / 4,
                "That is the root mean square. SR3 leaves out the root.":
                    lambda made, low: (_gap(made, low) / 4).sqrt(),
                "Right in units of 1e-5, but return the plain number here.":
                    lambda made, low: 1e5 * _gap(made, low) / 4,
                "You downscale by skipping pixels: every fourth is kept. Take means of 4 x 4 pixels (avg_pool2d).":
                    lambda made, low: (made[..., ::4, ::4] - low).square().flatten(1).mean(1) / 4,
                "That is the mean absolute difference. Square it.":
                    lambda made, low: (avg_pool2d(made, 4) - low).abs().flatten(1).mean(1),
                "You enlarge the small image and compare at full size. That measures whether `made` is *blurred*. "
                "Downscale it.": lambda made, low: (made - _squares(low)).square().flatten(1).mean(1) / 4,
                "That is half of the mean absolute difference. Square first.":
                    lambda made, low: (avg_pool2d(made, 4) - low).abs().flatten(1).mean(1) / 2,
            },
            "Downscale `made` with avg_pool2d, subtract `low`, square, average over all dimensions but the batch; and "
            "mind the range.",
        ),
        hints=("torch.nn.functional.avg_pool2d(made, 4) has the size of low.",
               ".square().flatten(1).mean(1) is one number per image.",
               "In [0, 1] every difference is half of that in [-1, 1]."),
        solution="def my_consistency(made, low):\n"
                 "    small_again = torch.nn.functional.avg_pool2d(made, 4)\n"
                 "    return (small_again - low).square().flatten(1).mean(1) / 4",
        means="It measures whether the given image has been kept, and says nothing about the invented details.",
    ),
    Exercise(
        name="invented_map",
        grade=tensors(
            _draw_cases,
            lambda draws: draws.std(0).mean(1),
            {
                "That is the deviation over the batch. The samples for one small image are along dimension 0.":
                    lambda draws: draws.std(1).mean(1),
                "That is the deviation over channels: how colourful a pixel is. The samples are along dimension 0.":
                    lambda draws: draws.std(2).mean(0),
                "That is the variance; take the standard deviation.": lambda draws: draws.var(0).mean(1),
                "The mean over channels must come after the deviation: two samples that differ only in colour would "
                "count as equal.": lambda draws: draws.mean(2).std(0),
                "That is the mean of the samples: the image they agree on, not how far they differ.":
                    lambda draws: draws.mean(0).mean(1),
                "That is the sum over channels; take the mean.": lambda draws: draws.std(0).sum(1),
                "The root of the mean variance: take the root first (that is `std`), then the mean.":
                    lambda draws: draws.var(0).mean(1).sqrt(),
                "One deviation over samples and channels together: it also measures how colourful a pixel is.":
                    lambda draws: draws.std((0, 2)),
                "You took the largest of the channels; take the mean.": lambda draws: draws.std(0).amax(1),
                "You divided by K; torch's standard deviation divides by K - 1 (`correction=1`) by default.":
                    lambda draws: draws.std(0, correction=0).mean(1),
            },
            "First the standard deviation over dimension 0 (the samples), then the mean over the channels.",
        ),
        hints=("draws.std(0) has the shape (B, C, H, W).", "Then .mean(1)."),
        solution="def invented_map(draws):\n    return draws.std(0).mean(1)",
        means="Bright: invented. Dark: all samples agree, which is no proof: a network may be overconfident "
              "('Measure it').",
    ),
    Exercise(
        name="corrected",
        grade=tensors(
            lambda: _pairs(5),
            lambda made, low: made + _squares(low - avg_pool2d(made, 4)),
            {
                "The sign is wrong: what is *lacking* must be added: low minus the downscaled `made`.":
                    lambda made, low: made - _squares(low - avg_pool2d(made, 4)),
                "Nothing has changed.": lambda made, low: made,
                "Enlarged smoothly, what you add does not downscale to what was lacking. Use squares.":
                    lambda made, low: made + interpolate(low - avg_pool2d(made, 4), scale_factor=4, mode="bicubic"),
                "Right, but then clipped to [-1, 1]: where values were clipped, it is no longer consistent.":
                    lambda made, low: (made + _squares(low - avg_pool2d(made, 4))).clamp(-1, 1),
                "That is the small image in squares: consistent, and all detail is lost.":
                    lambda made, low: _squares(low),
                "Half of what is lacking: downscaled, it is still off.":
                    lambda made, low: made + _squares(low - avg_pool2d(made, 4)) / 2,
                "You add the small image itself, not what `made` lacks of it.":
                    lambda made, low: made + _squares(low),
                "That is the detail alone: the small image is removed and not put back.":
                    lambda made, low: made - _squares(avg_pool2d(made, 4)),
            },
            "lacking = low - avg_pool2d(made, 4); each pixel of it becomes a square of four by four; add it to made.",
        ),
        hints=("What is low minus avg_pool2d(made, 4)?", "interpolate(lacking, scale_factor=4) makes squares."),
        solution="def corrected(made, low):\n"
                 "    lacking = low - torch.nn.functional.avg_pool2d(made, 4)\n"
                 "    return made + torch.nn.functional.interpolate(lacking, scale_factor=4)",
        means="One line makes any output consistent. Used in every step of a sampler, it upsamples images with a "
              "model that was never trained to (see 'To explore').",
    ),
]
