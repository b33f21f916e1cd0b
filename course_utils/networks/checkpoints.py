"""Trained weights that ship with the course: one folder each in data/checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_model
from torch import nn

from course_utils import files, runtime
from course_utils.networks.weights import Network


class NetworkError(files.DataError):
    """A checkpoint is missing, damaged or of another kind; the message says what to do."""


def load_network(name: str | Path) -> nn.Module:
    """The network of a checkpoint, by its name in data/checkpoints or by its folder, ready to be used (eval mode).

    Raises NetworkError when it is missing or damaged, or when a shipped one is not as it was shipped.
    """
    folder = _folder(name)
    try:
        _verify(name)
        kind = Network.kinds[training_record(name)["network"]]
        network = kind(**json.loads((folder / "config.json").read_text(encoding="utf-8")))
        load_model(network, folder / "model.safetensors")
    except NetworkError:
        raise
    except files.DataError as error:
        raise NetworkError(str(error)) from error
    except (SafetensorError, RuntimeError, TypeError, ValueError, OSError) as error:
        raise NetworkError(f"the checkpoint in {folder} is damaged ({str(error).splitlines()[0]}). {_restore(name)}"
                           ) from error
    return network.eval().requires_grad_(False)


def training_record(name: str | Path) -> dict:
    """What training.json says: recipe, data, images seen, seconds, hardware, loss curve, measures.

    Raises NetworkError when it is missing or damaged.
    """
    path = _folder(name) / "training.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NetworkError(f"there is no checkpoint {str(name)!r} (looked for {path}). {_restore(name)}") from error
    except ValueError as error:
        raise NetworkError(f"{path} is damaged ({error}). {_restore(name)}") from error
    if not isinstance(record, dict) or record.get("network") not in Network.kinds:
        raise NetworkError(f"{path} names no network of the course. {_restore(name)}")
    return record


def _verify(name: str | Path) -> None:
    """A shipped checkpoint must hold what the course ships; one of your own is not in the list of sums."""
    if isinstance(name, Path) or not (runtime.data_dir() / files.SUMS).is_file():
        return
    files.verified_folder(f"checkpoints/{name}")


def _folder(name: str | Path) -> Path:
    return name if isinstance(name, Path) else runtime.data_dir() / "checkpoints" / name


def _restore(name: str | Path) -> str:
    if isinstance(name, Path):
        return "Train it again: python -m course_utils train."
    return files.restore(f"checkpoints/{name}")
