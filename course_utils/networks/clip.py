"""Two small CLIPs: how well a caption fits an image that may be noisy (notebook 09), and finished ones (11 to 13)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate, normalize

from course_utils.networks.captions import START, CaptionTokenizer
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


class CLIP(Network):
    """Images (B, 3, H, W) in [-1, 1] and tokens (B, 32), each to unit vectors: OpenAI's CLIP in small.

    `network(images, tokens)` -> the logits (B, B) of each image (rows) with each caption (columns): scale * cosine.
    `network.clip` is a `transformers.CLIPModel`, whose text tower is the text encoder of notebooks 12 and 13. Images of
    another size than 64 x 64 are resized. width, text_layers, image_layers: of the two transformers; patches of 8 x 8.
    ValueError for images or tokens that do not fit. Source: Radford et al. 2021 (CLIP).
    """

    size = 64

    def __init__(self, embedding_dim: int = 128, width: int = 128, text_layers: int = 3, image_layers: int = 3,
                 heads: int = 4):
        from transformers import CLIPConfig, CLIPModel

        super().__init__()
        self.tokenizer = CaptionTokenizer()
        both = {"hidden_size": width, "intermediate_size": 4 * width, "num_attention_heads": heads,
                "projection_dim": embedding_dim}
        text = {"num_hidden_layers": text_layers, "vocab_size": len(self.tokenizer),
                "max_position_embeddings": self.tokenizer.length, "bos_token_id": self.tokenizer.ids[START],
                "eos_token_id": self.tokenizer.end, "pad_token_id": self.tokenizer.end}
        image = {"num_hidden_layers": image_layers, "image_size": self.size, "patch_size": 8}
        # Attention written out: for a few dozen tokens torch's fused one takes longer on a CPU
        self.clip = CLIPModel._from_config(
            CLIPConfig(text_config=both | text, vision_config=both | image, projection_dim=embedding_dim),
            attn_implementation="eager")

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        return self.scale * self.image_embedding(images) @ self.text_embedding(tokens).mT

    @property
    def scale(self) -> Tensor:
        """What cosines are multiplied by, one over the learned temperature: at most 100 as in CLIP."""
        return self.clip.logit_scale.exp().clamp(max=100)

    def image_embedding(self, images: Tensor) -> Tensor:
        """Images as unit vectors (B, embedding_dim)."""
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must be (B, 3, H, W) in [-1, 1]; got {tuple(images.shape)}.")
        if images.shape[2:] != (self.size, self.size):
            images = interpolate(images, (self.size, self.size), mode="bilinear", antialias=True)
        seen = self.clip.vision_model(pixel_values=images).pooler_output
        return normalize(self.clip.visual_projection(seen).float(), dim=1)

    def text_embedding(self, tokens: Tensor) -> Tensor:
        """Captions as unit vectors (B, embedding_dim)."""
        # In a causal transformer nothing before depends on the rest, which is filled with one and the same token
        longest = int((tokens != self.tokenizer.end).sum(1).max()) + 1
        return self.text(tokens[:, :longest])[1]

    def text(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The state of each token (B, 32, width), and the captions as unit vectors (B, embedding_dim)."""
        if tokens.ndim != 2 or tokens.shape[1] > self.tokenizer.length:
            raise ValueError(f"tokens must be (B, {self.tokenizer.length}), as the network's tokenizer makes them; got "
                             f"{tuple(tokens.shape)}.")
        read = self.clip.text_model(input_ids=tokens)
        return read.last_hidden_state, normalize(self.clip.text_projection(read.pooler_output).float(), dim=1)


def contrastive_loss(logits: Tensor, same: Tensor | None = None) -> Tensor:
    """The cross-entropy of each image for its own caption and of each caption for its image, averaged: (B,).

    logits (B, B), pairs on the diagonal. same (B, B): whether two captions are equal; then each is right for the images
    of both, in equal shares. Source: Radford et al. 2021, figure 3.
    """
    same = torch.eye(len(logits), device=logits.device) if same is None else same.float()
    own = same / same.sum(1, keepdim=True)
    of_images = cross_entropy(logits, own, reduction="none")
    of_captions = cross_entropy(logits.mT, own, reduction="none")
    return (of_images + of_captions) / 2
