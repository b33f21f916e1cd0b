"""`expect`, which lets a sentence in a notebook stand on a check."""

from __future__ import annotations

WIDTH = 70  # of the column with the sentences; the cells of a block of checks thus print one table


def expect(value, *, says: str, below=None, above=None, between=None, equals=None) -> None:
    """Print a row: what is claimed, what was measured, its bounds. AssertionError when it does not keep them.

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
    wanted = f"{_short(bound[0])} to {_short(bound[1])}" if name == "between" else f"{name} {_short(bound)}"
    if not holds:
        raise AssertionError(f"{says}: NO. Measured {_short(value)}, expected {wanted}.")
    print(f"{says + ' ':.<{WIDTH}} {_short(value):>9}   {'' if name == 'equals' else wanted}".rstrip())


def _short(number) -> str:
    number = number.item() if hasattr(number, "item") else number
    if isinstance(number, bool):
        return "yes" if number else "no"
    return f"{number:.4g}" if isinstance(number, float) else str(number)
