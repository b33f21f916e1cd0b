"""Exact annotations of a scene: masks, depth, semantic labels, edges, normals and keypoints."""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from course_utils.datasets.scene import Placed, Scene, check_size, corner, windows
from course_utils.datasets.sprites import CELL, concept, cutout, silhouette

KEYPOINTS = ("top", "bottom", "left", "right", "centre")


@dataclass(frozen=True)
class Annotations:
    """The annotations of a scene of N objects, rendered at `size` pixels. Objects are ordered from back to front.

    boxes: (N, 4) float32 in [0, 1], the bounding box (left, top, right, bottom) of the whole object, occluded
        parts included; independent of `size`.
    masks: (N, size, size) bool, the whole object (at least half opaque), occluded parts included.
    visible: (N, size, size) bool, the visible part of each mask; no two of them overlap.
    depth: (size, size) int64, 0 for the background, k for the k-th object from the back.
    semantic: (size, size) int64, 0 for the background, else 1 + the concept's index in sprites.concepts().
    edges: (size, size) float32 in [0, 1], lines one pixel wide: 1 on the contours of the visible masks (on
        the side of the nearer object), inside objects the strength of the colour edge. Background patterns
        have no edges.
    normals: (3, size, size) float32 unit vectors, x to the right, y up, z towards the viewer. The background is
        (0, 0, 1), and each object is a cushion, higher where it is farther from its outline.
    keypoints: (N, 5, 3) float32: x, y in [0, 1], and 1 if visible or 0 if occluded. They are the top, bottom,
        left and right ends of the silhouette and its centroid, in the order of KEYPOINTS; independent of `size`.
    """

    boxes: torch.Tensor
    masks: torch.Tensor
    visible: torch.Tensor
    depth: torch.Tensor
    semantic: torch.Tensor
    edges: torch.Tensor
    normals: torch.Tensor
    keypoints: torch.Tensor

    def padded(self, most: int) -> dict[str, torch.Tensor]:
        """The annotations as a dict, zero-padded to `most` objects, so that scenes can be stacked into a batch."""
        maps = dict(vars(self))
        for name in ("boxes", "masks", "visible", "keypoints"):
            short = maps[name]
            full = short.new_zeros((most, *short.shape[1:]))
            full[: len(short)] = short
            maps[name] = full
        return maps


def annotate(scene: Scene, size: int = 32) -> Annotations:
    """The annotations of a scene rendered at `size` pixels, see Annotations.

    Raises ValueError unless `size` is an integer in 16..512.
    """
    check_size(size)
    count = len(scene.objects)
    masks = np.zeros((count, size, size), bool)
    depth = np.zeros((size, size), np.int64)
    edges = np.zeros((size, size), np.float32)
    normals = np.zeros((3, size, size), np.float32)
    normals[2] = 1
    for k, placed in enumerate(scene.objects):
        left, top, side = corner(placed, size)
        cut = cutout(scene.style, placed.concept, side, placed.flipped)
        there, here = windows(left + cut.left, top + cut.top, cut.keep.shape, size)
        surface = _surface(scene.style, placed.concept, side, placed.flipped)
        mask = surface.mask[here]
        masks[k][there] = mask
        np.copyto(depth[there], k + 1, where=mask)
        np.copyto(edges[there], surface.edges[here], where=mask)
        np.copyto(normals[:, *there], surface.normals[:, *here], where=mask)
    edges[_contours(depth)] = 1
    labels = np.array([0] + [concept(placed.concept).index + 1 for placed in scene.objects])
    arrays = {
        "boxes": np.array([placed.box for placed in scene.objects], np.float32),
        "masks": masks,
        "visible": depth == np.arange(1, count + 1)[:, None, None],
        "depth": depth,
        "semantic": labels[depth],
        "edges": edges,
        "normals": normals,
        "keypoints": keypoints(scene),
    }
    return Annotations(**{name: torch.from_numpy(array) for name, array in arrays.items()})


def keypoints(scene: Scene) -> np.ndarray:
    """The five keypoints of each object as (x, y, visible), see Annotations: (N, 5, 3) float32."""
    found = np.zeros((len(scene.objects), len(KEYPOINTS), 3), np.float32)
    for k, placed in enumerate(scene.objects):
        for row, (x, y) in zip(found[k], _ends(scene.style, placed.concept, placed.flipped)):
            x, y = placed.x + (x - 0.5) * placed.size, placed.y + (y - 0.5) * placed.size
            row[:] = x, y, not any(_covers(front, scene.style, x, y) for front in scene.objects[k + 1 :])
    return found


def _covers(placed: Placed, style: str, x: float, y: float) -> bool:
    """Whether the silhouette of this object covers the point (x, y) of the image."""
    across = int(((x - placed.x) / placed.size + 0.5) * CELL // 1)
    down = int(((y - placed.y) / placed.size + 0.5) * CELL // 1)
    if not (0 <= across < CELL and 0 <= down < CELL):
        return False
    across = CELL - 1 - across if placed.flipped else across
    return bool(silhouette(style, placed.concept)[down, across])


@cache
def _ends(style: str, name: str, flipped: bool) -> tuple[tuple[float, float], ...]:
    """Top, bottom, left and right ends and the centroid of a silhouette, in coordinates of its cell in [0, 1]."""
    if flipped:
        top, bottom, left, right, centre = _ends(style, name, False)
        return tuple((1 - x, y) for x, y in (top, bottom, right, left, centre))
    return tuple(map(tuple, ends(silhouette(style, name))))


def ends(solid: np.ndarray) -> np.ndarray:
    """Top, bottom, left and right end and the centroid of a silhouette (H, H) as x and y in [0, 1], (5, 2)."""
    rows, columns = solid.nonzero()
    points = []
    for outward in (-rows, rows, -columns, columns):
        # The median of the outermost pixels, so that the point lies on the silhouette
        outermost = np.flatnonzero(outward == outward.max())
        middle = outermost[len(outermost) // 2]
        points.append((columns[middle] + 0.5, rows[middle] + 0.5))
    return np.array([*points, (columns.mean() + 0.5, rows.mean() + 0.5)]) / len(solid)


def _contours(depth: np.ndarray) -> np.ndarray:
    """The pixels with a 4-neighbour that lies farther back, as a bool mask."""
    on = np.zeros(depth.shape, bool)
    on[1:] |= depth[1:] > depth[:-1]
    on[:-1] |= depth[:-1] > depth[1:]
    on[:, 1:] |= depth[:, 1:] > depth[:, :-1]
    on[:, :-1] |= depth[:, :-1] > depth[:, 1:]
    return on


class Surface(NamedTuple):
    """Mask, edges and normals of one sprite at one size, cropped like its Cutout."""

    mask: np.ndarray
    edges: np.ndarray
    normals: np.ndarray


@lru_cache(maxsize=60_000)
def _surface(style: str, name: str, side: int, flipped: bool) -> Surface:
    if flipped:
        mask, edges, normals = (part[..., ::-1].copy() for part in _surface(style, name, side, False))
        normals[0] *= -1
        return Surface(mask, edges, normals)
    cut = cutout(style, name, side)
    mask = cut.keep <= 128
    height, width = mask.shape
    planes = (Image.fromarray(plane) for plane in _relief(style, name))
    small = [np.asarray(plane.resize((side, side), Image.Resampling.HAMMING)) for plane in planes]
    normals = np.stack(small)[:, cut.top : cut.top + height, cut.left : cut.left + width]
    length = np.linalg.norm(normals, axis=0)
    upright = np.array([0, 0, 1], np.float32)[:, None, None]
    normals = np.where(length > 1e-3, normals / np.maximum(length, 1e-3), upright)
    return Surface(mask, _inner_edges(cut.rgb, cut.keep, mask), normals)


@cache
def _relief(style: str, name: str) -> np.ndarray:
    """The normals of a cushion-shaped surface over the silhouette, (3, 128, 128) float32; zero outside."""
    return cushion(silhouette(style, name))


def cushion(solid: np.ndarray, blur: float = 3) -> np.ndarray:
    """The normals of a surface over a silhouette (H, W) that is higher where it is farther from the outline:
    (3, H, W) float32, x to the right, y up, z towards the viewer; zero outside. blur: in pixels."""
    distance = ndimage.distance_transform_edt(solid)
    # The height is a quarter circle from the outline to the innermost point; the blur rounds off the ridges
    far = distance.max()
    height = ndimage.gaussian_filter(np.sqrt(distance * (2 * far - distance)), blur)
    down, right = np.gradient(height)
    normals = np.stack([-right, down, np.ones_like(height)])
    normals /= np.linalg.norm(normals, axis=0)
    return (normals * solid).astype(np.float32)


def _inner_edges(rgb: np.ndarray, keep: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Thin colour edges inside a sprite, (h, w) float32 in [0, 1]: the local maxima of the gradient magnitude."""
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    alpha = np.maximum(256 - keep.astype(np.float32), 1)
    colour = rgb / alpha
    # The nearest inner colour is extended outside, so that the outline does not add a second edge
    solid = keep < 26 if (keep < 26).any() else mask
    nearest = ndimage.distance_transform_edt(~solid, return_indices=True)[1]
    colour = colour[:, nearest[0], nearest[1]]
    down, right = ndimage.sobel(colour, axis=1) / 4, ndimage.sobel(colour, axis=2) / 4
    strength = np.hypot(down, right)
    channel = strength.argmax(axis=0)[None]
    down, right, strength = (np.take_along_axis(part, channel, axis=0)[0] for part in (down, right, strength))
    # Non-maximum suppression (Canny 1986): compare with the two neighbours along the gradient
    padded = np.pad(strength, 1)
    steep, diagonal = np.abs(down) > 2.4 * np.abs(right), np.abs(right) > 2.4 * np.abs(down)
    step_y = np.where(diagonal, 0, np.sign(down)).astype(int)
    step_x = np.where(steep, 0, np.sign(right)).astype(int)
    rows, columns = np.indices(strength.shape) + 1
    ahead, behind = padded[rows + step_y, columns + step_x], padded[rows - step_y, columns - step_x]
    # Strict on one side only, or a flat ridge two pixels wide would be suppressed entirely
    thin = np.where((strength >= ahead) & (strength > behind), strength, 0)
    return np.where(mask & (thin > 0.14), np.minimum(thin / 0.5, 1), 0).astype(np.float32)
