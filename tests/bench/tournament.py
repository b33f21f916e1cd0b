"""The course's network against its peers: the same ten CPU-minutes each on garments, three seeds, two at a time."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.bench.contestants import COURSE, PEERS

MINUTES, SEEDS = 10, 3
# Everybody predicts x0; the peers get the smaller learning rate, the usual one for them
SETTINGS = {COURSE: ("x0", 2e-3), PEERS[0]: ("x0", 1e-3), PEERS[1]: ("x0", 1e-3)}


def main() -> None:
    games = [(name, *SETTINGS[name], seed) for seed in range(SEEDS) for name in SETTINGS]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda game: play(*game), games))


def play(name: str, predicts: str, lr: float, seed: int) -> None:
    """One contest in a process of its own."""
    options = ["--predicts", predicts, "--lr", str(lr), "--seed", str(seed), "--minutes", str(MINUTES)]
    subprocess.run([sys.executable, "-m", "tests.bench.contest", name, *options], check=True)


if __name__ == "__main__":
    main()
