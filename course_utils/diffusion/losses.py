"""What is minimised: the squared error of the predicted image, times a weight for each noise level."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.kernels import squared_error

# Each is a weight on the error of x0, as a function of the signal-to-noise ratio. "eps" and "v" are the plain errors
# of those names; "min-snr" is that of Hang et al. 2023 with gamma = 5; "soft-v" is "v" with at most 20
WEIGHTS = {
    "x0": lambda snr: torch.ones_like(snr),
    "eps": lambda snr: snr,
    "v": lambda snr: snr + 1,
    "min-snr": lambda snr: snr.clamp(max=5),
    "soft-v": lambda snr: (snr + 1).clamp(max=20),
}


def weighted_error(output: Tensor, predicts: str, x0: Tensor, eps: Tensor, abar: Tensor, weight: str) -> Tensor:
    """The error of a network's output for each image (B,): weight(snr) times the mean of (x0_hat - x0)^2.

    output, x0, eps (B, ...); `predicts` says what the output is, "eps", "x0" or "v"; abar (B, 1, ...) in (0, 1);
    `weight` is a name in WEIGHTS. It is computed from the error in the output's own name, which divides by nothing
    small. ValueError for an unknown name.
    """
    factor = _factor(predicts, abar, weight)
    image, noise = TARGETS[predicts](abar)
    return (factor * (output.float() - (image * x0 + noise * eps)) ** 2).flatten(1).mean(1)


def seeded_error(output: Tensor, predicts: str, x0: Tensor, seed: Tensor, abar: Tensor, weight: str) -> Tensor:
    """`weighted_error` with the noise that `kernels.q_sample` drew from `seed` (B,), not stored but drawn anew.

    output, x0 (B, ...); abar (B,). ValueError for an unknown name.
    """
    factor = _factor(predicts, abar, weight)
    if predicts == "x0":
        return factor * ((output.float() - x0) ** 2).flatten(1).mean(1)
    return factor * squared_error(output, x0, seed, *TARGETS[predicts](abar))


def _factor(predicts: str, abar: Tensor, weight: str) -> Tensor:
    """From an error in the output's own name to the weighted error of x0."""
    for given, known, what in ((weight, WEIGHTS, "weight"), (predicts, TARGETS, "predicts")):
        if given not in known:
            raise ValueError(f"{what} must be one of {', '.join(known)}; got {given!r}.")
    snr = abar / (1 - abar)
    return WEIGHTS[weight](snr) / WEIGHTS[predicts](snr)


# The target of the output, as a share of the image plus a share of the noise
TARGETS = {
    "x0": lambda abar: (torch.ones_like(abar), torch.zeros_like(abar)),
    "eps": lambda abar: (torch.zeros_like(abar), torch.ones_like(abar)),
    "v": lambda abar: (-(1 - abar).sqrt(), abar.sqrt()),
}
