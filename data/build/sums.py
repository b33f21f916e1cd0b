"""Rewrite data/SHA256SUMS over every data file that the course ships. Run: python data/build/sums.py"""

import hashlib
import os
from pathlib import Path

DATA = Path(__file__).resolve().parents[1]


def shipped_files() -> list[str]:
    """What the course loads, as paths below `data/`: everything in its folders but README.md."""
    files = (path.relative_to(DATA) for path in DATA.rglob("*") if path.is_file())
    # The builders are code, runs are the learner's own, thumbnails follow the notebooks
    excluded = ("build", "runs", "thumbnails")
    shipped = (path for path in files if path.parts[0] not in excluded and len(path.parts) > 1)
    kept = (path for path in shipped if path.name != "README.md" and not path.name.startswith("."))
    return sorted(path.as_posix() for path in kept)


def write() -> int:
    """Write data/SHA256SUMS, first under a temporary name, and return the number of files in it."""
    files = shipped_files()
    lines = [f"{hashlib.sha256((DATA / name).read_bytes()).hexdigest()}  {name}\n" for name in files]
    temporary = DATA / "SHA256SUMS.new"
    temporary.write_text("".join(lines), encoding="utf-8")
    os.replace(temporary, DATA / "SHA256SUMS")
    return len(files)


if __name__ == "__main__":
    print(f"data/SHA256SUMS: {write()} files")
