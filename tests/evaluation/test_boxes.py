"""Boxes of objects, found in images of scenes."""

import pytest
import torch

from course_utils.datasets.grounds import COLOURS, PATTERNS, Ground
from course_utils.datasets.scene import Scene, make_scene
from course_utils.evaluation.boxes import box_scores, found_boxes, iou
from course_utils.evaluation.scenes import evaluation_scenes, render

BOXES = [(0.1, 0.1, 0.4, 0.4), (0.55, 0.5, 0.95, 0.9)]


def test_overlap_of_boxes():
    assert iou((0, 0, 1, 1), (0, 0, 1, 1)) == 1 and iou((0, 0, 0.5, 1), (0.5, 0, 1, 1)) == 0
    assert iou((0, 0, 0.5, 1), (0.25, 0, 1, 1)) == pytest.approx(0.25) == iou((0.25, 0, 1, 1), (0, 0, 0.5, 1))


@pytest.mark.parametrize("colour, pattern", list(zip(COLOURS, 2 * PATTERNS)))
def test_a_background_holds_no_object(colour, pattern):
    (image,) = render([Scene((), Ground(colour, pattern), "flat", "")], 128)
    assert found_boxes(image) == []
    assert box_scores(image[None], [BOXES]).tolist() == [0, 0]


def test_two_objects_have_two_boxes():
    scene = make_scene(["panda", "castle"], "glossy", "blue", boxes=BOXES)
    (image,) = render([scene], 128)
    found = found_boxes(image)
    assert len(found) == 2 and found[0] > found[1], "the larger one first"
    for placed, box in zip(scene.objects, found[::-1]):
        assert iou(placed.box, box) > 0.9
    assert found_boxes(image, most=1) == found[:1]


def test_originals_keep_their_boxes_and_others_do_not():
    scenes = [scene for scene in evaluation_scenes("test", 64)[32:] if scene.relations[0][1] != "in front of"]
    asked, images = [[placed.box for placed in scene.objects] for scene in scenes], render(scenes, 128)
    right, wrong = box_scores(images, asked), box_scores(images, asked[1:] + asked[:1])
    assert len(right) == 2 * len(scenes) and right.mean() > 0.85 and wrong.mean() < 0.65
    noisy = (images + 0.1 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    assert box_scores(noisy, asked).mean() > 0.8


def test_as_many_boxes_are_found_as_were_asked_for():
    (image,) = render([Scene((), Ground("blue", "plain"), "flat", "")], 128)
    asked = [(x, y, x + 0.25, y + 0.25) for x, y in ((0, 0), (0.35, 0), (0.7, 0), (0, 0.5), (0.5, 0.5))]
    for left, top, right, bottom in asked:
        image[:, round(128 * top) : round(128 * bottom), round(128 * left) : round(128 * right)] = 1
    assert box_scores(image[None], [asked]).min() > 0.8
