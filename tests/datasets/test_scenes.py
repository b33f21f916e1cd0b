"""Emoji scenes: reproducible, the same at every size, made fast."""

import hashlib
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from course_utils.datasets.annotations import annotate
from course_utils.datasets.grounds import COLOURS, PATTERNS, VARIANTS, Ground, paint
from course_utils.datasets.scene import corner, render
from course_utils.datasets.scenes import SPLITS, Scenes
from course_utils.datasets.sprites import STYLES, concepts
from tests.conftest import ROOT


def test_a_scene_is_the_same_in_another_process():
    code = (
        "from course_utils.datasets.scenes import Scenes\n"
        "import hashlib\n"
        "images, captions, _ = Scenes('test', 32, seed=5).batch([7, 3, 4999])\n"
        "print(hashlib.sha256(images.numpy().tobytes() + '|'.join(captions).encode()).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    images, captions, _ = Scenes("test", 32, seed=5).batch([7, 3, 4999])
    here = hashlib.sha256(images.numpy().tobytes() + "|".join(captions).encode()).hexdigest()
    assert there.stdout.strip() == here


def test_dataloader_workers_give_the_items_of_the_main_process():
    scenes = Scenes("train", 32, length=24, annotated=True)
    here = torch.utils.data.DataLoader(scenes, batch_size=8)
    there = torch.utils.data.DataLoader(scenes, batch_size=8, num_workers=2)
    for alone, worked in zip(here, there):
        assert alone.keys() == worked.keys()
        assert alone["image"].shape == (8, 3, 32, 32) and alone["normals"].shape == (8, 3, 32, 32)
        for key, value in alone.items():
            assert value == worked[key] if isinstance(value, list) else torch.equal(value, worked[key]), key


def test_seed_split_and_index_each_change_the_scene():
    base = Scenes("train", seed=0)
    assert base.scene(5) == Scenes("train", size=128, seed=0, length=10).scene(5)
    others = [base.scene(6), Scenes("train", seed=1).scene(5), Scenes("test", seed=0).scene(5)]
    assert all(other != base.scene(5) for other in others)
    assert len({(s.objects, s.ground) for s in map(base.scene, range(2_000))}) == 2_000


def test_items_and_batches_agree():
    scenes = Scenes("test", 64)
    images, captions, records = scenes.batch([4, 9])
    item = scenes[9]
    assert images.dtype == torch.uint8 and item["image"].dtype == torch.float32
    assert torch.equal(((item["image"] + 1) * 127.5).round().to(torch.uint8), images[1])
    assert item["caption"] == captions[1] == records[1].caption
    assert STYLES[item["style"]] == records[1].style
    assert list(COLOURS)[item["ground"]] == records[1].ground.colour
    count = len(records[1].objects)
    assert (item["boxes"][count:] == 0).all() and (item["concepts"][count:] == -1).all()
    names = list(concepts())
    assert [names[k] for k in item["concepts"][:count]] == [placed.concept for placed in records[1].objects]


def test_a_scene_looks_the_same_at_every_size(some):
    for scene in some[:60]:
        large = render(scene, 128).astype(float)
        for size in (32, 64):
            small = large.reshape(3, size, 128 // size, size, 128 // size).mean(axis=(2, 4))
            gap = np.abs(small - render(scene, size))
            assert gap.mean() < 4 and np.quantile(gap, 0.99) < 60, scene.caption


@pytest.mark.parametrize("size", [16, 50, 100, 250])
def test_odd_sizes_work(size, some):
    for scene in some[:20]:
        assert render(scene, size).shape == (3, size, size)
        assert annotate(scene, size).visible.any(dim=(1, 2)).all()


def test_places_are_whole_pixels(some):
    for scene in some:
        for placed in scene.objects:
            for size in (32, 64, 128):
                left, top, side = corner(placed, size)
                assert (left + side / 2, top + side / 2, side) == (
                    placed.x * size, placed.y * size, placed.size * size,
                )  # fmt: skip


def test_an_index_outside_the_set_is_refused():
    scenes = Scenes(length=10)
    assert len(scenes) == 10 and len(list(scenes)) == 10
    for index in (10, -1):
        with pytest.raises(IndexError, match="no scene"):
            scenes[index]


def test_grounds_keep_their_colour_and_differ():
    pictures = {}
    for colour, rgb in COLOURS.items():
        for pattern in PATTERNS:
            for variant in range(VARIANTS):
                picture = paint(Ground(colour, pattern, variant), 32)
                assert np.abs(picture.mean(axis=(1, 2)) - rgb).max() < 20, (colour, pattern)
                pictures[picture.tobytes()] = (colour, pattern)
    # Eight variants of five patterns, and one plain ground, for each colour
    assert len(pictures) >= len(COLOURS) * (5 * 6 + 1)
    values = np.array(list(COLOURS.values()), float)
    gaps = np.linalg.norm(values[:, None] - values[None], axis=-1) + 1e9 * np.eye(len(values))
    assert gaps.min() > 50, "no two named colours look alike"


def test_scenes_are_made_fast():
    # The figure to expect is above 5,000 a second; the floor is low so that a busy machine passes
    scenes = Scenes("train", 32)
    scenes.batch(range(1_500))
    start = time.perf_counter()
    scenes.batch(range(1_500))
    assert 1_500 / (time.perf_counter() - start) > 1_500


def test_all_splits_are_covered_here():
    assert SPLITS == ("train", "test", "unseen-style", "unseen-ground", "unseen-relation")
