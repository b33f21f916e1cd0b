"""Write README.md of this folder from results.jsonl, throughput.json and tried.json."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from tests.bench.contest import RESULTS
from tests.bench.contestants import COURSE, PEERS
from tests.bench.throughput import RESULTS as THROUGHPUT

README = Path(__file__).parent / "README.md"
TRIED = Path(__file__).parent / "tried.json"  # written by hand
HEAD = """# Side by side

How the course's U-Net was chosen, and how it compares with what a user would pick instead. Nothing here runs in
`make test`; `make bench` measures it again (about two hours on two cores) and writes this page. Everything is measured
on one thread of a laptop-like processor with AVX512-bf16, in CPU time, so that other work on the machine counts less.
"""

def main() -> None:
    rows = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    speeds = json.loads(THROUGHPUT.read_text(encoding="utf-8"))
    tries = json.loads(TRIED.read_text(encoding="utf-8"))
    lines = [HEAD, *throughput(speeds), *tried(tries), *peers(rows), *choice(rows)]
    README.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{README} written")


def throughput(speeds: dict) -> list[str]:
    lines = ["## Speed", "",
             "Garments at 32 x 32, one grey channel; ratios to diffusers' network within a round: median (lowest to "
             "highest).", "",
             "| network | parameters | training, pictures/s | ratio | sampling, pictures/s | ratio |",
             "|---|---|---|---|---|---|"]
    for name, row in speeds.items():
        cells = [_bold(name), f"{row['parameters'] / 1e6:.2f}M"]
        for what in ("train", "sample"):
            median, low, high = row[f"{what} ratio: median, lowest, highest"]
            cells += [f"{row[f'{what} pictures/s']:.0f}", f"{median:.2f} ({low:.2f} to {high:.2f})"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def tried(tries: list[dict]) -> list[str]:
    """What was done for speed, and what was not done because it did not help."""
    lines = ["", "## What was tried for speed", "",
             "The course's network, batches of 64, each interleaved with the code before: medians of the ratios within "
             "a round, in CPU time, while other work kept the second core busy. Milliseconds are the shortest of about "
             "ten. A training step of 64 pictures now takes 190 ms, of which 106 go to convolutions and 28 to matrix "
             "products, at 390 to 500 GFLOP/s; a 2048 x 2048 product reached 455 to 490 beside the same other work. "
             "Aimed at were 1.6 times the training before, which was not reached, and 5 times UNet2DModel in sampling. "
             "Answers in bfloat16 are nearer to float32 than before: off by .0108 of their spread, not .0131.", "",
             "| | training | sampling | kept |", "|---|---|---|---|"]
    for row in tries:
        lines.append(f"| {row['tried']} | {row['train']} | {row['sample']} | {'yes' if row['kept'] else 'no'} |")
    return lines


def peers(rows: list[dict]) -> list[str]:
    """The contests of the course's network and its peers, by training time."""
    lines = []
    times = sorted({row["minutes"] for row in rows if row["network"] in PEERS}, reverse=True)
    for minutes in times:
        lines += ["", f"## Quality after the same {minutes:g} CPU-minutes on garments", "",
                  "The same loop for all (tests/bench/contest.py); samples of 20 ddim steps. Median of the seeds in "
                  "bold, lowest and highest behind it.", "",
                  "| network | predicts, lr | seeds | steps | Frechet-like distance | named above 0.5 |",
                  "|---|---|---|---|---|---|"]
        for group in _groups(row for row in rows if row["minutes"] == minutes and row["network"] in (COURSE, *PEERS)
                             and "frechet" in row):
            first = group[0]
            lines.append(f"| {_bold(first['network'])} | {first['predicts']}, {first['lr']:g} | {len(group)} | "
                         f"{statistics.median(row['steps'] for row in group):.0f} | {_range(group, 'frechet', 1)} | "
                         f"{_range(group, 'named', 3)} |")
    return lines


def choice(rows: list[dict]) -> list[str]:
    lines = ["", "## The choice", "",
             "Every contest that was run. Held-out: the error of x0 with the weight min(snr + 1, 20), the same for all "
             "predictions. Distances are comparable for equally many samples only.", "",
             "| data | CPU-min | network | parameters | predicts | lr | batch | steps | held-out | samples | Frechet |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: (row["data"], row["minutes"], row.get("frechet", row["held_out"]))):
        cells = [row["data"], f"{row['minutes']:g}", _bold(row["network"]), f"{row['parameters'] / 1e6:.2f}M",
                 row["predicts"], f"{row['lr']:g}", row["batch"], row["steps"], f"{row['held_out']:.4f}",
                 row["samples"], f"{row['frechet']:.1f}" if "frechet" in row else ""]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def _groups(rows) -> list[list[dict]]:
    groups = {}
    for row in rows:
        groups.setdefault((row["network"], row["predicts"], row["lr"], row["batch"], row["samples"]), []).append(row)
    return sorted(groups.values(), key=lambda group: statistics.median(row["frechet"] for row in group))


def _range(group: list[dict], key: str, digits: int) -> str:
    values = sorted(row[key] for row in group)
    return f"**{statistics.median(values):.{digits}f}** ({values[0]:.{digits}f} to {values[-1]:.{digits}f})"


def _bold(name: str) -> str:
    return f"**{name}**" if name == COURSE else name


if __name__ == "__main__":
    main()
