"""Scenes laid out anew, and what a grounded model is told of them."""

import pytest
import torch

from course_utils.datasets.annotations import annotate
from course_utils.datasets.heldout import contains_held_out
from course_utils.datasets.layouts import KINDS, relaid, told
from course_utils.datasets.scenes import Scenes
from course_utils.datasets.vocabulary import FAMILIAR
from course_utils.evaluation.boxes import iou


@pytest.fixture(scope="module")
def scenes():
    return [Scenes(among=FAMILIAR, coarse=True, shares=(0.4, 0.4, 0.2)).scene(i) for i in range(150)]


def test_things_and_background_stay_and_places_change(scenes):
    new = [relaid(scene, i) for i, scene in enumerate(scenes)]
    for scene, other in zip(scenes, new):
        assert [placed.concept for placed in scene.objects] == [placed.concept for placed in other.objects]
        assert (scene.style, scene.ground) == (other.style, other.ground) and not contains_held_out(other)
        assert all(placed.concept in other.caption for placed in other.objects)
        assert all(0 <= value <= 1 for placed in other.objects for value in placed.box)
    assert new == [relaid(scene, i) for i, scene in enumerate(scenes)]
    moved = [a.box != b.box for scene, other in zip(scenes, new) for a, b in zip(scene.objects, other.objects)]
    assert sum(moved) > 0.9 * len(moved)


def test_captions_say_where_things_are_now(scenes):
    """Where a caption states a relation, it is that of the new places."""
    stated = 0
    for i, scene in enumerate(scenes):
        other = relaid(scene, i)
        if len(other.objects) == 2 and " left of " in other.caption:
            ((a, word, b),) = other.relations
            stated += 1
            assert word == "left of" and other.caption.index(a) < other.caption.index(b)
    assert stated > 3


def test_things_hide_each_other_only_in_part(scenes):
    for i, scene in enumerate(scenes):
        found = annotate(relaid(scene, i), 64)
        assert all(visible.sum() > 0.3 * mask.sum() for visible, mask in zip(found.visible, found.masks))


@pytest.mark.parametrize("kind, shape", zip(KINDS[1:], [(4, 3, 5, 3), (4, 64, 64), (4, 64, 64), (4, 3, 64, 64),
                                                        (4, 64, 64)]))
def test_what_a_model_is_told(scenes, kind, shape):
    value = told(scenes[:4], kind)
    assert tuple(value.shape) == shape
    if kind == "depth":
        assert value.min() == 0 and all(float(each.max()) == 1 for each in value)
    if kind == "semantic":
        assert value.dtype == torch.int64 and value.max() <= 98


def test_boxes_have_names(scenes):
    assert told(scenes[:4], "boxes") == [[(placed.concept, placed.box) for placed in scene.objects]
                                         for scene in scenes[:4]]
    with pytest.raises(ValueError, match="grounding"):
        told(scenes, "sounds")


def test_more_scenes_overlap_where_more_may(scenes):
    pairs = [scene for scene in scenes if len(scene.objects) == 2]

    def share(overlapping):
        boxes = [[placed.box for placed in relaid(scene, i, overlapping).objects] for i, scene in enumerate(pairs)]
        return sum(iou(*two) > 0 for two in boxes) / len(boxes)

    assert share(0.0) == 0
    assert share(0.8) > share(0.25) + 0.1
