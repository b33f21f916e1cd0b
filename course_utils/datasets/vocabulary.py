"""The vocabulary of captions, and the labels of scenes and captions as integers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.datasets.captions import GROUND_WORDS, INVERSE, LENGTHS, TEMPLATES, caption
from course_utils.datasets.random_scenes import COLOUR_NAMES
from course_utils.datasets.scene import MOST, Scene, make_scene
from course_utils.datasets.sprites import STYLES, concepts

RELATIONS = tuple(INVERSE)

# fmt: off
# Concepts that look similar in all styles and distinct from each other at 32 pixels. Half of all, so that a network
# trained on a laptop sees each one twice as often; held-out combinations are among them
FAMILIAR = (
    "red apple", "banana", "strawberry", "watermelon", "pineapple", "carrot", "mushroom", "pizza", "hamburger",
    "doughnut", "cat", "dog", "panda", "lion", "pig", "frog", "monkey", "penguin", "owl", "butterfly", "ladybug",
    "turtle", "crab", "unicorn", "sunflower", "cactus", "pine tree", "palm tree", "sun", "crescent moon", "rainbow",
    "snowman", "volcano", "fire", "car", "bus", "fire engine", "steam train", "sailboat", "airplane", "rocket",
    "house", "castle", "umbrella", "guitar", "top hat", "soccer ball", "ghost",
)
# fmt: on


def words(among: Sequence[str] = FAMILIAR) -> list[str]:
    """Every word that captions of scenes with these concepts can use, lower-case, in alphabetical order."""
    a, b, c = among[:3]
    scenes = [make_scene(a), make_scene([a, b, c]), *(make_scene([a, b], relation=word) for word in RELATIONS)]
    corners = [(x / 8, y / 8, x / 8 + 1 / 4, y / 8 + 1 / 4) for x in (0, 3, 6) for y in (0, 3, 6)]
    scenes += [make_scene(a, boxes=[box]) for box in corners]
    texts = [caption(scene, length, variant) for scene in scenes for length in LENGTHS
             for variant in range(len(TEMPLATES[len(scene.objects), length]))]
    texts += [*among, *STYLES, *COLOUR_NAMES, *RELATIONS, "a an"]
    texts += [phrase.format("") for phrase in GROUND_WORDS.values()]
    return sorted({word for text in texts for word in text.lower().replace(",", "").split()})


def truths(scenes: Sequence[Scene]) -> dict[str, Tensor]:
    """The labels of scenes, as int64:

    concepts (B, 3): indices into sprites.concepts(), padded with -1. count (B,): 1 to 3. style, ground (B,): indices
    into STYLES and COLOURS. pair (B, 2): the concepts of a scene of two objects, the smaller index first, and relation
    (B,): the index in RELATIONS of the relation between them; -1 in all other scenes.
    """
    known = {name: concept.index for name, concept in concepts().items()}
    rows = []
    for scene in scenes:
        numbers = [known[placed.concept] for placed in scene.objects]
        pair, relation = [-1, -1], -1
        if len(numbers) == 2:
            ((a, word, b),) = scene.relations
            pair = sorted(numbers)
            relation = RELATIONS.index(word if [known[a], known[b]] == pair else INVERSE[word])
        rows.append((numbers + [-1] * (MOST - len(numbers)), len(numbers), STYLES.index(scene.style),
                     COLOUR_NAMES.index(scene.ground.colour), pair, relation))
    names = ("concepts", "count", "style", "ground", "pair", "relation")
    return {name: torch.tensor(column) for name, column in zip(names, zip(*rows))}


def said(scenes: Sequence[Scene]) -> dict[str, Tensor]:
    """The labels of `truths` that the caption states, -1 elsewhere. Every caption names each object."""
    found = truths(scenes)
    found["style"][[scene.style not in scene.caption.replace(",", "").split() for scene in scenes]] = -1
    found["ground"][[not _says_ground(scene) for scene in scenes]] = -1
    found["relation"][[not any(word in scene.caption for word in RELATIONS) for scene in scenes]] = -1
    return found


def _says_ground(scene: Scene) -> bool:
    colour = scene.ground.colour
    return any(phrase in scene.caption for phrase in (f"on {colour}", f"{colour} background", f"{colour} gradient"))
