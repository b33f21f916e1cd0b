"""A U-Net that reads: the text transformer and the picture's network, trained as one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_utils.networks.text import TextTransformer, Tokenizer
from course_utils.networks.unet import UNet, widened
from course_utils.networks.weights import Network


class TextUNet(Network):
    """From a noisy picture and a caption to a picture-shaped answer: `network(xt, t, tokens=...)` -> like xt.

    xt (B, channels, H, W), t (B,) or a number in 0..T-1, tokens (B, length) from `network.tokenizer`. All words stand
    beside the keys and values of the U-Net's attention, the summary joins the time embedding.
    words: the vocabulary. length: words of the longest caption. width, layers: of the text transformer.
    unet: options of the UNet; with `extra` and `pooled` it takes an `image` and a `vector` as well. ValueError when the
    input is not what the network was made for.
    Source: Nichol et al. 2022 (GLIDE), section 4.1.
    """

    def __init__(self, words: list[str], unet: dict[str, Any], length: int = 28, width: int = 128, layers: int = 3):
        super().__init__()
        self.tokenizer = Tokenizer(words, length)
        self.text = TextTransformer(len(words) + 2, length, width, layers)
        self.unet = UNet(**unet | {"text": width, "pooled": width + unet.get("pooled", 0), "qk_norm": True})
        self.channels, self.predicts = self.unet.channels, self.unet.predicts

    def forward(self, xt: Tensor, t: Tensor | float, *, tokens: Tensor, image: Tensor = None,
                vector: Tensor = None) -> Tensor:
        return self.unet(xt, t, image=image, **self.read(tokens, vector))

    def read(self, tokens: Tensor, vector: Tensor | None = None) -> dict[str, Tensor]:
        """What the U-Net is told of captions (B, length), the same at every time t, with a `vector` (B, n) beside."""
        text, summary = self.text(tokens)
        return {"text": text, "vector": summary if vector is None else torch.cat([summary, vector], dim=1)}

    def widened(self, extra: int) -> TextUNet:
        """A network for training that takes `extra` more channels beside xt, and at first answers as this one."""
        options = self._hub_mixin_config
        wide = TextUNet(**options | {"unet": options["unet"] | {"extra": extra}})
        wide.text.load_state_dict(self.text.state_dict())
        wide.unet = widened(self.unet, extra)
        return wide
