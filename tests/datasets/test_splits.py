"""Splits are honest: what is held out is never shown in training."""

import re

import pytest

from course_utils.datasets.annotations import annotate
from course_utils.datasets.captions import INVERSE
from course_utils.datasets.grounds import COLOURS, PATTERNS
from course_utils.datasets.heldout import GROUND_PAIRS, RELATION_TRIPLES, STYLE_PAIRS, contains_held_out
from course_utils.datasets.scene import corner, make_scene
from course_utils.datasets.scenes import SPLITS, Scenes
from course_utils.datasets.sprites import STYLES, concepts

RELATIONS = {"left of", "above", "in front of"}


def test_training_never_shows_a_held_out_combination(many):
    assert not any(contains_held_out(scene) for scene in many)
    test = Scenes("test")
    assert not any(contains_held_out(test.scene(index)) for index in range(5_000))


@pytest.mark.parametrize("sort", ["style", "ground", "relation"])
def test_unseen_splits_show_exactly_their_own_sort(sort):
    unseen = Scenes(f"unseen-{sort}", seed=2)
    shown = set()
    for index in range(3_000):
        scene = unseen.scene(index)
        found = contains_held_out(scene)
        assert found and {row[0] for row in found} == {sort}
        text = scene.caption
        if sort == "relation":
            assert any(row[2] in text or INVERSE[row[2]] in text for row in found)
        else:
            assert re.search(rf"\b{found[0][2]}\b", text), "the caption says what was never seen"
        shown |= {row[1:] for row in found}
    assert shown == {"style": STYLE_PAIRS, "ground": GROUND_PAIRS, "relation": RELATION_TRIPLES}[sort]


def test_what_is_held_out_occurs_in_training_in_other_combinations(many):
    pairs = {(p.concept, s.style) for s in many for p in s.objects}
    on = {(p.concept, s.ground.colour) for s in many for p in s.objects}
    assert {style for _, style in pairs} == set(STYLES)
    assert {colour for _, colour in on} == set(COLOURS)
    assert {s.ground.pattern for s in many} == set(PATTERNS)
    assert {name for name, _ in pairs} == set(concepts())
    for name in concepts():
        assert sum((name, style) in pairs for style in STYLES) >= 5, name
        assert sum((name, colour) in on for colour in COLOURS) >= 6, name
    related = {(name, word) for s in many for a, word, b in s.relations for name in (a, b)}
    assert related == {(name, word) for name in concepts() for word in RELATIONS}
    assert {len(s.objects) for s in many} == {1, 2, 3}


def test_held_out_tables_name_what_exists():
    assert len(STYLE_PAIRS) == 60 and len(GROUND_PAIRS) == 90 and len(RELATION_TRIPLES) == 36
    assert {name for name, _ in STYLE_PAIRS | GROUND_PAIRS} <= set(concepts())
    assert {style for _, style in STYLE_PAIRS} == set(STYLES)
    assert {colour for _, colour in GROUND_PAIRS} == set(COLOURS)
    assert {word for _, word, _ in RELATION_TRIPLES} == RELATIONS
    assert {name for a, _, b in RELATION_TRIPLES for name in (a, b)} <= set(concepts())


def test_both_directions_of_a_relation_are_the_same_fact():
    held_out = [("relation", "cat", "left of", "dog")]
    for names, word in ((["cat", "dog"], "left of"), (["dog", "cat"], "right of")):
        assert contains_held_out(make_scene(names, "vintage", "teal", relation=word)) == held_out
    assert contains_held_out(make_scene(["dog", "cat"], "vintage", "teal", relation="left of")) == []
    assert contains_held_out(make_scene("fire engine", "flat", "blue")) == [
        ("style", "fire engine", "flat"), ("ground", "fire engine", "blue"),
    ]  # fmt: skip


def test_objects_in_front_hide_a_part_but_not_all(many):
    overlapping = [s for s in many[:2_000] if any(word == "in front of" for _, word, _ in s.relations)]
    assert len(overlapping) > 150
    for scene in overlapping:
        back, front = annotate(scene, 32).masks
        share = (back & front).sum() / back.sum()
        assert 0.06 <= share <= 0.52


@pytest.mark.parametrize("split", SPLITS)
def test_coarse_scenes_show_few_forms_on_few_places(split):
    world = Scenes(split, coarse=True)
    scenes = [world.scene(index) for index in range(800)]
    held_out = [contains_held_out(scene) for scene in scenes]
    assert all(len(found) > 0 for found in held_out) if split.startswith("unseen") else not any(held_out)
    sides = set()
    for scene in scenes:
        for placed in scene.objects:
            left, top, side = corner(placed, 8)
            assert (left + side / 2, top + side / 2, side) == (placed.x * 8, placed.y * 8, placed.size * 8)
            assert left >= 0 and top >= 0 and max(left, top) + side <= 8 and not placed.flipped
            sides.add((len(scene.objects) == 1, side))
    assert sides == ({(False, 4)} if split == "unseen-relation" else {(True, 6), (False, 4)})
    related = {word for scene in scenes for _, word, _ in scene.relations}
    assert related == RELATIONS
    for scene in scenes:
        if len(scene.objects) == 2 and scene.relations[0][1] == "in front of":
            back, front = annotate(scene, 32).masks
            assert (back & front).any() and (back & ~front).sum() >= 0.4 * back.sum()
    assert {scene.ground.variant for scene in scenes} == {0}
