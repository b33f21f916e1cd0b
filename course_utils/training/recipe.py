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
from course_utils.datasets import to_model_range
from course_utils.systems.model import Model


class Recipe:
    """A network, its batches and its loss. Each recipe is a subclass in `training/recipes`."""

    name: str  # of the recipe and of the checkpoint
    data: str  # the training data, in words
    images = 400_000  # default budget
    batch_size = 128
    lr = 2e-3  # maximum learning rate, which then falls linearly to zero
    warmup = 100  # batches until the maximum
    ema = 0.999  # decay of the averaged weights
    betas = (0.9, 0.99)  # of AdamW
    weight_decay = 0.01  # of AdamW
    max_grad_norm = 1.0
    slow: tuple[str, ...] = ()  # prefixes of parameters that learn at a tenth of the rate
    seed = 0

    def network(self) -> nn.Module:
        """A fresh network."""
        raise NotImplementedError

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0) -> dict[str, Tensor]:
        """`n` training examples on the generator's device; all that is random about them comes from it.

        `images_seen`: since the training began, for a recipe whose data change on the way.
        """
        raise NotImplementedError

    def generator(self, images_seen: int, device="cpu") -> torch.Generator:
        """The generator of the batch that follows after so many images, so that a training resumes bit for bit."""
        return runtime.seeded(images_seen, device, f"batches of training {self.seed}")

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The loss of each example, (n,)."""
        raise NotImplementedError

    def preview(self, network: nn.Module) -> Tensor | None:
        """A few images (N, C, H, W) in [-1, 1] that show how far the network is; None when it makes none."""
        return None

    def shipped(self, network: nn.Module) -> nn.Module:
        """The part of the trained network that goes into the checkpoint: all of it, unless a recipe says otherwise."""
        return network

    def measures(self, network: nn.Module) -> dict[str, float]:
        """How good the network is, on data it was not trained on."""
        return {}


class DiffusionRecipe(Recipe):
    """A recipe whose network is a denoiser: batches and loss are those of a `Model`."""

    predicts = "x0"  # output of the network: eps, x0 or v
    weight = "soft-v"  # of the loss, a name in diffusion.losses.WEIGHTS

    def model(self, network: nn.Module) -> Model:
        """The network with its schedule and the weight of its loss."""
        return Model(network, weight=self.weight)

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        return self.model(network).loss(batch)


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


def recorded_images(name: str, size: int = 32, columns: int = 8) -> Tensor:
    """The last samples of that run, (N, C, size, size) in [-1, 1]. ValueError when there is no such run."""
    grid = to_model_range(torch.from_numpy(np.atleast_3d(np.array(Image.open(_of_recorded(name, "preview.png"))))))
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
    return {kind.name: kind for kind in kinds if issubclass(kind, Recipe) and "name" in vars(kind)}
