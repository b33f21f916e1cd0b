"""Garments: 20,000 small greyscale images of clothes in ten classes, a balanced subset of Fashion-MNIST."""

import numpy as np
import torch
from torch.nn.functional import pad
from torch.utils.data import Dataset

from course_utils.datasets import to_model_range
from course_utils.files import verified

CLASSES = (
    "t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
SPLITS = ("train", "test")
SIZES = (28, 32)


class Garments(Dataset):
    """The 16,000 training or 4,000 test images of the course's subset of Fashion-MNIST, with balanced classes.

    split: "train" or "test". size: 28 as published, or 32 with two black pixels of padding on each side.
    Attributes: `images` (N, 1, size, size) uint8 and `labels` (N,) int64, indices into `CLASSES`.
    Item i is (image (1, size, size) float in [-1, 1], label int).
    Raises ValueError for an unknown split or size, DataError when the file is missing or damaged.
    Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST" (2017), arXiv:1708.07747.
    """

    def __init__(self, split: str = "train", size: int = 32):
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}.")
        if size not in SIZES:
            raise ValueError(f"size must be 28 (as published) or 32 (padded with black); got {size!r}.")
        with np.load(verified("garments/garments.npz")) as arrays:
            images = torch.from_numpy(arrays[f"{split}_images"])
            labels = torch.from_numpy(arrays[f"{split}_labels"])
        margin = (size - 28) // 2
        self.images = pad(images[:, None], [margin] * 4)
        self.labels = labels.long()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return to_model_range(self.images[index]), int(self.labels[index])

    def of_class(self, name: str) -> torch.Tensor:
        """All images of one class as floats (M, 1, size, size) in [-1, 1].

        Raises ValueError when `name` is not in `CLASSES`.
        """
        if name not in CLASSES:
            raise ValueError(f"there is no class {name!r}; the classes are {', '.join(CLASSES)}.")
        return to_model_range(self.images[self.labels == CLASSES.index(name)])
