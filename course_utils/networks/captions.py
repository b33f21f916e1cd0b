"""The byte-pair tokenizer of notebooks 11 to 13: CLIP's, with merges that were learned from the course's captions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from course_utils import files
from course_utils.networks.checkpoints import NetworkError
from course_utils.networks.frozen_text import check_texts

# Tokens of the longest caption, with the two marks around it
LENGTH = 32
START, END = "<|startoftext|>", "<|endoftext|>"


class CaptionTokenizer:
    """Captions -> token ids: `tokenizer(captions)` -> (B, 32) int64, between <|startoftext|> and <|endoftext|>.

    <|endoftext|> also fills the rest. Every text can be spelt, in bytes if need be; longer ones are cut off.
    `tokenizer.clip` is a `transformers.CLIPTokenizer`. ValueError for captions that are no texts, NetworkError when its
    files are missing or damaged. Sources: Sennrich et al. 2016; Radford et al. 2021 (CLIP), section 2.4.
    """

    length = LENGTH

    def __init__(self):
        self.clip = _clip_tokenizer()
        self.ids: dict[str, int] = self.clip.get_vocab()
        self.end = self.ids[END]

    def __len__(self) -> int:
        return len(self.ids)

    def __call__(self, captions: str | Sequence[str]) -> Tensor:
        rows = self.clip(check_texts(captions), padding="max_length", max_length=LENGTH, truncation=True)["input_ids"]
        return torch.tensor(rows, dtype=torch.int64)

    def split(self, caption: str) -> list[str]:
        """The tokens of a caption as texts; </w> marks the end of a word."""
        return self.clip.tokenize(*check_texts(caption))

    def __deepcopy__(self, memo) -> CaptionTokenizer:
        # The averaged copy of a network in training shares it
        return self


@cache
def _clip_tokenizer():
    from transformers import CLIPTokenizer

    try:
        vocabulary, merges = (str(files.verified(f"encoders/captions/{name}")) for name in ("vocab.json", "merges.txt"))
    except files.DataError as error:
        raise NetworkError(str(error)) from error
    return CLIPTokenizer(vocabulary, merges, model_max_length=LENGTH)
