"""When a training ends: its budget is spent, or somebody stops it."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from collections.abc import Iterator


class Budget:
    """How long to train, in images or in minutes. ValueError when it is neither or both, or not above 0."""

    def __init__(self, images: int | None = None, minutes: float | None = None):
        if (images is None) == (minutes is None):
            raise ValueError("give a budget in images or in minutes, not both.")
        for name, value in (("images", images), ("minutes", minutes)):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be a number above 0; got {value}.")
        self.images, self.minutes = images, minutes

    def spent(self, images: int, seconds: float) -> float:
        """The share that is spent, in 0..1."""
        return min(1.0, images / self.images if self.images else seconds / (60 * self.minutes))


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Within the block Ctrl-C and SIGTERM fill the list instead of ending the program; a second Ctrl-C ends it."""
    stop = []

    def note(number, frame):
        if stop and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.append(number)

    if threading.current_thread() is not threading.main_thread():  # Where Python allows no handlers
        yield stop
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
