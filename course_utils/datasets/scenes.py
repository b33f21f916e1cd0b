"""Captioned emoji scenes generated on the fly, in splits with combinations that are held out of training."""

from collections.abc import Sequence

import numpy as np
import torch

from course_utils.datasets import to_model_range
from course_utils.datasets.annotations import annotate
from course_utils.datasets.grounds import paint
from course_utils.datasets.heldout import contains_held_out
from course_utils.datasets.random_scenes import COLOUR_NAMES, SHARES, SPLITS, random_scene, unseen, usual
from course_utils.datasets.scene import MOST, Scene, check_size, draw_onto, make_scene, render
from course_utils.datasets.sprites import STYLES, check_choice, concept, concepts

# Names that the notebooks import from here
__all__ = ["SPLITS", "Scene", "Scenes", "annotate", "contains_held_out", "make_scene", "render", "render_all"]


class Scenes(torch.utils.data.Dataset):
    """Captioned scenes of one to three emoji, generated on the fly.

    split: "train" and "test" contain no held-out combination (heldout.py); each scene of "unseen-style",
    "unseen-ground" or "unseen-relation" contains one of that kind and none of the others, stated in its caption.
    An item is a dict that PyTorch's default collate function can stack:
        image: (3, size, size) float32 in [-1, 1]; caption: str; index: int
        boxes: (3, 4) float32 bounding boxes, left, top, right, bottom in [0, 1], from back to front, zero-padded
        concepts: (3,) int64, indices into sprites.concepts(), padded with -1
        style, ground: int, indices into STYLES and COLOURS
    and with annotated=True also the annotations of `annotate`, those per object zero-padded to three.
    among: the concepts to draw from (default: all 98). shares: proportions of scenes with one, two and three objects.
    coarse: one large object in the middle or several of half the image's side, on few positions of an 8 x 8 grid, never
    mirrored, and one variant of each pattern, so that a small network sees each shape often.
    Scene i depends only on these options and i, in every process and on every machine. Raises ValueError for an
    unknown split or concept, too few concepts, an invalid size, seed, length or share, and IndexError for an index out
    of range.
    """

    def __init__(self, split="train", size: int = 32, seed: int = 0, length: int = 50_000, annotated=False,
                 among: Sequence[str] | None = None, shares: Sequence[float] = SHARES, coarse=False):
        check_choice("split", split, SPLITS)
        check_size(size)
        for name, value, least in (("seed", seed, 0), ("length", length, 1)):
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be an integer of at least {least}; got {value!r}.")
        self.split, self.size, self.seed, self.length, self.annotated = split, size, seed, length, annotated
        self.among, self.shares, self.coarse = among and tuple(among), tuple(shares), coarse
        self._check_choices()

    def __len__(self) -> int:
        return self.length

    def scene(self, index: int) -> Scene:
        """The Scene behind item `index`: objects, background, style and caption."""
        if not 0 <= index < self.length:
            raise IndexError(f"no scene {index} in a set of {self.length}; count from 0 to {self.length - 1}.")
        return random_scene(self.split, self.seed, int(index), self.among, self.shares, self.coarse)

    def _check_choices(self) -> None:
        """Raise ValueError when no scenes can be made with these concepts and shares."""
        for name in self.among or ():
            concept(name)
        if len(self.shares) != MOST or min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-6:
            raise ValueError(f"shares must be {MOST} non-negative numbers that sum to 1, one for each number of "
                             f"objects; got {self.shares}.")
        fewest = min(len(usual(style, colour, self.among)) for style in STYLES for colour in COLOUR_NAMES)
        if fewest < MOST or (self.split.startswith("unseen") and not unseen(self.split, self.among)):
            raise ValueError(f"too few concepts for the split {self.split}: {', '.join(self.among)}. Add more.")

    def __getitem__(self, index: int) -> dict:
        scene = self.scene(index)
        boxes, numbers = np.zeros((MOST, 4), np.float32), np.full(MOST, -1)
        known = concepts()
        for k, placed in enumerate(scene.objects):
            boxes[k] = placed.box
            numbers[k] = known[placed.concept].index
        item = {
            "image": to_model_range(torch.from_numpy(render(scene, self.size))),
            "caption": scene.caption,
            "index": int(index),
            "boxes": torch.from_numpy(boxes),
            "concepts": torch.from_numpy(numbers),
            "style": STYLES.index(scene.style),
            "ground": COLOUR_NAMES.index(scene.ground.colour),
        }
        if self.annotated:
            item.update(annotate(scene, self.size).padded(MOST))
        return item

    def batch(self, indices: Sequence[int]) -> tuple[torch.Tensor, list[str], list[Scene]]:
        """Many scenes at once, which is faster: images (B, 3, size, size) uint8, captions and Scenes."""
        scenes = [self.scene(index) for index in indices]
        return render_all(scenes, self.size), [scene.caption for scene in scenes], scenes


def render_all(scenes: Sequence[Scene], size: int = 32) -> torch.Tensor:
    """Render many scenes, faster than one by one: (B, 3, size, size) uint8."""
    images = np.empty((len(scenes), 3, size, size), np.uint8)
    for image, scene in zip(images, scenes):
        image[...] = paint(scene.ground, size)
        draw_onto(image, scene, size)
    return torch.from_numpy(images)
