"""Why diffuse latents and not pixels? Measures Stable Diffusion and writes data/recorded/stable_diffusion.json.

    python -m tests.bench.stable_diffusion [--pictures 128] [--parts reconstruction captions order terminal ...]

Notebook 12 draws the file. Each row is written as soon as it is measured, and kept as long as the networks it is about
stay the same. About an hour on one thread; with `--pictures 8` a few minutes, for trying it out. The parts
`budget` and `flow` train as well, twenty minutes and an hour more.

The recogniser of 09 sees images of 128 x 128 made small to 64 x 64. NAME_error is the standard error of a share or a
mean. Wherever images were drawn from captions a row holds, as in tests/bench/glide.py, concept, style, ground,
relation, count (null: none to judge), distance and its error ("error"), and beside them
    concept_one, concept_two: the share of things that are found, by the number of things that were asked for
    texture: the texture distance at 128 x 128 to other real scenes, and texture_error
"real" and "chance" hold the same of real scenes by split, and of captions shuffled among them.

    reconstruction: one row for each autoencoder, by its name: factor (f), channels, numbers (in the latents of an
    image), compression (numbers of the image for one of these), parameters, images (trained on), recorded (false: it
    is in data/checkpoints), and what its training.json measured on 256 test scenes: psnr, ssim, texture,
    texture_of_originals, concept_again, style_again, ground_again, relation_again.
    budget: the same U-Net on pixels (factor 1) and on latents, each trained for four minutes of one core: a row after
    one, two and four quarters of the training (quarter), with factor, autoencoder, seed, parameters, images (seen so
    far), minutes (of a core, so far). At most 128 pictures, not guided, of BUDGET_STEPS. In the record pixels were
    stopped after half of it.
    captions: of the captions of the splits, at guidance scales and numbers of steps: scale, steps, split. Captions of
    the same kind, 256 of them, as 64 x 64: by 09 in glide.json, "cascade"; by 10 in imagen.json, "augmentation".
    order: the error of x0 under a caption with the things exchanged ("exchanged") or the opposite relation
    ("opposite"), over that under the true caption, for real scenes at t: 1 means that the network does not read it.
    seconds: of one core, for one image of 128 x 128 in a batch of `batch`: by 09 with the upsamplers of 09 and 10
    ("glide"), by 10 ("imagen"), by 12 ("stable-diffusion"): the least of three rounds, all in turn; parts: of each
    network, in order.
    terminal: what a schedule that does not end in noise does. The network sees the noise level that it was trained on,
    whatever the schedule: start "cosine" (the course's), "scaled-linear" (Stable Diffusion's, whose last signal to
    noise ratio is not zero) from pure noise, "scaled-linear, true" from noised real scenes, "rescaled" (the same with
    a last ratio of zero; Lin et al. 2024) from pure noise. asked: the colour of the ground, or "" for no caption;
    steps; n images. brightness: the mean of the images in 0..255; brightness_std: between images, good to about
    1 / sqrt(2 n) of itself; real, real_std: of the real scenes whose captions they are; gap: the mean difference to
    these, with gap_error; signal: sqrt(abar) at the first step.
    few: the captions of the test split in few steps: method, steps, evals (calls of the U-Net for an image; guidance
    makes two of each step). Methods: "ddim" and "dpmpp" (DPM-Solver++ 2M) as the course has them, "straight" (Euler's
    method on the straight path of flow matching: the same network, told the same noise levels) and "student"
    (sd-few-steps, which needs no guidance).
    flow: the same of two short trainings, from random weights: training "sd-usual" and "sd-flow", steps.
    layout: boxes kept, by what was asked for: by "count" (1, 2, 3) or by "size" (the larger side of the box, least and
    most): n boxes, iou and its error, chance (in the image of another layout), originals (in
    the real scene).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from course_utils import measure, runtime
from course_utils.datasets.grounds import COLOURS
from course_utils.datasets.scenes import Scene, Scenes
from course_utils.datasets.vocabulary import FAMILIAR, said
from course_utils.diffusion import NoiseSchedule, ddim, dpmpp
from course_utils.evaluation.boxes import box_scores
from course_utils.evaluation.scenes import evaluate, evaluation_scenes, render
from course_utils.networks import load_network, training_record
from course_utils.systems import glide, imagen, stable_diffusion
from course_utils.systems.stable_diffusion import SCHEDULE, StableDiffusion, Trailing
from course_utils.training import find, recorded, train
from course_utils.training.recipes.few_steps import flow_samples
from course_utils.training.run import Run
from tests.bench.glide import SPLITS, Judge, Record, arguments, captions, prints, scenes
from tests.bench.steps import fingerprint
from tests.bench.unclip import exchanged, opposite, share

SIZE = 128
RECOMMENDED, STEPS = 3.0, 25
SCALES = (1.0, 2.0, 3.0, 5.0, 8.0)
AUTOENCODERS = ("sd-autoencoder", "sd-decoder", "sd-short", "sd-short-random", "sd-short-channels-4",
                "sd-short-channels-16", "sd-short-f4", "sd-short-f2")
FACTORS, QUARTERS = (8, 2, 1), (1, 2, 4)
BUDGET_SCALE, BUDGET_STEPS = 1.0, 10
TIMES = (700, 800, 900, 960)
# Stable Diffusion's own: square roots of beta on a straight line
SCALED_LINEAR = NoiseSchedule(torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2)
STARTS = ("cosine", "scaled-linear", "scaled-linear, true", "rescaled")
# No caption, at more steps too; a dark and a light ground
GROUNDS = (("", 25), ("", 100), ("navy", 25), ("yellow", 25))
SIZES = (0.0, 0.35, 0.45, 0.6, 1.0)
FEW = (1, 2, 4, 10, 25)
NETWORKS = ("sd-base", "sd-decoder", "clip")
small = partial(avg_pool2d, kernel_size=2)


class LargeJudge(Judge):
    """Looks at images of 128 x 128: by the recogniser made small, by their texture as they are."""

    def features(self, pictures: Tensor) -> Tensor:
        return super().features(small(pictures))

    def row(self, pictures: Tensor, split: str) -> dict:
        ours, others = scenes(split, self.pictures)
        right = evaluate(self.recogniser, small(pictures), said(ours))
        number = torch.tensor([len(scene.objects) for scene in ours])
        right |= {"concept_one": right["concept"][number == 1], "concept_two": right["concept"][number == 2]}
        row = {name: value for what in ("concept", "concept_one", "concept_two", "style", "ground", "relation", "count")
               for name, value in share(right[what], what).items()}
        real = render(others, SIZE)
        if len(pictures) >= 128:
            row |= {"texture": round(measure.texture_distance(pictures, real), 2),
                    "texture_error": round(measure.spread(measure.texture_distance, pictures, real), 2)}
        return row | self.distance(pictures, split)


@cache
def system() -> StableDiffusion:
    return stable_diffusion.load()


def drawn(sd: stable_diffusion.Latent, asked: list, scale: float = RECOMMENDED, steps: int = STEPS,
          sample: Callable[..., Tensor] = stable_diffusion.Latent.sample, **options) -> Tensor:
    """Images of what is asked for, in parts."""
    return torch.cat([sample(sd, asked[i : i + 32], scale, steps, seed=i, **options).cpu()
                      for i in range(0, len(asked), 32)])


def real(record: Record, judge: LargeJudge) -> None:
    """Real scenes, and chance, beside which all the rest stands."""
    for split in SPLITS:
        if split not in record.all["chance"]:
            record.all["real"][split] = judge.row(render(scenes(split, judge.pictures)[0], SIZE), split)
            record.all["chance"][split] = judge.chance(split)
            record.save()


def reconstruction(record: Record, judge: LargeJudge) -> None:
    """What the trainings of the autoencoders have measured."""
    record.all["reconstruction"] = []
    for name in AUTOENCODERS:
        folder = runtime.data_dir() / "recorded" / name
        short = name.startswith("sd-short")
        if short and not (folder / "training.json").is_file():
            continue
        training, made = recorded(name) if short else training_record(name), find(name)
        factor = 2 ** (len(made.widths) - 1)
        numbers = made.latent_channels * (SIZE // factor) ** 2
        record.add("reconstruction", {
            "autoencoder": name, "factor": factor, "channels": made.latent_channels, "numbers": numbers,
            "compression": round(3 * SIZE**2 / numbers, 1), "parameters": training["parameters"],
            "images": training["images"], "recorded": short} | training["measures"])


def budget(record: Record, judge: LargeJudge) -> None:
    """Train each U-Net, look at it on the way."""
    few = LargeJudge(min(judge.pictures, 128))
    asked = captions(scenes("test", few.pictures)[0])
    for factor in FACTORS:
        recipe, folder = find(f"sd-equal-f{factor}"), runtime.data_dir() / "runs" / f"sd-equal-f{factor}"
        if not quarter_of(folder, 4).is_dir():
            train_watched(recipe, folder)
        for quarter in QUARTERS:
            checkpoint = quarter_of(folder, quarter)
            if record.has("budget", fingerprint(checkpoint), factor=factor, quarter=quarter, seed=recipe.seed):
                continue
            network, told = load_network(checkpoint), training_record(checkpoint)
            sd = StableDiffusion(network.to(runtime.device()), recipe.autoencoder.to(runtime.device()), recipe.clip)
            row = few.row(drawn(sd, asked, BUDGET_SCALE, BUDGET_STEPS), "test")
            record.add("budget", {"factor": factor, "quarter": quarter, "seed": recipe.seed,
                                  "autoencoder": getattr(recipe, "short", None) if factor > 1 else None,
                                  "parameters": sum(each.numel() for each in network.parameters()),
                                  "images": told["images"], "minutes": round(told["seconds"] / 60, 2)}
                       | row | {"networks": fingerprint(checkpoint)})


def quarter_of(folder: Path, quarter: int) -> Path:
    """Where the averaged network after a quarter, a half ... of a training lies."""
    return folder / f"quarter-{quarter}" / "checkpoint"


def train_watched(recipe, folder: Path) -> None:
    """Train, and keep the averaged network after each quarter, with the seconds of a core that it took so far."""
    began, kept = time.process_time(), []

    def keep(network: nn.Module) -> None:
        # The trainer shows its previews after each quarter
        kept.append(1 + len(kept))
        told = {"network": type(network).__name__, "images": recipe.images * kept[-1] // 4,
                "seconds": time.process_time() - began}
        Run(folder / f"quarter-{kept[-1]}").write_checkpoint(network, told)

    recipe.preview = keep
    recipe.measures = lambda network: {}
    train(recipe, folder=folder, progress=False, again=True)


def captions_of(record: Record, judge: LargeJudge) -> None:
    """At scales, at numbers of steps, and of the splits."""
    points = [(scale, STEPS, "test") for scale in SCALES] + [(RECOMMENDED, steps, "test") for steps in (10, 50)]
    for scale, steps, split in points + [(RECOMMENDED, STEPS, split) for split in SPLITS[1:]]:
        if record.has("captions", prints(*NETWORKS), scale=scale, steps=steps, split=split):
            continue
        made = drawn(system(), captions(scenes(split, judge.pictures)[0]), scale, steps)
        record.add("captions", {"scale": scale, "steps": steps, "split": split} | judge.row(made, split)
                   | {"networks": prints(*NETWORKS)})


@torch.no_grad()
def order(record: Record, judge: LargeJudge) -> None:
    """Does the network read who is where? Its error under wrong captions over that under the right one."""
    asked = evaluation_scenes("unseen-relation", judge.pictures // 2)
    x0, sd = system().encode(render(asked, SIZE)), system()
    eps = torch.randn(x0.shape, generator=runtime.seeded(0)).to(x0)
    for t, (name, worded) in product(TIMES, (("exchanged", exchanged), ("opposite", opposite))):
        if record.has("order", prints(*NETWORKS), t=t, wrong=name):
            continue
        xt = SCHEDULE.jump(x0, t, eps)
        wrong, fine = ((sd.denoiser(texts)(xt, t).x0 - x0).square().flatten(1).mean(1)
                       for texts in ([worded(scene) for scene in asked], captions(asked)))
        ratio = wrong.mean() / fine.mean()
        error = (wrong - ratio * fine).std() / fine.mean() / len(asked) ** 0.5
        record.add("order", {"t": t, "wrong": name, "n": len(asked), "ratio": round(ratio.item(), 4),
                             "error": round(error.item(), 4), "networks": prints(*NETWORKS)})


def seconds(record: Record, judge: LargeJudge) -> None:
    """Each system in turn, three times."""
    texts, networks = captions(scenes("test", 8)[0]), prints(*NETWORKS)
    if record.has("seconds", networks):
        return
    base, first, ten = glide.load("base"), glide.load("upsampler"), imagen.load()

    def by_glide(some: list[str]) -> Tensor:
        middle = first.sample(some, base.sample(some, 2.0, 20).clamp(-1, 1), 1.0, 10).clamp(-1, 1)
        return ten.last.sample(middle)

    systems = {"glide": by_glide, "imagen": ten.sample, "stable-diffusion": system().sample}
    for batch in (1, 8):
        taken: dict[str, list[float]] = {name: [] for name in systems}
        for _, (name, draw) in product(range(3), systems.items()):
            began = time.process_time()
            draw(texts[:batch])
            taken[name].append((time.process_time() - began) / batch)
        for name, each in taken.items():
            record.add("seconds", {"system": name, "batch": batch, "seconds": round(min(each), 3),
                                   "threads": torch.get_num_threads(), "networks": networks})


class SameNoise(nn.Module):
    """A network under another schedule: it is told the time at which its own has as much noise."""

    def __init__(self, network: nn.Module, schedule: NoiseSchedule):
        super().__init__()
        self.network = network
        self.predicts, self.channels, self.size = network.predicts, network.channels, network.size
        own, new = (each.abar.flip(0).log().numpy() for each in (SCHEDULE, schedule))
        times = np.interp(new, own, np.arange(SCHEDULE.T - 1, -1, -1.0))
        self.register_buffer("times", torch.from_numpy(times).flip(0).float())

    def forward(self, xt: Tensor, t: Tensor, **condition: Tensor) -> Tensor:
        return self.network(xt, self.times[t.long()], **condition)


def rescaled(schedule: NoiseSchedule) -> NoiseSchedule:
    """With a last signal-to-noise ratio of (nearly) zero, and the same first (Lin et al. 2024, algorithm 1)."""
    root = schedule.abar.sqrt()
    abar = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    # Not zero itself: beta stays below 1
    abar[-1] = SCHEDULE.abar[-1]
    return NoiseSchedule(betas(abar))


def betas(abar: Tensor) -> Tensor:
    """The small steps whose products are these."""
    return 1 - abar / torch.cat([torch.ones(1, dtype=abar.dtype), abar[:-1]])


def terminal(record: Record, judge: LargeJudge) -> None:
    """Images from where each schedule ends."""
    schedules = {"cosine": SCHEDULE, "scaled-linear": SCALED_LINEAR, "scaled-linear, true": SCALED_LINEAR,
                 "rescaled": rescaled(SCALED_LINEAR)}
    for start, (asked, steps) in product(STARTS, GROUNDS):
        if record.has("terminal", prints(*NETWORKS), start=start, asked=asked, steps=steps):
            continue
        ours = with_ground(asked, judge.pictures // 4)
        schedule, images = Trailing(schedules[start].beta), render(ours, SIZE)
        sd = StableDiffusion(SameNoise(system().network, schedule), system().autoencoder, system().clip, schedule)
        texts, scale = (captions(ours), RECOMMENDED) if asked else ([""] * len(ours), 1.0)
        xT = torch.randn(len(ours), sd.network.channels, 16, 16, generator=runtime.seeded(1))
        if start.endswith("true"):
            xT = schedule.jump(sd.encode(images).cpu(), schedule.T - 1, xT)
        made = torch.cat([sd.decode(ddim(sd.denoiser(texts[i : i + 32], scale), schedule, xT[i : i + 32], steps)).cpu()
                          for i in range(0, len(ours), 32)])
        bright, true = (127.5 * (1 + each.mean((1, 2, 3))) for each in (made, images))
        numbers = {"brightness": bright.mean(), "brightness_std": bright.std(), "real": true.mean(),
                   "real_std": true.std(), "gap": (bright - true).mean(),
                   "gap_error": (bright - true).std() / len(ours) ** 0.5}
        record.add("terminal", {"start": start, "asked": asked, "steps": steps, "n": len(ours),
                                "signal": round(schedule.abar[-1].sqrt().item(), 4)}
                   | {name: round(value.item(), 2) for name, value in numbers.items()}
                   | {"networks": prints(*NETWORKS)})


def straight() -> NoiseSchedule:
    """The noise levels of xt = (1 - t) x0 + t eps at t = 1/T ... 1, scaled to a variance of one."""
    t = torch.arange(1, SCHEDULE.T + 1, dtype=torch.float64) / SCHEDULE.T
    abar = ((1 - t) ** 2 / ((1 - t) ** 2 + t**2)).clamp(min=SCHEDULE.abar[-1])
    return Trailing(betas(abar))


def few(record: Record, judge: LargeJudge) -> None:
    """In few steps, by each method. One of Euler's on the straight path is one of ddim between its noise levels."""
    asked, base, path = captions(scenes("test", judge.pictures)[0]), system(), straight()
    student = StableDiffusion(load_network("sd-few-steps").merged().to(runtime.device()), base.autoencoder, base.clip)
    on_line = StableDiffusion(SameNoise(base.network, path).to(runtime.device()), base.autoencoder, base.clip, path)
    methods = {"ddim": (base, RECOMMENDED, ddim, FEW), "dpmpp": (base, RECOMMENDED, dpmpp, FEW),
               "straight": (on_line, RECOMMENDED, ddim, FEW), "student": (student, 1.0, ddim, (1, 2, 4))}
    for method, (sd, scale, sampler, numbers) in methods.items():
        networks = prints("sd-few-steps" if method == "student" else "sd-base", "sd-decoder", "clip")
        for count in numbers:
            if not record.has("few", networks, method=method, steps=count):
                made = drawn(sd, asked, scale, count, sampler=sampler)
                record.add("few", {"method": method, "steps": count, "evals": count * (2 if scale > 1 else 1)}
                           | judge.row(made, "test") | {"networks": networks})


def flow(record: Record, judge: LargeJudge) -> None:
    """Flow matching and the usual training, for as many images; trained here where they are not."""
    asked = captions(scenes("test", judge.pictures)[0])
    for name in ("sd-usual", "sd-flow"):
        folder = runtime.data_dir() / "runs" / name
        if not (folder / "checkpoint").is_dir():
            train(find(name), folder=folder, progress=False, again=True)
        told, network = training_record(folder / "checkpoint"), load_network(folder / "checkpoint")
        sd = StableDiffusion(network.to(runtime.device()), system().autoencoder, system().clip)
        how = {"sample": flow_samples} if name == "sd-flow" else {}
        for count in FEW:
            if not record.has("flow", fingerprint(folder / "checkpoint"), training=name, steps=count):
                made = drawn(sd, asked, steps=count, **how)
                record.add("flow", {"training": name, "steps": count, "images": told["images"],
                                    "seconds": told["seconds"]} | judge.row(made, "test")
                           | {"networks": fingerprint(folder / "checkpoint")})


def with_ground(colour: str, count: int) -> list[Scene]:
    """Test scenes on a ground of this colour, or of any for ""."""
    assert colour in ("", *COLOURS)
    found = [scene for scene in evaluation_scenes("test", 1024) if colour in ("", scene.ground.colour)]
    # Of one and of two objects alike
    return found[:: max(1, len(found) // count)][:count]


def layout(record: Record, judge: LargeJudge) -> None:
    """Boxes that are kept, where objects do not touch."""
    networks = prints("sd-layout", "sd-decoder")
    if record.has("layout", networks):
        return
    sd, recipe = stable_diffusion.load("layout"), find("sd-layout")
    found = []
    for count in (1, 2, 3):
        shares = [float(count == number) for number in (1, 2, 3)]
        world = Scenes("test", among=FAMILIAR, shares=shares, coarse=True)
        apart = (scene for scene in map(world.scene, range(len(world)))
                 if all(relation != "in front of" for _, relation, _ in scene.relations))
        ours = [next(apart) for _ in range(judge.pictures // 2)]
        made, boxes = drawn(sd, recipe.asked(ours)), [[placed.box for placed in scene.objects] for scene in ours]
        scores = torch.stack([box_scores(images, boxes) for images in (made, made.roll(1, 0), render(ours, SIZE))], 1)
        found += [(count, max(box[2] - box[0], box[3] - box[1]), *three)
                  for box, three in zip(sum(boxes, []), scores.tolist())]
    table = torch.tensor(found)
    chosen = [("count", [count], table[:, 0] == count) for count in (1, 2, 3)] + [
        ("size", [least, most], (table[:, 1] > least) & (table[:, 1] <= most)) for least, most in zip(SIZES, SIZES[1:])]
    for by, value, rows in chosen:
        if rows.sum() > 1:
            iou, chance, originals = table[rows, 2:].T
            record.add("layout", {"by": by, "value": value, "n": int(rows.sum())} | share(iou, "iou")
                       | {"chance": round(chance.mean().item(), 4), "originals": round(originals.mean().item(), 4),
                          "networks": networks})


def main() -> None:
    parts = {"reconstruction": reconstruction, "captions": captions_of} | {
        part.__name__: part for part in (order, terminal, seconds, layout, few, budget, flow)}
    given = arguments(__doc__, "stable_diffusion", parts, list(parts)[:7], pictures=128)
    record = Record(given.output, given.pictures, {"captions": STEPS, "budget": BUDGET_STEPS})
    judge = LargeJudge(given.pictures)
    real(record, judge)
    for part in given.parts:
        record.all.setdefault(part, [])
        parts[part](record, judge)


if __name__ == "__main__":
    main()
