"""The exercises of notebook 02, Pixel noising."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.diffusion import NoiseSchedule, ideal_denoiser
from course_utils.exercises.base import Exercise, choice, number, tensors
from course_utils.runtime import seeded


def _image_cases():
    generator = seeded(2)
    wide = torch.rand(6, 3000, generator=generator) * 2 - 1
    yield 0.5**0.5 * wide[:3] + 0.5**0.5 * torch.randn(3, 3000, generator=generator), 0.5, wide, _prior(6)
    for abar_t in (0.5, 0.05):
        images = torch.rand(12, 20, generator=generator) * 2 - 1
        noise = torch.randn(5, 20, generator=generator)
        yield abar_t**0.5 * images[:5] + (1 - abar_t) ** 0.5 * noise, abar_t, images, _prior(12)


def _prior(n):
    return torch.arange(1.0, n + 1).flip(0) ** 2 / (torch.arange(1.0, n + 1) ** 2).sum()


def _share(xt, abar_t, images, prior, scale=None, width=None, dim=1):
    distance = torch.cdist(xt, (abar_t**0.5 if scale is None else scale) * images) ** 2
    return (prior.log() - distance / (2 * (1 - abar_t) if width is None else width)).softmax(dim)


def _without_prior(xt, abar_t, images):
    return _share(xt, abar_t, images, torch.ones(len(images)))


def _naive(xt, abar_t, images, prior):
    weight = prior * torch.exp(-torch.cdist(xt, abar_t**0.5 * images) ** 2 / (2 * (1 - abar_t)))
    return weight / weight.sum(1, keepdim=True)


def _nearest(xt, abar_t, images, prior):
    return images[torch.cdist(xt, abar_t**0.5 * images).argmin(1)]


def _grade_half_way(answer) -> str | None:
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], str):
        return 'Give a pair, the time and the letter, for example half_way = (500, "a").'
    t, letter = answer[0], answer[1].strip().lower()
    if isinstance(t, bool) or not isinstance(t, (int, float)):
        return "The first of the pair must be a time, a number in 0..999."
    if t < 750:
        return f"At t = {t} clearly more than half return. Go to a later time."
    if t > 840:
        return f"At t = {t} clearly fewer than half return. Go to an earlier time."
    return {
        "a": None,
        "b": "The time is right, the reason is not: the ideal denoiser is exact at every t, it makes no mistakes.",
        "c": "The time is right, the reason is not: look at cosine.snr there. It is far above 0.01.",
    }.get(letter, "The time is right. The second of the pair must be one of the letters a, b and c.")


def broken_samples(images: Tensor) -> Tensor:
    """Two runs of four samples each, by a sampler with a mistake; images (N, C, H, W) -> (8, C, H, W)."""
    schedule = NoiseSchedule.cosine(200)
    denoiser = ideal_denoiser(images, schedule)
    runs = []
    for seed in (1, 2):
        x = torch.randn(4, *images.shape[1:], generator=seeded(seed))
        for t in reversed(range(schedule.T)):
            x = schedule.posterior(denoiser(x, t).x0, x, t)[0]
        runs.append(x)
    return torch.cat(runs)


def _grade_schedule(make) -> str | None:
    beta = torch.as_tensor(make()).double()
    if beta.shape != (1000,):
        return f"beta must hold 1,000 numbers; its shape is {tuple(beta.shape)}."
    if not bool(((beta > 0) & (beta < 1)).all()):
        return "Each beta must be above 0 and below 1: it is a share of the variance. (Clamp at 0.999, as cosine does.)"
    if beta[0] > 0.9 and bool((beta.diff() <= 0).all()):
        return "These numbers fall from near 1, as abar does. Return beta: 1 - abar[1:] / abar[:-1]."
    made = NoiseSchedule(beta)
    wasted, gentle = float((made.snr < 0.01).double().mean()), float((made.snr > 10).double().mean())
    if made.abar[-1] >= 1e-4:
        return f"At the end {made.abar[-1]:.4f} of the image's variance is left; it must be below 0.0001. Add noise."
    if wasted >= 0.05:
        return f"{100 * wasted:.0f}% of your steps have an SNR below 0.01; it must be under 5%. Noise comes too early."
    if gentle > 1 / 3:
        return f"{100 * gentle:.0f}% of your steps have an SNR above 10; it must be at most 33%. Noise comes too late."
    return None


EXERCISES = [
    Exercise(
        name="factor_at_snr_1",
        grade=number(
            right=0.5**0.5,
            mistakes={
                0.5: "0.5 is abar, the share of the variance. The image itself is multiplied by its square root.",
                1.0: "At factor 1 the image would be unchanged. SNR 1 means as much noise as image.",
                0.25: "You squared where a root is taken: the image is multiplied by sqrt(abar).",
            },
            otherwise="SNR = abar / (1 - abar) = 1 gives abar; the image is multiplied by sqrt(abar).",
        ),
        hints=("Solve abar / (1 - abar) = 1.", "In the jump, x0 is multiplied by sqrt(abar)."),
        solution="factor_at_snr_1 = 0.5 ** 0.5",
        means="Image and noise both come with factor 0.71, and their variances add up to 1.",
    ),
    Exercise(
        name="expected_image",
        grade=tensors(
            _image_cases,
            lambda xt, a, y, p: _share(xt, a, y, p) @ y,
            {
                "The prior is not used: that is right only if all images are equally likely.":
                    lambda xt, a, y, p: _without_prior(xt, a, y) @ y,
                "Inside softmax stand logarithms: add prior.log(), not prior.":
                    lambda xt, a, y, p: _share(xt, a, y, p.exp()) @ y,
                "After multiplying by the prior the weights do not sum to 1. Divide by their sum, or add prior.log() "
                "inside softmax.": lambda xt, a, y, p: (_without_prior(xt, a, y) * p) @ y,
                "All weights became 0, and 0/0 is NaN: exp underflows with thousands of pixels. softmax subtracts the "
                "largest exponent first.": lambda xt, a, y, p: _naive(xt, a, y, p) @ y,
                "Squared distances belong in a Gaussian: torch.cdist(...) ** 2.":
                    lambda xt, a, y, p: (p.log() - torch.cdist(xt, a**0.5 * y) / (2 * (1 - a))).softmax(1) @ y,
                "The minus is missing: the nearest image must get the largest weight.":
                    lambda xt, a, y, p: _share(xt, a, y, p, width=-2 * (1 - a)) @ y,
                "The variance of the noise is 1 - abar_t, without a root.":
                    lambda xt, a, y, p: _share(xt, a, y, p, width=2 * (1 - a) ** 0.5) @ y,
                "Shrink the images by the square root of abar_t.":
                    lambda xt, a, y, p: _share(xt, a, y, p, scale=a) @ y,
                "Compare xt with the *shrunk* images, sqrt(abar_t) times each.":
                    lambda xt, a, y, p: _share(xt, a, y, p, scale=1.0) @ y,
                "A Gaussian of variance 1 - abar_t has 2 (1 - abar_t) under the squared distance; the 2 is missing.":
                    lambda xt, a, y, p: _share(xt, a, y, p, width=1 - a) @ y,
                "That is the nearest image. The *expected* one is the average of all, weighted by probability.":
                    _nearest,
                "The probabilities must sum to 1 over the images, for each xt: softmax over dimension 1.":
                    lambda xt, a, y, p: _share(xt, a, y, p, dim=0) @ y,
                "You averaged the shrunk images. The average is over the clean ones.":
                    lambda xt, a, y, p: _share(xt, a, y, p) @ y * a**0.5,
            },
            "Squared distances to sqrt(abar_t) * images, over -2 (1 - abar_t), plus prior.log(), softmax, then the "
            "weighted sum.",
            tolerance=1e-3,
        ),
        hints=(
            "Start from ideal_x0 of section 6. Bayes' rule multiplies each weight by prior[i], before they are made to "
            "sum to 1.",
            "softmax(1) turns logarithms of weights into probabilities. A product of weights is a sum of logarithms.",
            "(prior.log() - distance / (2 * (1 - abar_t))).softmax(1) are the probabilities, (B, N).",
        ),
        solution="def expected_image(xt, abar_t, images, prior):\n"
                 "    distance = torch.cdist(xt, abar_t**0.5 * images) ** 2\n"
                 "    p = (prior.log() - distance / (2 * (1 - abar_t))).softmax(1)\n"
                 "    return p @ images",
        means="A prior of 0 removes an image from the world. Classifier guidance (notebook 05) does this to a network, "
              "by a gradient instead of a list.",
    ),
    Exercise(
        name="half_way",
        grade=_grade_half_way,
        hints=(
            "Print share_that_returns(t) for t = 300, 500, 700, 800 and 900, then go on where it crosses a half.",
            "For the reason, look at cosine.snr at your t, and at the figure of expected images. What does x_t say?",
            "With 40 tries the share is uncertain by about 0.08, so any t between 750 and 840 is accepted.",
        ),
        solution='half_way = (800, "a")',
        means="The reverse process decides coarse things first and details last: above your t another sneaker returns, "
              "still higher another kind of clothes. Image editing by noising half-way (SDEdit) uses this.",
    ),
    Exercise(
        name="mistake",
        grade=choice("b", {
            "a": "Try it: pure_noise / 2 as the start. The fresh noise of the first steps soon makes up for it, and "
                 "different clothes appear.",
            "c": "Try it: put 1 - alpha for the variance. Different clothes appear, with a trace of noise.",
            "d": "Close: a shared noise also makes all images of one run alike. But another seed would give other "
                 "clothes, and here both runs are the same.",
        }, otherwise='Give one of the letters "a", "b", "c" and "d".'),
        hints=(
            "Eight different starts and one result: what can make a sampler forget where it started?",
            "Both runs give the same garment, so the randomness of the run plays no part at all.",
            "In `sample`, leave out the term with torch.randn, and compare.",
        ),
        solution='mistake = "b"',
        means="Without fresh noise every path falls towards the mean of all images, and from there to the same one. "
              "Samplers without noise exist (DDIM, notebook 04), but their step is another one.",
    ),
    Exercise(
        name="my_schedule",
        grade=_grade_schedule,
        hints=(
            "Start from the curve you want: 1,001 numbers abar from 1 down; then beta = 1 - abar[1:] / abar[:-1].",
            "Let log SNR fall on a line: abar = sigmoid(log SNR). SNR 0.01 is log SNR -4.6, SNR 10 is 2.3.",
            "From log SNR 5 to -4.5 evenly, and the last few steps steeply to -10.",
        ),
        solution="def my_schedule():\n"
                 "    log_snr = torch.cat([torch.linspace(5, -4.5, 980), torch.linspace(-5, -10, 21)])\n"
                 "    abar = log_snr.double().sigmoid()\n"
                 "    return (1 - abar[1:] / abar[:-1]).clamp(1e-6, 0.999)",
        means="A schedule decides how many steps go to each signal-to-noise ratio; EDM and SD3 are designed that way.",
    ),
]
