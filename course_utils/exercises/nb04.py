"""The exercises of notebook 04, Loss."""

from __future__ import annotations

import torch

from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded

_SIZE = (3, 1, 6, 6)


def _v_cases():
    generator = seeded(0)
    for share in (0.9, 0.5, 0.05):
        yield *torch.randn(2, *_SIZE, generator=generator), torch.tensor(share)


def _x0_from_v(xt, v, a):
    return a.sqrt() * xt - (1 - a).sqrt() * v


def _snr_cases():
    for gamma in (5.0, 20.0):
        yield torch.logspace(-1, 2.5, 40), gamma


def _step_cases():
    generator = seeded(1)
    for abar_t, abar_s, eta in ((0.2, 0.6, 0.0), (0.2, 0.6, 1.0), (0.5, 0.9, 0.5)):
        xt, x0, fresh = torch.randn(3, *_SIZE, generator=generator)
        yield xt, x0, torch.tensor(abar_t), torch.tensor(abar_s), eta, fresh


def _share(a, b):
    """The variance of the fresh noise at eta = 1."""
    return (1 - b) / (1 - a) * (1 - a / b)


def _eps(xt, x0, a):
    return (xt - a.sqrt() * x0) / (1 - a).sqrt()


def _mix(x0, eps, b, sigma, fresh):
    return b.sqrt() * x0 + (1 - b - sigma**2).sqrt() * eps + sigma * fresh


def _step(xt, x0, a, b, eta, fresh):
    return _mix(x0, _eps(xt, x0, a), b, eta * _share(a, b).sqrt(), fresh)


def _average_cases():
    generator = seeded(2)
    for decay in (0.999, 0.9):
        yield *torch.randn(2, 4, 5, generator=generator), decay


def _gauss_cases():
    for numbers in ((0.0, 1.0, 3.0, 2.0), (1.0, 0.5, -1.0, 3.0), (2.0, 1.0, 2.0, 4.0)):
        yield tuple(torch.tensor(value) for value in numbers)


EXERCISES = [
    Exercise(
        name="network_calls",
        grade=number(
            right=80,
            mistakes={
                20: "20 calls are enough for one batch. 64 images in batches of 16 are four batches.",
                1280: "That is how many noisy images the network sees. A whole batch of 16 goes in with one call.",
                4: "That is the number of batches. Each batch needs a call for each step.",
                4000: "ddim skips: with 20 steps it calls 20 times per batch, not at each of the T = 1,000 times.",
                64_000: "ddim skips: with 20 steps it calls 20 times per batch; a batch of 16 goes in with one call.",
                84: "There is no call before the first step or after the last one: 20 steps are 20 calls.",
                16: "Count batches (64 / 16) times steps (20).",
            },
            otherwise="Count batches (64 / 16) times steps (20); each step calls the network once for a whole batch.",
            tolerance=0.001,
        ),
        hints=("How many batches are there?", "Each step calls the denoiser once, for all images of a batch."),
        solution="network_calls = 64 // 16 * 20",
        means="The cost of an image is the number of steps times the cost of one call. That is why fewer steps matter "
              "so much; guidance, in notebook 06, doubles the cost.",
    ),
    Exercise(
        name="x0_from_v",
        grade=tensors(
            _v_cases,
            _x0_from_v,
            {
                "That is eps, the other name: sqrt(1 - abar) xt + sqrt(abar) v. For x0 the roots change places and v "
                "is subtracted.": lambda xt, v, a: (1 - a).sqrt() * xt + a.sqrt() * v,
                "The sign of v is wrong: v contains minus sqrt(1 - abar) x0, so v must be subtracted.":
                    lambda xt, v, a: a.sqrt() * xt + (1 - a).sqrt() * v,
                "The roots are swapped: with little noise, abar near 1, x0 is nearly xt.":
                    lambda xt, v, a: (1 - a).sqrt() * xt - a.sqrt() * v,
                "Take square roots: abar is a share of variance, and images are multiplied by its root.":
                    lambda xt, v, a: a * xt - (1 - a) * v,
                "That is the formula for eps in place of v. v contains a part of the image too; no division is needed.":
                    lambda xt, v, a: (xt - (1 - a).sqrt() * v) / a.sqrt(),
                "You solved the definition of v as if eps were zero. eps is unknown too; use the jump to eliminate "
                "it.": lambda xt, v, a: -v / (1 - a).sqrt(),
            },
            "Two equations, the jump and the definition of v, with two unknowns, x0 and eps: eliminate eps.",
        ),
        hints=(
            "xt = sqrt(abar) x0 + sqrt(1 - abar) eps and v = sqrt(abar) eps - sqrt(1 - abar) x0.",
            "Multiply the first by sqrt(abar), the second by sqrt(1 - abar), and subtract. abar + (1 - abar) is 1.",
        ),
        solution="def x0_from_v(xt, v, abar_t):\n    return abar_t.sqrt() * xt - (1 - abar_t).sqrt() * v",
        means="(x0, eps) and (xt, v) are the same pair of axes, rotated by an angle whose cosine is sqrt(abar). A "
              "rotation needs no division, at any t.",
    ),
    Exercise(
        name="min_snr_weight",
        grade=tensors(
            _snr_cases,
            lambda snr, gamma: snr.clamp(max=gamma) / snr,
            {
                "That is the weight on the error of x0. An error of eps already carries the weight snr: divide by it.":
                    lambda snr, gamma: snr.clamp(max=gamma),
                "That is the weight for a network that predicts v, whose error carries snr + 1.":
                    lambda snr, gamma: snr.clamp(max=gamma) / (snr + 1),
                "Below gamma this is larger than 1. There the plain error of eps is already right: take the minimum.":
                    lambda snr, gamma: gamma / snr,
                "You took the larger of the two. min-SNR *limits* the weight of nearly clean images.":
                    lambda snr, gamma: snr.clamp(min=gamma) / snr,
                "That is the plain error of eps. Where snr is above gamma, it must get less weight.":
                    lambda snr, gamma: torch.ones_like(snr),
                "The minimum is that of snr and gamma; you clamp at 1, as if gamma were 1.":
                    lambda snr, gamma: snr.clamp(max=1) / snr,
                "You multiplied by snr where the error of eps already carries it: divide.":
                    lambda snr, gamma: snr.clamp(max=gamma) * snr,
            },
            "The error of x0 should have the weight min(snr, gamma); an error of eps is snr times that of x0. Divide.",
        ),
        hints=(
            "Which weight on the error of x0 does min-SNR want?",
            "(eps_hat - eps)^2 = snr (x0_hat - x0)^2: divide the required weight by the one that is already there.",
            "snr.clamp(max=gamma) is min(snr, gamma).",
        ),
        solution="def min_snr_weight(snr, gamma):\n    return snr.clamp(max=gamma) / snr",
        means="1 at high noise, gamma / snr at low noise: diffusers' training scripts have this line for eps networks.",
    ),
    Exercise(
        name="ddim_step",
        grade=tensors(
            _step_cases,
            _step,
            {
                "The step does not use eta: at eta = 1, fresh noise must replace a part of the old noise.":
                    lambda xt, x0, a, b, eta, fresh: _step(xt, x0, a, b, 0.0, fresh),
                "You added fresh noise without removing old noise: under the root stands 1 - abar_s - sigma^2.":
                    lambda xt, x0, a, b, eta, fresh: _step(xt, x0, a, b, 0.0, fresh)
                    + eta * _share(a, b).sqrt() * fresh,
                "All noise is fresh here. DDIM keeps the old noise, eps, as far as sigma leaves room.":
                    lambda xt, x0, a, b, eta, fresh: _mix(x0, fresh, b, 0.0, fresh),
                "The noise in xt is (xt - sqrt(abar_t) x0) / sqrt(1 - abar_t); you forgot to divide.":
                    lambda xt, x0, a, b, eta, fresh:
                    _mix(x0, xt - a.sqrt() * x0, b, eta * _share(a, b).sqrt(), fresh),
                "The old noise must be computed with abar_t, the noise level of xt; you used abar_s.":
                    lambda xt, x0, a, b, eta, fresh:
                    _mix(x0, _eps(xt, x0, b), b, eta * _share(a, b).sqrt(), fresh),
                "t and s are swapped: the step goes to s, so the image gets sqrt(abar_s).":
                    lambda xt, x0, a, b, eta, fresh:
                    _mix(x0, _eps(xt, x0, a), a, eta * _share(a, b).sqrt(), fresh),
                "sigma has a square root over both factors.":
                    lambda xt, x0, a, b, eta, fresh: _mix(x0, _eps(xt, x0, a), b, eta * _share(a, b), fresh),
                "sigma is eta times sqrt((1 - abar_s) / (1 - abar_t)) times sqrt(1 - abar_t / abar_s); the last factor "
                "is missing.": lambda xt, x0, a, b, eta, fresh:
                    _mix(x0, _eps(xt, x0, a), b, eta * ((1 - b) / (1 - a)).sqrt(), fresh),
            },
            "Three parts: sqrt(abar_s) x0, then sqrt(1 - abar_s - sigma^2) eps, then sigma fresh.",
        ),
        hints=(
            "First the noise in xt: solve the jump for eps.",
            "sigma = eta * ((1 - abar_s) / (1 - abar_t) * (1 - abar_t / abar_s)) ** 0.5",
            "The variances must add up: abar_s of image, 1 - abar_s - sigma^2 of old noise, sigma^2 of fresh noise.",
        ),
        solution="def ddim_step(xt, x0, abar_t, abar_s, eta, fresh):\n"
                 "    eps = (xt - abar_t.sqrt() * x0) / (1 - abar_t).sqrt()\n"
                 "    sigma = eta * ((1 - abar_s) / (1 - abar_t) * (1 - abar_t / abar_s)).sqrt()\n"
                 "    return abar_s.sqrt() * x0 + (1 - abar_s - sigma**2).sqrt() * eps + sigma * fresh",
        means="One line is both samplers: eta = 0 is the deterministic DDIM, eta = 1 is DDPM.",
    ),
    Exercise(
        name="follow",
        grade=tensors(
            _average_cases,
            lambda average, now, decay: decay * average + (1 - decay) * now,
            {
                "The weights are swapped: with decay 0.999 the average must hardly change in one step.":
                    lambda average, now, decay: (1 - decay) * average + decay * now,
                "The weights must sum to 1; here the average grows with every step.":
                    lambda average, now, decay: average + (1 - decay) * now,
                "The average is multiplied by decay, but `now` must be multiplied by 1 - decay.":
                    lambda average, now, decay: decay * average + now,
                "That is the plain mean of the two. The average should move by a fraction of 1 - decay.":
                    lambda average, now, decay: (average + now) / 2,
                "The new weights, times 1 - decay, are missing: this way everything shrinks to 0.":
                    lambda average, now, decay: decay * average,
                "You move away from the new weights: the difference is now - average.":
                    lambda average, now, decay: average + (1 - decay) * (average - now),
            },
            "The new average is decay times the old one plus 1 - decay times the weights now.",
            tolerance=1e-5,
        ),
        hints=(
            "Two factors that sum to 1.",
            "decay is close to 1 and belongs to the old average: a long memory.",
        ),
        solution="def follow(average, now, decay):\n    return decay * average + (1 - decay) * now",
        means="torch calls it average.lerp(now, 1 - decay). It remembers about 1 / (1 - decay) steps.",
    ),
    Exercise(
        name="frechet_1d",
        grade=tensors(
            _gauss_cases,
            lambda m, s, n, r: (m - n) ** 2 + (s - r) ** 2,
            {
                "It does not contain the difference of the variances: (std_a - std_b)^2, not var_a - var_b.":
                    lambda m, s, n, r: (m - n) ** 2 + (s**2 - r**2).abs(),
                "Only the means are compared. A generator with the right mean and no diversity would get 0.":
                    lambda m, s, n, r: (m - n) ** 2,
                "Only the standard deviations are compared; the means belong to it too.":
                    lambda m, s, n, r: (s - r) ** 2,
                "The Frechet distance of the papers is the squared one: no root at the end.":
                    lambda m, s, n, r: ((m - n) ** 2 + (s - r) ** 2).sqrt(),
                "The cross term is missing: -2 std_a std_b. Without it, equal Gaussians are not at distance 0.":
                    lambda m, s, n, r: (m - n) ** 2 + s**2 + r**2,
                "Squares are missing: |mean_a - mean_b| + |std_a - std_b| is another distance.":
                    lambda m, s, n, r: (m - n).abs() + (s - r).abs(),
                "You squared the variances. With one feature, Tr(C_a + C_b - 2 (C_a C_b)^(1/2)) is (std_a - std_b)^2.":
                    lambda m, s, n, r: (m - n) ** 2 + (s**2 - r**2) ** 2,
            },
            "Insert 1 x 1 matrices into the formula: C is std^2, and the trace of a number is the number.",
            tolerance=1e-5,
        ),
        hints=(
            "With one feature the covariance is the variance: C_a = std_a^2.",
            "std_a^2 + std_b^2 - 2 std_a std_b is a square.",
        ),
        solution="def frechet_1d(mean_a, std_a, mean_b, std_b):\n"
                 "    return (mean_a - mean_b) ** 2 + (std_a - std_b) ** 2",
        means="A wrong mean and a wrong width both count. Two densities of different shape but equal mean and width "
              "are at distance 0: that is what the distance cannot see.",
    ),
]
