"""The networks of DALL-E 2: a U-Net that also takes an image embedding, and the transformer that predicts one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course_utils.networks.blocks import TimeEmbedding
from course_utils.networks.text import TextBlock
from course_utils.networks.text_unet import TextUNet
from course_utils.networks.weights import Network

# Tokens that the image embedding becomes, beside those of the caption
EXTRA = 4


class UnCLIPDecoder(TextUNet):
    """From a noisy image, an image embedding and a caption to an output in its shape.

    `network(xt, t, embedding=..., tokens=...)` -> like xt. embedding (B, embedding_dim): unit vectors of CLIP; a vector
    of zeros is none. It is projected and added to the time embedding, and becomes four more tokens beside the
    caption's. All else as in `TextUNet`. Source: Ramesh et al. 2022 (unCLIP), section 2.1.
    """

    def __init__(self, words: list[str], unet: dict[str, Any], length: int = 28, width: int = 128, layers: int = 3,
                 embedding_dim: int = 128):
        super().__init__(words, unet | {"vector_dim": embedding_dim}, length, width, layers)
        self.embedding_dim = embedding_dim
        # Without a bias, so that no embedding gives no token
        self.extra = nn.Linear(embedding_dim, EXTRA * width, bias=False)

    def forward(self, xt: Tensor, t: Tensor | float, *, embedding: Tensor, tokens: Tensor) -> Tensor:
        return self.unet(xt, t, **self.encode(tokens, embedding))

    def encode(self, tokens: Tensor, embedding: Tensor) -> dict[str, Tensor]:
        """Captions (B, length) and image embeddings (B, embedding_dim) as conditions of the U-Net."""
        # The numbers of a unit vector are small; so they have a mean square of one
        embedding = embedding * self.embedding_dim**0.5
        text, pooled = self.text(tokens)
        extra = self.extra(embedding).unflatten(1, (EXTRA, -1))
        return {"text": torch.cat([text, extra], dim=1), "vector": torch.cat([pooled, embedding.to(pooled)], dim=1)}

    @classmethod
    def continuing(cls, base: TextUNet, embedding_dim: int = 128) -> UnCLIPDecoder:
        """A network for training whose weights are those of `base`, and zero where the embedding enters."""
        network = cls(**base.options, embedding_dim=embedding_dim)
        weights, mine = base.state_dict(), network.state_dict()
        pooled = torch.zeros_like(mine["unet.pooled.weight"])
        pooled[:, : -embedding_dim] = weights["unet.pooled.weight"]
        network.load_state_dict(weights | {"unet.pooled.weight": pooled,
                                           "extra.weight": torch.zeros_like(mine["extra.weight"])})
        return network


class UnCLIPPrior(Network):
    """From a noisy image embedding and a caption to the image embedding without noise: a causal transformer.

    `network(zt, t, states=..., text_embedding=...)` -> (B, dim), like zt. Its tokens: the states of the caption's
    tokens (B, length, text_width) by CLIP, the caption's embedding (B, dim), the time, zt, and a learned query, whose
    output is the prediction. Each attends to itself and those before. zt has a mean square of about one.
    Source: Ramesh et al. 2022 (unCLIP), section 2.2.
    """

    predicts = "x0"

    def __init__(self, dim: int = 128, text_width: int = 128, length: int = 32, width: int = 192, layers: int = 4,
                 heads: int = 6):
        super().__init__()
        self.dim = dim
        self.states, self.text_embedding = nn.Linear(text_width, width), nn.Linear(dim, width)
        self.time, self.noisy = TimeEmbedding(width), nn.Linear(dim, width)
        self.query = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(length + 4, width))
        self.blocks = nn.ModuleList(TextBlock(width, heads) for _ in range(layers))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, dim)

    def forward(self, zt: Tensor, t: Tensor | float, *, states: Tensor, text_embedding: Tensor) -> Tensor:
        count = len(zt)
        if zt.shape[1:] != (self.dim,) or states.shape[:2] != (count, len(self.places) - 4):
            raise ValueError(f"zt must be (B, {self.dim}) and states (B, {len(self.places) - 4}, width); got "
                             f"{tuple(zt.shape)} and {tuple(states.shape)}.")
        t = torch.as_tensor(t, device=zt.device).expand(count)
        one = (self.text_embedding(text_embedding * self.dim**0.5), self.time(t), self.noisy(zt))
        tokens = torch.cat([self.states(states), *(each[:, None] for each in one), self.query.expand(count, -1, -1)],
                           dim=1)
        tokens = tokens + self.places
        later = torch.full((tokens.shape[1], tokens.shape[1]), -torch.inf, device=zt.device).triu(1)
        for block in self.blocks:
            tokens = block(tokens, later)
        return self.out(self.norm(tokens[:, -1]))
