"""Pictures a second of each network, training and sampling: one thread, interleaved, process time.

Each round times every network once; the ratios to diffusers' network are taken within a round, so that a busy moment
of the machine meets all of them. Printed: the median of the ratios, and the lowest and highest.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from tests.bench.contest import fast_precision
from tests.bench.contestants import COURSE, NETWORKS, PEERS

RESULTS = Path(__file__).parent / "throughput.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--all", action="store_true", help="all contestants, not only the course and its peers")
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = list(NETWORKS) if options.all else [COURSE, *PEERS]
    networks = {name: NETWORKS[name](1, "x0") for name in names}
    seconds = {name: {"train": [], "sample": []} for name in names}
    for i in range(options.rounds + 1):
        for name in names:
            for what, value in timed(name, networks[name], options.batch).items():
                if i:  # The first round warms up
                    seconds[name][what].append(value)
    table = {name: row(name, networks[name], seconds, options.batch) for name in names}
    RESULTS.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    for name, values in table.items():
        print(name, values)


def timed(name: str, network: torch.nn.Module, batch: int) -> dict[str, float]:
    """CPU seconds of one training step (without the optimiser's) and of one call."""
    xt, t = torch.randn(batch, 1, 32, 32), torch.randint(1000, (batch,))
    fast, began = fast_precision(name), time.process_time()
    with fast():
        loss = network(xt, t).float().square().mean()
    loss.backward()
    middle = time.process_time()
    # Without gradients bfloat16 pays for every network
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        network(xt, t)
    return {"train": middle - began, "sample": time.process_time() - middle}


def row(name: str, network: torch.nn.Module, seconds: dict, batch: int) -> dict:
    values = {"parameters": sum(p.numel() for p in network.parameters())}
    for what in ("train", "sample"):
        ratios = [theirs / ours for theirs, ours in zip(seconds[PEERS[0]][what], seconds[name][what])]
        values[f"{what} pictures/s"] = round(batch / min(seconds[name][what]), 1)
        values[f"{what} ratio: median, lowest, highest"] = [
            round(statistics.median(ratios), 2), round(min(ratios), 2), round(max(ratios), 2)]
    return values


if __name__ == "__main__":
    main()
