"""What a recipe is: everything a training depends on, in one short file."""

from __future__ import annotations

import json
import pkgutil
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from course_utils import runtime


class Recipe:
    """A network, its batches and its loss. Each recipe is a subclass in `training/recipes`.

    name: of the recipe and of the checkpoint. data: the pictures, in words. images: how many to see when nobody says
    otherwise. lr: the highest learning rate, reached after `warmup` batches and then falling to zero. ema: how slowly
    the averaged weights follow. betas: of AdamW. clip: the longest gradient. slow: beginnings of names of parameters
    that learn at a tenth of the rate. seen: images so far, counted by the trainer, for a recipe whose data change on
    the way.
    """

    name: str
    data: str
    images = 400_000
    batch_size = 128
    lr = 2e-3
    warmup = 100
    ema = 0.999
    betas = (0.9, 0.99)
    clip = 1.0
    slow: tuple[str, ...] = ()
    weight_decay = 0.01
    seed = 0
    seen = 0

    def network(self) -> nn.Module:
        """A fresh network."""
        raise NotImplementedError

    def batch(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        """`n` training examples on the generator's device. All that is random about them comes from `generator`."""
        raise NotImplementedError

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The loss of each example, (n,)."""
        raise NotImplementedError

    def pictures(self, network: nn.Module) -> Tensor | None:
        """A few pictures (N, C, H, W) in [-1, 1] that show how far the network is; None when it makes none."""
        return None

    def shipped(self, network: nn.Module) -> nn.Module:
        """What of the trained network goes into the checkpoint: all of it, unless a recipe says otherwise."""
        return network

    def measures(self, network: nn.Module) -> dict[str, float]:
        """How good the network is, on data it was not trained on."""
        return {}


def names() -> list[str]:
    """The names of all recipes."""
    return sorted(_recipes())


def find(name: str) -> Recipe:
    """The recipe of this name. ValueError when there is none."""
    if name not in _recipes():
        raise ValueError(f"there is no recipe {name!r}; there are {', '.join(names())}.")
    return _recipes()[name]()


def recorded(name: str) -> dict:
    """The training.json of a run that was made for a comparison and whose weights are not shipped (data/recorded).

    ValueError when there is none.
    """
    return json.loads(_of_recorded(name, "training.json").read_text(encoding="utf-8"))


def recorded_pictures(name: str, size: int = 32, columns: int = 8) -> Tensor:
    """What that run drew with its last weights, (N, C, size, size) in [-1, 1]. ValueError when there is no such run."""
    grid = torch.from_numpy(np.atleast_3d(np.array(Image.open(_of_recorded(name, "pictures.png"))))) / 127.5 - 1
    rows = grid.view(grid.shape[0] // size, size, columns, size, -1)
    return rows.permute(0, 2, 4, 1, 3).flatten(0, 1)


def _of_recorded(name: str, file: str) -> Path:
    path = runtime.data_dir() / "recorded" / name / file
    if not path.is_file():
        raise ValueError(f"there is no recorded training {name!r} (looked for {path}).")
    return path


def _recipes() -> dict[str, type[Recipe]]:
    package = import_module("course_utils.training.recipes")
    modules = [import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)]
    kinds = {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    return {kind.name: kind for kind in kinds if issubclass(kind, Recipe) and hasattr(kind, "name")}
