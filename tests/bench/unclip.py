"""What does an image embedding hold, and is the prior needed? Measures unCLIP and writes data/recorded/unclip.json.

    python -m tests.bench.unclip [--pictures 256] [--parts zero_shot order probe ways guidance pca inversion ...]

Notebook 11 draws the file. Each row is written as soon as it is measured, and kept as long as the networks it is about
stay the same. About an hour on one thread; with `--pictures 8` a few minutes, for trying it out.

Rows about pictures hold what those of tests/bench/glide.py hold; NAME_error is the standard error of a share.
    zero_shot: how often CLIP finds concept, style and ground of real scenes of one object among the mean embeddings of
    sentences about each; told: among sentences that are right about the other two.
    order: how often CLIP prefers a true caption to one with the opposite relation ("relation"), or with the two things
    exchanged ("exchanged"), which means the same: chance is 1/2. count: how often it finds the number of things, among
    sentences about one, two and three: chance is 1/3. By the recogniser of 09: recogniser.
    probe: how often a linear classifier on real embeddings is right about each attribute; chance: the commonest answer.
    ways: of pictures decoded without a caption from the caption's own embedding ("caption"), a linear regression of
    image embeddings on caption embeddings ("regression"), the prior ("prior"), the true image's embedding ("image"),
    and from the prior's with the caption beside it ("both"); cosine: of that embedding with the true image's. And of
    pictures that 09's base makes from the caption ("words"). whole: of scenes of two things, the share in which both
    are seen and stand as asked.
    pictures: of how many, where fewer than of the other rows; such rows are measured anew.
    guidance: of pictures at scales of the decoder; each picture has an embedding of its own from the prior.
    pca: of pictures from true embeddings of which only the first principal components are kept.
    inversion: the PSNR of real scenes that are inverted and reconstructed, over steps and corrections.
    interpolation: of pairs of real scenes: the share whose frames come ever nearer to the second image and move away
    from the first, as CLIP sees them (a step back of at most 0.02 in cosine does not count), and the rank correlation.
    difference: of real scenes moved from one caption towards another that differs in one attribute: the share that
    shows the new one, and that keeps the others, over the share of the angle.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from course_utils import measure
from course_utils.datasets.captions import INVERSE, caption
from course_utils.datasets.grounds import PATTERNS
from course_utils.datasets.random_scenes import COLOUR_NAMES
from course_utils.datasets.scene import make_scene
from course_utils.datasets.scenes import Scene, Scenes
from course_utils.datasets.sprites import STYLES, concepts
from course_utils.datasets.vocabulary import FAMILIAR, said, truths
from course_utils.evaluation.scenes import evaluate, evaluation_scenes, mean_and_error, render
from course_utils.evaluation.zero_shot import embed_texts, zero_shot
from course_utils.systems import glide, unclip
from tests.bench.glide import (
    RECOMMENDED,
    SPLITS,
    Judge,
    Record,
    alike,
    arguments,
    by_itself,
    captions,
    in_parts,
    prints,
    scenes,
)

STEPS = {"prior": 20, "decoder": 20, "inversion": 20}
SCALES = (1.0, 2.0, 5.0)
COMPONENTS = (2, 10, 40, 128)
SHARES = (0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0)
NETWORKS = ("clip", "unclip-prior", "unclip-decoder")
PAIRS = 50
# Scenes for what takes many steps each
FEW = 24


@cache
def system(part: str):
    return unclip.load(part)


def share(values: Tensor, name: str) -> dict[str, float | None]:
    """The mean of what can be judged, and its standard error."""
    values = values[~values.isnan()].float()
    return mean_and_error(values, name) or {name: None, f"{name}_error": None}


def with_errors(judge: Judge, pictures: Tensor, split: str) -> dict:
    """The numbers of pictures of a split, and the errors of the shares."""
    right = evaluate(judge.recogniser, pictures, said(scenes(split, judge.pictures)[0]))
    errors = {name: value for what in ("concept", "style", "ground", "relation", "count")
              for name, value in share(right[what], what).items() if name.endswith("_error")}
    pairs = torch.tensor([len(scene.objects) == 2 for scene in scenes(split, judge.pictures)[0]])
    return judge.row(pictures, split) | errors | share(right["relation"][pairs].nan_to_num(0), "whole")


def decoded(vectors: Tensor, prompts: list[str] | None = None, scale: float = RECOMMENDED, seed: int = 0) -> Tensor:
    """Pictures of embeddings, in parts."""
    made = []
    for i in range(0, len(vectors), 64):
        texts = None if prompts is None else prompts[i : i + 64]
        made.append(system("decoder").sample(vectors[i : i + 64], texts, scale, STEPS["decoder"], seed + i))
    return torch.cat(made).clamp(-1, 1).cpu()


@cache
def examples(count: int = 6000) -> tuple[list[Scene], Tensor, Tensor]:
    """Scenes of the training split, their embeddings, and those of their captions."""
    world = Scenes("train", seed=5, among=FAMILIAR, shares=(0.5, 0.45, 0.05), coarse=True)
    found = [world.scene(number) for number in range(count)]
    return found, embedded(found), unclip.embed_text(system("clip"), captions(found)).cpu()


def embedded(of: list[Scene]) -> Tensor:
    return torch.cat([unclip.embed_images(system("clip"), render(of[i : i + 512], 64)).cpu()
                      for i in range(0, len(of), 512)])


def regressed(texts: list[str]) -> Tensor:
    """Image embeddings by least squares from caption embeddings."""
    _, images, told = examples()
    one = torch.ones(len(told), 1)
    weights = torch.linalg.lstsq(torch.cat([told, one], 1), images).solution
    asked = unclip.embed_text(system("clip"), texts).cpu()
    return normalize(torch.cat([asked, torch.ones(len(asked), 1)], 1) @ weights, dim=1)


def zero_shots(record: Record, judge: Judge) -> None:
    networks, clip = prints("clip"), system("clip")
    for split in ("test", "unseen-style", "unseen-ground"):
        if not record.has("zero_shot", networks, split=split):
            asked = [scene for scene in evaluation_scenes(split, 1024 if split == "test" else 512)
                     if len(scene.objects) == 1]
            right = zero_shot(clip, render(asked, 64), truths(asked))
            rows = {name: value for what, hits in right.items() for name, value in share(hits.float(), what).items()}
            record.add("zero_shot", {"split": split, "n": len(asked)} | rows | {"networks": networks})


def order(record: Record, judge: Judge) -> None:
    networks, clip = prints("clip"), system("clip")
    for split in ("test", "unseen-relation"):
        if record.has("order", networks, split=split):
            continue
        asked = [scene for scene in evaluation_scenes(split, 512) if len(scene.objects) == 2]
        seen, row = embedded(asked), {}
        true = unclip.embed_text(clip, captions(asked)).cpu()
        for name, wrong in (("relation", opposite), ("exchanged", exchanged)):
            false = unclip.embed_text(clip, [wrong(scene) for scene in asked]).cpu()
            row |= share(((seen * true).sum(1) > (seen * false).sum(1)).float(), name)
        right = evaluate(judge.recogniser, render(asked, 64), said(asked))
        row["recogniser"] = round(right["relation"].nanmean().item(), 4)
        record.add("order", {"split": split, "n": len(asked)} | row | {"networks": networks})
    if not record.has("count", networks):
        few = FAMILIAR[::6]
        sentences = [captions([make_scene(list(some)) for some in sets(number, few)]) for number in (1, 2, 3)]
        asked = [Scenes("test", among=FAMILIAR, shares=shares, coarse=True).scene(number)
                 for shares in ((1, 0, 0), (0, 1, 0), (0, 0, 1)) for number in range(128)]
        classes = normalize(torch.stack([embed_texts(clip, some).mean(0) for some in sentences]), dim=1)
        best = (embedded(asked) @ classes.mT).argmax(1)
        right = (best + 1 == truths(asked)["count"]).float()
        by = evaluate(judge.recogniser, render(asked, 64), truths(asked))["count"]
        record.add("count", share(right, "count") | {"recogniser": round(by.mean().item(), 4), "networks": networks})


def sets(number: int, of: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Some choices of so many things."""
    return [tuple(of[(i + step * k) % len(of)] for k in range(number)) for i in range(len(of)) for step in (1, 3)]


def opposite(scene: Scene) -> str:
    """The caption with the opposite relation."""
    (word,) = [word for word in INVERSE if f" {word} " in scene.caption]
    return scene.caption.replace(f" {word} ", f" {INVERSE[word]} ")


def exchanged(scene: Scene) -> str:
    """The caption with both things exchanged, adjectives and articles staying where they are."""
    one, two = (placed.concept for placed in scene.objects)
    return scene.caption.replace(one, "\0").replace(two, one).replace("\0", two)


def probe(record: Record, judge: Judge) -> None:
    """Linear classifiers by least squares, on half of the scenes, tested on the other half."""
    networks = prints("clip")
    if record.has("probe", networks):
        return
    found, images, told = examples()
    truth = truths(found)
    single, pair = truth["count"] == 1, truth["count"] == 2
    attributes = {
        "concept": (truth["concepts"][:, 0], single), "style": (truth["style"], single),
        "ground": (truth["ground"], single), "count": (truth["count"] - 1, truth["count"] > 0),
        "pattern": (torch.tensor([PATTERNS.index(scene.ground.pattern) for scene in found]), single),
        "relation": (truth["relation"], pair),
    }
    row = {}
    for name, (wanted, asked) in attributes.items():
        values, classes = images[asked], wanted[asked]
        half = len(values) // 2
        design = torch.cat([values, torch.ones(len(values), 1)], 1)
        targets = one_hot(classes).float()
        gram = design[:half].mT @ design[:half] + 1e-3 * torch.eye(design.shape[1])
        weights = torch.linalg.solve(gram, design[:half].mT @ targets[:half])
        row |= share(((design[half:] @ weights).argmax(1) == classes[half:]).float(), name)
        row[f"{name}_chance"] = round(classes[half:].bincount().max().item() / (len(classes) - half), 4)
    record.add("probe", row | {"networks": networks})


WAYS = ("image", "prior", "caption", "regression", "both", "words")


def embedding(way: str, texts: list[str]) -> Tensor:
    """Image embeddings that stand for captions."""
    if way == "regression":
        return regressed(texts)
    if way == "caption":
        return unclip.embed_text(system("clip"), texts).cpu()
    return system("prior").sample(texts, steps=STEPS["prior"]).cpu()


def ways(record: Record, judge: Judge) -> None:
    for split, way in product(SPLITS, WAYS):
        networks = prints("glide-base") if way == "words" else prints(*NETWORKS)
        if record.has("ways", networks, split=split, way=way):
            continue
        ours = scenes(split, judge.pictures)[0]
        true, texts = embedded(ours), captions(ours)
        if way == "words":
            made, _ = in_parts(by_itself(glide.load("base"))(RECOMMENDED), texts)
            record.add("ways", {"split": split, "way": way} | with_errors(judge, made, split) | {"networks": networks})
            continue
        given = true if way == "image" else embedding(way, texts)
        made = decoded(given, texts if way == "both" else None)
        record.add("ways", {"split": split, "way": way} | with_errors(judge, made, split)
                   | share((given * true).sum(1), "cosine") | {"networks": networks})


def guidance(record: Record, judge: Judge) -> None:
    networks, ours = prints(*NETWORKS), scenes("test", judge.pictures)[0]
    same = alike(judge.pictures)
    for scale in SCALES:
        if not record.has("guidance", networks, scale=scale):
            few, many = (embedding("prior", captions(some)) for some in (ours, same))
            row = with_errors(judge, decoded(few, None, scale), "test")
            made = decoded(many, None, scale, seed=9000)
            row["diversity"] = round(judge.variety(made) / judge.variety(render(same, 32)), 3)
            record.add("guidance", {"scale": scale} | row | {"networks": networks})


def pca(record: Record, judge: Judge) -> None:
    networks, true = prints("clip", "unclip-decoder"), embedded(scenes("test", judge.pictures)[0])
    mean = examples()[1].mean(0)
    along = torch.linalg.svd(examples()[1] - mean, full_matrices=False).Vh
    for components in COMPONENTS:
        if not record.has("pca", networks, components=components):
            kept = mean + (true - mean) @ along[:components].mT @ along[:components]
            row = with_errors(judge, decoded(normalize(kept, dim=1)), "test")
            record.add("pca", {"components": components} | row | {"networks": networks})


def inversion(record: Record, judge: Judge) -> None:
    networks, images = prints("clip", "unclip-decoder"), render(scenes("test", judge.pictures)[0][:FEW], 32)
    decoder, vectors = system("decoder"), unclip.embed_images(system("clip"), images)
    for steps, corrections in product((10, 20, 50), (0, 1)):
        if not record.has("inversion", networks, steps=steps, corrections=corrections):
            noise = decoder.invert(images, vectors, steps, corrections=corrections)
            again = decoder.reconstruct(noise, vectors, steps).clamp(-1, 1)
            record.add("inversion", {"steps": steps, "corrections": corrections}
                       | share(measure.psnr(again.cpu(), images), "psnr")
                       | {"noise_std": round(noise.std().item(), 4), "networks": networks})


def interpolation(record: Record, judge: Judge) -> None:
    networks = prints("clip", "unclip-decoder")
    if record.has("interpolation", networks):
        return
    ones = [scene for scene in evaluation_scenes("test", 4 * PAIRS) if len(scene.objects) == 1][: 2 * PAIRS]
    images, whole = render(ones, 32), unclip.UnCLIP(system("clip"), None, system("decoder"))
    monotone, ranks = [], []
    for first, second in zip(images[::2], images[1::2]):
        film = whole.interpolate(first, second, steps=STEPS["inversion"]).clamp(-1, 1)
        start, end = whole.embed(torch.stack([first, second]))
        nearer = whole.embed(film) @ (end - start)
        monotone.append(float((nearer.diff() > -0.02).all()))
        ranks.append(torch.corrcoef(torch.stack([nearer.argsort().argsort().float(), torch.arange(11.0)]))[0, 1])
    record.add("interpolation", {"pairs": PAIRS} | share(torch.tensor(monotone), "monotone")
               | share(torch.stack(ranks), "rank") | {"networks": networks})


def difference(record: Record, judge: Judge) -> None:
    """Things, styles and grounds are each exchanged for the next one of their list."""
    networks = prints("clip", "unclip-decoder")
    ones = [scene for scene in evaluation_scenes("test", 2 * judge.pictures) if len(scene.objects) == 1]
    ones = ones[:FEW]
    whole, truth = unclip.UnCLIP(system("clip"), None, system("decoder")), truths(ones)
    for what in ("concept", "style", "ground"):
        if record.has("difference", networks, what=what):
            continue
        shown: dict[str, list[Tensor]] = {"new": [], "kept": []}
        for i, scene in enumerate(ones):
            old = (scene.objects[0].concept, scene.style, scene.ground.colour)
            new = list(old)
            where = ("concept", "style", "ground").index(what)
            known = (FAMILIAR, STYLES, COLOUR_NAMES)[where]
            new[where] = known[(known.index(old[where]) + 1) % len(known)]
            film = whole.text_difference(render([scene], 32)[0], sentence(*old), sentence(*new), SHARES,
                                         STEPS["inversion"]).clamp(-1, 1).cpu()
            here = {name: value[i : i + 1].expand(len(SHARES), *value.shape[1:]).clone()
                    for name, value in truth.items()}
            here["concepts"][:, 0] = concepts()[new[0]].index
            here["style"][:], here["ground"][:] = STYLES.index(new[1]), COLOUR_NAMES.index(new[2])
            right = evaluate(judge.recogniser, film, here)
            shown["new"].append(right[what])
            shown["kept"].append(torch.stack([right[other] for other in ("concept", "style", "ground")
                                              if other != what]).mean(0))
        new, kept = (torch.stack(rows) for rows in shown.values())
        record.add("difference", {"what": what, "shares": list(SHARES), "n": len(ones),
                                  "new": [round(value, 4) for value in new.mean(0).tolist()],
                                  "new_error": [round(value, 4) for value in (new.std(0) / len(new) ** 0.5).tolist()],
                                  "kept": [round(value, 4) for value in kept.mean(0).tolist()],
                                  "networks": networks})


def sentence(thing: str, style: str, colour: str) -> str:
    return caption(make_scene(thing, style=style, ground=colour), "medium")


def main() -> None:
    parts = {"zero_shot": zero_shots} | {part.__name__: part for part in (
        order, probe, ways, guidance, pca, inversion, interpolation, difference)}
    given = arguments(__doc__, "unclip", parts)
    record, judge = Record(given.output, given.pictures, STEPS), Judge(given.pictures)
    for part in given.parts:
        rows = record.all.get(part, [])
        record.all[part] = [row for row in rows if row.get("pictures", given.pictures) == given.pictures]
        parts[part](record, judge)


if __name__ == "__main__":
    main()
