"""Measures, and `expect`, which lets a sentence in a notebook stand on a check."""

from __future__ import annotations

import torch
from torch import Tensor


def expect(value, *, says: str, below=None, above=None, between=None, equals=None) -> None:
    """Print "<says>: yes" when the value keeps its bound; AssertionError with both numbers when it does not.

    `value` is a number, a one-element tensor or a bool; give exactly one bound (`between` is a pair, ends included).
    """
    given = {"below": below, "above": above, "between": between, "equals": equals}
    given = {name: bound for name, bound in given.items() if bound is not None}
    if len(given) != 1:
        raise ValueError("expect needs exactly one of below, above, between and equals.")
    name, bound = next(iter(given.items()))
    value = value.item() if hasattr(value, "item") else value
    holds = {
        "below": lambda: value < bound,
        "above": lambda: value > bound,
        "between": lambda: bound[0] <= value <= bound[1],
        "equals": lambda: value == bound,
    }[name]()
    wanted = f"within {bound[0]:g}..{bound[1]:g}" if name == "between" else f"{name} {_short(bound)}"
    if not holds:
        raise AssertionError(f"{says}: NO. Measured {_short(value)}, expected {wanted}.")
    print(f"{says}: yes" + ("" if name == "equals" else f" ({wanted})"))


def _short(number) -> str:
    return f"{number:.2g}" if isinstance(number, float) else str(number.item() if hasattr(number, "item") else number)


def energy_distance(a: Tensor, b: Tensor) -> float:
    """Distance between the distributions behind two samples (N, D) and (M, D): 0 when equal, above 0 otherwise.

    2 E|a - b| - E|a - a'| - E|b - b'|, each pair of different points once. Source: Szekely and Rizzo 2013.
    """
    return _energy(*_table(a, b))


def two_sample_p(a: Tensor, b: Tensor, rounds: int = 200, seed: int = 0) -> float:
    """How often shuffled labels part two samples as far as the real ones do, in (0, 1]: a permutation test.

    Small (below 0.01, say): the samples come from different distributions. If they come from the same one, every
    value is equally likely. Energy distance; a (N, D), b (M, D).
    """
    distance, labels = _table(a, b)
    seen, draws = _energy(distance, labels), torch.Generator().manual_seed(seed)
    shuffled = [_energy(distance, labels[torch.randperm(len(labels), generator=draws)]) for _ in range(rounds)]
    return (1 + sum(value >= seen for value in shuffled)) / (1 + rounds)


def _table(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """All distances between the points of both samples, and the mask of the first sample."""
    both = torch.cat([a, b]).double()
    return torch.cdist(both, both), torch.arange(len(both)) < len(a)


def _energy(distance: Tensor, first: Tensor) -> float:
    """Energy distance from the table of all pairwise distances and the mask of the first sample."""
    w = first.double()
    n, m = w.sum(), (1 - w).sum()
    to_first = distance @ w
    aa, total = w @ to_first, distance.sum()
    ab = (1 - w) @ to_first
    bb = total - aa - 2 * ab
    return float(2 * ab / (n * m) - aa / (n * (n - 1)) - bb / (m * (m - 1)))
