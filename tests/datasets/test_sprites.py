"""The emoji sprites: complete, named in two languages, truthful about colours, clear in what went wrong."""

import json
import re
import shutil

import numpy as np
import pytest

from course_utils.datasets.grounds import COLOURS
from course_utils.datasets.sprites import STYLES, concept, concepts, cutout, extent, sheet, silhouette
from course_utils.files import DataError
from tests.conftest import ROOT

FOLDER = ROOT / "data" / "emoji"


def test_ninety_eight_concepts_in_six_styles():
    assert len(concepts()) == 98 and len(STYLES) == 6
    assert all(sheet(style).shape == (98, 128, 128, 4) for style in STYLES)
    assert [known.index for known in concepts().values()] == list(range(98))


def test_names_are_unique_plain_and_in_both_languages():
    known = list(concepts().values())
    assert len({one.ko for one in known}) == len({one.emoji for one in known}) == 98
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z -]*[a-z]", one.name) for one in known)
    assert all(re.fullmatch(r"[가-힣 ]+", one.ko) for one in known)
    assert {one.number for one in known} == {"one", "many", "mass"}
    assert concept("cat").ko == "고양이 얼굴" and concept("jack-o-lantern").ko == "호박등"


@pytest.mark.parametrize("style", STYLES)
def test_each_sprite_fills_its_cell_and_is_a_drawing_of_its_own(style):
    for name in concepts():
        left, top, right, bottom = extent(style, name)
        assert 0.9 < max(right - left, bottom - top) <= 1, name
        # Centred to a pixel, so that a box tells where its cell is
        assert abs(left + right - 1) <= 2 / 128 and abs(top + bottom - 1) <= 2 / 128, name
        assert silhouette(style, name).mean() > 0.05, name
    assert len({cell.tobytes() for cell in sheet(style)}) == 98


def test_styles_are_different_drawings():
    for one in range(6):
        for other in range(one):
            gap = np.abs(sheet(STYLES[one]).astype(int) - sheet(STYLES[other])).mean(axis=(1, 2, 3))
            assert gap.min() > 0.5, (STYLES[one], STYLES[other])


def test_sheets_are_premultiplied():
    for style in STYLES:
        cells = sheet(style)
        assert (cells[..., :3] <= cells[..., 3:]).all()


def test_colour_words_are_those_of_the_ground_list():
    words = {one.colour for one in concepts().values()} - {None}
    assert words == {"red", "orange", "yellow", "green", "blue"}
    assert concept("lemon").colour == "yellow" and concept("fire engine").colour is None


def test_every_concept_can_be_seen_on_most_grounds():
    for one in concepts().values():
        assert set(one.blends_into) <= set(STYLES)
        assert all(set(colours) < set(COLOURS) and len(colours) <= 4 for colours in one.blends_into.values())
    assert "yellow" in concept("lemon").blends_into["flat"]


@pytest.mark.parametrize("pixels", [9, 24, 128, 200])
def test_cutouts_keep_their_area_and_mirror_exactly(pixels):
    for name in ("cat", "fire", "steam train"):
        cut, mirrored = cutout("shaded", name, pixels), cutout("shaded", name, pixels, flipped=True)
        assert cut.rgb.dtype == np.uint8 and cut.keep.max() <= 256
        assert (cut.rgb <= 256 - cut.keep).all(), "colour without opacity"
        share = (256 - cut.keep.astype(int)).sum() / 256 / pixels**2
        whole = sheet("shaded")[concept(name).index, ..., 3].mean() / 255
        assert share == pytest.approx(whole, abs=0.02)
        assert np.array_equal(mirrored.rgb, cut.rgb[:, :, ::-1])
        assert mirrored.left == pixels - cut.left - cut.keep.shape[1]


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: concept("catt"), "no concept 'catt'; did you mean 'cat'"),
        (lambda: concept("apple"), "'red apple'"),
        (lambda: concept("xyzzy"), "the names are in sprites.concepts()"),
        (lambda: sheet("watercolour"), "no style 'watercolour'; choose one of glossy, flat"),
        (lambda: cutout("glosy", "cat", 32), "did you mean 'glossy'"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(call, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        call()


def test_a_damaged_sheet_is_named(tmp_path, monkeypatch):
    shutil.copytree(FOLDER, tmp_path / "emoji")
    shutil.copy(ROOT / "data" / "SHA256SUMS", tmp_path)
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    damaged = tmp_path / "emoji" / "flat.webp"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    sheet.cache_clear()
    try:
        with pytest.raises(DataError, match="emoji/flat.webp is damaged"):
            sheet("flat")
        damaged.unlink()
        with pytest.raises(DataError, match="emoji/flat.webp is missing"):
            sheet("flat")
    finally:
        sheet.cache_clear()


def test_the_table_of_the_builder_is_what_is_shipped():
    rows = json.loads((FOLDER / "concepts.json").read_text(encoding="utf-8"))
    lines = (ROOT / "data" / "build" / "emoji_concepts.tsv").read_text(encoding="utf-8").splitlines()
    header = lines[0].split("\t")
    table = [dict(zip(header, line.split("\t"))) for line in lines[1:]]
    assert [{**row, "colour": row["colour"] or None} for row in table] == [
        {key: value for key, value in row.items() if key != "blends_into"} for row in rows
    ]


def test_files_are_small_and_licences_are_named():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 6e6
    assert (FOLDER / "preview.png").stat().st_size < 700_000
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    assert all(f"`{style}.webp`" in notice for style in STYLES)
