"""How good are networks that predict x0, v or eps? Trains each a few times, measures in float32, writes names.json.

    python -m tests.bench.names [--seeds 0 1 2] [--names predicts-eps ...] [--runs data/runs]

Near t = T a prediction of eps is divided by sqrt(abar), 0.00005, which multiplies the rounding of bfloat16 too; so
names are compared in float32. The distance and the preview in data/recorded/NAME are those of the first
seed, measured here. Notebook 04 draws data/recorded/names.json. Each row is written as soon as it is measured and is
not measured again; runs that lie in the folder are not trained again.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import torch

from course_utils import runtime
from course_utils.datasets import to_model_range
from course_utils.datasets.garments import Garments
from course_utils.measure import frechet_distance, spread
from course_utils.networks import load_network, training_record
from course_utils.systems.unconditional import Unconditional
from course_utils.training import find, train
from course_utils.training.run import Run
from tests.bench.steps import write

NAMES = ("predicts-eps", "unweighted", "predicts-v", "short", "predicts-v-soft")
SAMPLES, BATCH = 1000, 500


def trained(name: str, seed: int, runs: Path) -> Path:
    """The checkpoint of a run, which is trained if it is not there."""
    folder = runs / (f"{name}-{seed}" if seed else name)
    if not (folder / "checkpoint").is_dir():
        recipe = find(name)
        recipe.seed, recipe.samples = seed, BATCH
        train(recipe, folder=folder, progress=False)
    return folder / "checkpoint"


def row(name: str, seed: int, checkpoint: Path) -> dict:
    """The distance of a run's samples (20 steps of ddim) to the test split, with its standard error."""
    system = Unconditional(load_network(checkpoint).to(runtime.device()))
    recogniser = load_network("garment-recogniser").to(runtime.device())
    features = torch.cat([recogniser.look(system.sample(BATCH, seed=i))[0] for i in range(SAMPLES // BATCH)])
    test, _ = recogniser.look(to_model_range(Garments("test").images).to(runtime.device()))
    recipe = find(name)
    return {"run": name, "seed": seed, "predicts": recipe.predicts, "weight": recipe.weight,
            "images": training_record(checkpoint)["images"],
            "distance": round(frechet_distance(features, test), 3),
            "error": round(spread(frechet_distance, features, test), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=runtime.data_dir() / "runs", help="where the runs lie")
    parser.add_argument("--names", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    given = parser.parse_args()

    recorded = runtime.data_dir() / "recorded"
    output = recorded / "names.json"
    record = {"samples": SAMPLES, "precision": "float32", "rows": []}
    record = json.loads(output.read_text(encoding="utf-8")) if output.is_file() else record
    for seed in given.seeds:
        for name in given.names:
            if any((old["run"], old["seed"]) == (name, seed) for old in record["rows"]):
                continue
            checkpoint = trained(name, seed, given.runs)
            os.environ["COURSE_PRECISION"] = "no"
            found = row(name, seed, checkpoint)
            if seed == 0:
                training = json.loads((recorded / name / "training.json").read_text(encoding="utf-8"))
                training["measures"]["frechet_20_steps"] = found["distance"]
                write(training | {"samples_precision": "float32"}, recorded / name / "training.json")
                Run(recorded / name).write_preview(find(name).preview(load_network(checkpoint)))
            del os.environ["COURSE_PRECISION"]
            record["rows"].append(found)
            write(record, output)
            print(f"{name:16} seed {seed} distance {found['distance']:7.2f} +- {found['error']:.2f}", flush=True)


if __name__ == "__main__":
    main()
