"""The exercises of notebook 01, Diffusion physics."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.diffusion import GaussianMixture, NoiseSchedule, Prediction, ddpm, exact_denoiser
from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded


def _bump_cases():
    for a, b, s in ((-1.0, 1.0, 0.5), (0.0, 3.0, 1.2)):
        yield torch.linspace(-3, 4, 57), a, b, s


def _bumps(x, a, b, s, width=2.0):
    share = torch.sigmoid(((x - b) ** 2 - (x - a) ** 2) / (width * s**2))
    return (share * (a - x) + (1 - share) * (b - x)) / s**2


def broken_samples(n: int) -> Tensor:
    """What a diffusion model of three drops generates, n points (n, 2), when one thing is wrong (exercise 4)."""
    drops = GaussianMixture(torch.tensor([[-1.0, -0.8], [0.8, 1.0], [1.0, -1.2]]), torch.tensor([0.16, 0.24, 0.12]))
    trained, sampled = NoiseSchedule.linear(T=300), NoiseSchedule.constant(0.02, T=300)
    predict = exact_denoiser(drops, trained)

    def denoise(xt, t):
        return Prediction.of(xt, sampled.at(t, xt), eps=predict(xt, t).eps)

    return ddpm(denoise, sampled, torch.randn(n, 2, generator=seeded(1)), generator=seeded(2))


def _decided(answer) -> str | None:
    if not (isinstance(answer, tuple | list) and len(answer) == 2):
        return 'Give a pair of the time and the letter, for example (0.3, "A").'
    (time, letter), reasons = answer, {
        "A": "At time 1 both runs end in the same drop in a third of all cases, which is chance with three drops. So "
             "nothing steers there yet.",
        "C": "Start both runs at time 1 in the same places: they end in the same drop in a third of all cases, "
             "which is chance. Where a molecule is at time 1 decides nothing.",
    }
    if time == 0.003:
        return "At 0.003 nearly all are decided, but there is a later time at which more than 9 in 10 are."
    if time != 0.01:
        return f"At time {time} fewer than 9 in 10 end twice in the same drop: same_drop({time}) says how many."
    if letter != "B":
        return reasons.get(letter, "The time is right. Now choose A, B or C.")
    return None


def _mistake(answer) -> str | None:
    return None if answer == "D" else {
        "A": "A network that is too small cannot bring the loss to the floor, and this one did.",
        "B": "Without fresh noise the drops shrink to spots (panel D of Break it). These are too wide.",
        "C": "The reverse process forgets its start (exercise 3). Try generate(exact_eps, 3 * noise, 1): it is right.",
    }.get(answer, "Choose A, B, C or D.")


EXERCISES = [
    Exercise(
        name="seconds_to_3_mm",
        grade=number(
            right=90,
            mistakes={
                30: "30 s would be right if molecules flew straight on. They forget their direction at each kick.",
                17.3: "You took the square root of 3. It is the other way round: distance grows with the root of time.",
                270: "Three dimensions change the factor in front, not the power: distance still goes with root time.",
            },
            otherwise="Distance grows with the square root of time. What must time do for three times the distance?",
        ),
        hints=(
            "Section 2: the mean squared displacement is proportional to time.",
            "Three times the distance is how many times the squared distance?",
        ),
        solution="seconds_to_3_mm = 10 * 3**2",
        means="Nine times as long for three times as far: this is why diffusion is quick in a cell, slow in a room.",
    ),
    Exercise(
        name="two_bump_score",
        grade=tensors(
            _bump_cases,
            _bumps,
            {
                "In your answer only the nearer bump pulls. Between the bumps both do, each by its share.":
                    lambda x, a, b, s: (torch.where((x - a).abs() < (x - b).abs(), a, b) - x) / s**2,
                "In your answer both bumps pull equally. Weight each by the probability that x came from it.":
                    lambda x, a, b, s: ((a - x) + (b - x)) / 2 / s**2,
                "The sign is wrong: the score points uphill, towards the bumps.": lambda *v: -_bumps(*v),
                "Divide by s squared: the gradient of -(x - a)^2 / (2 s^2) is (a - x) / s^2.":
                    lambda x, a, b, s: _bumps(x, a, b, s) * s,
                "The division by s squared is missing.": lambda x, a, b, s: _bumps(x, a, b, s) * s**2,
                "That is the gradient of the density. The score is that of the log density: divide by the density.":
                    lambda x, a, b, s: _bumps(x, a, b, s) * _density(x, a, b, s),
                "The exponent of a bump is -(x - a)^2 / (2 s^2); the 2 is missing in your shares.":
                    lambda x, a, b, s: _bumps(x, a, b, s, 1.0),
                "The shares must sum to 1: divide by pa + pb.":
                    lambda x, a, b, s: _bumps(x, a, b, s) * _density(x, a, b, s) * 2 * s * 2.5066283,
                "The shares are swapped: a nearer bump has the larger share.":
                    lambda x, a, b, s: (a + b - 2 * x) / s**2 - _bumps(x, a, b, s),
            },
            "Test it with a = b: then there is only one bump, and the score must be (a - x) / s^2 everywhere.",
        ),
        hints=(
            "One bump alone has the score (a - x) / s**2.",
            "A point x came from bump a with probability pa / (pa + pb), where pa = exp(-(x - a)**2 / (2 * s**2)).",
            "The score is share_a * (a - x) / s**2 + share_b * (b - x) / s**2.",
        ),
        solution="def two_bump_score(x, a, b, s):\n"
                 "    logits = torch.stack([-(x - a) ** 2, -(x - b) ** 2]) / (2 * s**2)\n"
                 "    share_a, share_b = logits.softmax(0)      # softmax, so that nothing is 0/0 far away\n"
                 "    return (share_a * (a - x) + share_b * (b - x)) / s**2",
        means="With one bump for each training image this becomes the ideal denoiser of notebook 02.",
    ),
    Exercise(
        name="decided",
        grade=_decided,
        hints=(
            "for time in (1, 0.3, 0.1, 0.03, 0.01, 0.003): print(time, same_drop(time))",
            "With three drops, a share of one third is chance: nothing is decided yet. When does it reach 0.9?",
        ),
        solution='decided = (0.01, "B")',
        means="Most of the way back the end is open; there guidance (notebooks 05 and 06) can still choose it.",
    ),
    Exercise(
        name="mistake",
        grade=_mistake,
        hints=(
            "Two of the four would show in the loss, or in drops that are too narrow. Try a third with generate.",
            "The drops are too wide, and their centres are too far out. What fixes the scale of x in a step back?",
        ),
        solution='mistake = "D"',
        means="At each t the sampler takes away the wrong share of noise and undoes the wrong shrinking. A loss at the "
              "floor says nothing about the sampler.",
    ),
]


def _density(x, a, b, s):
    return (torch.exp(-((x - a) ** 2) / (2 * s**2)) + torch.exp(-((x - b) ** 2) / (2 * s**2))) / 2 / s / 2.5066283
