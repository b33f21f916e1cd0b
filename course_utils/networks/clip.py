"""A small CLIP: how well a caption fits an image that may be noisy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from course_utils.networks.classifier import NoisyEncoder
from course_utils.networks.text import TextEncoder, Tokenizer
from course_utils.networks.weights import Network


class NoisyCLIP(Network):
    """Two towers: noisy images xt (B, 3, H, W) at times t, and tokens (B, length), each to unit vectors.

    `network(xt, t, tokens)` -> the logits (B, B) of each image (rows) with each caption (columns): scale * cosine.
    words: the vocabulary. embedding_dim: of both embeddings. width, layers: of the text encoder. widths: of the image
    encoder, see NoisyEncoder.
    Sources: Radford et al. 2021 (CLIP); Nichol et al. 2022 (GLIDE), section 4.4 (noised CLIP).
    """

    def __init__(self, words: list[str], length: int = 28, embedding_dim: int = 128, width: int = 128, layers: int = 2,
                 widths: Sequence[int] = (64, 128, 192)):
        super().__init__()
        self.tokenizer = Tokenizer(words, length)
        self.image = NoisyEncoder(embedding_dim, 3, widths)
        self.text = TextEncoder(len(words) + 2, length, width, layers)
        self.last = nn.Linear(width, embedding_dim, bias=False)
        # CLIP's initial temperature, 0.07
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, xt: Tensor, t: Tensor | float, tokens: Tensor) -> Tensor:
        return self.scale * self.image_embedding(xt, t) @ self.text_embedding(tokens).mT

    @property
    def scale(self) -> Tensor:
        """What cosines are multiplied by, at most 100 as in CLIP."""
        return self.log_scale.exp().clamp(max=100)

    def image_embedding(self, xt: Tensor, t: Tensor | float) -> Tensor:
        """f(xt, t): noisy images as unit vectors (B, embedding_dim)."""
        return normalize(self.image(xt, t).float(), dim=1)

    def text_embedding(self, tokens: Tensor) -> Tensor:
        """g(caption): captions as unit vectors (B, embedding_dim)."""
        return normalize(self.last(self.text(tokens)[1]).float(), dim=1)


def contrastive_loss(logits: Tensor) -> Tensor:
    """The cross-entropy of each image for its own caption and of each caption for its image, averaged: (B,).

    logits (B, B), pairs on the diagonal. Source: Radford et al. 2021, figure 3.
    """
    own = torch.arange(len(logits), device=logits.device)
    of_images = cross_entropy(logits, own, reduction="none")
    of_captions = cross_entropy(logits.mT, own, reduction="none")
    return (of_images + of_captions) / 2
