"""The exercises of notebook 08, Inpainting."""

from __future__ import annotations

import torch

from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded

_SIZE = (3, 2, 6, 6)


def _known_cases():
    generator = seeded(0)
    for abar in (0.9, 0.4, 0.05):
        x0, eps = torch.rand(_SIZE, generator=generator) * 2 - 1, torch.randn(_SIZE, generator=generator)
        yield x0, torch.tensor(abar), eps


def _back_cases():
    generator = seeded(1)
    for abar_s, abar_t in ((0.95, 0.8), (0.6, 0.3), (0.2, 0.02)):
        xs, eps = torch.randn(2, *_SIZE, generator=generator)
        yield xs, torch.tensor(abar_s), torch.tensor(abar_t), eps


def _noised(share):
    return lambda xs, s, t, eps: share(s, t).sqrt() * xs + (1 - share(s, t)).sqrt() * eps


def _chance_cases():
    yield -0.3, torch.tensor([-0.4, 0.4]), torch.tensor([0.2, 0.2]), torch.tensor([0.5, 0.5])
    yield 0.1, torch.tensor([-0.4, 0.0, 0.5]), torch.tensor([0.4, 0.2, 0.3]), torch.tensor([0.6, 0.1, 0.3])
    yield 0.0, torch.tensor([0.3, -0.2]), torch.tensor([0.15, 0.6]), torch.tensor([0.2, 0.8])


def _shares(x, first, std, weights, power=2, width=lambda std: std, prior=lambda w: w, half=0.5):
    likely = prior(weights) * torch.exp(-half * (x - first).abs() ** power / std**power) / width(std)
    return likely / likely.sum()


def _raw(x, first, std, weights):
    return weights * torch.exp(-0.5 * (x - first) ** 2 / std**2) / (std * (2 * torch.pi) ** 0.5)


def _masks(generator):
    """Masks (3, 1, 6, 6) with non-empty holes of three sizes."""
    mask = torch.ones(3, 1, 6, 6)
    for one, (top, left, height, width) in zip(mask, ((1, 1, 2, 2), (0, 3, 6, 3), (2, 0, 1, 5))):
        one[:, top : top + height, left : left + width] = 0
    return mask[torch.randperm(3, generator=generator)]


def _error_cases():
    generator = seeded(2)
    for _ in range(2):
        guess, x0 = torch.rand(2, *_SIZE, generator=generator) * 2 - 1
        yield guess, x0, _masks(generator)


def _even(guess, x0, mask, inside=lambda m: 1 - m, power=2, channels=True):
    here = inside(mask).expand_as(x0) if channels else inside(mask)
    return ((guess - x0).abs() ** power * inside(mask)).flatten(1).sum(1) / here.flatten(1).sum(1)


def _sd_cases():
    generator = seeded(3)
    for _ in range(2):
        yield *torch.randn(2, 3, 4, 6, 6, generator=generator), _masks(generator)


EXERCISES = [
    Exercise(
        name="network_calls",
        grade=number(
            right=240,
            mistakes={
                1920: "That is the number of images the network sees. All eight are in one batch: one call for all.",
                40: "That is without going back. Each stretch is walked 6 times.",
                400: "You multiplied the steps by the length of a stretch. What counts is how often each is walked.",
                2400: "The length of a stretch does not matter: however it is cut, each step is made 6 times.",
                200: "Those are the repetitions alone; the first walk of each stretch counts as well.",
                280: "Walked 6 times in all, not 6 times more.",
                24: "That is 4 stretches, 6 times each. A stretch has 10 steps, and each of them is a call.",
                264: "Going back needs no network: noise is added, and that is all.",
                260: "Going back needs no network: noise is added, and that is all.",
            },
            otherwise="Every one of the 40 steps is made as often as its stretch is walked.",
            tolerance=0.001,
        ),
        hints=("How often is the first of the 40 steps made?", "40 steps, 6 times each. Does going back need the "
               "network?"),
        solution="network_calls = 40 * 6",
        means="The length of a stretch does not change the cost. It changes how far one goes back, and so how much of "
              "the hole is forgotten each time. The paper's setting, 250 steps walked 10 times, costs some 2,500 "
              "calls.",
    ),
    Exercise(
        name="known_at",
        grade=tensors(
            _known_cases,
            lambda x0, a, eps: a.sqrt() * x0 + (1 - a).sqrt() * eps,
            {
                "As printed in the paper, and wrong: 1 - abar is the variance of the noise. Multiply by its root.":
                    lambda x0, a, eps: a.sqrt() * x0 + (1 - a) * eps,
                "Both roots are missing: abar and 1 - abar are shares of the variance.":
                    lambda x0, a, eps: a * x0 + (1 - a) * eps,
                "abar is a share of the variance; the image is multiplied by its root.":
                    lambda x0, a, eps: a * x0 + (1 - a).sqrt() * eps,
                "That is the clean image. The known part must be as noisy as the hole.":
                    lambda x0, a, eps: x0,
                "The image must shrink as noise is added: it is multiplied by sqrt(abar_s).":
                    lambda x0, a, eps: x0 + (1 - a).sqrt() * eps,
                "Image and noise have changed places: at abar near 1, nearly all of it is the image.":
                    lambda x0, a, eps: (1 - a).sqrt() * x0 + a.sqrt() * eps,
                "That is the mean only; without noise, the network would take the known part for a faint image.":
                    lambda x0, a, eps: a.sqrt() * x0,
            },
            "It is the jump of notebook 02: sqrt(abar_s) times the image, sqrt(1 - abar_s) times the noise.",
        ),
        hints=("It is the jump of notebook 02.", "The variances abar_s and 1 - abar_s sum to 1. What multiplies a "
               "image is the root of a variance."),
        solution="def known_at(x0, abar_s, eps):\n    return abar_s.sqrt() * x0 + (1 - abar_s).sqrt() * eps",
        means="With 1 - abar in place of its root, the known part is less noisy than the network expects, at every t.",
    ),
    Exercise(
        name="noised_again",
        grade=tensors(
            _back_cases,
            _noised(lambda s, t: t / s),
            {
                "That treats xs as a clean image. It has noise already: only what is missing from s to t is added, "
                "and the share abar_t / abar_s is kept.": _noised(lambda s, t: t),
                "The share is inverted (above 1, and the root of a negative number): it is abar_t / abar_s.":
                    _noised(lambda s, t: s / t),
                "The roots are missing: it is a share of the variance.":
                    lambda xs, s, t, eps: (t / s) * xs + (1 - t / s) * eps,
                "The noise needs a root: 1 - share is a variance.":
                    lambda xs, s, t, eps: (t / s).sqrt() * xs + (1 - t / s) * eps,
                "xs must shrink when noise is added, or the variance grows each time one goes back.":
                    lambda xs, s, t, eps: xs + (1 - t / s).sqrt() * eps,
                "The noise of t minus the noise of s would be right if xs did not shrink. It does: the missing "
                "variance is 1 - abar_t / abar_s.":
                    lambda xs, s, t, eps: (t / s).sqrt() * xs + (s - t).sqrt() * eps,
                "You only shrink xs; the noise is missing, and nothing is forgotten.":
                    lambda xs, s, t, eps: (t / s).sqrt() * xs,
            },
            "Let share = abar_t / abar_s. Then it is sqrt(share) xs + sqrt(1 - share) eps.",
        ),
        hints=(
            "In xs the image is multiplied by sqrt(abar_s), in xt by sqrt(abar_t). By what factor do these differ?",
            "Check the variance: share * (1 - abar_s) + (1 - share) must be 1 - abar_t.",
        ),
        solution="def noised_again(xs, abar_s, abar_t, eps):\n"
                 "    share = abar_t / abar_s\n"
                 "    return share.sqrt() * xs + (1 - share).sqrt() * eps",
        means="It is the forward process, many small steps in one. For one step of the chain the share is 1 - beta.",
    ),
    Exercise(
        name="chances",
        grade=tensors(
            _chance_cases,
            lambda x, first, std, w: _shares(x, first, std, w, width=lambda s: s),
            {
                "They must sum to 1: divide by their sum.": _raw,
                "The prior weights of the bumps are missing: a rare bump stays rare.":
                    lambda x, first, std, w: _shares(x, first, std, w, prior=torch.ones_like),
                "The height of a Gaussian is 1 / std: a narrow bump is high. That factor is missing.":
                    lambda x, first, std, w: _shares(x, first, std, w, width=torch.ones_like),
                "The height of a Gaussian in one dimension has 1 / std, not 1 / std^2.":
                    lambda x, first, std, w: _shares(x, first, std, w, width=lambda s: s**2),
                "The exponent of a Gaussian has a square: (x - mean)^2.":
                    lambda x, first, std, w: _shares(x, first, std, w, power=1),
                "The exponent is minus the square over *twice* the variance.":
                    lambda x, first, std, w: _shares(x, first, std, w, half=1.0),
                "Those are the prior weights, before x was known.": lambda x, first, std, w: w,
            },
            "Bayes' rule: each bump's weight times its density at x, divided by the sum of all.",
        ),
        hints=(
            "How likely is x, if it comes from bump k? Multiply by how likely bump k is.",
            "weights / std * exp(-(x - first)^2 / (2 std^2)), divided by its sum.",
        ),
        solution="def chances(x, first, std, weights):\n"
                 "    likely = weights / std * torch.exp(-(x - first) ** 2 / (2 * std**2))\n"
                 "    return likely / likely.sum()",
        means="These and the other pixel of each bump give the exact inpainting posterior.",
    ),
    Exercise(
        name="even_error",
        grade=tensors(
            _error_cases,
            _even,
            {
                "That is the error around the hole. Our masks are 1 where the image is kept; the hole is 1 - mask.":
                    lambda g, x, m: _even(g, x, m, inside=lambda mask: mask),
                "That is the error of the whole image, in which the known part dominates.":
                    lambda g, x, m: (g - x).square().flatten(1).mean(1),
                "Summed over the hole, but divided by all numbers of the image: a small hole counts less. Divide by "
                "the size of *its* hole.": lambda g, x, m: ((g - x).square() * (1 - m)).flatten(1).mean(1),
                "The sum over the hole is not divided yet: a large hole counts more.":
                    lambda g, x, m: ((g - x).square() * (1 - m)).flatten(1).sum(1),
                "You count the pixels of the hole once; each of them has C numbers. The mask has one channel: expand "
                "it before you sum it.": lambda g, x, m: _even(g, x, m, channels=False),
                "That is the absolute error; take the squared one.": lambda g, x, m: _even(g, x, m, power=1),
                "One number for the whole batch: the average over all holes. Each image has its own.":
                    lambda g, x, m: (((g - x).square() * (1 - m)).sum() / (1 - m).expand_as(x).sum()).expand(len(x)),
            },
            "Sum the squared error over the hole, for each image, and divide by the number of elements in its hole.",
        ),
        hints=(
            "hole = (1 - mask).expand_as(x0) is 1 for each number in the hole, and 0 elsewhere.",
            "Sum over .flatten(1) along dimension 1, in numerator and denominator.",
        ),
        solution="def even_error(guess, x0, mask):\n"
                 "    hole = (1 - mask).expand_as(x0)\n"
                 "    return ((guess - x0).square() * hole).flatten(1).sum(1) / hole.flatten(1).sum(1)",
        means="10 log10(4 / error) is the PSNR of the hole in 'Measure it'.",
    ),
    Exercise(
        name="sd_input",
        grade=tensors(
            _sd_cases,
            lambda noisy, latents, m: torch.cat([noisy, 1 - m, latents * m], 1),
            {
                "The mask is not inverted: 1 means 'paint' to this network, where you mean 'keep'. Give it 1 - mask.":
                    lambda noisy, latents, m: torch.cat([noisy, m, latents * m], 1),
                "The mask is inverted, but the image is emptied in the wrong place: the known part must stay, "
                "latents * mask.": lambda noisy, latents, m: torch.cat([noisy, 1 - m, latents * (1 - m)], 1),
                "Both are the wrong way round: the network would be shown the hole and paint the rest.":
                    lambda noisy, latents, m: torch.cat([noisy, m, latents * (1 - m)], 1),
                "The order is different: noisy latents, then the mask, then the masked latents. (GLIGEN's network "
                "takes them in your order; channels have no names.)":
                    lambda noisy, latents, m: torch.cat([noisy, latents * m, 1 - m], 1),
                "The hole is not emptied. The network would see what it has to predict, and only copy.":
                    lambda noisy, latents, m: torch.cat([noisy, 1 - m, latents], 1),
                "The noisy latents must stay noisy everywhere: only the clean latents beside them are masked.":
                    lambda noisy, latents, m: torch.cat([noisy * (1 - m), 1 - m, latents * m], 1),
            },
            "Nine channels: noisy (4), 1 - mask (1), latents * mask (4), by torch.cat along dimension 1.",
        ),
        hints=(
            "torch.cat([...], dim=1) concatenates channels: 4 + 1 + 4.",
            "Its mask is 1 - mask. The known latents are those where our mask is 1.",
        ),
        solution="def sd_input(noisy, latents, mask):\n"
                 "    return torch.cat([noisy, 1 - mask, latents * mask], dim=1)",
        means="Wrong orders and polarities have the right shape, too. Only a look at the result, or a test like this "
              "one, reveals them.",
    ),
]
