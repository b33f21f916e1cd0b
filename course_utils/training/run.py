"""A training's folder: its state, log and checkpoint, each written to another name first and then moved."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from course_utils.datasets import to_pixels
from course_utils.networks.weights import packed


class RunError(RuntimeError):
    """A training's folder cannot be used as asked; the message says what to do."""


class Run:
    """The folder of one training: `state.safetensors` (to go on from), `log.jsonl`, `preview.png`, `checkpoint/`."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.state, self.log = self.folder / "state.safetensors", self.folder / "log.jsonl"
        self.preview, self.checkpoint = self.folder / "preview.png", self.folder / "checkpoint"

    def save(self, tensors: dict[str, Tensor], numbers: dict) -> None:
        """Write the state: a crash at any moment leaves the old one or the new one, never half of one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.state.with_suffix(".part")
        write_tensors(part, tensors, {"numbers": json.dumps(numbers)})
        replace(part, self.state)

    def load(self) -> tuple[dict[str, Tensor], dict]:
        """The state saved last: tensors and numbers. RunError when there is none or it cannot be read."""
        try:
            with safe_open(self.state, "pt") as stream:
                tensors = {name: stream.get_tensor(name) for name in stream.keys()}
                return tensors, json.loads(stream.metadata()["numbers"])
        except FileNotFoundError as error:
            raise RunError(f"there is nothing to go on from in {self.folder}. Leave --resume out to begin.") from error
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{self.state} cannot be read ({error}). Begin anew (--again).") from error

    @contextlib.contextmanager
    def locked(self):
        """Within the block no other training can use the folder. RunError when one does; a crash frees it."""
        lock = FileLock(self.folder / ".lock", timeout=0)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise RunError(f"another training is writing in {self.folder}. Stop it, wait for its end, or name another "
                           "place (--folder).") from error
        except OSError as error:
            raise RunError(f"{self.folder} cannot be written ({error}). Name another place (--folder).") from error
        try:
            yield
        finally:
            lock.release()

    def begin(self) -> None:
        """Take away the state and log that an earlier training left here; its checkpoint stays until a new one stands.

        What else lies in the folder is not ours.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in (self.state, self.log, self.preview):
            path.unlink(missing_ok=True)

    def write_log(self, row: dict) -> None:
        """Add one line to the log."""
        with open(self.log, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")

    def read_log(self, until: int | None = None) -> list[dict]:
        """The log's lines, up to `until` images; a half-written last line is left out."""
        rows = []
        for line in self.log.read_text(encoding="utf-8").splitlines() if self.log.is_file() else ():
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
        return [row for row in rows if until is None or row["images"] <= until]

    def cut_log(self, until: int) -> None:
        """Forget the lines after `until` images: the training goes on from there."""
        part = self.log.with_suffix(".part")
        part.write_text("".join(json.dumps(row) + "\n" for row in self.read_log(until)), encoding="utf-8")
        replace(part, self.log)

    def curve(self, points: int = 200) -> list[list[float]]:
        """The losses of the log as [images, loss], neighbours averaged so that at most `points` are left."""
        rows = self.read_log()
        several = max(1, -(-len(rows) // points))
        parts = [rows[i : i + several] for i in range(0, len(rows), several)]
        return [[part[-1]["images"], round(sum(row["loss"] for row in part) / len(part), 6)] for part in parts]

    def write_preview(self, images: Tensor, columns: int = 8) -> None:
        """Write images (N, C, H, W) in [-1, 1] as one grid; the rest of the last row is black."""
        blank = -torch.ones(-len(images) % columns, *images.shape[1:])
        rows = [torch.cat(list(row), dim=-1) for row in torch.cat([images.cpu(), blank]).split(columns)]
        grid = to_pixels(torch.cat(rows, dim=-2).clamp(-1, 1)).permute(1, 2, 0).numpy()
        part = self.folder / "preview.part"
        Image.fromarray(grid.squeeze(-1) if grid.shape[-1] == 1 else grid).save(part, "png")
        replace(part, self.preview)

    def write_checkpoint(self, network: nn.Module, record: dict) -> None:
        """Write the finished network, packed, with config.json and training.json."""
        part = self.checkpoint.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        network.save_pretrained(part)
        write_tensors(part / "model.safetensors", packed(network.state_dict()), {"format": "pt"})
        (part / "README.md").unlink(missing_ok=True)
        (part / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        move_folder(part, self.checkpoint)


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write safetensors as an ordinary file; the library's `save_file` lets nobody else read it."""
    whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    path.unlink(missing_ok=True)
    path.write_bytes(save(whole, metadata))


def replace(part: Path, whole: Path) -> None:
    """Move a finished file to its name, after the disk has it."""
    with open(part, "rb+") as stream:
        os.fsync(stream.fileno())
    os.replace(part, whole)


def move_folder(part: Path, whole: Path) -> None:
    """Move a finished folder to its name; the one that was there is gone only when the new one stands."""
    old = whole.with_suffix(".old")
    shutil.rmtree(old, ignore_errors=True)
    if whole.exists():
        os.replace(whole, old)
    os.replace(part, whole)
    shutil.rmtree(old, ignore_errors=True)
