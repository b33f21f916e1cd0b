"""The garments: counts, balance, ranges, splits without a common image, and what happens with wrong input."""

import shutil

import pytest
import torch
from torch.utils.data import DataLoader

from course_utils import runtime
from course_utils.datasets.garments import CLASSES, Garments
from course_utils.files import DataError


@pytest.fixture(scope="module")
def train():
    return Garments("train")


@pytest.fixture(scope="module")
def test():
    return Garments("test")


def test_counts_and_balance(train, test):
    assert len(CLASSES) == 10
    assert train.images.shape == (16_000, 1, 32, 32) and train.images.dtype == torch.uint8
    assert test.images.shape == (4_000, 1, 32, 32) and test.labels.dtype == torch.int64
    assert train.labels.bincount().tolist() == [1_600] * 10
    assert test.labels.bincount().tolist() == [400] * 10


def test_labels_are_shuffled(train):
    # Every stretch of 1,000 images holds every class, as it must for a subset to be fair
    assert all(len(part.unique()) == 10 for part in train.labels.split(1_000))


def test_no_image_appears_twice(train, test):
    images = [image.numpy().tobytes() for image in torch.cat([train.images, test.images])]
    assert len(set(images)) == len(images)


def test_padding_is_black_and_leaves_the_image_alone(test):
    published = Garments("test", size=28)
    assert published.images.shape == (4_000, 1, 28, 28)
    assert torch.equal(test.images[:, :, 2:-2, 2:-2], published.images)
    assert test.images.sum() == published.images.sum()


def test_names_stand_for_what_the_images_show(train):
    mean = {name: (train.of_class(name).mean(dim=0)[0] + 1) / 2 for name in CLASSES}
    # Shoes point to the left and leave the upper left empty; of them, the boot has the highest shaft
    empty = {name for name in CLASSES if mean[name][10:14, 4:14].mean() < 0.05}
    assert empty == {"sandal", "sneaker", "ankle boot"}
    assert max(empty, key=lambda name: mean[name][8:16, 20:].mean()) == "ankle boot"
    # A bag alone is as wide as the picture; trousers have a gap between the legs, where a dress has cloth
    assert max(CLASSES, key=lambda name: mean[name][8:24, 2:7].mean()) == "bag"
    assert mean["trousers"][24:29, 15:17].mean() < 0.3 < 0.6 < mean["dress"][24:29, 15:17].mean()


def test_items_are_in_model_range(test):
    image, label = test[7]
    assert image.shape == (1, 32, 32) and image.dtype == torch.float32
    assert isinstance(label, int) and label == test.labels[7]
    assert image.min() == -1 and 0 < image.max() <= 1
    assert torch.allclose((image + 1) * 127.5, test.images[7].float(), atol=1e-4)


def test_workers_give_the_same_batches(test):
    here = torch.cat([images for images, _ in DataLoader(test, batch_size=500)])
    there = torch.cat([images for images, _ in DataLoader(test, batch_size=500, num_workers=2)])
    assert torch.equal(here, there)


def test_of_class_gives_that_class_only(test):
    bags = test.of_class("bag")
    assert bags.shape == (400, 1, 32, 32)
    assert torch.equal(bags[0], test[test.labels.tolist().index(CLASSES.index("bag"))][0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(split="validation"), "split must be one of train, test; got 'validation'"),
        (dict(size=64), r"size must be 28 \(as published\) or 32 \(padded with black\); got 64"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Garments(**arguments)


def test_unknown_class_is_named(test):
    with pytest.raises(ValueError, match="no class 'hat'; the classes are t-shirt, .*, ankle boot"):
        test.of_class("hat")


def test_damaged_file_is_named(tmp_path, monkeypatch):
    shutil.copy(runtime.data_dir() / "SHA256SUMS", tmp_path)
    shutil.copytree(runtime.data_dir() / "garments", tmp_path / "garments")
    monkeypatch.setattr(runtime, "data_dir", lambda: tmp_path)
    path = tmp_path / "garments/garments.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="data/garments/garments.npz is damaged"):
        Garments()
