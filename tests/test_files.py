"""The list of check sums, the errors it leads to, and the two conversions of pixel values."""

import hashlib
import importlib.util
import os
import subprocess
import sys

import pytest
import torch

from course_utils import runtime
from course_utils.datasets import to_model_range, to_pixels
from course_utils.files import DataError, verified, verify_all


@pytest.fixture
def small_world(tmp_path, monkeypatch):
    """A data folder with one file in it, and its list of sums."""
    monkeypatch.setattr(runtime, "data_dir", lambda: tmp_path)
    content = b"seventeen pixels!"
    (tmp_path / "world").mkdir()
    (tmp_path / "world/file.bin").write_bytes(content)
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(content).hexdigest()}  world/file.bin\n")
    return tmp_path


def test_shipped_files_are_as_listed_and_all_are_listed():
    rows = verify_all()
    assert [row for row in rows if not row[1]] == []
    path = runtime.root() / "data/build/sums.py"
    spec = importlib.util.spec_from_file_location("course_sums", path)
    sums = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sums)
    assert sums.shipped_files() == [relative for relative, _, _ in rows]


def test_good_file_gives_its_path(small_world):
    assert verified("world/file.bin") == small_world / "world/file.bin"
    assert verify_all() == [("world/file.bin", True, "as listed")]


def test_flipped_byte_is_named_even_after_a_good_look(small_world):
    path = verified("world/file.bin")
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)
    # File systems with a coarse clock could show the same time of change
    os.utime(path, ns=(0, 0))
    with pytest.raises(DataError, match="is damaged.*Restore it with `git checkout -- data/world/file.bin`"):
        verified("world/file.bin")
    ((relative, ok, message),) = verify_all()
    assert (relative, ok) == ("world/file.bin", False) and "damaged" in message


def test_missing_file_is_named(small_world):
    (small_world / "world/file.bin").unlink()
    with pytest.raises(DataError, match="data/world/file.bin is missing.*git checkout"):
        verified("world/file.bin")


def test_unlisted_file_is_named(small_world):
    (small_world / "world/other.bin").write_bytes(b"")
    with pytest.raises(DataError, match="data/world/other.bin is not listed in data/SHA256SUMS"):
        verified("world/other.bin")


def test_missing_list_is_named(small_world):
    (small_world / "SHA256SUMS").unlink()
    with pytest.raises(DataError, match="data/SHA256SUMS is missing.*git checkout -- data/SHA256SUMS"):
        verified("world/file.bin")
    ((relative, ok, message),) = verify_all()
    assert (relative, ok) == ("SHA256SUMS", False) and "is missing" in message


@pytest.mark.parametrize("line", ["", "short  world/a.bin", "z" * 64 + "  world/a.bin", "0" * 64 + "  "])
def test_unreadable_list_names_the_line(small_world, line):
    with open(small_world / "SHA256SUMS", "a") as stream:
        stream.write(line + "\n")
    with pytest.raises(DataError, match="Line 2 of data/SHA256SUMS is malformed"):
        verified("world/file.bin")


def test_the_sums_need_no_torch():
    code = "import sys, course_utils.files; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=runtime.root()).returncode == 0


def test_all_pixel_values_survive_the_way_there_and_back():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    images = to_model_range(pixels)
    assert images.dtype == torch.float32
    assert (images.min().item(), images.max().item()) == (-1, 1)
    assert torch.equal(to_pixels(images), pixels)


def test_small_overshoot_is_clamped():
    assert to_pixels(torch.tensor([-1.7, 0.0, 1.3])).tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.tensor([0.0, 255.0]), r"must lie in \[-1, 1\]; got max 255.0. Divide by 127.5 and subtract 1"),
        (torch.tensor([-300.0, 0.0]), "got min -300.0"),
        (torch.tensor([0.0, float("nan")]), "NaN or infinite"),
        (torch.tensor([0, 255], dtype=torch.uint8), r"must be floats in \[-1, 1\]; got torch.uint8"),
    ],
)
def test_to_pixels_refuses_what_is_not_in_model_range(images, message):
    with pytest.raises(ValueError, match=message):
        to_pixels(images)


def test_to_model_range_refuses_floats():
    with pytest.raises(ValueError, match="must be uint8 in 0..255; got torch.float32"):
        to_model_range(torch.tensor([0.0, 255.0]))
