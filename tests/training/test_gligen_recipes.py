"""The recipes of GLIGEN: what a batch tells, what never is told, and where attention is led."""

import pytest
import torch

from course_utils.datasets.layouts import told
from course_utils.datasets.vocabulary import FAMILIAR
from course_utils.evaluation.grounding import box_table, layout_scenes
from course_utils.evaluation.scenes import mean_and_error
from course_utils.networks import GroundedUNet, LatentUNet, training_record
from course_utils.networks.gligen import GROUNDINGS
from course_utils.runtime import seeded
from course_utils.systems import gligen
from course_utils.training.recipe import find
from course_utils.training.recipes.gligen import NEVER_GROUNDED, GLIGENBoxes, trainable_share
from tests.networks.test_autoencoder import alive

pytestmark = pytest.mark.usefixtures("plain_precision")


@pytest.fixture(scope="module")
def batch():
    recipe = GLIGENBoxes()
    return recipe, recipe.batch(48, seeded(2)), recipe.scenes(48, seeded(2))


def test_boxes_are_those_of_the_scene(batch):
    recipe, found, scenes = batch
    assert set(NEVER_GROUNDED) < set(FAMILIAR) and len(NEVER_GROUNDED) == 8
    null = 0
    for boxes, masks, scene in zip(found["boxes"], found["masks"], scenes):
        wanted = [placed.box for placed in scene.objects if placed.concept not in NEVER_GROUNDED]
        null += bool(wanted) and not masks.any()
        if masks.any():
            assert int(masks.sum()) == len(wanted)
            assert torch.allclose(boxes[: len(wanted)], torch.tensor(wanted))
    assert 0 < null < 15
    never = sum(placed.concept in NEVER_GROUNDED for scene in scenes for placed in scene.objects)
    assert never > 0 and found["masks"].sum() < sum(len(scene.objects) for scene in scenes) - never + 1


def test_half_the_captions_are_left_out(batch):
    recipe, found, _ = batch
    (nothing,) = recipe.system(recipe_network()).states([""])
    gone = sum(bool((each - nothing).abs().mean() < 0.1) for each in found["text"])
    assert 12 < gone < 36


def recipe_network() -> GroundedUNet:
    return GroundedUNet("boxes", base=None)


def test_attention_is_led_to_where_things_are(batch):
    recipe, found, _ = batch
    middles = (torch.arange(8) + 0.5) / 8
    covers = recipe.covers(found, torch.cartesian_prod(middles, middles).flip(1)).unflatten(1, (8, 8))
    i = int(found["masks"][:, 0].argmax())
    left, top, right, bottom = found["boxes"][i, 0].tolist()
    rows, columns = covers[i, :, :, 0].nonzero(as_tuple=True)
    assert top <= middles[rows.min()] < top + 1 / 8 and bottom - 1 / 8 < middles[rows.max()] <= bottom
    assert left <= middles[columns.min()] < left + 1 / 8 and right - 1 / 8 < middles[columns.max()] <= right
    assert not covers[found["masks"].sum(1) == 0].any()


@pytest.mark.parametrize("kind", GROUNDINGS)
def test_each_recipe_learns(kind, monkeypatch):
    base = alive(LatentUNet(widths=[32, 64]))
    monkeypatch.setattr("course_utils.networks.frozen_base.load_network", lambda name: base)
    recipe = find(f"gligen-{kind}")
    network, some = recipe.network(), recipe.batch(8, seeded(0))
    assert network.fusers()[0].alpha_attn == 1
    loss = recipe.loss(network, some)
    assert loss.shape == (8,)
    loss.mean().backward()
    assert network.fusers()[0].attn.to_out[0].weight.grad.any()
    assert 0 < trainable_share(network) < 1
    alone = recipe.batch(8, seeded(0))["masks"]
    assert torch.equal(alone, some["masks"])
    assert len(told(recipe.scenes(8, seeded(0)), kind)) == 8


def test_means_have_errors():
    assert mean_and_error(torch.tensor([0.0, 1.0, 0.0, 1.0]), "a") == {"a": 0.5, "a_error": 0.2887}
    assert mean_and_error(torch.tensor([1.0]), "a") == {}


def test_the_checkpoint_obeys_boxes():
    said = training_record("gligen-boxes")["measures"]
    assert said["iou"] >= 0.65 and said["iou_ungrounded"] < 0.45 and said["iou_never_grounded"] > 0.6
    scenes, system = layout_scenes(8), gligen.load("boxes")
    prompts, boxes = [scene.caption for scene in scenes], told(scenes, "boxes")
    made, free = (box_table(system.sample(prompts, steps=10, tau=tau, boxes=boxes).cpu(), scenes)["iou"].mean()
                  for tau in (1.0, 0.0))
    assert made > 0.55 and made > free + 0.1


@pytest.mark.parametrize("name", [f"gligen-{kind}" for kind in ("short", "numbers", "cross", "not-shown", "closed")])
def test_each_variant_differs_in_one_thing(name, monkeypatch, batch):
    base = alive(LatentUNet(widths=[32, 64]))
    monkeypatch.setattr("course_utils.networks.frozen_base.load_network", lambda name: base)
    recipe, given = find(name), {key: value[:4] for key, value in batch[1].items()}
    network = recipe.network()
    assert recipe.images == find("gligen-short").images
    recipe.loss(network, given).mean().backward()
    moved = {name for name, weight in network.named_parameters() if weight.grad is not None}
    assert moved == network.new == set(network.state_dict())
    with network.watched() as seen, torch.no_grad():
        network(given["xt"], given["t"], text=given["text"],
                **{key: given[key] for key in ("boxes", "positive_embeddings", "masks")})
    on_places = seen[0][..., :64].sum(-1)
    assert (on_places == 0).all() if name == "gligen-cross" else (on_places > 0.5).all()
    assert (network.fusers()[0].alpha_attn == 0) == (name == "gligen-closed")
    assert (recipe.look == 0) == (name in ("gligen-not-shown", "gligen-closed"))
    assert any("embed." in key for key in network.new) == (name == "gligen-numbers")
