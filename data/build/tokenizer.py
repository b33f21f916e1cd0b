"""Build data/encoders/captions, the byte-pair tokenizer of notebooks 11 to 13. Run: python data/build/tokenizer.py"""

import json
import sys
from pathlib import Path

import sums

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tokenizers import Tokenizer, pre_tokenizers  # noqa: E402
from tokenizers.models import BPE  # noqa: E402
from tokenizers.trainers import BpeTrainer  # noqa: E402
from transformers import CLIPTokenizer  # noqa: E402

from course_utils.datasets.scenes import Scenes  # noqa: E402
from course_utils.datasets.vocabulary import FAMILIAR  # noqa: E402

FOLDER = ROOT / "data" / "encoders" / "captions"
SIZE, CAPTIONS = 1024, 20_000
START, END = "<|startoftext|>", "<|endoftext|>"


def build() -> None:
    """Learn the merges from captions of the training split, write CLIP's two files, and the checksums."""
    world = Scenes("train", among=FAMILIAR, coarse=True)
    captions = [world.scene(number).caption for number in range(CAPTIONS)]
    # CLIP's way to clean and to split a text; only what is learned from texts differs
    clip = CLIPTokenizer().backend_tokenizer
    learner = Tokenizer(BPE(end_of_word_suffix="</w>"))
    learner.normalizer, learner.pre_tokenizer = clip.normalizer, clip.pre_tokenizer
    learner.train_from_iterator(captions, BpeTrainer(vocab_size=SIZE - 258, end_of_word_suffix="</w>",
                                                     initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
                                                     show_progress=False))
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    # Each byte, alone and as the end of a word, so that every text can be spelt
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), START, END]
    FOLDER.mkdir(parents=True, exist_ok=True)
    ids = {token: number for number, token in enumerate(dict.fromkeys(vocabulary))}
    (FOLDER / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (FOLDER / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    sums.write()
    print(f"data/encoders/captions: {len(ids):,} tokens, {len(merges):,} merges")


if __name__ == "__main__":
    build()
