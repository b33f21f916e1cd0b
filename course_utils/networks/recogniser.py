"""A classifier of images, whose features the course measures samples with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.networks.weights import Network


class Recogniser(Network):
    """Images (B, channels, H, W) in [-1, 1] -> logits (B, classes); `features(images)` -> (B, 64).

    H and W must be multiples of 8. `names` are the classes' names in order. It has never seen noise: it evaluates
    finished images, and no generative model of the course is trained or guided with it.
    """

    def __init__(self, names: list[str], channels: int = 1, width: int = 32, features: int = 64):
        super().__init__()
        self.names = list(names)
        w = width
        self.body = nn.Sequential(
            *layer(channels, w), *layer(w, w), nn.MaxPool2d(2),
            *layer(w, 2 * w), *layer(2 * w, 2 * w), nn.MaxPool2d(2),
            *layer(2 * w, 4 * w), *layer(4 * w, 4 * w), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(4 * w, features),
        )  # fmt: skip
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(features, len(names)))
        self.to(memory_format=torch.channels_last)

    def features(self, images: Tensor) -> Tensor:
        """The input of the last layer for each image: (B, 64)."""
        return self.body(images.contiguous(memory_format=torch.channels_last))

    @torch.no_grad()
    def look(self, images: Tensor, at_once: int = 500) -> tuple[Tensor, Tensor]:
        """For evaluation: features (B, 64) of any number of images, and the probability of each one's class (B,)."""
        features = torch.cat([self.features(part) for part in images.split(at_once)])
        return features, self.head(features).softmax(1).amax(1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


def layer(channels: int, out: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()
