"""The photographs: table and files agree, splits share nothing, crops are what they say they are."""

import hashlib
import pickle
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import avg_pool2d
from torch.utils.data import DataLoader

from course_utils import runtime
from course_utils.datasets import photographs
from course_utils.datasets.photographs import PhotographCrops
from course_utils.files import DataError


@pytest.fixture
def ramps(tmp_path, monkeypatch):
    """A data folder with one photograph: red is half the column, green half the row, blue a chessboard."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    row, column = np.mgrid[0:384, 0:512]
    pixels = np.stack([column / 2, row / 2, (row + column) % 2 * 255], axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "ramps.webp", lossless=True, exact=True)
    header, line = "name\ttitle\tsplit\twidth\theight", "ramps\ttwo ramps\ttrain\t512\t384"
    (folder / "photographs.tsv").write_text(f"{header}\n{line}\n")
    sums = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  photographs/{name}\n"
        for name in ("photographs.tsv", "ramps.webp")
    ]
    (tmp_path / "SHA256SUMS").write_text("".join(sums))
    monkeypatch.setattr(runtime, "data_dir", lambda: tmp_path)


def test_counts():
    assert len(photographs.names("train")) == 62
    assert len(photographs.names("test")) == 12
    assert photographs.names() == sorted(photographs.names("train") + photographs.names("test"))


def test_table_and_files_agree():
    on_disk = {path.stem for path in (runtime.data_dir() / "photographs").glob("*.webp")}
    assert on_disk == set(photographs.names())
    for name in photographs.names():
        row, image = photographs.info(name), photographs.load(name)
        assert image.dtype == torch.uint8 and image.shape == (3, row["height"], row["width"])
        assert max(image.shape) <= 512
        assert name.replace("_", "").isalpha() and name.islower()


def test_every_photograph_is_free_and_credited():
    for name in photographs.names():
        row = photographs.info(name)
        assert row["licence"] in ("Public Domain", "CC0-1.0")
        assert row["author"] and row["package"] and row["modified"] and row["source"].startswith("https://")
        assert 1 <= len(row["title"].split()) <= 4


def test_splits_share_no_photograph():
    sources = {photographs.info(name)["source"] for name in photographs.names()}
    assert len(sources) == len(photographs.names()) == 74
    # Nor the same picture twice under two names, perhaps cropped a little: small copies differ clearly
    small = {name: photographs.square(name, 8).float() for name in photographs.names()}
    for held_out in photographs.names("test"):
        for name in photographs.names("train"):
            assert (small[held_out] - small[name]).abs().mean() > 15, (held_out, name)


def test_square_is_the_middle(ramps):
    image = photographs.square("ramps", 96)
    assert image.shape == (3, 96, 96) and image.dtype == torch.uint8
    # Columns 64 to 448 of 512 remain; red is half the column
    assert abs(image[0, 48, 0].item() - 33) <= 1 and abs(image[0, 48, -1].item() - 223) <= 1
    assert abs(image[1, 0, 48].item() - 1) <= 1 and abs(image[1, -1, 48].item() - 190) <= 1


def test_square_shrinks_with_antialiasing():
    # Each pixel is close to the mean of the six by six that it stands for, not to one of them
    whole = photographs.load("great_pyramid")[None, :, :, 85:427].float()
    small = photographs.square("great_pyramid", 57).float()
    assert (small - avg_pool2d(whole, 6)[0]).abs().mean() < 6 < (small - whole[0, :, 3::6, 3::6]).abs().mean()


def test_crops_have_random_place_scale_and_flip(ramps):
    crops = (torch.stack([crop for crop in PhotographCrops("train", length=400)]) + 1) * 127.5
    assert crops.shape == (400, 3, 64, 64)
    across = crops[:, 0, :, -1].mean(dim=1) - crops[:, 0, :, 0].mean(dim=1)
    down = crops[:, 1, -1].mean(dim=1) - crops[:, 1, 0].mean(dim=1)
    # Half of the crops are mirrored, none stands on its head; 400 fair coins fall so far once in 10,000
    assert abs((across < 0).sum().item() - 200) < 40
    assert (down > 0).all()
    # A crop shows 64 to 128 pixels of the photograph, and the ramps rise by half a grey level per pixel
    assert torch.allclose(across.abs(), down, atol=1.5)
    assert 30 < down.min() < 34 and 60 < down.max() < 65
    # Shrunk to two thirds and less, the chessboard melts into grey; single pixels would be 0 or 255
    assert crops[down > 48, 2].std() < 30 < crops[down < 34, 2].std()
    left, top = crops[:, 0].amin(dim=(1, 2)), crops[:, 1].amin(dim=(1, 2))
    assert left.min() < 8 and left.max() > 210 and top.min() < 8 and top.max() > 146


def test_crops_are_in_model_range():
    crop = PhotographCrops("test", size=48)[0]
    assert crop.shape == (3, 48, 48) and crop.dtype == torch.float32
    assert -1 <= crop.min() < crop.max() <= 1


def test_crops_depend_on_seed_and_index_alone():
    first, again, other = (PhotographCrops("test", length=40, seed=seed) for seed in (3, 3, 4))
    late_first = [again[index] for index in reversed(range(40))][::-1]
    assert all(torch.equal(first[index], late_first[index]) for index in range(40))
    assert not any(torch.equal(first[index], other[index]) for index in range(40))
    assert len({first[index].numpy().tobytes() for index in range(40)}) == 40


def test_workers_give_the_same_crops():
    crops = PhotographCrops("test", length=48)
    here = torch.cat(list(DataLoader(crops, batch_size=8)))
    there = torch.cat(list(DataLoader(crops, batch_size=8, num_workers=2)))
    assert torch.equal(here, there)
    # Workers get a pickled copy where they cannot fork; it must not carry the decoded photographs
    assert len(pickle.dumps(crops)) < 20_000


def test_crops_end():
    crops = PhotographCrops("test", length=3)
    assert len(list(crops)) == len(crops) == 3
    assert torch.equal(crops[-1], crops[2])
    with pytest.raises(IndexError, match="3 crops, numbered from 0; got 3"):
        crops[3]


@pytest.mark.parametrize("call", [photographs.load, photographs.info, lambda n: photographs.square(n, 8)])
def test_unknown_name_leads_to_near_ones(call):
    with pytest.raises(ValueError, match="'Red Pander'. Did you mean red_panda .* lists all 74"):
        call("Red Pander")


def test_name_like_no_other_is_named():
    with pytest.raises(ValueError, match="no photograph 'zzz'. photographs.names.* lists all 74"):
        photographs.load("zzz")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: photographs.names("validation"), "split must be one of train, test, or None for all"),
        (lambda: PhotographCrops("validation"), "split must be one of train, test"),
        (lambda: PhotographCrops("train", size=300), "size must lie between 1 and 226, .* got 300"),
        (lambda: PhotographCrops("train", length=0), "length must be at least 1; got 0"),
        (lambda: photographs.square("owl", 400), "between 1 and 342, the short side of .* 'owl'; got 400"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_damaged_and_missing_files_are_named(tmp_path, monkeypatch):
    shutil.copy(runtime.data_dir() / "SHA256SUMS", tmp_path)
    shutil.copytree(runtime.data_dir() / "photographs", tmp_path / "photographs")
    monkeypatch.setattr(runtime, "data_dir", lambda: tmp_path)
    path = tmp_path / "photographs/owl.webp"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="data/photographs/owl.webp is damaged"):
        photographs.load("owl")
    path.unlink()
    with pytest.raises(DataError, match="data/photographs/owl.webp is missing"):
        PhotographCrops("train")
