"""Emoji scenes: reproducible, the same at every size, described truly, annotated exactly, honestly split."""

import hashlib
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from course_utils.datasets.annotations import annotate
from course_utils.datasets.captions import INVERSE, LENGTHS, TEMPLATES, article, caption
from course_utils.datasets.grounds import COLOURS, PATTERNS, VARIANTS, Ground, paint
from course_utils.datasets.heldout import GROUND_PAIRS, RELATION_TRIPLES, STYLE_PAIRS, contains_held_out
from course_utils.datasets.scene import Scene, corner, make_scene, render
from course_utils.datasets.scenes import SPLITS, Scenes
from course_utils.datasets.sprites import STYLES, concept, concepts, cutout
from tests.conftest import ROOT

RELATIONS = {"left of", "above", "in front of"}


@pytest.fixture(scope="module")
def some() -> list[Scene]:
    """300 training scenes of all sorts."""
    train = Scenes("train", seed=3)
    return [train.scene(index) for index in range(300)]


@pytest.fixture(scope="module")
def many() -> list[Scene]:
    train = Scenes("train", seed=0)
    return [train.scene(index) for index in range(20_000)]


def mentions(text: str) -> list[str]:
    """The concepts that a caption names, in order; the longest name wins ("fire engine" is no "fire")."""
    names = sorted(concepts(), key=len, reverse=True)
    found = re.findall(r"(?<![\w-])(" + "|".join(map(re.escape, names)) + r")(?![\w-])", text)
    return list(dict.fromkeys(found))


# Reproducible


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


# The same at every size


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


# Annotations


@pytest.mark.parametrize("size", [32, 64, 128])
def test_boxes_fit_what_is_drawn_within_a_pixel(size, some):
    for scene in some:
        for placed in scene.objects:
            assert 0 <= min(placed.box) and max(placed.box) <= 1, "nothing is cropped by the rim"
            left, top, side = corner(placed, size)
            cut = cutout(scene.style, placed.concept, side, placed.flipped)
            drawn = np.argwhere(cut.keep < 236) + (top + cut.top, left + cut.left)
            found = [*drawn.min(axis=0)[::-1], *(drawn.max(axis=0)[::-1] + 1)]
            assert np.abs(np.array(placed.box) * size - found).max() <= 1, (placed, scene.style)


@pytest.mark.parametrize("size", [32, 128])
def test_masks_depth_and_labels_tell_one_story(size, some):
    for scene in some[:150]:
        known = annotate(scene, size)
        masks, visible = known.masks.numpy(), known.visible.numpy()
        assert visible.sum(axis=0).max() <= 1, "visible masks are disjoint"
        hidden_by = np.zeros((size, size), bool)
        for k in reversed(range(len(scene.objects))):
            assert np.array_equal(visible[k], masks[k] & ~hidden_by)
            assert visible[k].any(), "no object is hidden altogether"
            hidden_by |= masks[k]
            assert (known.depth.numpy()[visible[k]] == k + 1).all()
            label = concept(scene.objects[k].concept).index + 1
            assert np.array_equal(known.semantic.numpy() == label, visible[k])
        assert (known.depth.numpy()[~hidden_by] == 0).all()


def test_masks_are_where_the_picture_differs_from_its_ground(some):
    for scene in some[:60]:
        gap = np.abs(render(scene, 64).astype(int) - paint(scene.ground, 64)).max(axis=0)
        covered = annotate(scene, 64).masks.any(dim=0).numpy()
        # A few pixels may have the colour of the ground, and the soft edge reaches a pixel further
        assert (gap[covered] > 0).mean() > 0.97
        near = covered.copy()
        for axis in (0, 1):
            near |= np.roll(near, 1, axis) | np.roll(near, -1, axis)
        assert (gap[~near] == 0).mean() > 0.99


def test_normals_are_unit_vectors_that_lean_outwards(some):
    for scene in some[:60]:
        known = annotate(scene, 64)
        normals = known.normals
        assert torch.allclose(normals.norm(dim=0), torch.ones(64, 64), atol=1e-5)
        assert (normals[2] > 0).all()
        assert (normals[:, known.depth == 0].T == torch.tensor([0.0, 0.0, 1.0])).all()
    ball = annotate(make_scene("soccer ball", "flat", "blue"), 64)
    inside = ball.masks[0]
    rows, columns = torch.nonzero(inside, as_tuple=True)
    x, y = columns - columns.float().mean(), rows - rows.float().mean()
    # On a ball the normal points away from the middle: to the right on the right, up (positive) at the top
    assert torch.corrcoef(torch.stack([x, ball.normals[0][inside]]))[0, 1] > 0.9
    assert torch.corrcoef(torch.stack([y, ball.normals[1][inside]]))[0, 1] < -0.9


def test_flipping_mirrors_every_map():
    scene = make_scene("fire engine", "glossy", "blue")
    (placed,) = scene.objects
    l, t, r, b = placed.box
    turned = Scene(
        (type(placed)(placed.concept, placed.x, placed.y, placed.size, True, (1 - r, t, 1 - l, b)),),
        scene.ground, scene.style, scene.caption,
    )  # fmt: skip
    assert np.array_equal(render(turned, 64), render(scene, 64)[:, :, ::-1])
    one, other = annotate(scene, 64), annotate(turned, 64)
    assert torch.equal(other.masks, one.masks.flip(-1))
    assert torch.allclose(other.normals[0], -one.normals[0].flip(-1), atol=1e-5)
    mirrored = one.keypoints[0, [0, 1, 3, 2, 4]] * torch.tensor([-1.0, 1, 1]) + torch.tensor([1.0, 0, 0])
    assert torch.allclose(other.keypoints[0], mirrored, atol=1e-6)


def test_edges_are_thin_lines_between_zero_and_one(some):
    for scene in some[:60]:
        known = annotate(scene, 64)
        edges = known.edges
        assert 0 <= edges.min() and edges.max() == 1
        assert (edges[known.depth == 0] == 0).all(), "patterns of the ground are no edges"
        assert (edges > 0).float().mean() < 0.5
        # Each object is outlined: on its way out of a visible mask a row crosses an edge
        for mask in known.visible:
            rows, columns = torch.nonzero(mask, as_tuple=True)
            first = columns[rows == rows.min()].min()
            if rows.min() > 0 and known.depth[rows.min() - 1, first] < known.depth[rows.min(), first]:
                assert edges[rows.min(), first] == 1


def test_keypoints_are_on_their_box_and_know_whether_they_are_seen(some):
    for scene in some:
        small, large = annotate(scene, 32), annotate(scene, 128)
        assert torch.equal(small.keypoints, large.keypoints) and torch.equal(small.boxes, large.boxes)
        for k, (l, t, r, b) in enumerate(large.boxes.tolist()):
            points = large.keypoints[k]
            x, y, seen = points.T
            slack = 4 / 128
            assert ((x >= l) & (x <= r) & (y >= t) & (y <= b)).all()
            assert abs(y[0] - t) < slack and abs(y[1] - b) < slack
            assert abs(x[2] - l) < slack and abs(x[3] - r) < slack
            for (px, py), flag in zip((points[:, :2] * 128).long().tolist(), seen):
                nearer = large.masks[k + 1 :, py, px].any()
                around = large.masks[k + 1 :, max(0, py - 1) : py + 2, max(0, px - 1) : px + 2]
                # At the rim of a nearer object a rounded pixel may say otherwise
                assert bool(flag) != bool(nearer) or around.any() != around.all()


# Captions


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


# Splits


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


# Scenes one asks for


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
