"""`expect`, which lets a sentence in a notebook stand on a check."""

from __future__ import annotations


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
