"""How good are the pictures after how many steps? Measures each sampler and writes data/recorded/steps.json.

    python -m tests.bench.steps [--samples 256] [--steps 5 10 20 50 100] [--samplers ddpm ddim dpm++ ...]

Notebook 04 draws the file. Each point is written as soon as it is measured and kept as long as the checkpoint stays
the same, so the script can be stopped and started again, and `--steps 1000 --samplers ddpm ddim` adds to it later.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path

import torch
from torch import Tensor

from course_utils import runtime
from course_utils.datasets import to_model_range
from course_utils.datasets.garments import Garments
from course_utils.diffusion import SAMPLERS
from course_utils.measure import frechet_distance, precision_recall, spread
from course_utils.networks import load_network
from course_utils.systems import unconditional
from course_utils.training.run import replace

# ddim with eta = 1 is ddpm with the same noise (tests/diffusion/test_samplers.py), so it has no line of its own
LINES = {name: (sampler, {}) for name, sampler in SAMPLERS.items()}
LINES["ddim, eta 0.5"] = SAMPLERS["ddim"], {"eta": 0.5}
STEPS = (5, 10, 20, 50, 100)
BATCH = 128


def judge(features: Tensor, sure: Tensor, test: Tensor) -> dict:
    """The numbers of one set of pictures against the test split; each at the same number of pictures."""
    named = (sure > 0.5).float().mean().item()
    precision, recall = precision_recall(test, features)
    numbers = {"distance": frechet_distance(features, test), "error": spread(frechet_distance, features, test),
               "precision": precision, "recall": recall, "named": named}
    return {name: round(value, 4) for name, value in numbers.items()}


def write(record: dict, path: Path) -> None:
    """The old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    replace(part, path)


def fingerprint(folder: Path) -> str:
    """What tells a checkpoint's weights from others."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:16]


def start(path: Path, network: str, samples: int) -> dict:
    """What is recorded already for this checkpoint and number of pictures, or an empty record."""
    record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    same = record.get("network") == network and record.get("samples") == samples
    return record if same else {"network": network, "samples": samples, "points": []}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=256, help="pictures for each point (at least 130)")
    parser.add_argument("--steps", type=int, nargs="+", default=STEPS)
    parser.add_argument("--samplers", nargs="+", default=list(LINES), choices=list(LINES))
    parser.add_argument("--checkpoint", default="ddpm-garments")
    parser.add_argument("--output", type=Path, default=runtime.data_dir() / "recorded" / "steps.json")
    given = parser.parse_args()
    if given.samples < 130:
        parser.error("a distance with its error needs at least 130 pictures: halves of 65 for 64 features")

    folder = runtime.data_dir() / "checkpoints" / given.checkpoint
    model, where = unconditional.load(given.checkpoint), runtime.device()
    recogniser = load_network("garment-recogniser").to(where)
    splits = {split: to_model_range(Garments(split).images) for split in ("train", "test")}
    test, _ = recogniser.look(splits["test"].to(where))
    record = start(given.output, fingerprint(folder), given.samples)

    drawn = torch.randperm(len(splits["train"]), generator=runtime.seeded(0))[: given.samples]
    record["real"] = judge(*recogniser.look(splits["train"][drawn].to(where)), test)
    sizes = [min(BATCH, given.samples - at) for at in range(0, given.samples, BATCH)]
    for steps in sorted(given.steps):
        for name in given.samplers:
            if any((point["sampler"], point["steps"]) == (name, steps) for point in record["points"]):
                continue
            sampler, options = LINES[name]
            began = time.perf_counter()
            pictures = torch.cat([model.sample(n, steps, seed=1000 * i, sampler=sampler, **options)
                                  for i, n in enumerate(sizes)])
            seconds = round(time.perf_counter() - began, 1)
            point = {"sampler": name, "steps": steps, "seconds": seconds} | judge(*recogniser.look(pictures), test)
            record["points"].append(point)
            write(record, given.output)
            print(f"{name:14} {steps:5} steps {seconds:7.1f} s  distance {point['distance']:7.2f} "
                  f"+- {point['error']:.2f}, named {point['named']:.3f}", flush=True)


if __name__ == "__main__":
    main()
