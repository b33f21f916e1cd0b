"""A scorer in the manner of CLIP: how well a caption fits a picture that may be noisy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from course_utils.networks.classifier import NoisyEncoder
from course_utils.networks.text import TextTransformer, Tokenizer
from course_utils.networks.weights import Network


class NoisyScorer(Network):
    """Two towers: noisy pictures xt (B, 3, H, W) at times t, and tokens (B, length), each to unit vectors.

    `network(xt, t, tokens)` -> the scores (B, B) of each picture (rows) with each caption (columns): scale * cosine.
    words: the vocabulary. width, layers: of the text transformer; widths: of the pictures' tower, see NoisyEncoder.
    Sources: Radford et al. 2021 (CLIP); Nichol et al. 2022 (GLIDE), section 4.4 (noised CLIP).
    """

    def __init__(self, words: list[str], length: int = 28, features: int = 128, width: int = 128, layers: int = 2,
                 widths: Sequence[int] = (64, 128, 192)):
        super().__init__()
        self.tokenizer = Tokenizer(words, length)
        self.pictures = NoisyEncoder(features, 3, widths)
        self.text = TextTransformer(len(words) + 2, length, width, layers)
        self.last = nn.Linear(width, features, bias=False)
        # CLIP's first temperature, 0.07
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, xt: Tensor, t: Tensor | float, tokens: Tensor) -> Tensor:
        return self.scale * self.see(xt, t) @ self.read(tokens).mT

    @property
    def scale(self) -> Tensor:
        """What cosines are multiplied by, at most 100 as in CLIP."""
        return self.log_scale.exp().clamp(max=100)

    def see(self, xt: Tensor, t: Tensor | float) -> Tensor:
        """f(xt, t): noisy pictures as unit vectors (B, features)."""
        return normalize(self.pictures(xt, t).float(), dim=1)

    def read(self, tokens: Tensor) -> Tensor:
        """g(caption): captions as unit vectors (B, features)."""
        return normalize(self.last(self.text(tokens)[1]).float(), dim=1)


def contrastive_loss(scores: Tensor) -> Tensor:
    """How surprised each picture is by its own caption among all, and each caption by its picture, halved: (B,).

    scores (B, B), pairs on the diagonal. Source: Radford et al. 2021, figure 3.
    """
    own = torch.arange(len(scores), device=scores.device)
    of_pictures = cross_entropy(scores, own, reduction="none")
    of_captions = cross_entropy(scores.mT, own, reduction="none")
    return (of_pictures + of_captions) / 2
