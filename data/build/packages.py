"""Download a package of Debian, npm or PyPI and unpack it into a temporary folder, without installing it."""

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from shutil import which

DEBIAN_HINT = "Run `apt-get update` first; a version after = must be the one of your Debian (12, bookworm)."
# Deleted, with everything unpacked into it, when Python exits
_temporary = tempfile.TemporaryDirectory(prefix="course-data-")


def debian(name: str) -> Path:
    """Unpack a Debian package, such as "dataset-fashion-mnist" or "name=version", and return the folder.

    Raises SystemExit with a sentence when apt-get or dpkg-deb is missing or the download fails.
    """
    _need("apt-get", "it comes with Debian; elsewhere run this in a `debian:bookworm` container")
    _need("dpkg-deb", "it comes with Debian; elsewhere run this in a `debian:bookworm` container")
    folder = _new_folder()
    _call(["apt-get", "download", name], folder, f"Debian package {name}", DEBIAN_HINT)
    (archive,) = folder.glob("*.deb")
    unpacked = folder / "unpacked"
    unpack = ["dpkg-deb", "-x", str(archive), str(unpacked)]
    _call(unpack, folder, f"Debian package {name}", "Is the disk full?")
    return unpacked


def npm(spec: str) -> Path:
    """Unpack an npm package, such as "@iconify-json/noto@1.2.9", and return its `package` folder.

    Raises SystemExit with a sentence when npm is missing or the download fails.
    """
    _need("npm", "install Node.js, for example with `apt-get install npm`")
    folder = _new_folder()
    _call(["npm", "pack", spec], folder, f"npm package {spec}", "Is the network up?")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "unpacked", filter="data")
    return folder / "unpacked" / "package"


def wheel(spec: str) -> Path:
    """Unpack a wheel from PyPI, such as "scikit-image==0.26.0", and return the folder.

    Raises SystemExit with a sentence when pip is missing or the download fails.
    """
    folder = _new_folder()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", spec]
    _call(command, folder, f"Python package {spec}", "Is the network up, and pip installed?")
    (archive,) = folder.glob("*.whl")
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(folder / "unpacked")
    return folder / "unpacked"


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(dir=_temporary.name))


def _need(program: str, remedy: str) -> None:
    if which(program) is None:
        raise SystemExit(f"`make data` needs the program {program}, which was not found: {remedy}.")


def _call(command: list[str], folder: Path, what: str, remedy: str) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode != 0:
        said = result.stderr.strip()
        raise SystemExit(f"The {what} could not be downloaded or unpacked. {remedy} {command[0]} said:\n{said}")
