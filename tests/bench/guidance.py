"""What does guidance buy and cost? Measures each system at each scale and writes data/recorded/guidance.json.

    python -m tests.bench.guidance [--systems cfg classifier ...] [--samples 1000] [--runs data/runs]

Notebooks 05 and 06 draw the file. Each point is written as soon as it is measured, and kept as long as its checkpoint
stays the same. The networks that were trained for the comparison of p_uncond are looked for in --runs.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor

from course_utils import runtime
from course_utils.datasets import to_model_range
from course_utils.datasets.garments import CLASSES, Garments
from course_utils.diffusion import ddpm
from course_utils.networks import load_network
from course_utils.systems import cfg, classifier, gan
from tests.bench.steps import fingerprint, judge, write

BATCH, STEPS = 250, 20
CLASSIFIER_SCALES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
CFG_SCALES = (0.0, 0.5, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0)
TRUNCATIONS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, None)
P_UNCOND = ("p-uncond-05", "p-uncond-10", "p-uncond-20", "p-uncond-50")
P_UNCOND_SCALES = (1.0, 1.5, 2.0, 4.0)


def guided_by(name: str):
    system = classifier.load(name)
    return lambda label, scale, seed: system.sample(label, scale, STEPS, seed)


def class_conditional(folder):
    system = cfg.load(folder)
    return lambda label, scale, seed: system.sample(label, scale, STEPS, seed, sampler=ddpm)


def truncated():
    system = gan.load()
    return lambda label, truncation, seed: system.sample(label, truncation, seed)


def systems(runs: Path) -> dict[str, tuple]:
    """For each name: where its checkpoint lies, what makes its sampler of (label, scale, seed), and the scales."""
    shipped = runtime.data_dir() / "checkpoints"
    found = {
        "classifier": (shipped / "classifier-garments", lambda: guided_by("classifier-garments"), CLASSIFIER_SCALES),
        "clean classifier": (shipped / "classifier-garments-clean", lambda: guided_by("classifier-garments-clean"),
                             CLASSIFIER_SCALES[2::2]),
        "cfg": (shipped / "cfg-garments", lambda: class_conditional("cfg-garments"), CFG_SCALES),
        "gan": (shipped / "gan-garments", truncated, TRUNCATIONS),
    }
    for name in P_UNCOND:
        folder = runs / name / "checkpoint"
        found[name] = (folder, lambda folder=folder: class_conditional(folder), P_UNCOND_SCALES)
    return found


def labelled(pictures: Tensor, label: Tensor, recogniser, test: Tensor) -> dict[str, float]:
    """The numbers of `steps.judge`, and the share of pictures that the recogniser gives their label."""
    features, sure = recogniser.look(pictures)
    right = recogniser.head(features).argmax(1).cpu() == label
    return judge(features, sure, test) | {"accuracy": round(right.float().mean().item(), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", default=["classifier", "clean classifier", "cfg", "gan"])
    parser.add_argument("--samples", type=int, default=1000, help="pictures for each point, a multiple of 250")
    parser.add_argument("--runs", type=Path, default=runtime.data_dir() / "runs")
    parser.add_argument("--output", type=Path, default=runtime.data_dir() / "recorded" / "guidance.json")
    given = parser.parse_args()

    recogniser = load_network("garment-recogniser").to(runtime.device())
    splits = {split: Garments(split) for split in ("train", "test")}
    test, _ = recogniser.look(to_model_range(splits["test"].images).to(runtime.device()))
    old = json.loads(given.output.read_text(encoding="utf-8")) if given.output.is_file() else {"points": []}
    points = old["points"] if old.get("samples") == given.samples else []
    record = {"samples": given.samples, "steps": STEPS, "points": points}
    drawn = torch.randperm(len(splits["train"]), generator=runtime.seeded(0))[: given.samples]
    real = to_model_range(splits["train"].images[drawn]).to(runtime.device())
    # The recogniser has learned the names of the training pictures, so those of the others count
    named = recogniser.head(test).argmax(1).cpu() == splits["test"].labels
    record["real"] = (labelled(real, splits["train"].labels[drawn], recogniser, test)
                      | {"accuracy": round(named.float().mean().item(), 4)})
    write(record, given.output)
    label = torch.arange(len(CLASSES)).repeat(BATCH // len(CLASSES))
    for name in given.systems:
        folder, load, scales = systems(given.runs)[name]
        network = fingerprint(folder)
        record["points"] = [p for p in record["points"] if p["system"] != name or p["network"] == network]
        sample = load()
        for scale in scales:
            if any((point["system"], point["scale"]) == (name, scale) for point in record["points"]):
                continue
            began = time.perf_counter()
            made = torch.cat([sample(label, scale, 1000 * i) for i in range(given.samples // BATCH)])
            seconds = round(time.perf_counter() - began, 1)
            point = {"system": name, "network": network, "scale": scale, "seconds": seconds}
            point |= labelled(made, label.repeat(given.samples // BATCH), recogniser, test)
            record["points"].append(point)
            write(record, given.output)
            print(f"{name:18} {scale} {seconds:7.1f} s  distance {point['distance']:7.2f} +- {point['error']:.2f}, "
                  f"precision {point['precision']:.3f}, recall {point['recall']:.3f}, "
                  f"accuracy {point['accuracy']:.3f}", flush=True)


if __name__ == "__main__":
    main()
