"""Zero-shot recognition by CLIP: images are compared with sentences about each class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from course_utils.datasets.captions import article, noun_phrase
from course_utils.datasets.random_scenes import COLOUR_NAMES
from course_utils.datasets.sprites import STYLES, concepts
from course_utils.datasets.vocabulary import FAMILIAR
from course_utils.networks import CLIP, device_of

KINDS = ("concept", "style", "ground")


def sentence(thing: str, style: str, colour: str) -> str:
    """A caption of one thing: "a glossy cat on a blue background"."""
    return f"{noun_phrase(thing, style)} on {article(colour)} background"


@torch.no_grad()
def embed_texts(clip: CLIP, texts: Sequence[str], at_once: int = 256) -> Tensor:
    """Any number of captions as unit vectors (N, dim), on the CPU."""
    where = device_of(clip)
    parts = [clip.text_embedding(clip.tokenizer(texts[i : i + at_once]).to(where)).cpu()
             for i in range(0, len(texts), at_once)]
    return torch.cat(parts)


@torch.no_grad()
def embed_images(clip: CLIP, images: Tensor, at_once: int = 128) -> Tensor:
    """Any number of images as unit vectors (N, dim), on the CPU."""
    return torch.cat([clip.image_embedding(some.to(device_of(clip))).cpu() for some in images.split(at_once)])


def all_sentences(clip: CLIP) -> Tensor:
    """The embeddings of every `sentence`, (48 things, 6 styles, 10 grounds, dim)."""
    texts = [sentence(thing, style, colour) for thing in FAMILIAR for style in STYLES for colour in COLOUR_NAMES]
    return embed_texts(clip, texts).view(len(FAMILIAR), len(STYLES), len(COLOUR_NAMES), -1)


def zero_shot(clip: CLIP, images: Tensor, truth: dict[str, Tensor]) -> dict[str, Tensor]:
    """Whether CLIP recognises concept, style and ground of images (B, 3, H, W) of one object each: (B,) bool by name.

    NAME: an image is compared with the mean embedding of all sentences about each class ("prompt ensembling").
    NAME_told: with one sentence for each class, which is right about the other two. truth: numbers by name, from
    datasets.vocabulary.truths. Source: Radford et al. 2021 (CLIP), section 3.1.
    """
    seen, told = embed_images(clip, images), all_sentences(clip)
    number = {concepts()[name].index: i for i, name in enumerate(FAMILIAR)}
    wanted = (torch.tensor([number[i] for i in truth["concepts"][:, 0].tolist()]), truth["style"], truth["ground"])
    right = {}
    for axis, name in enumerate(KINDS):
        one, other = (wanted[k] for k in range(3) if k != axis)
        by_class = told.movedim(axis, 2)  # the classes after the two others
        right[name] = (seen @ normalize(by_class.mean((0, 1)), dim=1).mT).argmax(1) == wanted[axis]
        right[f"{name}_told"] = (by_class[one, other] @ seen[:, :, None])[..., 0].argmax(1) == wanted[axis]
    return right
