"""Sentences for networks: a tokenizer of words, and the small transformer that encodes them."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_utils.networks.blocks import Attention, feed_forward, zeros

PAD, UNKNOWN = 0, 1
# What separates words: blanks, punctuation, also that of typographers, and apostrophes but within a word. All else, in
# whatever script, belongs to one: "four-leaf", "고양이", "🐱"
SEPARATORS = re.compile(r"[\s.,;:!?()\[\]\"“”„‟«»‹›…–—―]+|(?<!\w)['‘’‚]+|['‘’‚]+(?!\w)")
HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011"), "-")
SHOWN = 30  # letters of an unknown word, at most


class Tokenizer:
    """Captions -> token ids: `tokenizer(captions)` -> (B, length) int64.

    0 pads short captions, and an empty one holds nothing else; 1 stands for every word that is not in `words`.
    """

    def __init__(self, words: Sequence[str], length: int):
        self.words, self.length = list(words), length
        self.ids = {word: number for number, word in enumerate(words, start=2)}

    def __call__(self, captions: str | Sequence[str]) -> Tensor:
        """One caption or several as token ids (B, length); words beyond `length` are cut off, see `remarks`.

        ValueError when a caption is not a text.
        """
        rows = [self.split(text)[: self.length] for text in ([captions] if isinstance(captions, str) else captions)]
        tokens = torch.full((len(rows), self.length), PAD)
        for row, parts in zip(tokens, rows):
            row[: len(parts)] = torch.tensor([self.ids.get(word, UNKNOWN) for word in parts])
        return tokens

    def split(self, caption: str) -> list[str]:
        """The words of a caption in lower case, without punctuation."""
        if not isinstance(caption, str):
            raise ValueError(f"a caption is a text such as 'a glossy cat on a blue background'; got {caption!r}.")
        # Wide letters become plain ones; what has no width, such as a byte order mark, is nothing
        plain = unicodedata.normalize("NFKC", caption).translate(HYPHENS).lower()
        plain = "".join(letter for letter in plain if unicodedata.category(letter) != "Cf")
        return [word for word in SEPARATORS.split(plain) if word]

    def unknown(self, caption: str) -> list[str]:
        """The words of a caption that the network has never seen, each once."""
        return list(dict.fromkeys(word for word in self.split(caption) if word not in self.ids))

    def remarks(self, caption: str) -> list[str]:
        """Sentences for whoever typed the caption: about unknown words, words cut off, or an empty one."""
        parts, found = self.split(caption), []
        if not parts:
            found.append("There is no word in this caption: the image can show anything.")
        for word in self.unknown(" ".join(parts[: self.length])):
            near = difflib.get_close_matches(word[:SHOWN], self.words, n=2, cutoff=0.7)
            hint = f" Did you mean {' or '.join(repr(other) for other in near)}?" if near else ""
            short = word if len(word) <= SHOWN else word[:SHOWN] + "…"
            found.append(f"The network has never seen the word {short!r} and cannot draw it.{hint}")
        if len(parts) > self.length:
            rest = " ".join(parts[self.length :])
            rest = rest if len(rest) <= 4 * SHOWN else rest[: 4 * SHOWN] + "…"
            found.append(f"Only the first {self.length} words count; cut off: {rest!r}.")
        return found


class TextEncoder(nn.Module):
    """Tokens (B, length) -> an embedding of each token (B, length, width), and a pooled one (B, width).

    After the end of a caption stands a learned padding embedding, one for each position, so nothing needs a mask. The
    pooled embedding is that of the last position, as in GLIDE, plus the sum of the word embeddings. That short cut is
    not in the paper: it tells all layers which words there are before the blocks, which start as the identity, learn
    to. `words`: the number of token ids, padding and unknown included. ValueError for captions of another length.
    Source: Nichol et al. 2022 (GLIDE), section 4 and their code.
    """

    def __init__(self, words: int, length: int, width: int = 128, layers: int = 3, head: int = 32):
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.places = nn.Parameter(0.5 * torch.randn(length, width))
        self.padding = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.ModuleList(TextBlock(width, width // head) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        # The word embeddings must not drown in what the first layers add to them
        nn.init.normal_(self.words.weight, std=0.5)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        if tokens.ndim != 2 or tokens.shape[1] != len(self.places):
            raise ValueError(f"tokens must be (B, {len(self.places)}), as the network's tokenizer makes them; got "
                             f"{tuple(tokens.shape)}.")
        empty, words = (tokens == PAD)[..., None], self.words(tokens)
        x = torch.where(empty, self.padding, words + self.places)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return x, x[:, -1] + words.masked_fill(empty, 0).sum(dim=1)


class TextBlock(nn.Module):
    """Tokens x (B, M, C) -> (B, M, C): self-attention, then a feed-forward; `bias` as in Attention."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.feed_forward = Attention(width, heads), feed_forward(width)
        for last in (self.attention.out, self.feed_forward[-1]):
            zeros(last)

    def forward(self, x: Tensor, bias: Tensor | float = 0.0) -> Tensor:
        x = x + self.attention(self.norm1(x), bias=bias)
        return x + self.feed_forward(self.norm2(x))
