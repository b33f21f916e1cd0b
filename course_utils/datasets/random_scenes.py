"""Random scenes: the concepts, style and background that a split combines, and the layout of the objects."""

from functools import cache
from math import cos, pi, sin
from random import Random

import numpy as np

from course_utils.datasets.captions import INVERSE, LENGTHS, caption
from course_utils.datasets.grounds import COLOURS, PATTERNS, VARIANTS, Ground
from course_utils.datasets.heldout import GROUND_PAIRS, RELATION_TRIPLES, STYLE_PAIRS
from course_utils.datasets.scene import GRID, Placed, Scene, corner, place, relation_of, windows
from course_utils.datasets.sprites import STYLES, concepts, cutout

SPLITS = ("train", "test", "unseen-style", "unseen-ground", "unseen-relation")
COLOUR_NAMES = tuple(COLOURS)
# A cell: left, top and side in steps of 1/32
Cell = tuple[int, int, int]
Names = tuple[str, ...]
# An object to be placed: its concept, and whether it is mirrored
Item = tuple[str, bool]
# The grid step of coarse scenes, in 1/32: at 32 pixels, the patch that one token of a U-Net's middle covers
COARSE = 4
# Proportions of scenes with one, two and three objects
SHARES = (0.3, 0.5, 0.2)


def random_scene(split: str, seed: int, index: int, among: Names | None = None, shares=SHARES, coarse=False) -> Scene:
    """Scene `index` of a split: the same in every process, whatever was drawn before.

    among: the concepts to draw from (default: all). shares: proportions of scenes with one, two and three objects.
    coarse: objects in two sizes on a coarse grid, none mirrored.
    """
    step = COARSE if coarse else 1
    # Random.random() gives the same numbers in every version of Python; its other methods need not
    u = Random(((seed << 64) + index) * len(SPLITS) + SPLITS.index(split)).random
    while True:
        style, colour, names, word = _theme(split, u, among, shares)
        flips = [not coarse and u() < 0.5 for _ in names]
        if word == "in front of":
            names.reverse()
        objects = _layout(u, word, style, list(zip(names, flips)), step)
        ground = Ground(colour, _pick(PATTERNS, u), _pick(range(1 if coarse else VARIANTS), u))
        scene = Scene(objects, ground, style, "")
        # No held-out relation except the one that the split asks for, which the layout must realise
        if any(triple in RELATION_TRIPLES for triple in scene.relations) != (word is not None):
            continue
        return Scene(objects, ground, style, _caption(scene, split, word, u))


def _caption(scene: Scene, split: str, word: str | None, u) -> str:
    """A random caption; in the unseen splits, one that states the held-out combination."""
    colour = scene.ground.colour
    said = {
        "unseen-style": (scene.style,),
        "unseen-ground": (f"on {colour}", f"{colour} background", f"{colour} gradient"),
        "unseen-relation": (word, INVERSE.get(word)),
    }.get(split, ("",))
    while True:
        r = u()
        first = int(u() * (6 if len(scene.objects) == 3 else len(scene.objects)))
        text = caption(scene, LENGTHS[(r > 0.25) + (r > 0.75)], int(u() * 12), first)
        if any(phrase in text for phrase in said):
            return text


def _pick(choices, u):
    return choices[int(u() * len(choices))]


@cache
def usual(style: str, colour: str, among: Names | None = None) -> Names:
    """The concepts that training combines with a style and a background colour: not held out, and visible on it."""
    return tuple(name for name in _visible(style, colour, among) if _is_usual(name, style, colour))


def _is_usual(name: str, style: str, colour: str) -> bool:
    return (name, style) not in STYLE_PAIRS and (name, colour) not in GROUND_PAIRS


def _visible(style: str, colour: str, among: Names | None) -> list[str]:
    return [name for name, known in concepts().items()
            if colour not in known.blends_into.get(style, ()) and (among is None or name in among)]


@cache
def unseen(split: str, among: Names | None = None) -> tuple[tuple, ...]:
    """All held-out (style, background colour, concepts, relation) of a split of unseen combinations."""
    everywhere = [(style, colour) for style in STYLES for colour in COLOURS]
    if split == "unseen-relation":
        return tuple(
            (style, colour, (a, b), word)
            for a, word, b in sorted(RELATION_TRIPLES)
            for style, colour in everywhere
            if a in usual(style, colour, among) and b in usual(style, colour, among)
        )
    return tuple(
        (style, colour, (name,), None)
        for style, colour in everywhere
        for name in _visible(style, colour, among)
        if ((name, style) in STYLE_PAIRS, (name, colour) in GROUND_PAIRS)
        == (split == "unseen-style", split == "unseen-ground")
    )


def _theme(split: str, u, among: Names | None, shares) -> tuple[str, str, list[str], str | None]:
    """Draw the style, the background colour, the concepts and, for unseen relations, the relation."""
    if split in ("train", "test"):
        style, colour, names, word = _pick(STYLES, u), _pick(COLOUR_NAMES, u), [], None
    else:
        style, colour, names, word = _pick(unseen(split, among), u)
        names = list(names)
    r = u()
    count = 2 if word else 1 + (r > shares[0]) + (r > shares[0] + shares[1])
    choices = usual(style, colour, among)
    while len(names) < count:
        name = _pick(choices, u)
        if name not in names:
            # At a random position, so that the held-out concept is not always the first
            names.insert(int(u() * (len(names) + 1)) if word is None else len(names), name)
    return style, colour, names, word


def _layout(u, word: str | None, style: str, items: list[Item], step: int) -> tuple[Placed, ...]:
    """Place the objects, from back to front; two of them in the given relation, or in any when it is None."""
    r = u()
    if len(items) == 2 and (word == "in front of" or (word is None and r > 0.7)):
        pair = _overlapping(u, style, items, step)
        if pair:
            return pair
    cells = (_cells if step == 1 else _coarse_cells)(u, len(items))
    if len(items) == 2 and (word == "above" or (word is None and r > 0.35)):
        cells = [(top, left, side) for left, top, side in cells]
    return tuple(_put(style, item, cell) for item, cell in zip(items, cells))


def _cells(u, count: int) -> list[Cell]:
    """Random cells of one to three objects; of two, the first is clearly left of the second."""
    if count == 1:
        side = 12 + 2 * int(u() * 9)
        return [(int(u() * (GRID - side + 1)), int(u() * (GRID - side + 1)), side)]
    return _beside(u, 11 + int(u() * 6), 11 + int(u() * 6)) if count == 2 else _turn(_three(u), u)


def _coarse_cells(u, count: int) -> list[Cell]:
    """The same on a coarse grid, in two sizes: a large object in the middle, or several of half the image's side."""
    wide, large, small = GRID // COARSE, GRID * 3 // 4 // COARSE, GRID // 2 // COARSE
    if count == 1:
        cells = [((wide - large) // 2, (wide - large) // 2, large)]
    elif count == 2:
        cells = [(0, wide // 4, small), (small, wide // 4, small)]
    else:
        pair = _beside(u, small, small, wide, small)
        cells = _turn([*pair, (int(u() * (wide - small + 1)), small, small)], u, wide)
    return [(COARSE * left, COARSE * top, COARSE * side) for left, top, side in cells]


def _put(style: str, item: Item, cell: Cell) -> Placed:
    return place(item[0], style, *cell, flipped=item[1])


def _beside(u, side1: int, side2: int, width: int = GRID, height: int = GRID) -> list[Cell]:
    """Two cells in `width` x `height` steps, the first clearly left of the second."""
    slack = width - side1 - side2
    left1 = int(u() * (slack + 1))
    left2 = left1 + side1 + int(u() * (slack - left1 + 1))
    top1 = int(u() * (height - side1 + 1))
    # Clearly: the vertical distance of the centres is at most half of their horizontal distance
    middle1, reach = 2 * top1 + side1, (2 * left2 + side2 - 2 * left1 - side1) // 2
    lowest = max(0, -((reach + side2 - middle1) // 2))
    highest = min(height - side2, (middle1 + reach - side2) // 2)
    top2 = lowest + int(u() * (highest - lowest + 1))
    return [(left1, top1, side1), (left2, top2, side2)]


def _overlapping(u, style: str, items: list[Item], step: int = 1) -> tuple[Placed, Placed] | None:
    """Place two objects so that the second occludes the first partly, but not too much; None if it fails."""
    for _ in range(8):
        side1, side2 = (15 + int(u() * 6), 12 + int(u() * 6)) if step == 1 else (GRID // 2, GRID // 2)
        angle, far = 2 * pi * u(), (0.4 + 0.3 * u()) * (side1 + side2) / 2
        across = step * round((far * cos(angle) + (side1 - side2) / 2) / step)
        down = step * round((far * sin(angle) + (side1 - side2) / 2) / step)
        room_x = min(GRID - side1, GRID - side2 - across) - max(0, -across)
        room_y = min(GRID - side1, GRID - side2 - down) - max(0, -down)
        if room_x < 0 or room_y < 0:
            continue
        left = max(0, -across) + step * int(u() * (room_x // step + 1))
        top = max(0, -down) + step * int(u() * (room_y // step + 1))
        back = _put(style, items[0], (left, top, side1))
        front = _put(style, items[1], (left + across, top + down, side2))
        if relation_of(back, front) == "behind" and 0.08 <= hidden(style, back, front) <= 0.5:
            return back, front
    return None


def hidden(style: str, back: Placed, front: Placed) -> float:
    """The fraction of the silhouette of `back` that `front` occludes, measured at 32 pixels."""
    solid, cover = np.zeros((2, GRID, GRID), bool)
    for image, placed in ((solid, back), (cover, front)):
        left, top, side = corner(placed, GRID)
        cut = cutout(style, placed.concept, side, placed.flipped)
        there, here = windows(left + cut.left, top + cut.top, cut.keep.shape, GRID)
        image[there] = cut.keep[here] < 128
    return np.count_nonzero(solid & cover) / max(1, np.count_nonzero(solid))


def _three(u) -> list[Cell]:
    """Three cells: a row, or two side by side above a third."""
    if u() < 0.35:
        sides = [9 + (u() < 0.5) for _ in range(3)]
        slack = GRID - sum(sides)
        middle = 7 + int(u() * 19)
        cells, left = [], int(u() * (slack + 1))
        for side in sides:
            top = min(max(0, middle - side // 2 - 2 + int(u() * 5)), GRID - side)
            cells.append((left, top, side))
            left += side
        return cells
    upper = 15
    pair = _beside(u, 11 + int(u() * 4), 11 + int(u() * 4), height=upper)
    side = 12 + int(u() * 4)
    middle = sum(2 * left + width for left, _, width in pair) // 4 - 3 + int(u() * 7)
    left = min(max(0, middle - side // 2), GRID - side)
    return [*pair, (left, upper + int(u() * (GRID - upper - side + 1)), side)]


def _turn(cells: list[Cell], u, wide: int = GRID) -> list[Cell]:
    """Transpose a layout and mirror it in either axis, each with probability 1/2."""
    if u() < 0.5:
        cells = [(top, left, side) for left, top, side in cells]
    if u() < 0.5:
        cells = [(wide - left - side, top, side) for left, top, side in cells]
    if u() < 0.5:
        cells = [(left, wide - top - side, side) for left, top, side in cells]
    return cells
