"""The exercises of notebook 01, Diffusion physics."""

from __future__ import annotations

import torch

from course_utils.diffusion import GaussianMixture
from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded


def _kick_cases():
    generator = seeded(0)
    for D, t, dt in ((0.7, 0.05, 0.013), (2.0, 0.1, 0.003)):
        start = GaussianMixture(torch.tensor([[0.2, 0.3], [0.7, 0.6]]), torch.tensor([0.05, 0.1]))
        yield torch.rand(50, 2, generator=generator), start, D, t, dt


def _kick(x, start, D, t, dt):
    return -2 * D * dt * start.spread(2 * D * t).score(x)


def _bump_cases():
    for a, b, s in ((-1.0, 1.0, 0.5), (0.0, 3.0, 1.2)):
        yield torch.linspace(-3, 4, 57), a, b, s


def _bumps(x, a, b, s, width=2.0):
    share = torch.sigmoid(((x - b) ** 2 - (x - a) ** 2) / (width * s**2))
    return (share * (a - x) + (1 - share) * (b - x)) / s**2


def _step_cases():
    generator = seeded(1)
    for beta in (0.1, 0.3):
        yield *torch.randn(2, 40, 2, generator=generator), beta, torch.randn(40, 2, generator=generator)


def _step(x, score, beta, fresh):
    return (x + beta * score) / (1 - beta) ** 0.5 + beta**0.5 * fresh


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
            "Section 1: the mean squared displacement is proportional to time.",
            "Three times the distance is how many times the squared distance?",
        ),
        solution="seconds_to_3_mm = 10 * 3**2",
        means="Nine times as long for three times as far: this is why diffusion is quick in a cell, slow in a room.",
    ),
    Exercise(
        name="spread_after_80",
        grade=number(
            right=0.8**0.5,
            mistakes={
                0.8: "0.8 is the variance, 1 - abar. The standard deviation is its square root.",
                0.447: "That is sqrt(abar), the factor of the start. The spread comes from the noise: sqrt(1 - abar).",
                1.0: "1 is where it ends. After 80 steps the variance is still a little below.",
                1.34: "That is where the mean is now: sqrt(abar) times 3. How wide is the cloud around it?",
                1.265: "That is the spread of free kicks, sqrt(80 beta). The pull takes some of it back in each step.",
                1.6: "Variances of free kicks would add to 80 beta. The pull takes some of it back in each step.",
            },
            otherwise="xt = sqrt(abar) x0 + sqrt(1 - abar) eps. Only one of the two terms is random here.",
        ),
        hints=(
            "Look at the formula with the two square roots in section 4. x0 is 3 for every molecule.",
            "The standard deviation of sqrt(1 - abar) eps is sqrt(1 - abar).",
        ),
        solution="spread_after_80 = (1 - 0.2) ** 0.5",
        means="The mean is still at 1.3, and the noise around it already has nine tenths of its final width.",
    ),
    Exercise(
        name="expected_kick",
        grade=tensors(
            _kick_cases,
            _kick,
            {
                "The sign is wrong: the score points to where the density is higher. The molecules that are here now "
                "came from there, so their kick points away.": lambda *a: -_kick(*a),
                "A factor 2 is missing: the variance of a kick is 2 D dt.": lambda *a: _kick(*a) / 2,
                "You took the score of the ink at time 0. It has spread since then: start.spread(2 * D * t).":
                    lambda x, start, D, t, dt: -2 * D * dt * start.score(x),
                "`spread` takes the variance that is added, 2 D t, not the time itself.":
                    lambda x, start, D, t, dt: -2 * D * dt * start.spread(t).score(x),
                "You took the score before the kick, at t - dt. The formula holds at the place and time *after* it.":
                    lambda x, start, D, t, dt: -2 * D * dt * start.spread(2 * D * (t - dt)).score(x),
                "Undo it once: the variance of a kick has the factor 2 already.": lambda *a: 2 * _kick(*a),
                "D is missing in the variance of the kick: it is 2 D dt.":
                    lambda x, start, D, t, dt: _kick(x, start, D, t, dt) / D,
                "`spread` takes the variance that is added, 2 D t, not its root.":
                    lambda x, start, D, t, dt: -2 * D * dt * start.spread((2 * D * t) ** 0.5).score(x),
                "You spread the ink by one kick only. Since time 0 it has spread by 2 D t.":
                    lambda x, start, D, t, dt: -2 * D * dt * start.spread(2 * D * dt).score(x),
                "You multiplied by 2 D t. Only this one kick counts, and it lasted dt.":
                    lambda x, start, D, t, dt: _kick(x, start, D, t, t),
            },
            "It is minus the score at time t, times the variance of one kick.",
        ),
        hints=(
            "Section 3 has the formula; the density at time t is start.spread(2 * D * t).",
            "Minus, the variance of one kick, and the score: three factors.",
        ),
        solution="def expected_kick(x, start, D, t, dt):\n"
                 "    return -2 * D * dt * start.spread(2 * D * t).score(x)",
        means="This one function is all that a diffusion model has to learn.",
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
        name="step_back",
        grade=tensors(
            _step_cases,
            _step,
            {
                "The score has the wrong sign: the reverse process goes uphill, towards the data.":
                    lambda x, score, beta, fresh: _step(x, -score, beta, fresh),
                "Undo the shrinking as well: divide by the square root of 1 - beta.":
                    lambda x, score, beta, fresh: x + beta * score + beta**0.5 * fresh,
                "You shrank once more. The forward step multiplied by sqrt(1 - beta), so the reverse step divides.":
                    lambda x, score, beta, fresh: (x + beta * score) * (1 - beta) ** 0.5 + beta**0.5 * fresh,
                "The fresh noise is missing. Without it the drops shrink to points (section Break it).":
                    lambda x, score, beta, fresh: _step(x, score, beta, 0 * fresh),
                "beta is the variance of the noise; multiply by its square root.":
                    lambda x, score, beta, fresh: (x + beta * score) / (1 - beta) ** 0.5 + beta * fresh,
                "The fresh noise comes after the shrinking is undone; it is not divided.":
                    lambda x, score, beta, fresh: (x + beta * score + beta**0.5 * fresh) / (1 - beta) ** 0.5,
                "The forward step multiplied by the square root of 1 - beta; divide by the root.":
                    lambda x, score, beta, fresh: (x + beta * score) / (1 - beta) + beta**0.5 * fresh,
                "Undo the expected noise once: beta times the score.":
                    lambda x, score, beta, fresh: _step(x, 2 * score, beta, fresh),
                "Half of the score needs no fresh noise (panel G of Break it); with fresh noise take all of it.":
                    lambda x, score, beta, fresh: _step(x, score / 2, beta, fresh),
                "The shrinking divides the score too: (x + beta * score) / sqrt(1 - beta).":
                    lambda x, score, beta, fresh: x / (1 - beta) ** 0.5 + beta * score + beta**0.5 * fresh,
            },
            "Three parts: add beta times the score, divide by sqrt(1 - beta), add sqrt(beta) times the fresh noise.",
        ),
        hints=(
            "The formula stands at the end of section 4.",
            "Noise of variance beta is sqrt(beta) times standard noise.",
        ),
        solution="def step_back(x, score, beta, fresh):\n"
                 "    return (x + beta * score) / (1 - beta) ** 0.5 + beta**0.5 * fresh",
        means="A thousand of these steps, with a network in place of the score, is DDPM.",
    ),
]


def _density(x, a, b, s):
    return (torch.exp(-((x - a) ** 2) / (2 * s**2)) + torch.exp(-((x - b) ** 2) / (2 * s**2))) / 2 / s / 2.5066283
