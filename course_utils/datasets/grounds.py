"""The backgrounds of scenes: ten named colours, plain, with a gradient or with a pattern."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

# Medium tones, on which both light sprites and dark outlines are visible
COLOURS = {
    "red": (214, 92, 84),
    "orange": (240, 156, 78),
    "yellow": (244, 212, 104),
    "green": (118, 182, 108),
    "teal": (58, 158, 152),
    "blue": (96, 164, 224),
    "navy": (52, 70, 122),
    "purple": (152, 120, 204),
    "pink": (242, 164, 194),
    "grey": (164, 168, 176),
}
PATTERNS = ("plain", "gradient", "striped", "dotted", "checked", "wavy")
VARIANTS = 8


class Ground(NamedTuple):
    """The background of a scene: a colour of COLOURS, a pattern of PATTERNS, and which of its 8 variants."""

    colour: str
    pattern: str = "plain"
    variant: int = 0


@lru_cache(maxsize=2_000)
def paint(ground: Ground, size: int) -> np.ndarray:
    """The image of a background, (3, size, size) uint8. It looks the same at every size."""
    fine = (np.arange(4 * size) + 0.5) / (4 * size)
    x, y = np.meshgrid(fine, fine)
    shade = _shade(ground.pattern, x, y, ground.variant)
    shade = np.broadcast_to(shade, (4 * size, 4 * size)).reshape(size, 4, size, 4).mean(axis=(1, 3))
    colour = np.array(COLOURS[ground.colour], float)[:, None, None]
    lighter = colour + (255 - colour) * 0.20 * shade
    darker = colour * (1 + 0.12 * shade)
    image = np.where(shade > 0, lighter, darker).round().astype(np.uint8)
    image.flags.writeable = False
    return image


def _shade(pattern: str, x: np.ndarray, y: np.ndarray, variant: int) -> np.ndarray:
    """How much lighter (up to 1) or darker (down to -1) than its colour a background is at x, y in [0, 1]."""
    angle = np.pi * variant / VARIANTS
    along = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)
    across = np.cos(angle) * (y - 0.5) - np.sin(angle) * (x - 0.5)
    if pattern == "gradient":
        turn = 2 * angle
        return 1.4 * (np.cos(turn) * (x - 0.5) + np.sin(turn) * (y - 0.5))
    if pattern == "striped":
        return 0.6 * np.sign(np.sin(2 * np.pi * (4 + variant % 2) * along))
    if pattern == "dotted":
        count = 4 + variant % 3
        u, v = (count * along + 0.5 * (variant % 2)) % 1 - 0.5, (count * across) % 1 - 0.5
        return np.where(u * u + v * v < 0.075, 1.0, -0.15)
    if pattern == "checked":
        count = 3 + variant % 3
        turn = np.pi / 4 * (variant // 4)
        u = np.cos(turn) * (x - 0.5) + np.sin(turn) * (y - 0.5)
        v = np.cos(turn) * (y - 0.5) - np.sin(turn) * (x - 0.5)
        return 0.5 * np.sign(np.sin(np.pi * count * u + variant) * np.sin(np.pi * count * v + variant))
    if pattern == "wavy":
        return 0.8 * np.sin(2 * np.pi * (3 * along + 0.16 * np.sin(4 * np.pi * across + variant)))
    return np.zeros(())
