"""What is minimised: the squared error of the guessed picture, times a weight for each noise level."""

from __future__ import annotations

import torch
from torch import Tensor

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
    """The error of a network's answer for each picture (B,): weight(snr) times the mean of (x0_hat - x0)^2.

    output, x0, eps (B, ...); `predicts` says what the output is, "eps", "x0" or "v"; abar (B, 1, ...) in (0, 1);
    `weight` is a name in WEIGHTS. It is computed from the error in the output's own name, which divides by nothing
    small. ValueError for an unknown name.
    """
    for given, known, what in ((weight, WEIGHTS, "weight"), (predicts, TARGETS, "predicts")):
        if given not in known:
            raise ValueError(f"{what} must be one of {', '.join(known)}; got {given!r}.")
    snr = abar / (1 - abar)
    error = (output.float() - TARGETS[predicts](x0, eps, abar)) ** 2
    return (WEIGHTS[weight](snr) / WEIGHTS[predicts](snr) * error).flatten(1).mean(1)


TARGETS = {
    "x0": lambda x0, eps, abar: x0,
    "eps": lambda x0, eps, abar: eps,
    "v": lambda x0, eps, abar: abar.sqrt() * eps - (1 - abar).sqrt() * x0,
}
