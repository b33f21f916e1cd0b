"""Measures of grounding: originals agree, other scenes do not."""

from dataclasses import replace

import pytest
import torch

from course_utils.evaluation.grounding import agreement, box_table, layout_scenes, right_in_front, steep
from course_utils.evaluation.scenes import render
from course_utils.networks import load_network

# Originals at least, the next scene at most; where small is good the other way round
BOUNDS = {"boxes": (0.85, 0.5), "keypoints": (0.05, 0.15), "depth": (0.85, 0.3), "edges": (0.85, 0.4),
          "normals": (25, 35), "semantic": (0.75, 0.1)}


@pytest.fixture(scope="module")
def drawn():
    scenes = layout_scenes(12)
    return scenes, render(scenes, 128)


@pytest.fixture(scope="module")
def recogniser():
    return load_network("scene-recogniser")


@pytest.mark.parametrize("kind", BOUNDS)
def test_originals_agree_and_others_do_not(drawn, recogniser, kind):
    scenes, images = drawn
    right, wrong = (agreement(kind, some, scenes, recogniser).mean() for some in (images, images.roll(1, 0)))
    good, bad = BOUNDS[kind]
    assert (right > good and wrong < bad) if good > bad else (right < good and wrong > bad)


def test_an_empty_image_agrees_with_nothing(drawn, recogniser):
    scenes, images = drawn
    empty = render([replace(scene, objects=()) for scene in scenes], 128)
    assert not agreement("boxes", empty, scenes).any() and (agreement("keypoints", empty, scenes) == 1).all()
    assert not agreement("semantic", empty, scenes, recogniser).any()
    assert not any(agreement(kind, empty, scenes).any() for kind in ("edges", "depth"))


def test_which_thing_is_in_front():
    scenes = layout_scenes(6, apart=False)
    assert all(len(scene.objects) == 2 for scene in scenes)
    assert right_in_front(render(scenes, 128), scenes).tolist() == [1] * 6
    others = [replace(scene, objects=scene.objects[::-1]) for scene in scenes]
    assert right_in_front(render(others, 128), scenes).tolist() == [0] * 6


def test_boxes_and_names_are_of_each_thing(drawn, recogniser):
    scenes, images = drawn
    table = box_table(images, scenes, recogniser)
    assert len(table["iou"]) == len(table["named"]) == sum(len(scene.objects) for scene in scenes) > len(scenes)
    assert table["named"].mean() > 0.9 and box_table(images.roll(1, 0), scenes, recogniser)["named"].mean() < 0.3
    assert set(box_table(images, scenes)) == {"iou"}


def test_steep_is_where_colours_change():
    image = torch.full((1, 3, 32, 32), -1.0)
    image[..., 16:] = 1
    found = steep(image)
    assert found.shape == (1, 1, 32, 32) and found[..., 15:17].any() and not found[..., :13].any()
    assert not found[..., 19:].any() and not steep(0.02 * image).any()
