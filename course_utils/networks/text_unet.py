"""U-Nets that take a text: with an encoder that is trained with them, or with the states of a frozen one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course_utils.networks.text import TextEncoder, Tokenizer
from course_utils.networks.unet import UNet, widened
from course_utils.networks.weights import Network


class TextUNet(Network):
    """From a noisy image and a caption to an output in its shape: `network(xt, t, tokens=...)` -> like xt.

    xt (B, channels, H, W), t (B,) or a number in 0..T-1, tokens (B, length) from `network.tokenizer`. The embeddings of
    all tokens are concatenated to the keys and values of the U-Net's attention, the pooled one is added to the time
    embedding. words: the vocabulary. length: of the longest caption. width, layers: of the text encoder.
    unet: options of the UNet, whose other conditions are passed on. ValueError when the input is not what the network
    was made for.
    Source: Nichol et al. 2022 (GLIDE), section 4.1.
    """

    def __init__(self, words: list[str], unet: dict[str, Any], length: int = 28, width: int = 128, layers: int = 3):
        super().__init__()
        self.tokenizer = Tokenizer(words, length)
        self.text = TextEncoder(len(words) + 2, length, width, layers)
        self.unet = UNet(**unet | {"text_dim": width, "vector_dim": width + unet.get("vector_dim", 0), "qk_norm": True})
        self.channels, self.predicts = self.unet.channels, self.unet.predicts

    def forward(self, xt: Tensor, t: Tensor | float, *, tokens: Tensor, vector: Tensor | None = None,
                **condition: Tensor) -> Tensor:
        return self.unet(xt, t, **self.encode(tokens, vector), **condition)

    def encode(self, tokens: Tensor, vector: Tensor | None = None) -> dict[str, Tensor]:
        """Captions (B, length) as conditions of the U-Net, the same at every t; a `vector` (B, n) is concatenated."""
        text, pooled = self.text(tokens)
        return {"text": text, "vector": pooled if vector is None else torch.cat([pooled, vector], dim=1)}

    def widened(self, image_channels: int) -> TextUNet:
        """A network for training that takes a conditioning image of `image_channels`, and at first ignores it."""
        wide = TextUNet(**self.options | {"unet": self.options["unet"] | {"image_channels": image_channels}})
        wide.text.load_state_dict(self.text.state_dict())
        wide.unet = widened(self.unet, image_channels)
        return wide


class FrozenTextUNet(Network):
    """The same without an encoder of its own: `network(xt, t, states=..., mask=...)` -> like xt.

    states (B, length, dim), mask (B, length) bool: what a frozen encoder makes of captions. They are normalised and
    projected; the U-Net takes the tokens as keys and values, and the mean of all tokens as a vector, as Imagen's does.
    No token at all is the empty caption. width: that the states are projected to.
    Source: Saharia et al. 2022 (Imagen), section 2.1 and appendix D.
    """

    def __init__(self, unet: dict[str, Any], dim: int = 384, length: int = 32, width: int = 128):
        super().__init__()
        self.norm, self.pooled_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.project, self.pool = nn.Linear(dim, width), nn.Linear(dim, width)
        self.padding = nn.Parameter(0.02 * torch.randn(length, width))
        self.unet = UNet(**unet | {"text_dim": width, "vector_dim": width + unet.get("vector_dim", 0), "qk_norm": True})
        self.channels, self.predicts = self.unet.channels, self.unet.predicts

    def forward(self, xt: Tensor, t: Tensor | float, *, states: Tensor, mask: Tensor, vector: Tensor | None = None,
                **condition: Tensor) -> Tensor:
        return self.unet(xt, t, **self.encode(states, mask, vector), **condition)

    def encode(self, states: Tensor, mask: Tensor, vector: Tensor | None = None) -> dict[str, Tensor]:
        """Captions as conditions of the U-Net, the same at every t; a `vector` (B, n) is concatenated."""
        there = mask[..., None]
        text = torch.where(there, self.project(self.norm(states)), self.padding)
        mean = (states * there).sum(1) / there.sum(1).clamp(min=1)
        # The empty caption has the vector zero
        pooled = self.pool(self.pooled_norm(mean)) * mask.any(1, keepdim=True)
        return {"text": text, "vector": pooled if vector is None else torch.cat([pooled, vector], dim=1)}
