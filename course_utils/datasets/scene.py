"""Captioned scenes of one to three emoji on a coloured ground: what they are, how they are made and drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from course_utils.datasets.captions import INVERSE, caption
from course_utils.datasets.grounds import COLOURS, PATTERNS, Ground, paint
from course_utils.datasets.sprites import STYLES, check_choice, concept, cutout, extent

# Places and sizes are whole steps of 1/32, so that they fall on whole pixels at 32, 64 and 128
GRID = 32
MOST = 3


@dataclass(frozen=True, slots=True)
class Placed:
    """One object of a scene.

    x, y: the centre, and size: the side, of its square cell, as shares of the picture.
    box: the tight (left, top, right, bottom) of what is drawn, each in [0, 1].
    """

    concept: str
    x: float
    y: float
    size: float
    flipped: bool
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture before it is drawn, the same at every size; the objects go from back to front."""

    objects: tuple[Placed, ...]
    ground: Ground
    style: str
    caption: str

    @property
    def relations(self) -> list[tuple[str, str, str]]:
        """What holds between each two objects, from their boxes: (A, word, B).

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
        """The Korean names of the objects, in their order."""
        return [concept(placed.concept).ko for placed in self.objects]


def relation_of(back: Placed, front: Placed) -> str:
    """How `back` lies to `front`, which is drawn after it: a word such as "left of".

    It is "behind" when their boxes share at least a tenth of the smaller one; otherwise the axis on which
    the centres of the boxes lie further apart decides between left, right, above and below.
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
    """Put a sprite into the square cell at (left, top); all numbers are steps of 1/32 of the picture."""
    l, t, r, b = extent(style, name, flipped)
    x, y, size = left / GRID, top / GRID, side / GRID
    box = (x + l * size, y + t * size, x + r * size, y + b * size)
    return Placed(name, x + size / 2, y + size / 2, size, flipped, box)


def corner(placed: Placed, size: int) -> tuple[int, int, int]:
    """The cell of an object in a picture of `size` pixels: left, top and side in whole pixels."""
    half = placed.size / 2
    # Halves are rounded up, unlike round(), so that equal sizes stay equal wherever they are
    left, top = int((placed.x - half) * size + 0.5), int((placed.y - half) * size + 0.5)
    return left, top, int(placed.size * size + 0.5)


def render(scene: Scene, size: int = 32) -> np.ndarray:
    """Draw a scene: (3, size, size) uint8. Raises ValueError unless `size` is a whole number in 16..512."""
    check_size(size)
    picture = paint(scene.ground, size).copy()
    draw_onto(picture, scene, size)
    return picture


def draw_onto(picture: np.ndarray, scene: Scene, size: int) -> None:
    """Lay the objects of a scene over `picture`, (3, size, size) uint8, from back to front."""
    for placed in scene.objects:
        left, top, side = corner(placed, size)
        cut = cutout(scene.style, placed.concept, side, placed.flipped)
        there, here = windows(left + cut.left, top + cut.top, cut.keep.shape, size)
        part = picture[:, *there]
        behind = part * cut.keep[here]
        behind += 128
        behind >>= 8
        behind += cut.rgb[:, *here]
        part[...] = behind


def windows(left: int, top: int, shape: tuple[int, int], size: int) -> tuple[tuple[slice, slice], ...]:
    """Where a (height, width) patch lies in a picture, and which part of the patch that is.

    At sizes that are no multiple of 32, rounding may push a patch over the rim by a pixel.
    """
    bottom, right = min(top + shape[0], size), min(left + shape[1], size)
    up, back = max(top, 0), max(left, 0)
    here = slice(up - top, bottom - top), slice(back - left, right - left)
    return (slice(up, bottom), slice(back, right)), here


def check_size(size: int) -> None:
    """Raise ValueError with a sentence unless a picture can be `size` pixels wide."""
    if not isinstance(size, int) or isinstance(size, bool) or not 16 <= size <= 512:
        raise ValueError(
            f"size must be a whole number of pixels in 16..512; got {size!r}. The course uses 32, 64 and 128."
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
    """Make the scene you ask for, with its caption; held-out combinations are allowed.

    concepts: one to three names. relation: how the first of two stands to the second, such as "left of" (the
    default). boxes: instead, one (left, top, right, bottom) in [0, 1] per concept, from back to front; each
    sprite is fitted into its box on a grid of 1/32, so read the exact box from the result.
    Raises ValueError, with the nearest names, for what does not exist or cannot be drawn.
    """
    names = [concepts] if isinstance(concepts, str) else list(concepts)
    if not 1 <= len(names) <= MOST:
        raise ValueError(f"a scene has one to {MOST} objects; got {len(names)}.")
    for name in names:
        concept(name)
    if len(set(names)) < len(names):
        raise ValueError(f"each concept can be in a scene once, or captions would be unclear; got {names}.")
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
    """Objects of moderate size in the relation, or in a row."""
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
        # Flat sprites must come closer before one covers a part of the other
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
            f"got {tuple(box)} for {name}. Divide pixels by the size of the picture."
        )
    inner = extent(style, name)
    scale = min((r - l) / (inner[2] - inner[0]), (b - t) / (inner[3] - inner[1]))
    side = min(int(scale * GRID), GRID)
    if side < 4:
        raise ValueError(
            f"the box {tuple(box)} is too small for {name}: its longer side would be less than "
            f"an eighth of the picture. Make the box larger."
        )
    middle_x, middle_y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    left = round((l + r) / 2 * GRID - middle_x * side)
    top = round((t + b) / 2 * GRID - middle_y * side)
    # Rounding may push the sprite half a step over the rim of the picture
    left = min(max(left, -int(inner[0] * side)), int(GRID - inner[2] * side))
    top = min(max(top, -int(inner[1] * side)), int(GRID - inner[3] * side))
    return place(name, style, left, top, side)
