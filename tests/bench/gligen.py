"""Does GLIGEN obey, and what does it cost? Measures the model of notebook 13 and writes data/recorded/gligen.json.

    python -m tests.bench.gligen [--pictures 128] [--parts tau open_set groundings together ...] [--states DIR]

Notebook 13 draws the file. Each row is written as soon as it is measured, and kept as long as the networks it is about
stay the same. NAME_error is a standard error. Scenes are those of evaluation.grounding.layout_scenes.
    real: what originals get: iou, named, and the distance of one half of them to the other.
    tau: over the share of steps with boxes: iou of asked boxes with found ones; named: whether the recogniser finds the
    asked thing in its box, among 98; distance: of what the recogniser's body sees to other real scenes of the same
    kind. tau 0 is the base without grounding.
    own: the same at three shares, for scenes as the base was trained on them, which are not laid out anew; "real" holds
    what their originals get.
    open_set: iou and named of one thing in one box, by whether training ever grounded it ("never", "grounded"), with
    and without a caption, and of the base with the caption alone (grounded: false).
    groundings: agreement with each grounding (evaluation.grounding.agreement), of the base without it, and of
    originals, as the trainings measured them (training.json).
    together: boxes and edges of one scene, told alone and at once: agreement with each.
    inpaint: a thing painted into a box of a real scene: named, and the PSNR of what lies outside, against what encoder
    and decoder alone give back.
    learning: iou and named by images seen, from states of the training that were kept in --states, and of how many
    pictures.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn.functional import avg_pool2d

from course_utils.datasets.layouts import relaid, told
from course_utils.datasets.scene import Scene
from course_utils.datasets.scenes import Scenes
from course_utils.datasets.vocabulary import FAMILIAR
from course_utils.evaluation.grounding import agreement, box_table, layout_scenes
from course_utils.evaluation.scenes import mean_and_error, render
from course_utils.measure import psnr
from course_utils.networks import NetworkError, training_record
from course_utils.networks.gligen import GROUNDINGS
from course_utils.systems import gligen
from course_utils.training.recipes.autoencoder import parts as in_parts
from course_utils.training.recipes.gligen import NEVER_GROUNDED, GLIGENBoxes
from tests.bench.glide import Judge, Record, arguments, prints, scenes

SIZE, STEPS = 128, {"gligen": 25}
TAUS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@cache
def system(*groundings: str) -> gligen.GLIGEN:
    return gligen.load(*groundings)


@cache
def both_halves(pictures: int) -> tuple[list[Scene], list[Scene]]:
    """The scenes that are asked for, and as many others like them."""
    all_of_them = layout_scenes(2 * pictures)
    one, two = all_of_them[:pictures], all_of_them[pictures:]
    half = pictures // 2
    return one[:half] + two[:half], one[half:] + two[half:]


def drawn(scenes: list[Scene], *groundings: str, captions: bool = True, **options) -> Tensor:
    """Samples for scenes, told these groundings of them, (B, 3, 128, 128)."""
    made, model = [], system(*(groundings or ("boxes",)))
    for i, part in enumerate(in_parts(scenes, 32)):
        prompts = [scene.caption if captions else "" for scene in part]
        made.append(model.sample(prompts, seed=i, **options, **{kind: told(part, kind) for kind in groundings}).cpu())
    return torch.cat(made)


def row_of(values: dict[str, Tensor]) -> dict[str, float]:
    row: dict[str, float] = {}
    for name, each in values.items():
        row |= mean_and_error(each, name)
    return row


def distance(judge: Judge, pictures: Tensor, others: Tensor) -> dict[str, float]:
    """As `Judge.distance`, to other scenes."""
    apart, error = judge.apart(avg_pool2d(pictures, 2), avg_pool2d(others, 2))
    return {"distance": apart, "distance_error": error}


def box_row(judge: Judge, pictures: Tensor, scenes: list[Scene]) -> dict[str, float]:
    return row_of(box_table(pictures, scenes, judge.recogniser))


def tau(record: Record, judge: Judge, given) -> None:
    ours, others = both_halves(judge.pictures)
    real, other = render(ours, SIZE), render(others, SIZE)
    record.all["real"] = box_row(judge, real, ours) | distance(judge, real, other)
    for share in TAUS:
        networks = prints("sd-base", "gligen-boxes")
        if not record.has("tau", networks, tau=share):
            made = drawn(ours, "boxes", tau=share)
            record.add("tau", {"tau": share, "networks": networks} | box_row(judge, made, ours)
                       | distance(judge, made, other))


def own(record: Record, judge: Judge, given) -> None:
    ours, others = scenes("test", judge.pictures)
    other = render(others, SIZE)
    for share in ("real", 0.0, 0.4, 1.0):
        networks = prints("sd-base", "gligen-boxes")
        if not record.has("own", networks, tau=share):
            made = render(ours, SIZE) if share == "real" else drawn(ours, "boxes", tau=share)
            record.add("own", {"tau": share, "networks": networks} | box_row(judge, made, ours)
                       | distance(judge, made, other))


def open_set(record: Record, judge: Judge, given) -> None:
    networks = prints("sd-base", "gligen-boxes")
    for which in ("never", "grounded"):
        names = [name for name in FAMILIAR if (name in NEVER_GROUNDED) == (which == "never")]
        scenes = of_concepts(names, max(8, judge.pictures // 2))
        for captions, grounded in ((True, True), (False, True), (True, False)):
            how = {"which": which, "captions": captions, "grounded": grounded}
            if not record.has("open_set", networks, **how):
                made = drawn(scenes, "boxes", captions=captions, tau=float(grounded))
                record.add("open_set", how | {"networks": networks} | box_row(judge, made, scenes))


def of_concepts(names: list[str], count: int) -> list[Scene]:
    """Scenes of one thing each, in turn."""
    world = Scenes("test", among=FAMILIAR, shares=(1, 0, 0), coarse=True)
    found: dict[str, list[Scene]] = {name: [] for name in names}
    each = -(-count // len(names))
    for seed in range(len(world)):
        scene = world.scene(seed)
        some = found.get(scene.objects[0].concept)
        if some is not None and len(some) < each:
            some.append(relaid(scene, seed))
        if all(len(some) == each for some in found.values()):
            break
    return sum(found.values(), [])[:: max(1, each * len(names) // count)]


def groundings(record: Record, judge: Judge, given) -> None:
    record.all["groundings"] = []
    for kind in GROUNDINGS:
        try:
            found = training_record(f"gligen-{kind}")
        except NetworkError:
            continue
        kept = {name: value for name, value in found["measures"].items() if name != "held_out_loss"}
        record.add("groundings", {"grounding": kind, "images": found["images"], "seconds": found["seconds"],
                                  "networks": prints(f"gligen-{kind}")} | kept)


def together(record: Record, judge: Judge, given) -> None:
    networks, (ours, _) = prints("sd-base", "gligen-boxes", "gligen-edges"), both_halves(judge.pictures)
    for kinds in (("boxes",), ("edges",), ("boxes", "edges")):
        if not record.has("together", networks, told=" and ".join(kinds)):
            made = drawn(ours, *kinds)
            row = row_of({kind: agreement(kind, made, ours) for kind in ("boxes", "edges")})
            record.add("together", {"told": " and ".join(kinds), "networks": networks} | row
                       | box_row(judge, made, ours))


def inpaint(record: Record, judge: Judge, given) -> None:
    networks = prints("sd-base", "gligen-boxes")
    ours = [scene for scene in both_halves(judge.pictures)[0] if len(scene.objects) == 2][: judge.pictures // 2]
    real, model, boxes = render(ours, SIZE), system("boxes"), told(ours, "boxes")
    # What is painted is the thing of the next scene, into the box of the first of this one
    asked = [[(other.objects[0].concept, objects[0][1])] for objects, other in zip(boxes, ours[1:] + ours[:1])]
    if record.has("inpaint", networks):
        return
    made = torch.cat([model.inpaint(real[i : i + 32], [""] * len(asked[i : i + 32]), asked[i : i + 32], seed=i).cpu()
                      for i in range(0, len(asked), 32)])
    back = torch.cat([model.decode(model.encode(part)).cpu() for part in real.split(32)])
    wanted = [Scene((_renamed(scene, name[0][0]),), scene.ground, scene.style, "") for scene, name in zip(ours, asked)]
    outside = torch.ones_like(real)
    for mask, objects in zip(outside, asked):
        left, top, right, bottom = (round(SIZE * value) for value in objects[0][1])
        mask[:, max(top - 12, 0) : bottom + 12, max(left - 12, 0) : right + 12] = 0
    kept = {name: psnr(images * outside, real * outside) for name, images in (("psnr", made), ("psnr_decoder", back))}
    record.add("inpaint", {"networks": networks} | row_of(box_table(made, wanted, judge.recogniser) | kept))


def _renamed(scene: Scene, name: str):
    return replace(scene.objects[0], concept=name)


def learning(record: Record, judge: Judge, given) -> None:
    """Of the averaged weights in states of the training."""
    recipe, (ours, _) = GLIGENBoxes(), both_halves(judge.pictures)
    for path in sorted(Path(given.states).glob("*.safetensors")):
        with safe_open(path, "pt") as state:
            images = json.loads(state.metadata()["numbers"])["images"]
            weights = {name.removeprefix("average."): state.get_tensor(name) for name in state.keys()
                       if name.startswith("average.")}
        if record.has("learning", prints("sd-base"), images=images):
            continue
        network = recipe.network().eval()
        network.load_state_dict(weights)
        made = recipe.answers(network, ours)
        record.add("learning", {"images": images, "pictures": judge.pictures, "networks": prints("sd-base")}
                   | box_row(judge, made, ours))
    record.all["learning"].sort(key=lambda row: row["images"])
    record.save()


def main() -> None:
    every = {part.__name__: part for part in (tau, own, open_set, groundings, together, inpaint, learning)}
    given = arguments(__doc__, "gligen", every, list(every)[:6], pictures=128,
                      states="a folder of states of the training of gligen-boxes")
    record, judge = Record(given.output, given.pictures, STEPS), Judge(given.pictures)
    for name in given.parts:
        record.all.setdefault(name, [])
        every[name](record, judge, given)
    record.save()


if __name__ == "__main__":
    main()
