"""What the course's own widgets share: one thing made at a time, step by step, that can be stopped; what went wrong."""

from __future__ import annotations

import base64
import io
import time
from contextlib import contextmanager
from threading import Event, Lock, Thread

import anywidget
import traitlets
from PIL import Image
from torch import Tensor

from course_utils.diffusion.samplers import Step

PAUSE = 0.1  # seconds between two previews at least; the connection to a browser is slower than a sampler


class _Cancelled(Exception):
    """Leaves a sampler by way of its callback."""


class Live(anywidget.AnyWidget):
    """A widget that makes images in a thread. `problem` holds the sentence about what went wrong last.

    A subclass that begins something says how: `_order()` is what to make now, or raises ValueError; `_make(*order,
    callback)` makes it, shows it and returns what the static image needs of it; `_guess(step, *order)` is the image
    of a step, and `_show(address)` shows an image, or none where the address is empty.
    """

    # What is said while one is made, at its beginning, and at its end
    said = ("one image is being drawn", "Drawing ...", "Drawn")
    busy = traitlets.Bool(False).tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    steps = traitlets.Int(1).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)

    def __init__(self, **state):
        self._one, self._stop, self._made = Lock(), Event(), None
        super().__init__(**state)
        self.on_msg(self._told)

    def begin(self, **wishes) -> None:
        """Start to make what is ordered, once these traits are set.

        While another is made nothing is set; then, and where the order cannot be, `problem` says so.
        """
        started, (one, begun, _) = None, self.said
        with self.sentence():
            if not self._one.acquire(blocking=False):
                raise ValueError(f"{one}. Wait for it, or press Cancel first.")
            try:
                for name, value in wishes.items():
                    setattr(self, name, value)
                started = Thread(target=self._work, args=self._order(), daemon=True)
            finally:
                if started is None:
                    self._one.release()
            self._stop.clear()
            self.busy, self.step, self.status = True, 0, begun
        # Not inside, where `problem` would be emptied after a thread that failed at once had written it
        if started:
            started.start()

    def cancel(self) -> None:
        """End what is being made, at its next step."""
        self._stop.set()

    @contextmanager
    def sentence(self):
        """`problem` becomes what went wrong inside, or empty: errors in a widget's callback are otherwise lost."""
        problem = ""
        try:
            yield
        except ValueError as error:
            problem = str(error)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        self.problem = problem[:1].upper() + problem[1:]

    def _finished(self) -> tuple:
        """What is ordered and what was made of it: now, and without a thread, unless it was the last to be made."""
        order = self._order()
        with self._one:
            if self._made is None or self._made[0] != order:
                self._made = order, self._make(*order, lambda step: None)
            return self._made

    def _work(self, *order) -> None:
        start = shown = time.monotonic()

        def follow(step: Step) -> None:
            nonlocal shown
            if self._stop.is_set():
                raise _Cancelled
            if time.monotonic() - shown > PAUSE or step.i + 1 == step.steps:
                shown = time.monotonic()
                guess = data_url(self._guess(step, *order))
                with self.hold_sync():
                    self.step, self.steps = step.i + 1, step.steps
                    self._show(guess)

        status, done = "", self.said[-1]
        with self.sentence():
            try:
                self._made = order, self._make(*order, follow)
                status = f"{done} in {time.monotonic() - start:.1f} seconds."
            except _Cancelled:
                status = "Cancelled."
        with self.hold_sync():
            self.busy, self.status = False, status
            if not status.startswith(done):
                self._show("")
        self._one.release()

    def _told(self, _widget, content: dict, _buffers: list) -> None:
        if content.get("do") == "cancel":
            self.cancel()


def data_url(image: Tensor) -> str:
    """An image (3, H, W) in [-1, 1] (values outside are clamped) as the address of a PNG that holds itself.

    Text, because older Jupyter front ends do not notice when bytes change.
    """
    pixels = ((image.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
