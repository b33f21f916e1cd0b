"""The widget of notebook 08: paint a hole into a photograph, have it filled, and watch how that goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock, Thread

import numpy as np
import torch
import traitlets
from torch import Tensor

from course_utils.diffusion.samplers import Callback, Step
from course_utils.show.figures import images
from course_utils.show.photograph_chooser import PhotographChooser, data_url
from course_utils.show.widgets import script

PAUSE = 0.1  # seconds between two previews at least; the connection to a browser is slower than a sampler


def hole_painter(pictures: dict[str, Tensor], fill: Callable[[Tensor, Tensor, int, Callback], Tensor],
                 opened: Callable[[bytes], Tensor] | None = None) -> HolePainter:
    """Choose a photograph, or upload one, paint a hole into it and have it filled, step by step.

    pictures: {name: (3, H, H) in [-1, 1]}, all of one size. fill(picture (3, H, H), mask (1, H, H) of float, 1 = kept
    and 0 = hole, seed, callback) -> (3, H, H) in [-1, 1] must hand `callback` to its sampler, which thereby shows the
    guess in the hole, counts the steps and can be cancelled. It runs in a thread, one at a time; what it raises is
    shown in the widget. opened(bytes) -> uint8 (3, H, W) of any size reads an uploaded file or raises ValueError; its
    central square is shrunk to the size of `pictures`; None: no upload.
    Raises ValueError for pictures of other or of several shapes.
    """
    return HolePainter(pictures, fill, opened)


class _Cancelled(Exception):
    """Leaves a sampler by way of its callback."""


class HolePainter(PhotographChooser):
    """See `hole_painter`. `mask` holds a character for each pixel, row by row: "1" kept, "0" hole.

    `box` is the hole at first: (left, top, right, bottom) in pixels. `filled` holds, for the browser, the picture with
    its hole filled or, while `busy`, the guess so far.
    """

    _esm = script("controls.js", "photograph_chooser.js", "hole_painter.js")
    photograph = traitlets.Unicode().tag(sync=True)
    box = traitlets.List().tag(sync=True)
    mask = traitlets.Unicode().tag(sync=True)
    filled = traitlets.Unicode().tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    steps = traitlets.Int(1).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)

    def __init__(self, pictures, fill, opened):
        super().__init__(pictures, opened)
        low, high = self.side * 5 // 16, self.side * 11 // 16
        self.box = [low, low, high, high]
        rows = range(self.side)
        self.mask = "".join("01"[not (low <= x < high and low <= y < high)] for y in rows for x in rows)
        self._fill, self._made = fill, None
        self._one, self._stop = Lock(), Event()
        self.photograph = data_url(self.pictures[self.choice])
        self.observe(self._chosen, "choice")

    def fill(self) -> None:
        """Start to fill the hole. While another fill runs, or without a hole, `problem` says so instead."""
        started = None
        with self.sentence():
            hole = self._hole()
            if not self._one.acquire(blocking=False):
                raise ValueError("one hole is being filled. Wait for it, or press Cancel first.")
            self._stop.clear()
            self.busy, self.step, self.status = True, 0, "Filling ..."
            started = Thread(target=self._work, args=hole, daemon=True)
        # Not inside, where `problem` would be emptied after a thread that failed at once had written it
        if started:
            started.start()

    def cancel(self) -> None:
        """End the fill that runs, at its next step."""
        self._stop.set()

    def twin(self) -> None:
        """Show the static picture: photograph, hole, hole filled.

        Raises ValueError where there is no hole, and what `fill` raises.
        """
        hole = choice, seed, mask = self._hole()
        with self._one:
            if self._made is None or self._made[0] != hole:
                self._run(*hole, lambda step: None)
            made = self._made[1]
        picture, keep = self.pictures[choice], self._tensor(mask)
        squares = torch.arange(self.side) // 4 % 2
        board = 0.2 * (squares[:, None] ^ squares[None, :]) + 0.3
        share = round(100 * mask.count("0") / len(mask))
        images([picture, torch.where(keep.bool(), picture, board), made], titles=("photograph", "hole", "filled"),
               caption=f"A photograph, its hole, and the hole filled with seed {seed}",
               alt=f"Three pictures: the photograph {choice}, the same with a hole over {share}% of it, drawn as a "
                   "chequerboard, and the same with the hole filled.")

    def _hole(self) -> tuple[str, int, str]:
        if "0" not in self.mask:
            raise ValueError("there is no hole to fill. Paint one, or set a box.")
        return self.choice, self.seed, self.mask

    def _tensor(self, mask: str) -> Tensor:
        return torch.from_numpy(np.frombuffer(mask.encode(), np.uint8) == ord("1")).float().view(1, self.side, -1)

    def _run(self, choice: str, seed: int, mask: str, callback: Callback) -> None:
        made = self._fill(self.pictures[choice], self._tensor(mask), seed, callback)
        self._made = (choice, seed, mask), made.detach().cpu()
        self.filled = data_url(made)

    def _work(self, choice: str, seed: int, mask: str) -> None:
        start, picture, keep = time.monotonic(), self.pictures[choice], self._tensor(mask).bool()
        shown = start

        def preview(step: Step) -> None:
            nonlocal shown
            if self._stop.is_set():
                raise _Cancelled
            if time.monotonic() - shown > PAUSE or step.i + 1 == step.steps:
                shown = time.monotonic()
                guess = data_url(torch.where(keep, picture, step.prediction.x0[0].float().cpu()))
                with self.hold_sync():
                    self.step, self.steps, self.filled = step.i + 1, step.steps, guess

        status = ""
        with self.sentence():
            try:
                self._run(choice, seed, mask, preview)
                status = f"Filled in {time.monotonic() - start:.1f} seconds."
            except _Cancelled:
                status = "Cancelled."
        with self.hold_sync():
            self.busy, self.status = False, status
            if not status.startswith("Filled"):
                self.filled = ""
        self._one.release()

    def _chosen(self, _change) -> None:
        self.cancel()
        self.filled, self.status = "", ""
        self.photograph = data_url(self.pictures[self.choice])

    def _told(self, widget, content: dict, buffers: list) -> None:
        super()._told(widget, content, buffers)
        if content.get("do") == "fill":
            # With the message, for changes of `mask` may still be on their way
            self.mask, self.seed = content["mask"], content["seed"]
            self.fill()
        elif content.get("do") == "cancel":
            self.cancel()
