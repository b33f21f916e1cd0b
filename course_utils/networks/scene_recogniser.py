"""The recogniser of scenes: what a finished image shows, whatever its caption says."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from course_utils.networks.recogniser import layer
from course_utils.networks.unet import positions
from course_utils.networks.weights import Network


class SceneRecogniser(Network):
    """Images (B, 3, 32, 32) or (B, 3, 64, 64) in [-1, 1] -> logits of concepts, style, ground, count and relation.

    It evaluates finished images and has seen at most a little noise; no generative model is trained or guided with it.
    concepts, styles, grounds, relations: the names of its classes, in order. counts: the largest number of objects.
    """

    def __init__(self, concepts: list[str], styles: list[str], grounds: list[str], relations: list[str],
                 counts: int = 3, width: int = 48):
        super().__init__()
        self.names = {"concepts": list(concepts), "style": list(styles), "ground": list(grounds),
                      "relation": list(relations)}
        w = width
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2), *layer(12, w), *layer(w, w), nn.MaxPool2d(2),
            *layer(w, 2 * w), *layer(2 * w, 2 * w), nn.MaxPool2d(2),
            *layer(2 * w, 4 * w), *layer(4 * w, 4 * w), *layer(4 * w, 4 * w),
        )  # fmt: skip
        w = 4 * width
        self.concepts = nn.Linear(w, len(concepts))
        # Most concepts are absent, and it would take long to learn that from zero
        nn.init.constant_(self.concepts.bias, -8.0)
        self.style, self.ground, self.count = (nn.Linear(w, n) for n in (len(styles), len(grounds), counts))
        self.relation = nn.Sequential(nn.Linear(2 * w, w), nn.ReLU(), nn.Linear(w, len(relations)))
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor, pair: Tensor) -> dict[str, Tensor]:
        """Logits by name, (B, n) each. `pair` (B, 2): the concepts whose relation is asked for, first to second."""
        if images.shape[1:] not in ((3, 32, 32), (3, 64, 64)):
            raise ValueError(f"images must be (B, 3, 32, 32) or (B, 3, 64, 64); got {tuple(images.shape)}.")
        if images.shape[-1] == 32:
            images = interpolate(images, scale_factor=2, mode="bilinear")
        places = self.body(images.contiguous(memory_format=torch.channels_last))
        places = places.flatten(2).transpose(1, 2)
        whole, evidence = places.mean(1), self.concepts(places).float()
        # A concept stands where the evidence for it is
        look = evidence.gather(2, pair[:, None].expand(-1, evidence.shape[1], -1)).softmax(1).to(places.dtype)
        both = (look.mT @ (places + positions(8, 8, places.shape[2], places))).flatten(1)
        return {"concepts": evidence.logsumexp(1), "style": self.style(whole), "ground": self.ground(whole),
                "count": self.count(whole), "relation": self.relation(both)}

    @torch.no_grad()
    def look(self, images: Tensor, pair: Tensor, at_once: int = 250) -> dict[str, Tensor]:
        """The logits (N, n) for any number of images, on the CPU. Rows of `pair` without a pair may hold -1."""
        where = self.style.weight.device
        parts = [self(some.to(where), asked.clamp(min=0).to(where))
                 for some, asked in zip(images.split(at_once), pair.split(at_once))]
        return {name: torch.cat([part[name].float() for part in parts]).cpu() for name in parts[0]}
