"""How true are GLIDE's pictures to their captions? Measures each part and writes data/recorded/glide.json.

    python -m tests.bench.glide [--pictures 256] [--parts cfg clip augmentation cascade cfg_wrong clip_wrong]

Notebook 09 draws the file. Each row is written as soon as it is measured, and kept as long as the networks it is about
stay the same. About half an hour on one thread; with `--pictures 8` about a minute, for trying it out.

CFG and CLIP guidance take the same prompts, noises, sampler and number of steps. The parts `cfg_wrong` and `clip_wrong`
are about a network whose weights are not shipped; train it first: python -m course_utils train glide-wrong-captions

A row says of pictures of the captions of `evaluation.scenes.evaluation_scenes`:
    concept, style, ground, relation, count: the share that the independent recogniser finds true; null: none to judge
    distance: Frechet distance to other real scenes of that split, from what the recogniser's body sees, along the few
    directions in which those vary most; error: how far it moves from one draw of pictures to the next
    diversity: how different eight pictures of one caption are in that respect; eight real scenes of the caption are 1
    score: the mean cosine of picture and caption, by the scorer of CLIP guidance, without noise
    seconds: of a processor core, for a picture
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache, partial
from itertools import product
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from course_utils import measure, runtime
from course_utils.datasets.scenes import Scene, Scenes
from course_utils.datasets.vocabulary import FAMILIAR, said
from course_utils.diffusion import ddim
from course_utils.evaluation.scenes import evaluate, evaluation_scenes, fidelity, render
from course_utils.networks import load_network
from course_utils.systems import glide
from tests.bench.steps import fingerprint, write

BATCH = 64
STEPS = {"cfg": 20, "clip": 20, "upsampler": 10}
SPLITS = ("test", "unseen-style", "unseen-ground", "unseen-relation")
RECOMMENDED = 2.0
CFG_SCALES = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
CLIP_SCALES = (0.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
LEVELS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5)
# Of the recogniser's features: with all 192 directions a few hundred pictures say little
DIRECTIONS = 32
# For diversity: so many captions, and so many pictures of each
CAPTIONS, EACH = 6, 8
SHUFFLES = 20

CASCADE = ("glide-base", "glide-upsampler")
HALF = partial(avg_pool2d, kernel_size=2)

Sampler = Callable[[list[str], int], Tensor]


@cache
def scenes(split: str, pictures: int) -> tuple[list[Scene], list[Scene]]:
    """The scenes that are asked for, and as many others of their kind."""
    both, ours, others = evaluation_scenes(split, 2 * pictures), [], []
    for count in (1, 2):
        alike = [scene for scene in both if len(scene.objects) == count]
        ours += alike[: len(alike) // 2]
        others += alike[len(alike) // 2 :]
    return ours, others


@cache
def alike(pictures: int) -> list[Scene]:
    """Real scenes of one object: `EACH` with the same caption, one caption after the other, of different concepts."""
    found: dict[str, list[Scene]] = defaultdict(list)
    chosen: dict[str, list[Scene]] = {}
    for scene in map(Scenes("test", among=FAMILIAR, shares=(1, 0, 0), coarse=True).scene, range(50_000)):
        found[scene.caption].append(scene)
    for some in sorted(found.values(), key=len, reverse=True):
        chosen.setdefault(some[0].objects[0].concept, some[:EACH])
    return sum(list(chosen.values())[: min(CAPTIONS, pictures // EACH)], [])


def captions(of: list[Scene]) -> list[str]:
    return [scene.caption for scene in of]


class Judge:
    """Measures pictures by what the recogniser sees in them, and by the scorer of CLIP guidance."""

    def __init__(self, pictures: int):
        where = runtime.device()
        self.recogniser = load_network("scene-recogniser").to(where)
        self.scorer = load_network("glide-clip").to(where)
        self.pictures = pictures

    @torch.no_grad()
    def features(self, pictures: Tensor) -> Tensor:
        """What style, ground and count are read from, (N, 192), in the manner of SceneRecogniser.forward."""
        where = next(self.recogniser.parameters()).device
        parts = []
        for part in pictures.split(BATCH):
            large = part if part.shape[-1] == 64 else interpolate(part, scale_factor=2, mode="bilinear")
            parts.append(self.recogniser.body(large.to(where)).mean((2, 3)).float().cpu())
        return torch.cat(parts)

    def distance(self, pictures: Tensor, split: str) -> dict[str, float]:
        """How far pictures are from other real scenes, and the error of that."""
        apart, error = self.apart(pictures, render(scenes(split, self.pictures)[1], pictures.shape[-1]))
        return {"distance": apart, "error": error}

    def apart(self, pictures: Tensor, real: Tensor) -> tuple[float, float]:
        """The distance of pictures to real ones of other scenes, and the error of that."""
        others = self.features(real)
        mean = others.mean(0)
        along = torch.linalg.svd(others - mean, full_matrices=False).Vh[: min(DIRECTIONS, len(others) // 4)].T
        both = (self.features(pictures) - mean) @ along, (others - mean) @ along
        return (round(measure.frechet_distance(*both), 3),
                round(measure.spread(measure.frechet_distance, *both), 3))

    def variety(self, pictures: Tensor) -> float:
        """The mean distance of two pictures of one caption."""
        rows = self.features(pictures).unflatten(0, (-1, EACH))
        return torch.cdist(rows, rows).sum().item() / (len(rows) * EACH * (EACH - 1))

    @torch.no_grad()
    def score(self, pictures: Tensor, texts: list[str]) -> float:
        """The mean cosine of pictures and texts."""
        where = next(self.scorer.parameters()).device
        words = self.scorer.text_embedding(self.scorer.tokenizer(texts).to(where))
        seen = torch.cat([self.scorer.image_embedding(part.to(where), 0) for part in pictures.split(BATCH)])
        return round((seen * words).sum(1).mean().item(), 4)

    def row(self, pictures: Tensor, split: str) -> dict:
        """The numbers of pictures of the captions of a split."""
        ours = scenes(split, self.pictures)[0]
        found = shares(evaluate(self.recogniser, pictures, said(ours))) | self.distance(pictures, split)
        if pictures.shape[-1] == 32:
            found["score"] = self.score(pictures, captions(ours))
        return found

    def chance(self, split: str) -> dict:
        """What the recogniser finds true of real scenes when captions are shuffled among them.

        Of relations the word alone is shuffled, among scenes of two: a relation is judged only where both objects are
        seen, and with another scene's caption they hardly ever are.
        """
        ours, generator, rounds = scenes(split, self.pictures)[0], runtime.seeded(0), []
        wanted = said(ours)
        seen = self.recogniser.look(render(ours, 32), wanted["pair"])
        for _ in range(SHUFFLES):
            order = torch.randperm(len(ours), generator=generator)
            right = fidelity(seen, {name: values[order] for name, values in wanted.items()})
            words, told = wanted["relation"].clone(), wanted["relation"] >= 0
            words[told] = words[told][torch.randperm(int(told.sum()), generator=generator)]
            rounds.append(right | {"relation": fidelity(seen, wanted | {"relation": words})["relation"]})
        return shares({name: torch.cat([right[name] for right in rounds]) for name in rounds[0]})


def shares(right: dict[str, Tensor]) -> dict[str, float | None]:
    """The mean of each verdict that can be judged."""
    means = {name: right[name].nanmean().item() for name in ("concept", "style", "ground", "relation", "count")}
    return {name: None if value != value else round(value, 4) for name, value in means.items()}


def in_parts(make: Sampler, texts: list[str], first_seed: int = 0) -> tuple[Tensor, float]:
    """Pictures of all captions, and the processor seconds that one took."""
    began = time.process_time()
    made = torch.cat([make(texts[i : i + BATCH], first_seed + i).clamp(-1, 1).cpu()
                      for i in range(0, len(texts), BATCH)])
    return made, round((time.process_time() - began) / len(texts), 3)


class Record:
    """The file: rows that are there already, about the same networks, are not measured again."""

    def __init__(self, path: Path, pictures: int, steps: dict[str, int] = STEPS):
        old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        old = old if old.get("pictures") == pictures else {}
        self.path, self.judges = path, prints("scene-recogniser", "glide-clip")
        self.all = {"pictures": pictures, "hardware": hardware(), "steps": steps, "real": {}, "chance": {}}
        if old.get("judges") == self.judges:
            self.all = old | {"steps": steps}
        self.all["judges"] = self.judges

    def has(self, part: str, networks: str, **what) -> bool:
        """Whether a row is there, about these networks. Rows of the same thing about others are thrown away."""
        rows = self.all.get(part, [])
        same = [row for row in rows if all(row[name] == value for name, value in what.items())]
        self.all[part] = [row for row in rows if row not in same or row["networks"] == networks]
        return any(row["networks"] == networks for row in same)

    def add(self, part: str, row: dict) -> None:
        self.all[part].append(row)
        self.save()
        print(part, {name: value for name, value in row.items() if name != "networks"}, flush=True)

    def save(self) -> None:
        write(self.all, self.path)


def prints(*names: str) -> str:
    """What tells these checkpoints' weights from others."""
    return " ".join(fingerprint(runtime.data_dir() / "checkpoints" / name) for name in names)


def hardware() -> str:
    """The machine in a few words."""
    if runtime.device().type == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.machine()}, {torch.get_num_threads()} threads"


def real(record: Record, judge: Judge) -> None:
    """Real scenes, and chance, beside which all the rest stands."""
    for split in SPLITS:
        if split in record.all["chance"]:
            continue
        for name, size in (("real", 32), ("real_64", 64)):
            row = judge.row(render(scenes(split, judge.pictures)[0], size), split)
            record.all.setdefault(name, {})[split] = row | ({"diversity": 1.0} if size == 32 else {})
            print(name, split, row, flush=True)
        record.all["chance"][split] = judge.chance(split)
        print("chance", split, record.all["chance"][split], flush=True)
        record.save()


def guided(record: Record, judge: Judge, part: str, networks: str, sampler: Callable[[float], Sampler],
           points: list[tuple[float, str]]) -> None:
    """A row for each scale and split."""
    for scale, split in points:
        if record.has(part, networks, scale=scale, split=split):
            continue
        made, seconds = in_parts(sampler(scale), captions(scenes(split, judge.pictures)[0]))
        row = {"scale": scale, "split": split} | judge.row(made, split)
        if split == "test":
            same = alike(judge.pictures)
            made, _ = in_parts(sampler(scale), captions(same), first_seed=9000)
            row["diversity"] = round(judge.variety(made) / judge.variety(render(same, 32)), 3)
        record.add(part, row | {"seconds": seconds, "networks": networks})


def cfg(record: Record, judge: Judge) -> None:
    """The base, guided without a classifier."""
    points = [(scale, "test") for scale in CFG_SCALES] + [(RECOMMENDED, split) for split in SPLITS[1:]]
    guided(record, judge, "cfg", prints("glide-base"), by_itself(glide.load("base")), points)


def clip(record: Record, judge: Judge) -> None:
    """The base at its plain scale, guided by the scorer."""
    guided(record, judge, "clip", prints("glide-base", "glide-clip"), by_clip(glide.load("base")),
           [(scale, "test") for scale in CLIP_SCALES])


def cfg_wrong(record: Record, judge: Judge) -> None:
    """As `cfg`, with the network whose training captions were wrong in two cases of five."""
    guided(record, judge, "cfg_wrong", fingerprint(wrong_folder()), by_itself(wrong_base()),
           [(scale, "test") for scale in CFG_SCALES])


def clip_wrong(record: Record, judge: Judge) -> None:
    """As `clip`, with that network."""
    guided(record, judge, "clip_wrong", f"{fingerprint(wrong_folder())} {prints('glide-clip')}", by_clip(wrong_base()),
           [(scale, "test") for scale in CLIP_SCALES])


def by_itself(base: glide.TextConditional) -> Callable[[float], Sampler]:
    """Classifier-free guidance at a scale."""
    return lambda scale: lambda texts, seed: base.sample(texts, scale, STEPS["cfg"], seed)


def by_clip(base: glide.TextConditional) -> Callable[[float], Sampler]:
    """CLIP guidance at a scale, of the network without guidance of its own."""
    system = glide.ClipGuided(base, load_network("glide-clip").to(runtime.device()))
    return lambda scale: lambda texts, seed: system.sample(texts, scale, STEPS["clip"], seed, sampler=ddim)


def wrong_folder() -> Path:
    """Where the training with wrong captions left its checkpoint."""
    return runtime.data_dir() / "runs" / "glide-wrong-captions" / "checkpoint"


def wrong_base() -> glide.TextConditional:
    return glide.TextConditional(load_network(wrong_folder()).to(runtime.device()))


def augmentation(record: Record, judge: Judge) -> None:
    """The noise on the upsampler's small picture, which the base has drawn; as a control, on real small pictures.

    consistency: 1000 times the mean squared difference of the small picture and the large one made small, of pictures
    in 0..1. psnr: how near the large picture is to the real one.
    """
    scenes_large, scenes_small = (render(scenes("test", judge.pictures)[0], size) for size in (64, 32))
    lows = {"augmentation": lambda: small("test", judge.pictures), "augmentation_real": lambda: scenes_small}
    for part, level in product(lows, LEVELS):
        if not record.has(part, prints(*CASCADE), level=level):
            low = lows[part]()
            made, row = upsampled(judge, "test", low, level)
            row["consistency"] = round(1e3 * measure.consistency(made, low, HALF).mean().item(), 3)
            if part == "augmentation_real":
                row["psnr"] = round(measure.psnr(made, scenes_large).mean().item(), 2)
            record.add(part, {"level": level} | row)


def cascade(record: Record, judge: Judge) -> None:
    """Base and upsampler, as the system draws; seconds are those of the upsampler."""
    for split in SPLITS:
        if not record.has("cascade", prints(*CASCADE), split=split):
            _, row = upsampled(judge, split, small(split, judge.pictures), glide.AUGMENTATION)
            record.add("cascade", {"split": split} | row)


@cache
def small(split: str, pictures: int) -> Tensor:
    """What the base draws of a split at the recommended scale, the same as in `cfg`."""
    base = glide.load("base")
    return in_parts(lambda texts, seed: base.sample(texts, RECOMMENDED, STEPS["cfg"], seed),
                    captions(scenes(split, pictures)[0]))[0]


def upsampled(judge: Judge, split: str, low: Tensor, level: float) -> tuple[Tensor, dict]:
    """Small pictures made large, and the numbers of these."""
    upsampler = glide.load("upsampler")
    made, seconds = in_parts(
        lambda texts, seed: upsampler.sample(texts, low[seed : seed + BATCH], 1.0, STEPS["upsampler"], seed, level),
        captions(scenes(split, judge.pictures)[0]))
    return made, judge.row(made, split) | {"seconds": seconds, "networks": prints(*CASCADE)}


def arguments(description: str, name: str, parts: Iterable[str], default: list[str] | None = None,
              pictures: int = 256, **options: str) -> argparse.Namespace:
    """The command line of a bench that writes data/recorded/NAME.json: pictures, parts, output, and further options.

    options: help, by name.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=pictures, help="for each row, an even number of at least 8")
    parser.add_argument("--parts", nargs="+", default=default or list(parts), choices=list(parts))
    parser.add_argument("--output", type=Path, default=runtime.data_dir() / "recorded" / f"{name}.json")
    for option, said_of_it in options.items():
        parser.add_argument(f"--{option}", help=said_of_it)
    given = parser.parse_args()
    if given.pictures < 8 or given.pictures % 2:
        parser.error("the splits show one and two objects in equal parts: give an even number of at least 8")
    return given


def main() -> None:
    parts = {part.__name__: part for part in (cfg, clip, augmentation, cascade, cfg_wrong, clip_wrong)}
    given = arguments(__doc__, "glide", parts, list(parts)[:4])
    record, judge = Record(given.output, given.pictures), Judge(given.pictures)
    real(record, judge)
    for part in given.parts:
        parts[part](record, judge)


if __name__ == "__main__":
    main()
