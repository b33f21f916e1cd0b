"""The judge of scenes: what it is asked, and how its answers count."""

import pytest
import torch

from course_utils.datasets import to_model_range
from course_utils.datasets.scenes import Scenes, make_scene, render_all
from course_utils.datasets.sprites import STYLES, concepts
from course_utils.datasets.vocabulary import COLOUR_NAMES, FAMILIAR, RELATIONS, said, truths
from course_utils.evaluation.scenes import fidelity
from course_utils.networks import SceneRecogniser

pytestmark = pytest.mark.usefixtures("plain_precision")


def oracle(scenes) -> dict[str, torch.Tensor]:
    """What a perfect judge would see: logits of 1 where it is true."""
    real = truths(scenes)
    sizes = {"style": len(STYLES), "ground": len(COLOUR_NAMES), "relation": len(RELATIONS), "count": 3}
    hot = {name: torch.zeros(len(scenes), size) for name, size in sizes.items()}
    for name, logits in hot.items():
        logits.scatter_(1, (real[name] - int(name == "count")).clamp(min=0)[:, None], 1.0)
    shown = torch.zeros(len(scenes), len(concepts()))
    for row, numbers in zip(shown, real["concepts"]):
        row[numbers[numbers >= 0]] = 1
    return hot | {"concepts": shown}


def test_a_perfect_judge_finds_real_scenes_true_and_chance_low():
    scenes = [Scenes("train", among=FAMILIAR).scene(number) for number in range(600)]
    wanted = said(scenes)
    right = fidelity(oracle(scenes), wanted)
    for values in right.values():
        assert values.shape == (600,) and values.nanmean() == 1 and values.isnan().sum() < 550
    others = {name: value.roll(1, 0) for name, value in wanted.items()}
    chance = {name: values.nanmean().item() for name, values in fidelity(oracle(scenes), others).items()}
    assert chance["concept"] < 0.08 and chance["style"] < 0.25 and chance["ground"] < 0.2 and chance["count"] < 0.5


def test_only_what_a_caption_says_is_judged():
    scenes = [make_scene("cat", "flat", "red", length=length) for length in ("short", "medium")]
    scenes.append(make_scene(["dog", "cat"], "flat", "red", relation="right of"))
    assert [scene.caption for scene in scenes] == [
        "a flat cat", "a flat cat on a red background", "a flat dog right of a cat on a red background"]
    found, cat, dog = said(scenes), concepts()["cat"].index, concepts()["dog"].index
    red = COLOUR_NAMES.index("red")
    assert found["ground"].tolist() == [-1, red, red] and found["style"].tolist() == [1, 1, 1]
    assert found["relation"].tolist() == [-1, -1, RELATIONS.index("left of")] and found["count"].tolist() == [1, 1, 2]
    assert found["pair"][2].tolist() == [cat, dog] == sorted(found["concepts"][2][:2].tolist())
    seen = oracle(scenes)
    seen["concepts"][2] = 0
    seen["concepts"][2, [cat, dog + 1]] = 1.0
    right = fidelity(seen, found)
    assert right["concept"].tolist() == [1, 1, 0.5]
    assert right["relation"].isnan().all(), "of an object that is not seen no relation can be judged"


def test_the_judge_takes_both_sizes_and_is_asked_for_pairs():
    torch.manual_seed(0)
    judge = SceneRecogniser(list(concepts()), list(STYLES), list(COLOUR_NAMES), list(RELATIONS), width=8).eval()
    scenes = [Scenes().scene(number) for number in range(6)]
    pair = truths(scenes)["pair"]
    for size in (32, 64):
        seen = judge.look(to_model_range(render_all(scenes, size)), pair, at_once=4)
        assert {name: tuple(value.shape) for name, value in seen.items()} == {
            "concepts": (6, 98), "style": (6, 6), "ground": (6, 10), "count": (6, 3), "relation": (6, 6)}
    with pytest.raises(ValueError, match="images must be .B, 3, 32, 32. or .B, 3, 64, 64.; got .1, 3, 16, 16."):
        judge(torch.zeros(1, 3, 16, 16), torch.zeros(1, 2, dtype=torch.long))
