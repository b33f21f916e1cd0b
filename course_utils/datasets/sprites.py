"""The emoji sprites: 98 concepts, each in six art styles, and resized cut-outs of them."""

import difflib
import json
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image

from course_utils.files import verified

STYLES = ("glossy", "flat", "shaded", "vintage", "sticker", "outlined")
CELL = 128
COLUMNS = 10


@dataclass(frozen=True)
class Concept:
    """A concept that can be drawn: its English and Korean names, and what captions need to know about it.

    number: "one" ("a cat"), "many" ("cherries") or "mass" ("fire"); the last two take no article.
    colour: a colour word that applies in all six styles, or None.
    blends_into: {style: background colours on which the sprite is barely visible}.
    """

    index: int
    name: str
    ko: str
    emoji: str
    group: str
    number: str
    colour: str | None
    blends_into: dict[str, tuple[str, ...]]


class Cutout(NamedTuple):
    """A sprite at one size, without its transparent margin, ready for compositing.

    rgb: (3, h, w) uint8, premultiplied by alpha. keep: (h, w) uint16 in 0..256, the weight of the image behind
    it, 256 (1 - alpha). left, top: offset of the crop inside the square cell, in pixels.
    """

    rgb: np.ndarray
    keep: np.ndarray
    left: int
    top: int


@lru_cache(maxsize=1)
def concepts() -> dict[str, Concept]:
    """All concepts by English name, in the order of the sprite sheets.

    Raises DataError when `data/emoji/concepts.json` is missing or damaged.
    """
    rows = json.loads(verified("emoji/concepts.json").read_text(encoding="utf-8"))
    found = {}
    for index, row in enumerate(rows):
        row["blends_into"] = {style: tuple(colours) for style, colours in row["blends_into"].items()}
        found[row["name"]] = Concept(index=index, **row)
    return found


def concept(name: str) -> Concept:
    """The concept with this English name. Raises ValueError, with the nearest names, when there is none."""
    check_choice("concept", name, concepts())
    return concepts()[name]


def check_choice(what: str, given, allowed) -> None:
    """Raise ValueError, naming the nearest choices, unless `given` is in `allowed`."""
    if given in allowed:
        return
    near = difflib.get_close_matches(str(given), list(allowed), n=3, cutoff=0.6)
    words = [name for name in allowed if str(given) in name.split()]
    hints = list(dict.fromkeys(near + words))[:3]
    if hints:
        advice = "did you mean " + " or ".join(f"'{hint}'" for hint in hints) + "?"
    elif len(allowed) <= 12:
        advice = "choose one of " + ", ".join(allowed) + "."
    else:
        advice = "the names are in sprites.concepts()."
    raise ValueError(f"no {what} '{given}'; {advice}")


@lru_cache(maxsize=len(STYLES))
def sheet(style: str) -> np.ndarray:
    """All sprites of a style, (concepts, 128, 128, 4) uint8 RGBA, premultiplied by alpha.

    Raises ValueError for an unknown style, DataError when the sheet is missing or damaged.
    """
    check_choice("style", style, STYLES)
    with Image.open(verified(f"emoji/{style}.webp")) as image:
        pixels = np.array(image.convert("RGBA"))
    alpha = pixels[..., 3:].astype(np.uint16)
    pixels[..., :3] = (pixels[..., :3] * alpha + 127) // 255
    rows = pixels.shape[0] // CELL
    cells = pixels.reshape(rows, CELL, COLUMNS, CELL, 4).swapaxes(1, 2).reshape(-1, CELL, CELL, 4)
    return np.ascontiguousarray(cells[: len(concepts())])


@cache
def silhouette(style: str, name: str) -> np.ndarray:
    """The mask of the sprite: (128, 128) bool, true where it is at least half opaque."""
    return sheet(style)[concept(name).index, ..., 3] >= 128


@cache
def extent(style: str, name: str, flipped: bool = False) -> tuple[float, float, float, float]:
    """The tight bounding box (left, top, right, bottom) of a sprite in its cell, each in [0, 1]."""
    # Fainter pixels belong to the blurred edge
    drawn = sheet(style)[concept(name).index, ..., 3] >= 13
    columns, rows = np.flatnonzero(drawn.any(axis=0)), np.flatnonzero(drawn.any(axis=1))
    left, right = float(columns[0]) / CELL, float(columns[-1] + 1) / CELL
    if flipped:
        left, right = 1 - right, 1 - left
    return left, float(rows[0]) / CELL, right, float(rows[-1] + 1) / CELL


@lru_cache(maxsize=60_000)
def cutout(style: str, name: str, pixels: int, flipped: bool = False) -> Cutout:
    """The sprite in a cell of `pixels` x `pixels`; each is resized once and then cached.

    Raises ValueError for an unknown concept or style.
    """
    if flipped:
        cut = cutout(style, name, pixels)
        left = pixels - cut.left - cut.keep.shape[1]
        return Cutout(cut.rgb[:, :, ::-1].copy(), cut.keep[:, ::-1].copy(), left, cut.top)
    cell = sheet(style)[concept(name).index]
    # A filter without negative weights, on premultiplied colours ("RGBa"), leaves no dark or bright fringes
    small = Image.frombytes("RGBa", (CELL, CELL), cell.tobytes()).resize(
        (pixels, pixels), Image.Resampling.HAMMING
    )
    array = np.frombuffer(small.tobytes(), np.uint8).reshape(pixels, pixels, 4)
    alpha = array[..., 3]
    columns, rows = np.flatnonzero(alpha.any(axis=0)), np.flatnonzero(alpha.any(axis=1))
    array = array[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    alpha = array[..., 3].astype(np.uint16)
    rgb, keep = array[..., :3].transpose(2, 0, 1).copy(), 256 - (alpha * 256 + 127) // 255
    return Cutout(rgb, keep, int(columns[0]), int(rows[0]))


def points(style: str, name: str, count: int = 800, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random points inside a sprite and their colours: (count, 2) with x to the right, y up, both in
    [-1.5, 1.5], and (count, 3) in [0, 1]. Raises ValueError for an unknown concept or style.
    """
    rows, columns = np.nonzero(silhouette(style, name))
    chosen = np.random.default_rng(seed).choice(len(rows), count, replace=count > len(rows))
    rows, columns = rows[chosen], columns[chosen]
    places = np.stack([columns - CELL / 2, CELL / 2 - rows], axis=1) / CELL * 3
    pixels = sheet(style)[concept(name).index, rows, columns]
    return places.astype(np.float32), pixels[:, :3] / np.maximum(pixels[:, 3:], 1)
