"""Scenes one asks for: by relation, by boxes, and with wrong words."""

import re

import pytest

from course_utils.datasets.annotations import annotate
from course_utils.datasets.captions import INVERSE
from course_utils.datasets.scene import make_scene, render
from course_utils.datasets.scenes import Scenes
from course_utils.datasets.sprites import STYLES, concepts


@pytest.mark.parametrize("word", INVERSE)
def test_a_relation_asked_for_is_the_relation_drawn(word):
    for style in STYLES:
        for names in (["bus", "violin"], ["carrot", "ghost"]):
            scene = make_scene(names, style, "pink", relation=word)
            facts = set(scene.relations) | {(b, INVERSE[w], a) for a, w, b in scene.relations}
            assert (names[0], word, names[1]) in facts
            assert f"{names[0]} {word}" in scene.caption


def test_a_sprite_fits_into_its_box():
    for name in concepts():
        asked = (0.1, 0.3, 0.72, 0.8)
        (placed,) = make_scene(name, "vintage", "pink", boxes=[asked]).objects
        l, t, r, b = placed.box
        step = 1 / 32
        assert l >= asked[0] - step and t >= asked[1] - step and r <= asked[2] + step and b <= asked[3] + step
        assert r - l > 0.62 - 2 * step or b - t > 0.5 - 2 * step, "as large as it can be"


def test_a_sprite_in_the_corner_stays_in_the_picture():
    for name in ("bus", "violin", "cloud"):
        for box in ((0, 0, 1, 0.2), (0.8, 0, 1, 1), (0, 0, 1, 1)):
            for style in STYLES:
                (placed,) = make_scene(name, style, "pink", boxes=[box]).objects
                assert 0 <= min(placed.box) and max(placed.box) <= 1


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: make_scene("catt"), "no concept 'catt'; did you mean 'cat'"),
        (lambda: make_scene("cat", "shiny"), "no style 'shiny'; choose one of glossy"),
        (lambda: make_scene("cat", ground="bleu"), "no ground colour 'bleu'; did you mean 'blue'"),
        (lambda: make_scene("cat", pattern="stripes"), "no pattern 'stripes'; did you mean 'striped'"),
        (lambda: make_scene(["cat", "dog"], relation="near"), "no relation 'near'"),
        (lambda: make_scene("cat", relation="above"), "a relation holds between two objects; got 1"),
        (lambda: make_scene(["cat", "cat"]), "a concept can appear only once in a scene"),
        (lambda: make_scene([]), "one to 3 objects; got 0"),
        (lambda: make_scene(["cat", "dog", "fox", "pig"]), "one to 3 objects; got 4"),
        (lambda: make_scene("cat", boxes=[(0, 0, 64, 64)]), "Divide pixel coordinates by the size of the image"),
        (lambda: make_scene("cat", boxes=[(0.5, 0, 0.4, 1)]), "0 <= left < right <= 1"),
        (lambda: make_scene("cat", boxes=[(0, 0, 1)]), "a box is (left, top, right, bottom)"),
        (lambda: make_scene("cat", boxes=[(0, 0, 0.05, 0.05)]), "Make the box larger"),
        (lambda: make_scene(["cat", "dog"], boxes=[(0, 0, 1, 1)]), "got 2 concepts and 1 boxes"),
        (lambda: make_scene(["cat", "dog"], boxes=[(0, 0, 1, 1)] * 2, relation="above"), "either boxes or"),
        (lambda: make_scene("cat", length="tiny"), "no caption length 'tiny'; choose one of short"),
        (lambda: render(make_scene("cat"), 8), "integer number of pixels in 16..512; got 8"),
        (lambda: annotate(make_scene("cat"), 33.5), "integer number of pixels in 16..512; got 33.5"),
        (lambda: Scenes("training"), "no split 'training'; did you mean 'train'"),
        (lambda: Scenes(size=1000), "16..512; got 1000"),
        (lambda: Scenes(seed=-1), "seed must be an integer of at least 0; got -1"),
        (lambda: Scenes(length=0), "length must be an integer of at least 1; got 0"),
    ],
)
def test_bad_input_is_answered_with_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        call()
