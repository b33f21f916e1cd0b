"""The files that the course ships: the SHA-256 of each is verified before it is used."""

import hashlib
from pathlib import Path

from course_utils import runtime

SUMS = "SHA256SUMS"
BUILT = "garments", "photographs", "emoji", "encoders", SUMS  # what `make data` makes
# Path, size and modification time of the files already verified in this process
_known_good: set[tuple[str, int, int]] = set()


class DataError(RuntimeError):
    """A file in `data/` is missing, damaged or unknown; the message says what to do."""


def verified(relative: str) -> Path:
    """The path of a file in `data/`, after checking its SHA-256 against `data/SHA256SUMS`.

    relative: path below `data/` with forward slashes, such as "garments/garments.npz".
    The checksum is computed once per process, and again when the file changes.
    Raises DataError when the file is missing, not listed or damaged.
    """
    path = runtime.data_dir() / relative
    expected = _expected_sum(relative)
    if not path.is_file():
        raise DataError(f"data/{relative} is missing (looked for {path}). {restore(relative)}")
    status = path.stat()
    key = (str(path), status.st_size, status.st_mtime_ns)
    if key not in _known_good:
        with open(path, "rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != expected:
            raise DataError(f"data/{relative} is damaged: its SHA-256 begins with {found[:12]}, but {SUMS} says "
                            f"{expected[:12]}. {restore(relative)} If it is yours: python data/build/sums.py")
        _known_good.add(key)
    return path


def verified_folder(relative: str) -> bool:
    """Check, as `verified` does, every file that `data/SHA256SUMS` lists in a folder; False when it lists none."""
    listed = [name for name in read_sums() if name.startswith(f"{relative}/")]
    for name in listed:
        verified(name)
    return bool(listed)


def restore(relative: str) -> str:
    """What to do about a missing or damaged file of `data/`, as a sentence that can be followed where the course is."""
    room, _, rest = relative.partition("/")
    again = {"checkpoints": f", or train it: python -m course_utils train {rest.split('/')[0]}"}.get(room, "")
    again = ", or build it again with `make data`" if room in BUILT else again
    if (runtime.root() / ".git").exists():
        return f"Restore it with `git checkout -- data/{relative}`{again}."
    return ("This copy of the course is not a git repository: download the course once more and copy "
            f"data/{relative} from there{again}.")


def verify_all() -> list[tuple[str, bool, str]]:
    """Check every file listed in `data/SHA256SUMS`; returns rows (relative path, whether it is intact, message).

    Never raises: a missing or unreadable `SHA256SUMS` is a row of its own.
    """
    try:
        listed = read_sums()
    except DataError as error:
        return [(SUMS, False, str(error))]
    rows = []
    for relative in listed:
        try:
            verified(relative)
        except DataError as error:
            rows.append((relative, False, str(error)))
        else:
            rows.append((relative, True, "as listed"))
    return rows


def read_sums() -> dict[str, str]:
    """Read `data/SHA256SUMS` into {relative path: SHA-256 in hexadecimal}.

    Raises DataError when the list is missing or one of its lines is malformed.
    """
    path = runtime.data_dir() / SUMS
    if not path.is_file():
        raise DataError(f"data/{SUMS} is missing (looked for {path}), so no data file can be trusted. {restore(SUMS)}")
    sums = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        # The format of the sha256sum command: 64 digits, two spaces, the path
        digest, gap, relative = line[:64], line[64:66], line[66:]
        if gap != "  " or not relative or not set(digest) <= set("0123456789abcdef"):
            raise DataError(
                f"Line {number} of data/{SUMS} is malformed; expected 64 hexadecimal digits, two spaces "
                f"and a path. {restore(SUMS)}"
            )
        sums[relative] = digest
    return sums


def _expected_sum(relative: str) -> str:
    sums = read_sums()
    if relative not in sums:
        raise DataError(
            f"data/{relative} is not listed in data/{SUMS}, so it is not a file of the course. "
            f"Check the name, or run `python data/build/sums.py` if you added the file yourself."
        )
    return sums[relative]
