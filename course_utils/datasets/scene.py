"""Captioned scenes of one to three emoji on a coloured background: their records, composition and rendering."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from course_utils.datasets.captions import INVERSE, caption
from course_utils.datasets.grounds import COLOURS, PATTERNS, Ground, paint
from course_utils.datasets.sprites import STYLES, check_choice, concept, cutout, extent

# Positions and sizes are multiples of 1/32, so that they are whole pixels at 32, 64 and 128
GRID = 32
MOST = 3


@dataclass(frozen=True, slots=True)
class Placed:
    """One object of a scene.

    x, y: the centre of its square cell, size: the cell's side, all in [0, 1] of the image's side.
    box: the tight bounding box (left, top, right, bottom) of what is drawn, each in [0, 1].
    """

    concept: str
    x: float
    y: float
    size: float
    flipped: bool
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Scene:
    """The description of an image, independent of its size; objects are ordered from back to front."""

    objects: tuple[Placed, ...]
    ground: Ground
    style: str
    caption: str

    @property
    def relations(self) -> list[tuple[str, str, str]]:
        """The relation of each pair of objects, from their bounding boxes: (A, word, B).

        word is "left of", "above" or "in front of"; A right of B is written as B left of A, and so on.
        """
        pairs = []
        for j, front in enumerate(self.objects):
            for back in self.objects[:j]:
                word = relation_of(back, front)
                if word in ("left of", "above"):
                    pairs.append((back.concept, word, front.concept))
                else:
                    pairs.append((front.concept, INVERSE[word], back.concept))
        return pairs

    @property
    def names_ko(self) -> list[str]:
        """The Korean names of the objects, from back to front."""
        return [concept(placed.concept).ko for placed in self.objects]


def relation_of(back: Placed, front: Placed) -> str:
    """The relation of `back` to `front`, which is drawn after it, such as "left of".

    It is "behind" when their bounding boxes overlap by at least a tenth of the smaller one; otherwise the axis on
    which the centres of the boxes lie farther apart decides between left, right, above and below.
    """
    l1, t1, r1, b1 = back.box
    l2, t2, r2, b2 = front.box
    width, height = min(r1, r2) - max(l1, l2), min(b1, b2) - max(t1, t2)
    if width > 0 and height > 0:
        if width * height >= 0.1 * min((r1 - l1) * (b1 - t1), (r2 - l2) * (b2 - t2)):
            return "behind"
    across, down = l2 + r2 - l1 - r1, t2 + b2 - t1 - b1
    if abs(across) >= abs(down):
        return "left of" if across > 0 else "right of"
    return "above" if down > 0 else "below"


def place(name: str, style: str, left: int, top: int, side: int, flipped: bool = False) -> Placed:
    """Place a sprite in the square cell at (left, top); all numbers are in units of 1/32 of the image's side."""
    l, t, r, b = extent(style, name, flipped)
    x, y, size = left / GRID, top / GRID, side / GRID
    box = (x + l * size, y + t * size, x + r * size, y + b * size)
    return Placed(name, x + size / 2, y + size / 2, size, flipped, box)


def corner(placed: Placed, size: int) -> tuple[int, int, int]:
    """The cell of an object in an image of `size` pixels: left, top and side in integer pixels."""
    half = placed.size / 2
    # Halves are rounded up, unlike round(), so that equal sizes stay equal at every position
    left, top = int((placed.x - half) * size + 0.5), int((placed.y - half) * size + 0.5)
    return left, top, int(placed.size * size + 0.5)


def render(scene: Scene, size: int = 32) -> np.ndarray:
    """Render a scene: (3, size, size) uint8. Raises ValueError unless `size` is an integer in 16..512."""
    check_size(size)
    image = paint(scene.ground, size).copy()
    draw_onto(image, scene, size)
    return image


def draw_onto(image: np.ndarray, scene: Scene, size: int) -> None:
    """Composite the objects of a scene onto `image`, (3, size, size) uint8, in place, from back to front."""
    for placed in scene.objects:
        left, top, side = corner(placed, size)
        cut = cutout(scene.style, placed.concept, side, placed.flipped)
        there, here = windows(left + cut.left, top + cut.top, cut.keep.shape, size)
        part = image[:, *there]
        behind = part * cut.keep[here]
        behind += 128
        behind >>= 8
        behind += cut.rgb[:, *here]
        part[...] = behind


def windows(left: int, top: int, shape: tuple[int, int], size: int) -> tuple[tuple[slice, slice], ...]:
    """The slices of an image that a (height, width) patch covers, and the slices of the patch that are inside.

    At sizes that are not multiples of 32, rounding may push a patch over the image's edge by a pixel.
    """
    bottom, right = min(top + shape[0], size), min(left + shape[1], size)
    up, back = max(top, 0), max(left, 0)
    here = slice(up - top, bottom - top), slice(back - left, right - left)
    return (slice(up, bottom), slice(back, right)), here


def check_size(size: int) -> None:
    """Raise ValueError unless `size` is an integer in 16..512."""
    if not isinstance(size, int) or isinstance(size, bool) or not 16 <= size <= 512:
        raise ValueError(
            f"size must be an integer number of pixels in 16..512; got {size!r}. The course uses 32, 64 and 128."
        )


def make_scene(
    concepts: str | Sequence[str],
    style: str = "glossy",
    ground: str = "blue",
    *,
    pattern: str = "plain",
    relation: str | None = None,
    boxes: Sequence[Sequence[float]] | None = None,
    length: str = "medium",
) -> Scene:
    """Compose a scene, with its caption; held-out combinations are allowed.

    concepts: one to three names. relation: that of the first of two to the second, such as "left of" (the
    default). boxes: instead, one bounding box (left, top, right, bottom) in [0, 1] per concept, from back to front;
    each sprite is fitted into its box on a grid of 1/32, so read the exact box from the result.
    Raises ValueError, with the nearest names, for unknown names and for impossible layouts.
    """
    names = [concepts] if isinstance(concepts, str) else list(concepts)
    if not 1 <= len(names) <= MOST:
        raise ValueError(f"a scene has one to {MOST} objects; got {len(names)}.")
    for name in names:
        concept(name)
    if len(set(names)) < len(names):
        raise ValueError(f"a concept can appear only once in a scene, or captions would be ambiguous; got {names}.")
    check_choice("style", style, STYLES)
    check_choice("ground colour", ground, COLOURS)
    check_choice("pattern", pattern, PATTERNS)
    if boxes is not None and relation is not None:
        raise ValueError("give either boxes or a relation, not both: the boxes decide the relation.")
    if boxes is not None:
        objects = _fit_all(names, style, boxes)
    else:
        objects = _arrange(names, style, relation)
    scene = Scene(tuple(objects), Ground(ground, pattern), style, "")
    first = [placed.concept for placed in objects].index(names[0])
    return replace(scene, caption=caption(scene, length, first=first))


def _arrange(names: list[str], style: str, relation: str | None) -> list[Placed]:
    """Objects of medium size in the given relation, or in a row."""
    if relation is not None:
        check_choice("relation", relation, INVERSE)
        if len(names) != 2:
            raise ValueError(f"a relation holds between two objects; got {len(names)}.")
    if len(names) == 1:
        return [place(names[0], style, 4, 4, 24)]
    if len(names) == 3:
        return [place(name, style, 1 + 10 * k, 11, 10) for k, name in enumerate(names)]
    if relation in ("right of", "below", "in front of"):
        names, relation = names[::-1], INVERSE[relation]
    if relation == "behind":
        back = place(names[0], style, 4, 4, 17)
        # Wide or tall sprites must come closer before their boxes overlap enough
        fronts = (place(names[1], style, 4 + k, 4 + k, 17) for k in (9, 7, 5, 3, 1))
        return [back, next(front for front in fronts if relation_of(back, front) == "behind")]
    cells = ((9, 1), (9, 17)) if relation == "above" else ((1, 9), (17, 9))
    return [place(name, style, left, top, 14) for name, (left, top) in zip(names, cells)]


def _fit_all(names: list[str], style: str, boxes) -> list[Placed]:
    if len(boxes) != len(names):
        raise ValueError(f"one box per concept is needed; got {len(names)} concepts and {len(boxes)} boxes.")
    return [_fit(name, style, box) for name, box in zip(names, boxes)]


def _fit(name: str, style: str, box) -> Placed:
    """The largest cell on the grid whose sprite lies inside the box, centred in it."""
    l, t, r, b = (float(value) for value in box) if len(box) == 4 else (0.0, 0.0, 0.0, 0.0)
    if not (0 <= l < r <= 1 and 0 <= t < b <= 1):
        raise ValueError(
            f"a box is (left, top, right, bottom) with 0 <= left < right <= 1 and 0 <= top < bottom <= 1; "
            f"got {tuple(box)} for {name}. Divide pixel coordinates by the size of the image."
        )
    inner = extent(style, name)
    scale = min((r - l) / (inner[2] - inner[0]), (b - t) / (inner[3] - inner[1]))
    side = min(int(scale * GRID), GRID)
    if side < 4:
        raise ValueError(
            f"the box {tuple(box)} is too small for {name}: its longer side would be less than "
            f"1/8 of the image. Make the box larger."
        )
    middle_x, middle_y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    left = round((l + r) / 2 * GRID - middle_x * side)
    top = round((t + b) / 2 * GRID - middle_y * side)
    # Rounding may push the sprite half a step over the image's edge
    left = min(max(left, -int(inner[0] * side)), int(GRID - inner[2] * side))
    top = min(max(top, -int(inner[1] * side)), int(GRID - inner[3] * side))
    return place(name, style, left, top, side)
