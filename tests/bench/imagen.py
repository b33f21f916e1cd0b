"""Does a frozen text encoder know words that no caption held? Measures Imagen and writes data/recorded/imagen.json.

    python -m tests.bench.imagen [--pictures 256] [--parts words splits threshold augmentation text]

Notebook 10 draws the file. Each row is written as soon as it is measured, and kept as long as the networks it is about
stay the same. About forty minutes on one thread; with `--pictures 8` a few minutes, for trying it out.

A row says of pictures, as in tests/bench/glide.py: concept, style, ground, relation, count, distance and its error.
    words: of captions in words that training never held (`datasets.unseen_words`), by 09's base ("glide"), by 10's
    ("imagen") and by the one with the multilingual encoder ("sentence"), all with the same sampler, steps, scale and
    thresholding; concept_error, ground_error: the standard error over things, whose pictures are alike; n: pictures.
    splits: of the captions of the splits, by "imagen" and "sentence"; 09's rows stand in glide.json.
    threshold: of the base at a guidance scale, thresholded or not; saturated: the share of pixels at the ends of the
    range, beyond that of real scenes.
    augmentation: of 64 x 64 pictures for a level of noise on the base's pictures, at a guidance scale of the base;
    detail: the mean squared difference of neighbouring pixels over that of real scenes.
    text: of 64 x 64 pictures by the upsampler with the prompt, without it, and with another scene's prompt.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import product

import torch
from torch import Tensor

from course_utils import runtime
from course_utils.datasets.scenes import Scene
from course_utils.datasets.unseen_words import KINDS, labels, unseen_words
from course_utils.diffusion import dynamic_threshold, static_threshold
from course_utils.evaluation.scenes import evaluate, render
from course_utils.networks import SentenceEncoder, load_network
from course_utils.systems import glide, imagen
from tests.bench.glide import (
    RECOMMENDED,
    SPLITS,
    Judge,
    Record,
    arguments,
    captions,
    in_parts,
    prints,
    real,
    scenes,
    shares,
)

STEPS = {"base": 20, "upsampler": 10}
SCALES = (1.0, 2.0, 4.0, 8.0, 16.0)
THRESHOLDS = {"none": None, "static": static_threshold, "dynamic": dynamic_threshold}
LEVELS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5)
NETWORKS = {"glide": "glide-base", "imagen": "imagen-base", "sentence": "imagen-sentence"}


@cache
def system(name: str):
    """What samples 32 x 32 from a prompt."""
    if name == "glide":
        return glide.load("base")
    if name == "imagen":
        return imagen.load("base")
    return imagen.FrozenTextConditional(load_network("imagen-sentence").to(runtime.device()), SentenceEncoder())


def drawn(name: str, texts: list[str], scale: float = RECOMMENDED, **options) -> Tensor:
    """Pictures of captions, statically thresholded unless said otherwise."""
    more = {} if name == "glide" else {"threshold": static_threshold} | options
    return in_parts(lambda some, seed: system(name).sample(some, scale, STEPS["base"], seed, **more), texts)[0]


def by_thing(values: Tensor, asked: list[Scene]) -> float:
    """The standard error of a mean over pictures, of which those of one thing are alike."""
    rows: dict[str, list[float]] = defaultdict(list)
    for value, scene in zip(values.tolist(), asked):
        if value == value:
            rows[scene.objects[0].concept].append(value)
    means = torch.tensor([sum(row) / len(row) for row in rows.values()])
    return round((means.std() / len(means) ** 0.5).item(), 4)


def words(record: Record, judge: Judge) -> None:
    """Each kind of captions, by each system."""
    for kind, name in product(KINDS, NETWORKS):
        networks = prints(NETWORKS[name])
        if record.has("words", networks, kind=kind, system=name):
            continue
        asked = unseen_words(kind)[: None if judge.pictures >= 64 else judge.pictures]
        right = evaluate(judge.recogniser, drawn(name, captions(asked)), labels(asked))
        errors = {f"{what}_error": by_thing(right[what], asked) for what in ("concept", "ground")}
        record.add("words", {"kind": kind, "system": name, "n": len(asked)} | shares(right) | errors
                   | {"networks": networks})


def splits(record: Record, judge: Judge) -> None:
    """The captions of the splits, whose words are all known."""
    for name, split in product(("imagen", "sentence"), SPLITS):
        networks = prints(NETWORKS[name])
        if not record.has("splits", networks, system=name, split=split):
            made = drawn(name, captions(scenes(split, judge.pictures)[0]))
            record.add("splits", {"system": name, "split": split} | judge.row(made, split) | {"networks": networks})


def threshold(record: Record, judge: Judge) -> None:
    """The base at each scale and with each thresholding."""
    networks, asked = prints("imagen-base"), scenes("test", judge.pictures)[0]
    natural = saturated(render(asked, 32))
    for scale, (name, how) in product(SCALES, THRESHOLDS.items()):
        if not record.has("threshold", networks, scale=scale, threshold=name):
            made = drawn("imagen", captions(asked), scale, threshold=how)
            record.add("threshold", {"scale": scale, "threshold": name} | judge.row(made, "test")
                       | {"saturated": round(saturated(made) - natural, 4), "networks": networks})


def augmentation(record: Record, judge: Judge) -> None:
    """The noise on what the base draws, at two scales of the base."""
    networks, asked = prints("imagen-base", "imagen-upsampler"), scenes("test", judge.pictures)[0]
    natural = detail(render(asked, 64))
    for scale, level in product((RECOMMENDED, SCALES[-1]), LEVELS):
        if not record.has("augmentation", networks, scale=scale, level=level):
            made = enlarged(captions(asked), small(scale, judge.pictures), level)
            record.add("augmentation", {"scale": scale, "level": level} | judge.row(made, "test")
                       | {"detail": round(detail(made) / natural, 4), "networks": networks})


def text(record: Record, judge: Judge) -> None:
    """The upsampler with the prompt, without, and with a wrong one."""
    networks, asked = prints("imagen-base", "imagen-upsampler"), captions(scenes("test", judge.pictures)[0])
    prompts = {"own": asked, "none": None, "wrong": asked[1:] + asked[:1]}
    for (name, given), level in product(prompts.items(), (0.1, 0.5)):
        if not record.has("text", networks, prompt=name, level=level):
            made = enlarged(given or asked, small(RECOMMENDED, judge.pictures), level, float(given is not None))
            record.add("text", {"prompt": name, "level": level} | judge.row(made, "test") | {"networks": networks})


@cache
def small(scale: float, pictures: int) -> Tensor:
    """What the base draws of the test captions."""
    return drawn("imagen", captions(scenes("test", pictures)[0]), scale, threshold=dynamic_threshold)


@cache
def upsampler() -> imagen.Upsampler:
    return imagen.load("upsampler")


def enlarged(texts: list[str], low: Tensor, level: float, scale: float = 1.0) -> Tensor:
    """Small pictures made large; at scale 0 without the prompts."""
    return in_parts(lambda some, seed: upsampler().sample(some, low[seed : seed + len(some)], scale,
                                                          STEPS["upsampler"], seed, level), texts)[0]


def saturated(pictures: Tensor) -> float:
    """The share of values within 1/100 of the ends of [-1, 1]."""
    return (pictures.abs() > 0.98).float().mean().item()


def detail(pictures: Tensor) -> float:
    """The mean squared difference of neighbouring pixels."""
    return (pictures[..., 1:] - pictures[..., :-1]).square().mean().item()


def main() -> None:
    parts = {part.__name__: part for part in (words, splits, threshold, augmentation, text)}
    given = arguments(__doc__, "imagen", parts)
    record, judge = Record(given.output, given.pictures, STEPS), Judge(given.pictures)
    real(record, judge)
    for part in given.parts:
        parts[part](record, judge)


if __name__ == "__main__":
    main()
