"""The exercises of notebook 02, Pixel noising."""

from __future__ import annotations

import torch

from course_utils.diffusion import NoiseSchedule
from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded

_ABAR = NoiseSchedule.linear(1000).abar.float()


def _each(abar, t):
    return abar[t].view(-1, 1, 1, 1)


def _unjump_cases():
    generator = seeded(0)
    for times in ([5, 40, 80, 120], [300, 500, 650, 800]):
        x0 = torch.rand(4, 1, 6, 6, generator=generator) * 2 - 1
        eps = torch.randn(4, 1, 6, 6, generator=generator)
        t = torch.tensor(times)
        yield _each(_ABAR, t).sqrt() * x0 + (1 - _each(_ABAR, t)).sqrt() * eps, t, eps, _ABAR


def _unjump(xt, t, eps, abar):
    return (xt - (1 - _each(abar, t)).sqrt() * eps) / _each(abar, t).sqrt()


def _on_cases():
    generator = seeded(1)
    for s, t in ((200, 450), (50, 300)):
        xs, eps = torch.randn(2, 4, 1, 6, 6, generator=generator)
        yield xs, s, t, eps, _ABAR


def _on(xs, s, t, eps, abar):
    left = abar[t] / abar[s]
    return left.sqrt() * xs + (1 - left).sqrt() * eps


def _image_cases():
    generator = seeded(2)
    wide = torch.rand(6, 3000, generator=generator) * 2 - 1
    yield 0.5**0.5 * wide[:3] + 0.5**0.5 * torch.randn(3, 3000, generator=generator), 0.5, wide
    for abar_t in (0.5, 0.05):
        images = torch.rand(12, 20, generator=generator) * 2 - 1
        noise = torch.randn(5, 20, generator=generator)
        yield abar_t**0.5 * images[:5] + (1 - abar_t) ** 0.5 * noise, abar_t, images


def _share(xt, abar_t, images, scale=None, width=None, dim=1):
    distance = torch.cdist(xt, (abar_t**0.5 if scale is None else scale) * images) ** 2
    return (-distance / (2 * (1 - abar_t) if width is None else width)).softmax(dim)


def _naive(xt, abar_t, images):
    weight = torch.exp(-torch.cdist(xt, abar_t**0.5 * images) ** 2 / (2 * (1 - abar_t)))
    return weight / weight.sum(1, keepdim=True)


def _nearest(xt, abar_t, images):
    return images[torch.cdist(xt, abar_t**0.5 * images).argmin(1)]


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
        name="unjump",
        grade=tensors(
            _unjump_cases,
            _unjump,
            {
                "Right for small t, wrong for large t: you divided by abar_t; the image was scaled by its root.":
                    lambda xt, t, eps, a: (xt - (1 - _each(a, t)).sqrt() * eps) / _each(a, t),
                "The noise came with factor sqrt(1 - abar_t); you took 1 - abar_t.":
                    lambda xt, t, eps, a: (xt - (1 - _each(a, t)) * eps) / _each(a, t).sqrt(),
                "The noise is gone, but the image is still shrunk: divide by sqrt(abar_t).":
                    lambda xt, t, eps, a: xt - (1 - _each(a, t)).sqrt() * eps,
                "You subtracted eps itself. Only sqrt(1 - abar_t) times eps was added.":
                    lambda xt, t, eps, a: (xt - eps) / _each(a, t).sqrt(),
                "Each image has its own t: use abar[t] for all of them, not only the first.":
                    lambda xt, t, eps, a: _unjump(xt, t[:1].expand(len(t)), eps, a),
                "t counts from 0 here: abar[t], not abar[t - 1].": lambda xt, t, eps, a: _unjump(xt, t - 1, eps, a),
                "The roots are swapped: the image came with sqrt(abar_t), the noise with sqrt(1 - abar_t).":
                    lambda xt, t, eps, a: (xt - _each(a, t).sqrt() * eps) / (1 - _each(a, t)).sqrt(),
                "You added the noise once more instead of subtracting it.":
                    lambda xt, t, eps, a: (xt + (1 - _each(a, t)).sqrt() * eps) / _each(a, t).sqrt(),
            },
            "Solve xt = sqrt(abar_t) x0 + sqrt(1 - abar_t) eps for x0, with each image's own abar_t.",
            tolerance=1e-3,
        ),
        hints=(
            "Write down the jump and solve it for x0.",
            "abar[t] has shape (B,). To multiply images it needs shape (B, 1, 1, 1): .view(-1, 1, 1, 1).",
        ),
        solution="def unjump(xt, t, eps, abar):\n"
                 "    abar_t = abar[t].view(-1, 1, 1, 1)\n"
                 "    return (xt - (1 - abar_t).sqrt() * eps) / abar_t.sqrt()",
        means="Near t = T you divide by almost 0, so a small error in eps becomes a huge error in x0. A network that "
              "predicts x0 does not divide.",
    ),
    Exercise(
        name="jump_on",
        grade=tensors(
            _on_cases,
            _on,
            {
                "You jumped as if xs were clean. It is noisy already: the share abar[t] / abar[s] of it is left at t.":
                    lambda xs, s, t, eps, a: a[t].sqrt() * xs + (1 - a[t]).sqrt() * eps,
                "You took the difference of the abars. Shares of variance multiply, so take the ratio.":
                    lambda xs, s, t, eps, a: (1 - a[s] + a[t]).sqrt() * xs + (a[s] - a[t]).sqrt() * eps,
                "The ratio is upside down: abar[t] is smaller than abar[s].":
                    lambda xs, s, t, eps, a: (a[s] / a[t]).sqrt() * xs + (a[s] / a[t] - 1).sqrt() * eps,
                "Take square roots: the ratio is a share of variance, and images are multiplied by its root.":
                    lambda xs, s, t, eps, a: a[t] / a[s] * xs + (1 - a[t] / a[s]) * eps,
                "Noise comes with a root: sqrt(1 - abar[t] / abar[s]).":
                    lambda xs, s, t, eps, a: (a[t] / a[s]).sqrt() * xs + (1 - a[t] / a[s]) * eps,
                "sqrt(abar[s] - abar[t]) would be right for a clean image; xs is shrunk already.":
                    lambda xs, s, t, eps, a: (a[t] / a[s]).sqrt() * xs + (a[s] - a[t]).sqrt() * eps,
                "The noise needs the share that the image lost: sqrt(1 - abar[t] / abar[s]).":
                    lambda xs, s, t, eps, a: (a[t] / a[s]).sqrt() * xs + (1 - a[t]).sqrt() * eps,
            },
            "From s to t the variance keeps the share abar[t] / abar[s]; the rest is fresh noise.",
        ),
        hints=(
            "abar[t] is a product over all steps up to t. Which factors are already applied at time s?",
            "The share left is abar[t] / abar[s]; then it is the same line as jump.",
        ),
        solution="def jump_on(xs, s, t, eps, abar):\n"
                 "    left = abar[t] / abar[s]\n"
                 "    return left.sqrt() * xs + (1 - left).sqrt() * eps",
        means="Every sampler that skips steps uses this ratio, and so does inpainting in notebook 08.",
    ),
    Exercise(
        name="expected_image",
        grade=tensors(
            _image_cases,
            lambda xt, a, y: _share(xt, a, y) @ y,
            {
                "All weights became 0, and 0/0 is NaN: exp underflows with thousands of pixels. softmax subtracts the "
                "largest exponent first.": lambda xt, a, y: _naive(xt, a, y) @ y,
                "Squared distances belong in a Gaussian: torch.cdist(...) ** 2.":
                    lambda xt, a, y: (-torch.cdist(xt, a**0.5 * y) / (2 * (1 - a))).softmax(1) @ y,
                "The minus is missing: the nearest image must get the largest weight.":
                    lambda xt, a, y: _share(xt, a, y, width=-2 * (1 - a)) @ y,
                "The variance of the noise is 1 - abar_t, without a root.":
                    lambda xt, a, y: _share(xt, a, y, width=2 * (1 - a) ** 0.5) @ y,
                "Shrink the images by the square root of abar_t.": lambda xt, a, y: _share(xt, a, y, scale=a) @ y,
                "Compare xt with the *shrunk* images, sqrt(abar_t) times each.":
                    lambda xt, a, y: _share(xt, a, y, scale=1.0) @ y,
                "A Gaussian of variance 1 - abar_t has 2 (1 - abar_t) under the squared distance; the 2 is missing.":
                    lambda xt, a, y: _share(xt, a, y, width=1 - a) @ y,
                "Divide the squared distance by 2 (1 - abar_t), not by 2: how sure we are depends on the noise.":
                    lambda xt, a, y: _share(xt, a, y, width=2.0) @ y,
                "That is the nearest image. The *expected* one is the average of all, weighted by probability.":
                    _nearest,
                "The probabilities must sum to 1 over the images, for each xt: softmax over dimension 1.":
                    lambda xt, a, y: _share(xt, a, y, dim=0) @ y,
                "You averaged the shrunk images. The average is over the clean ones.":
                    lambda xt, a, y: _share(xt, a, y) @ y * a**0.5,
            },
            "Squared distances to sqrt(abar_t) * images, over -2 (1 - abar_t), softmax, then the weighted sum.",
            tolerance=1e-3,
        ),
        hints=(
            "torch.cdist(xt, z) ** 2 gives all squared distances, shape (B, N).",
            "softmax(1) turns logarithms of weights into probabilities; the logarithm of a Gaussian is "
            "-distance**2 / (2 * variance).",
            "Probabilities (B, N) @ images (N, D) is the weighted sum.",
        ),
        solution="def expected_image(xt, abar_t, images):\n"
                 "    distance = torch.cdist(xt, abar_t**0.5 * images) ** 2\n"
                 "    p = (-distance / (2 * (1 - abar_t))).softmax(1)\n"
                 "    return p @ images",
        means="Softmax of similarities, then a weighted sum: the attention of notebook 03, with images as keys.",
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
