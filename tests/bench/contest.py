"""Train one network for a number of CPU seconds on one thread, and measure it; a line is added to results.jsonl.

Process time, not time on the clock: it is fair on a machine that does other things too. Everybody gets the same
batches, the same loop (AdamW, warm-up, decay to zero, clipping, averaged weights) and the same 20 steps of ddim.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from course_utils.datasets import to_model_range
from course_utils.datasets.augment import random_images
from course_utils.datasets.garments import Garments
from course_utils.datasets.scenes import Scenes
from course_utils.diffusion import ddim, static_threshold
from course_utils.diffusion.losses import seeded_error
from course_utils.measure import frechet_distance
from course_utils.networks import load_network
from course_utils.runtime import seeded
from course_utils.systems.model import SCHEDULE, Model, noised
from tests.bench.contestants import FLOAT32, NETWORKS

RESULTS = Path(__file__).parent / "results.jsonl"
WEIGHTS = {"x0": "soft-v", "v": "v", "eps": "eps"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--data", choices=("garments", "scenes"), default="garments")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--predicts", choices=WEIGHTS, default="x0")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=400, help="for the distance, which is larger for fewer")
    parser.add_argument("--pictures", type=Path, help="write a grid of samples here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    row = vars(options) | contest(options)
    row.pop("pictures")
    with open(RESULTS, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")
    print(row)


def contest(options: argparse.Namespace) -> dict:
    train, test = pictures(options.data)
    torch.manual_seed(options.seed)
    network = NETWORKS[options.network](train.shape[1], options.predicts)
    fast = fast_precision(options.network)
    average, steps = fit(network, train, options, fast)
    values = {"parameters": sum(p.numel() for p in network.parameters()), "steps": steps}
    return values | measure(average, test, options, fast)


def fit(network: nn.Module, train: Tensor, options, fast) -> tuple[nn.Module, int]:
    """The averaged network after the CPU minutes, and the number of steps."""
    average, generator, steps = copy.deepcopy(network).requires_grad_(False).eval(), seeded(options.seed), 0
    optimiser = torch.optim.AdamW(network.parameters(), options.lr, (0.9, 0.99), weight_decay=0.01, fused=True)
    began = time.process_time()
    while (spent := (time.process_time() - began) / (60 * options.minutes)) < 1:
        for group in optimiser.param_groups:
            # Warm-up over the first twentieth, then down to zero
            group["lr"] = options.lr * min(1.0, 20 * spent) * (1 - spent)
        batch = noised(random_images(train, options.batch, generator), generator)
        with fast():
            loss = error(network, batch, options.predicts, WEIGHTS[options.predicts]).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        steps += 1
        decay = min(0.999, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
    return average, steps


def error(network: nn.Module, batch: dict[str, Tensor], predicts: str, weight: str) -> Tensor:
    """The loss of each example (B,); other packages' networks do not say what they predict."""
    output = network(batch["xt"], batch["t"])
    return seeded_error(output, predicts, batch["x0"], batch["seed"], batch["abar"], weight)


@torch.no_grad()
def measure(network: nn.Module, test: Tensor, options, fast) -> dict:
    """Held-out error under one weight for all, and the distance of samples where there is a recogniser."""
    generator, errors = seeded(0), []
    for part in to_model_range(test[:2000]).split(250):
        with fast():
            errors.append(error(network, noised(part, generator), options.predicts, "soft-v"))

    def answer(xt, t):
        with fast():
            return network(xt, t)

    answer.predicts = options.predicts
    denoiser = static_threshold(Model(answer).denoiser())
    noise = torch.randn(options.samples, *test.shape[1:], generator=generator)
    made = torch.cat([ddim(denoiser, SCHEDULE, part, 20) for part in noise.split(250)])
    values = {"held_out": torch.cat(errors).mean().item()}
    if options.pictures:
        save(made[:64], options.pictures)
    if options.data == "garments":
        recogniser = load_network("garment-recogniser")
        (ours, sure), (real, _) = recogniser.look(made), recogniser.look(to_model_range(test))
        values |= {"frechet": frechet_distance(ours, real), "named": (sure > 0.5).float().mean().item()}
    return values


def pictures(data: str) -> tuple[Tensor, Tensor]:
    """Train and test pictures, uint8."""
    if data == "garments":
        return Garments("train").images, Garments("test").images
    return Scenes("train").batch(range(30_000))[0], Scenes("test").batch(range(2000))[0]


def fast_precision(network: str):
    """The block in which a network runs: bfloat16, unless that makes it slower."""
    if network in FLOAT32:
        return lambda: torch.autocast("cpu", enabled=False)
    return lambda: torch.autocast("cpu", torch.bfloat16)


def save(made: Tensor, path: Path) -> None:
    from course_utils.training.run import Run

    Run(path.parent).write_preview(made, 16)
    (path.parent / "preview.png").rename(path)


if __name__ == "__main__":
    main()
