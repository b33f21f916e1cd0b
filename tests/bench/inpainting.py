"""How well is a hole filled, and for how many network calls? Measures three methods; data/recorded/inpainting.json.

    python -m tests.bench.inpainting [--pictures 96] [--draws 4] [--methods repaint palette masked-image]

Notebook 08 draws the file. Each setting fills the same holes several times, each time with other noise; a point holds
the measures of each draw, so that their spread can be seen. It is written as soon as it is measured, and kept as long
as its checkpoint and the numbers of pictures and draws stay the same.
"""

from __future__ import annotations

import argparse
import json
import platform
import time

import torch
from torch import Tensor

from course_utils import runtime
from course_utils.datasets import masks
from course_utils.datasets.photographs import PhotographCrops
from course_utils.measure import fool_rate, seam, texture_distance, texture_features
from course_utils.systems import inpainting
from tests.bench.steps import fingerprint, write

SIZE, WINDOW, BATCH = 64, 32, 64
# The notebook makes one point again, with so many pictures
FEW = 24
CHECKPOINTS = {"repaint": "photographs-64", "palette": "palette-photographs", "masked-image": "inpaint-photographs"}
# (steps, resample): first what is compared for every kind of hole, then the curves for halves
COMPARED = {"repaint": [(100, 1), (20, 5)], "palette": [(20, 1), (100, 1)], "masked-image": [(20, 1), (100, 1)]}
LEARNED = [(5, 1), (10, 1), (20, 1), (50, 1), (100, 1)]
CURVES = {"repaint": [(20, 1), (20, 2), (20, 5), (20, 10), (100, 1), (200, 1)],
          "palette": LEARNED, "masked-image": LEARNED}


def windows(pictures: Tensor, mask: Tensor) -> Tensor:
    """From each picture the 32 x 32 pixels around the middle of its hole."""
    places = torch.arange(SIZE, device=mask.device) + 0.5
    hole, cut = (1 - mask)[:, 0], []
    for picture, one in zip(pictures, hole):
        middle = [float((one.sum(1 - axis) * places).sum() / one.sum()) for axis in (0, 1)]
        top, left = (round(min(max(m - WINDOW / 2, 0), SIZE - WINDOW)) for m in middle)
        cut.append(picture[:, top : top + WINDOW, left : left + WINDOW])
    return torch.stack(cut)


def hole_psnr(made: Tensor, real: Tensor, mask: Tensor) -> Tensor:
    """PSNR of each hole in dB, (B,)."""
    hole = (1 - mask).expand_as(real)
    return 10 * torch.log10(4 / (((made - real) ** 2 * hole).flatten(1).sum(1) / hole.flatten(1).sum(1)))


def detail(made: Tensor, real: Tensor, mask: Tensor) -> float:
    """Differences of neighbours that both lie in the hole, as a share of the real ones."""
    sums, hole = [0.0, 0.0], 1 - mask
    for axis in (2, 3):
        inside = (hole.unfold(axis, 2, 1).sum(-1) == 2).float()
        for k, pictures in enumerate((made, real)):
            sums[k] += float((pictures.diff(dim=axis).abs() * inside).sum())
    return sums[0] / sums[1]


def diversity(fillings: Tensor, mask: Tensor) -> float:
    """The root mean square difference of two fillings (K, B, C, H, W), in the hole, over all pairs."""
    hole = (1 - mask).expand_as(fillings[0])
    pairs = [((a - b) ** 2 * hole).sum() / hole.sum() for i, a in enumerate(fillings) for b in fillings[:i]]
    return float(torch.stack(pairs).mean().sqrt())


def filled(model, x0: Tensor, mask: Tensor, steps: int, resample: int, seed: int) -> Tensor:
    """All holes filled, some pictures at a time."""
    options = {"resample": resample} if isinstance(model, inpainting.RePaint) else {}
    return torch.cat([model.sample(x, m, steps=steps, seed=seed + 100 * i, **options).cpu()
                      for i, (x, m) in enumerate(zip(x0.split(BATCH), mask.split(BATCH)))])


def measured(made: Tensor, x0: Tensor, mask: Tensor, others: Tensor) -> dict[str, float]:
    """The numbers of one set of fillings; `others` are real pictures that nobody filled."""
    near, real, few = windows(made, mask), windows(x0, mask), slice(FEW)
    return {"seam": round(seam(made, x0, mask), 4),
            "texture": round(texture_distance(near, windows(others, mask)), 3),
            "fool_rate": round(fool_rate(texture_features(near), texture_features(real)), 4),
            "detail": round(detail(made, x0, mask), 4),
            "psnr": round(hole_psnr(made, x0, mask).clamp(max=60).mean().item(), 3),
            "changed": round(((made - x0).abs() * mask).max().item() * 127.5, 3),
            "psnr_few": round(hole_psnr(made[few], x0[few], mask[few]).clamp(max=60).mean().item(), 3),
            "seam_few": round(seam(made[few], x0[few], mask[few]), 4)}


def in_columns(draws: list[dict[str, float]]) -> dict[str, list[float]]:
    """The numbers of all draws, one list for each measure."""
    return {name: [draw[name] for draw in draws] for name in draws[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(CHECKPOINTS), choices=list(CHECKPOINTS))
    parser.add_argument("--kinds", nargs="+", default=list(masks.KINDS), choices=list(masks.KINDS))
    parser.add_argument("--pictures", type=int, default=96, help="test crops to fill, at least 50")
    parser.add_argument("--draws", type=int, default=4, help="how often each hole is filled, at least 2")
    given = parser.parse_args()

    path = runtime.data_dir() / "recorded" / "inpainting.json"
    old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    points = old["points"] if (old.get("pictures"), old.get("draws")) == (given.pictures, given.draws) else []
    crops = PhotographCrops("test", SIZE, 2 * given.pictures)
    x0, others = torch.stack(list(crops)).split(given.pictures)
    holes = {kind: make(given.pictures, SIZE, runtime.seeded(0)) for kind, make in masks.KINDS.items()}
    on_cpu = runtime.device().type == "cpu"
    hardware = f"one {platform.machine()} core" if on_cpu else torch.cuda.get_device_name()
    # What other jobs take of a core must not count
    clock = time.process_time if on_cpu else time.perf_counter
    # What real pictures get: the best that the measures can say
    real = {kind: {"texture": round(texture_distance(windows(x0, mask), windows(others, mask)), 3)}
            for kind, mask in holes.items()}
    record = {"pictures": given.pictures, "draws": given.draws, "few": FEW, "hardware": hardware, "real": real,
              "points": points}
    for method in given.methods:
        network = fingerprint(runtime.data_dir() / "checkpoints" / CHECKPOINTS[method])
        record["points"] = [p for p in record["points"] if p["method"] != method or p["network"] == network]
        model = inpainting.load(method)
        for kind in given.kinds:
            mask, settings = holes[kind], dict.fromkeys(COMPARED[method] + (CURVES[method] if kind == "half" else []))
            for steps, resample in settings:
                key = {"holes": kind, "method": method, "steps": steps, "resample": resample}
                if any(key.items() <= point.items() for point in record["points"]):
                    continue
                began = clock()
                made = torch.stack([filled(model, x0, mask, steps, resample, 1000 * i) for i in range(given.draws)])
                seconds = (clock() - began) / made.shape[:2].numel()
                point = key | {"network": network, "calls": steps * resample, "seconds": round(seconds, 3),
                               "diversity": round(diversity(made, mask), 4)}
                point |= in_columns([measured(one, x0, mask, others) for one in made])
                record["points"].append(point)
                write(record, path)
                ends = ", ".join(f"{name} {min(point[name]):.3g}..{max(point[name]):.3g}"
                                 for name in ("seam", "texture", "detail", "psnr"))
                print(f"{kind:10} {method:12} {steps:3} x {resample:<2} {seconds:6.2f} s a picture  {ends}", flush=True)


if __name__ == "__main__":
    main()
