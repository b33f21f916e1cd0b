"""The exercises of notebook 07, SR3."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from course_utils.exercises.base import Exercise, choice, tensors
from course_utils.runtime import seeded


def _pairs(seed: int, channels: int = 3):
    """Large images (2, C, 24, 16), and unrelated small ones (2, C, 6, 4)."""
    generator = seeded(seed)
    for _ in range(2):
        yield (torch.rand(2, channels, 24, 16, generator=generator) * 2 - 1,
               torch.rand(2, channels, 6, 4, generator=generator) * 2 - 1)


def _squares(low: Tensor) -> Tensor:
    return interpolate(low, scale_factor=4, mode="nearest")


EXERCISES = [
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
    Exercise(
        name="more_steps",
        grade=choice("b", {
            "a": "Sharper, yes. But look at the standard deviation over the seeds: does it fall or rise with more "
                 "steps?",
            "c": "Look at the edges: with one step they are the weakest. One step is the mean.",
            "d": "With one step all seeds give nearly the same image: the mean. Print the standard deviation over the "
                 "seeds for 1 and for 16 steps.",
        }),
        hints=("[model.sample(low_scene, steps=n, seed=s).cpu() for s in range(3)], for each n.",
               "One step is one prediction at pure noise: the mean, whatever the noise is."),
        solution="# Edges grow with the number of steps, and so does the deviation over the seeds:\n"
                 "# for n in (1, 2, 4, 8, 16):\n"
                 "#     made = torch.stack([model.sample(low_scene, steps=n, seed=s).cpu() for s in range(3)])\n"
                 "#     print(n, edges(made), made.std(0).mean())\n"
                 'more_steps = "b"',
        means="What appears with more steps differs from seed to seed: it is invented. The number of steps is a dial "
              "from the mean to a sample.",
    ),
    Exercise(
        name="fault",
        grade=choice("range", {
            "noise level": "A wrong noise level makes images soft ('Break it'); their colours stay right.",
            "too few steps": "Too few steps make images soft; their colours stay right.",
            "order of channels": "Then red and blue would be exchanged, and the brightness would be right.",
        }),
        hints=("Compare the darkest and the brightest places of both columns.",
               "In which range does (scene + 1) / 2 lie, and which one was the network trained on?"),
        solution='# Images in [0, 1] were given to a network that was trained on [-1, 1]: black became grey\n'
                 'fault = "range"',
        means="Images in [0, 1] look like pale images in [-1, 1]. It is a common fault when networks of different "
              "libraries are combined; a check of the range cannot see it, for [0, 1] lies within [-1, 1].",
    ),
]
