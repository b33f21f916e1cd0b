"""What the course weighs, so that it stays quick to clone: budgets for the files that git tracks, and for a clone."""

import subprocess
from pathlib import Path

import pytest

from course_utils.authoring.execute import MAX_BYTES
from tests.conftest import ROOT

MB = 10**6
# What the files in these folders may weigh together; "" is the whole checkout
BUDGETS = {
    ("",): 175 * MB,
    ("data/checkpoints",): 120 * MB,
    ("data/emoji", "data/garments", "data/photographs"): 20 * MB,
    ("data/encoders",): 35 * MB,
}


def tracked(root: Path = ROOT) -> dict[str, int]:
    """Size of each file that git tracks; the test is skipped where there is no git, as in an unpacked archive."""
    try:
        done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if done.returncode:
        pytest.skip(f"git does not know this folder: {done.stderr.strip()}")
    paths = {name: root / name for name in done.stdout.split("\0") if name}
    return {name: path.stat().st_size for name, path in paths.items() if path.is_file()}


def too_heavy(sizes: dict[str, int]) -> list[str]:
    """A sentence for each budget that is spent."""
    found = []
    for folders, most in BUDGETS.items():
        inside = [size for name, size in sizes.items() if any(not f or name.startswith(f"{f}/") for f in folders)]
        if sum(inside) > most:
            found.append(f"{', '.join(folders) or 'the checkout'}: {sum(inside):,} bytes, at most {most:,}")
    return found + [f"{name}: {size:,} bytes, at most {MAX_BYTES:,}" for name, size in sizes.items()
                    if name.startswith("notebooks/") and size > MAX_BYTES]


def test_what_git_tracks_is_within_its_budgets():
    sizes = tracked()
    assert {"pyproject.toml", "data/SHA256SUMS"} <= sizes.keys()
    assert too_heavy(sizes) == []


def test_a_clone_of_the_newest_commit_weighs_no_more_than_the_checkout_may(tmp_path):
    tracked()
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--bare", "--depth=1", ROOT.as_uri(), clone], check=True)
    assert sum(path.stat().st_size for path in clone.rglob("*") if path.is_file()) <= BUDGETS["",]


@pytest.mark.parametrize("sizes, complaint", [
    ({"course_utils/a.py": 100 * MB, "data/recorded/b": 75 * MB + 1}, "the checkout: 175,000,001 bytes"),
    ({"data/checkpoints/a/model.safetensors": 60 * MB, "data/checkpoints/b/model.safetensors": 61 * MB},
     "data/checkpoints: 121,000,000 bytes"),
    ({"data/emoji/a.webp": 9 * MB, "data/garments/b.npz": 9 * MB, "data/photographs/c.webp": 3 * MB},
     "data/emoji, data/garments, data/photographs: 21,000,000 bytes"),
    ({"data/encoders/a": 36 * MB}, "data/encoders: 36,000,000 bytes"),
    ({"notebooks/01_a.ipynb": MB + 1}, "notebooks/01_a.ipynb: 1,000,001 bytes"),
])
def test_each_budget_can_be_overspent(sizes, complaint):
    (found,) = too_heavy(sizes)
    assert found.startswith(complaint)


def test_what_is_just_within_its_budget_passes():
    assert too_heavy({"data/checkpoints/a": 120 * MB, "data/garments/a": 20 * MB, "data/encoders/a": 29 * MB,
                      "notebooks/01_a.ipynb": MB}) == []


def test_only_what_git_tracks_counts(tmp_path):
    git = ["git", "-C", tmp_path]
    subprocess.run([*git, "init", "--quiet"], check=True)
    for name in ("kept.txt", "gone.txt", "other.txt"):
        (tmp_path / name).write_text("seven b")
    subprocess.run([*git, "add", "kept.txt", "gone.txt"], check=True)
    (tmp_path / "gone.txt").unlink()
    assert tracked(tmp_path) == {"kept.txt": 7}
