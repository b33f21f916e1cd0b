"""Base class of the course's own widgets: one background computation at a time, with progress, Cancel and errors."""

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

from course_utils.datasets import to_pixels
from course_utils.diffusion.samplers import Step

PAUSE = 0.1  # minimum seconds between two previews; the connection to a browser is slower than a sampler


class _Cancelled(Exception):
    """Raised in a sampler's callback to stop it."""


class Live(anywidget.AnyWidget):
    """A widget that makes images in a thread. `problem` holds the message of the last error.

    A subclass that calls `begin` defines: `_request()`, the arguments of what to make now, or raises ValueError;
    `_make(*request, callback)`, which makes it, shows it and returns what the static figure needs;
    `_preview(step, *request)`, the image of a step, or None; and `_show(url)`, which shows an image, or none for an
    empty URL.
    """

    # Messages for: another one is running, started, done
    messages = ("one image is being drawn", "Drawing ...", "Drawn")
    busy = traitlets.Bool(False).tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    steps = traitlets.Int(1).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)

    def __init__(self, **state):
        self._lock, self._stop, self._made = Lock(), Event(), None
        super().__init__(**state)
        self.on_msg(self._on_message)

    def begin(self, **changes) -> None:
        """Set these traits and start to make what they request.

        While another computation runs, nothing is set; then, and for an invalid request, `problem` holds the error.
        """
        started, (running, begun, _) = None, self.messages
        with self.report_errors():
            if not self._lock.acquire(blocking=False):
                raise ValueError(f"{running}. Wait for it, or press Cancel first.")
            try:
                for name, value in changes.items():
                    setattr(self, name, value)
                started = Thread(target=self._work, args=self._request(), daemon=True)
            finally:
                if started is None:
                    self._lock.release()
            self._stop.clear()
            self.busy, self.step, self.status = True, 0, begun
        # Outside `report_errors`, which would clear the `problem` of a thread that fails at once
        if started:
            started.start()

    def cancel(self) -> None:
        """Stop the computation at its next step."""
        self._stop.set()

    @contextmanager
    def report_errors(self):
        """Set `problem` to the error raised inside, or to "": errors in a widget's callback are otherwise lost."""
        problem = ""
        try:
            yield
        except ValueError as error:
            problem = str(error)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        self.problem = problem[:1].upper() + problem[1:]

    def _latest(self) -> tuple:
        """The current request and its result, computed now and without a thread unless it is the latest one."""
        request = self._request()
        with self._lock:
            if self._made is None or self._made[0] != request:
                self._made = request, self._make(*request, lambda step: None)
            return self._made

    def _work(self, *request) -> None:
        start = shown = time.monotonic()

        def follow(step: Step) -> None:
            nonlocal shown
            if self._stop.is_set():
                raise _Cancelled
            if time.monotonic() - shown > PAUSE or step.i + 1 == step.steps:
                shown = time.monotonic()
                preview = self._preview(step, *request)
                url = None if preview is None else data_url(preview)
                with self.hold_sync():
                    self.step, self.steps = step.i + 1, step.steps
                    if url is not None:
                        self._show(url)

        status, done = "", self.messages[-1]
        with self.report_errors():
            try:
                self._made = request, self._make(*request, follow)
                status = f"{done} in {time.monotonic() - start:.1f} seconds."
            except _Cancelled:
                status = "Cancelled."
        with self.hold_sync():
            self.busy, self.status = False, status
            if not status.startswith(done):
                self._show("")
        self._lock.release()

    def _on_message(self, _widget, content: dict, _buffers: list) -> None:
        if content.get("do") == "cancel":
            self.cancel()


def data_url(image: Tensor) -> str:
    """An image (3, H, W) in [-1, 1] (values outside are clamped) as the data URL of a PNG.

    Text, because older Jupyter front ends do not notice changes of bytes.
    """
    pixels = to_pixels(image.detach().cpu().clamp(-1, 1)).permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
