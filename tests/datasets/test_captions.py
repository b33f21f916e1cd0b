"""Captions name what a scene shows, and say nothing that is not true."""

import re

import pytest

from course_utils.datasets.captions import INVERSE, LENGTHS, TEMPLATES, article, caption
from course_utils.datasets.grounds import COLOURS
from course_utils.datasets.scene import make_scene
from course_utils.datasets.sprites import STYLES, concepts


def mentions(text: str) -> list[str]:
    """The concepts that a caption names, in order; the longest name wins ("fire engine" is no "fire")."""
    names = sorted(concepts(), key=len, reverse=True)
    found = re.findall(r"(?<![\w-])(" + "|".join(map(re.escape, names)) + r")(?![\w-])", text)
    return list(dict.fromkeys(found))


def test_captions_name_every_object_and_only_those(some):
    for scene in some:
        names = {placed.concept for placed in scene.objects}
        assert set(mentions(scene.caption)) == names
        for length in LENGTHS:
            for variant in range(len(TEMPLATES[len(names), length])):
                for first in range(len(names)):
                    text = caption(scene, length, variant, first)
                    assert set(mentions(text)) == names
                    assert mentions(text)[0] == scene.objects[first].concept
                    assert not re.search(r"\b(a [aeio]|an [^aeiou]|  )", text), text


def test_captions_are_true(many):
    checked = 0
    for scene in many[:3_000]:
        text = scene.caption
        facts = set(scene.relations)
        facts |= {(b, INVERSE[word], a) for a, word, b in facts}
        names = "|".join(sorted((re.escape(p.concept) for p in scene.objects), key=len, reverse=True))
        words = "|".join(INVERSE)
        phrase = rf"({names})(?=[ ,])(?:, (?:both|all) in \w+ style)? ({words}) (?:[\w-]+ )*?({names})(?![\w-])"
        for a, word, b in re.findall(phrase, text):
            assert (a, word, b) in facts, text
            checked += 1
        for style in STYLES:
            assert (style in text.split() or f"{style}," in text) <= (style == scene.style), text
        ground = re.search(r"\bon (?:an? )?(?:(?:plain|striped|dotted|checked|wavy) )?(\w+)", text)
        if ground and ground[1] in COLOURS:
            assert ground[1] == scene.ground.colour, text
        for placed in scene.objects:
            if re.search(rf"\bsmall (?:[\w]+ )*?{re.escape(placed.concept)}", text) and len(scene.objects) == 1:
                assert placed.size < 0.36
    assert checked > 500


def test_places_in_captions_are_true(many):
    found = 0
    for scene in many[:3_000]:
        match = re.search(r"\bat the (top|bottom)? ?(left|right)?(?= of |,|$)", scene.caption)
        if match and len(scene.objects) == 1:
            l, t, r, b = scene.objects[0].box
            x, y = (l + r) / 2, (t + b) / 2
            assert {"top": y < 0.5, "bottom": y > 0.5, None: True}[match[1] or None], scene.caption
            assert {"left": x < 0.5, "right": x > 0.5, None: True}[match[2] or None], scene.caption
            found += 1
    assert found > 50


@pytest.mark.parametrize(
    "phrase, expected",
    [("owl", "an owl"), ("unicorn", "a unicorn"), ("umbrella", "an umbrella"), ("cat", "a cat")],
)
def test_articles_follow_the_sound(phrase, expected):
    assert article(phrase) == expected


def test_plurals_and_uncountables_take_no_article():
    assert make_scene("cherries", length="short").caption == "glossy cherries"
    assert make_scene(["fire", "ice cream"]).caption == "glossy fire left of an ice cream on a blue background"
    scene = make_scene(["cat", "tomato"], "glossy", "blue", relation="left of")
    assert scene.caption == "a glossy cat left of a red tomato on a blue background"
    assert scene.names_ko == ["고양이 얼굴", "토마토"]
