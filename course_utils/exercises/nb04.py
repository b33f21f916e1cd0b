"""The exercises of notebook 04, Loss."""

from __future__ import annotations

import torch

from course_utils.diffusion import Denoiser, NoiseSchedule, Prediction
from course_utils.exercises.base import Exercise, tensors


def _snr_cases():
    for gamma in (5.0, 20.0):
        yield torch.logspace(-1, 2.5, 40), gamma


def _step_cases():
    draws = torch.Generator().manual_seed(4)
    for abar_t, abar_s in ((0.2, 0.5), (0.6, 0.9), (0.05, 0.3)):
        xt, v = torch.randn(2, 3, 1, 4, 4, generator=draws)
        yield xt, v, *(torch.full((3, 1, 1, 1), abar) for abar in (abar_t, abar_s))


def _step(xt, v, abar_t, abar_s):
    return _mix(abar_t.sqrt() * xt - (1 - abar_t).sqrt() * v, (1 - abar_t).sqrt() * xt + abar_t.sqrt() * v, abar_s)


def _mix(x0, eps, abar):
    return abar.sqrt() * x0 + (1 - abar).sqrt() * eps


def _gauss_cases():
    for numbers in ((0.0, 1.0, 3.0, 2.0), (1.0, 0.5, -1.0, 3.0), (2.0, 1.0, 2.0, 4.0)):
        yield tuple(torch.tensor(value) for value in numbers)


def broken(denoiser: Denoiser) -> Denoiser:
    """A denoiser with a fault, for exercise 4; the text does not say which."""
    schedule = NoiseSchedule.cosine()
    return lambda xt, t: Prediction.of(xt, schedule.at(t, xt), x0=denoiser(xt, _TOLD).x0)


def _grade_diagnosis(answer) -> str | None:
    if not isinstance(answer, (tuple, list)) or len(answer) != 2 or not isinstance(answer[0], str):
        return 'Give both, for example diagnosis = ("schedule", 700): a name from the gallery, and a time t.'
    name, t = answer[0].strip().lower(), answer[1]
    if name not in _MISTAKES:
        return f"The name must be one of {', '.join(_MISTAKES)}."
    if _MISTAKES[name]:
        return _MISTAKES[name]
    if not isinstance(t, (int, float)) or isinstance(t, bool) or not 0 <= t <= 999:
        return "The second must be a time t, a number in 0..999, on the horizontal axis."
    if abs(t - _TOLD) <= 60:
        return None
    where = "right" if t > _TOLD else "left"
    return (f"The mistake is right. But at t = {t:g} the broken network's error is above the healthy one's. That is to "
            f"the {where} of the place where the curves touch; read off that place.")


def _grade_experiment(answer) -> str | None:
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return 'Give both, for example without_noise = (0.5, "a"): the recall that you measured, and a letter.'
    recall, letter = answer
    letter = letter.strip().lower() if isinstance(letter, str) else letter
    recall = recall.item() if hasattr(recall, "item") else recall
    if not isinstance(recall, (int, float)) or letter not in _LETTERS:
        return 'The first must be a number, the second one of the letters "a", "b", "c", "d".'
    if not 0 <= recall <= 1:
        return "A recall lies between 0 and 1. judged returns distance, precision, recall: the recall comes last."
    if recall > 0.95:
        return "That is near 1. The precision is; judged returns it second, the recall comes last."
    if recall > 0.75:
        return "That is the recall *with* fresh noise, or nearly. Is the line that adds it gone from your copy?"
    if recall > 0.1:
        return "Neither version has such a recall. Start at noises, with safe and schedule.timesteps(20), and judge it."
    return _LETTERS[letter]


_TOLD = 325
_MISTAKES = {
    "t ignored": None,
    "eps rounded": "A rounding of eps counts most near t = 999, where x0 is eps divided by almost nothing. Here the "
                   "error is too high at small t as well.",
    "3 steps": "The number of steps belongs to the sampler. This figure calls the network once for each t; there is no "
               "sampler in it.",
    "schedule": "With another schedule each xt has the wrong amount of noise for its t. The two schedules meet at the "
                "ends only, not in the middle, where these curves touch.",
}
_LETTERS = {
    "a": "No grain can be seen: look at eight of them. Leaving out the fresh noise adds no old noise.",
    "b": None,
    "c": "The recall fell to almost nothing, so something happened. Look at eight images of each kind.",
    "d": "Few kinds, yes, but are these good images? Compare their sharpness and contrast with those of algorithm_2.",
}
_WITHOUT = '''@torch.no_grad()
def no_fresh_noise(denoiser, x, times):
    for t, s in zip(times, [*times[1:], -1]):
        abar_t, abar_s = schedule.at(t, x), schedule.at(s, x)
        alpha = abar_t / abar_s
        x = (x - (1 - alpha) / (1 - abar_t).sqrt() * denoiser(x, t).eps) / alpha.sqrt()
    return x


# judged(no_fresh_noise(safe, noises, schedule.timesteps(20))) is about (265, 1.0, 0.0)
without_noise = (0.0, "b")'''


EXERCISES = [
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
                "Below gamma this is larger than 1. There the error of eps is right as it is: take the minimum.":
                    lambda snr, gamma: gamma / snr,
                "You took the larger of the two. min-SNR *limits* the weight of nearly clean images.":
                    lambda snr, gamma: snr.clamp(min=gamma) / snr,
                "That is the unweighted error of eps. Where snr is above gamma, it must get less weight.":
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
            "snr.clamp(max=gamma) is min(snr, gamma); torch.minimum would want a tensor, and gamma is a number.",
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
                "That is the predicted x0: all noise taken away at once. Mix it with the noise again, for time s.":
                    lambda xt, v, a, b: a.sqrt() * xt - (1 - a).sqrt() * v,
                "That is the step of a network whose output is eps. Here it is v: get x0 and eps from xt and v first.":
                    lambda xt, v, a, b: _mix((xt - (1 - a).sqrt() * v) / a.sqrt(), v, b),
                "The sign of v is wrong in x0: v holds *minus* sqrt(1 - abar) x0.":
                    lambda xt, v, a, b: _mix(a.sqrt() * xt + (1 - a).sqrt() * v, (1 - a).sqrt() * xt + a.sqrt() * v, b),
                "The sign of v is wrong in eps: v holds *plus* sqrt(abar) eps.":
                    lambda xt, v, a, b: _mix(a.sqrt() * xt - (1 - a).sqrt() * v, (1 - a).sqrt() * xt - a.sqrt() * v, b),
                "x0 and eps are swapped: the image gets sqrt(abar_s), the noise sqrt(1 - abar_s).":
                    lambda xt, v, a, b: _mix((1 - a).sqrt() * xt + a.sqrt() * v, a.sqrt() * xt - (1 - a).sqrt() * v, b),
                "With one abar throughout you get xt again. x0 and eps need abar_t, the mix for time s needs abar_s.":
                    lambda xt, v, a, b: _step(xt, v, a, a),
                "t and s are exchanged: x0 and eps come from xt, so they need abar_t; the mix for time s needs abar_s.":
                    lambda xt, v, a, b: _step(xt, v, b, a),
                "The square roots are missing: abar is a share of the variance.":
                    lambda xt, v, a, b: b * (a * xt - (1 - a) * v) + (1 - b) * ((1 - a) * xt + a * v),
            },
            "Three lines: x0 and eps from xt and v, both with abar_t; then sqrt(abar_s) x0 + sqrt(1 - abar_s) eps.",
        ),
        hints=(
            "There are two equations, the jump for xt and the definition of v, with two unknowns, x0 and eps: multiply "
            "one by sqrt(abar_t), the other by sqrt(1 - abar_t), and subtract. x0 is left.",
            "x0 = sqrt(abar_t) xt - sqrt(1 - abar_t) v, and eps = sqrt(1 - abar_t) xt + sqrt(abar_t) v.",
            "With eta = 0 sigma is 0: the step is a jump to s with the predicted x0 and the predicted eps.",
        ),
        solution="def ddim_step(xt, v, abar_t, abar_s):\n"
                 "    x0 = abar_t.sqrt() * xt - (1 - abar_t).sqrt() * v\n"
                 "    eps = (1 - abar_t).sqrt() * xt + abar_t.sqrt() * v\n"
                 "    return abar_s.sqrt() * x0 + (1 - abar_s).sqrt() * eps",
        means="(xt, v) is (x0, eps) turned by an angle, and a step of DDIM turns a part of it back. Nothing is divided "
              "by a small number: one reason why many systems use v.",
    ),
    Exercise(
        name="without_noise",
        grade=_grade_experiment,
        hints=(
            "Copy the whole function, change its name, and delete the line that begins with `x = x + sigma`. Then: "
            "ours = no_fresh_noise(safe, noises, schedule.timesteps(20)); judged(ours)",
            "judged returns distance, precision and recall, in this order. Which of the two shares is near 0?",
            "Show eight of each with show.images(torch.cat([ours[:8], theirs[:8]]), columns=8, caption=..., alt=...).",
            "The mean of all images that are possible is soft. Where does a walk end that goes to the mean each time?",
        ),
        solution=_WITHOUT,
        means="The network answers with a mean, and the posterior's mean goes there. The fresh noise is what makes the "
              "images differ. (DDIM needs none, because it keeps all of the old noise.)",
    ),
    Exercise(
        name="diagnosis",
        grade=_grade_diagnosis,
        hints=(
            "The figure calls the network once at each t; no sampler is in it. Which mistakes can show here at all?",
            "At one t, in the middle, the broken network is as good as the healthy one. Which mistake is right there?",
            "Read off the t at which the two curves touch.",
        ),
        solution=f'diagnosis = ("t ignored", {_TOLD})',
        means=f"The network is told t = {_TOLD}, whatever the time is. An average over all t would show a loss that is "
              "too high and no more; drawn over t, the curve names the fault.",
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
