"""The recipes of notebook 11: CLIP, prior and decoder."""

import math

import pytest
import torch

from course_utils.datasets.heldout import contains_held_out
from course_utils.datasets.sprites import STYLES, concepts
from course_utils.datasets.vocabulary import COLOUR_NAMES, FAMILIAR, RELATIONS, truths
from course_utils.evaluation import zero_shot as zero_shot_module
from course_utils.evaluation.scenes import evaluation_scenes
from course_utils.evaluation.zero_shot import sentence, zero_shot
from course_utils.networks import SceneRecogniser
from course_utils.runtime import seeded
from course_utils.training.recipes import unclip as recipes
from course_utils.training.recipes.unclip import CLIPRecipe, UnCLIPDecoderRecipe, UnCLIPPriorRecipe
from tests.networks.test_clip import clip, decoder, prior
from tests.tiny import reader

pytestmark = pytest.mark.usefixtures("plain_precision")
KINDS = {CLIPRecipe: clip, UnCLIPDecoderRecipe: decoder, UnCLIPPriorRecipe: prior}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A small CLIP, base and recogniser in place of the trained ones, and few scenes for measuring."""
    torch.manual_seed(0)
    judge = SceneRecogniser(list(concepts()), list(STYLES), list(COLOUR_NAMES), list(RELATIONS), width=8).eval()
    made = clip().requires_grad_(False)
    monkeypatch.setattr(recipes, "clip", lambda where: made)
    monkeypatch.setattr(recipes, "load_network", {"glide-base": reader(), "scene-recogniser": judge}.get)
    monkeypatch.setattr(recipes, "evaluation_scenes", lambda split, count: evaluation_scenes(split, min(count, 16)))


@pytest.mark.parametrize("kind", KINDS)
def test_batches_follow_from_their_generator(kind):
    one, two, other = (kind().batch(8, seeded(seed)) for seed in (3, 3, 4))
    assert all(len(value) == 8 and torch.equal(value, two[name]) for name, value in one.items())
    assert not any(torch.equal(value, other[name]) for name, value in one.items() if value.is_floating_point())


@pytest.mark.parametrize("kind", KINDS)
def test_recipes_learn_and_measure(kind):
    network = KINDS[kind]().train()
    loss = kind().loss(network, kind().batch(8, seeded(0)))
    loss.mean().backward()
    assert loss.shape == (8,) and all(parameter.grad is not None for parameter in network.parameters())
    network.eval().requires_grad_(False)
    made, found = kind().preview(network), kind().measures(network)
    assert made is None if kind is not UnCLIPDecoderRecipe else made.shape == (16, 3, 32, 32)
    assert all(math.isfinite(value) for name, value in found.items() if not name.startswith("relation"))
    wanted = {CLIPRecipe: "concept_unseen-style", UnCLIPDecoderRecipe: "style_unseen-style",
              UnCLIPPriorRecipe: "cosine_test"}[kind]
    assert wanted in found and found["held_out_loss"] > 0


def test_later_every_second_batch_of_clip_shows_few_things():
    recipe, size = CLIPRecipe(), CLIPRecipe.batch_size
    shown = []
    for seen in (0, recipe.easy // size * size + 2 * size, recipe.easy // size * size + 3 * size):
        scenes = recipe.scenes(size, seeded(seen), images_seen=seen)
        assert not any(contains_held_out(scene) for scene in scenes)
        shown.append(len({placed.concept for scene in scenes for placed in scene.objects}))
    assert min(shown) == recipe.few and sorted(shown)[1] > 40


def test_the_decoder_misses_captions_and_embeddings_each_by_itself():
    batch = UnCLIPDecoderRecipe().batch(400, seeded(0))
    embedded, told = batch["embedding"].any(1), batch["tokens"].any(1)
    assert 0.85 < embedded.float().mean() < 0.95 and 0.43 < told.float().mean() < 0.57
    assert 0.01 < (~embedded & ~told).float().mean() < 0.1
    assert torch.allclose(batch["embedding"][embedded].norm(dim=1), torch.ones(int(embedded.sum())), atol=1e-5)


def test_the_prior_sees_each_pair_at_several_times():
    recipe = UnCLIPPriorRecipe()
    batch = recipe.batch(10, seeded(0))
    first, second = batch["x0"][0], batch["x0"][recipe.times]
    assert torch.equal(batch["x0"][: recipe.times], first.expand(recipe.times, -1)) and not torch.equal(first, second)
    assert batch["t"][: recipe.times].unique().numel() > 1 and torch.allclose(first.norm(), torch.tensor(8**0.5))


def test_zero_shot_finds_the_class_whose_sentences_lie_nearest(monkeypatch):
    """A CLIP in which each thing, style and ground has its own direction is always right, a confused one seldom."""
    assert sentence("cat", "glossy", "red") == "a glossy cat on a red background"
    assert sentence("fire", "outlined", "orange") == "outlined fire on an orange background"
    parts = torch.eye(64).split((48, 6, 10))
    grid = parts[0][:, None, None] + parts[1][None, :, None] + parts[2][None, None]
    scenes = [scene for scene in evaluation_scenes("test", 80) if len(scene.objects) == 1]
    truth, names = truths(scenes), [FAMILIAR.index(scene.objects[0].concept) for scene in scenes]
    marks = grid[names, truth["style"], truth["ground"]]
    monkeypatch.setattr(zero_shot_module, "all_sentences", lambda clip: grid)
    monkeypatch.setattr(zero_shot_module, "embed_images", lambda clip, images: marks)
    right = zero_shot(None, None, truth)
    assert len(right) == 6 and all(hits.all() for hits in right.values())
    monkeypatch.setattr(zero_shot_module, "embed_images", lambda clip, images: marks.roll(7, 0))
    wrong = zero_shot(None, None, truth)
    assert all(hits.float().mean() < 0.6 for hits in wrong.values())


def test_the_grid_of_sentences_lies_in_order(monkeypatch):
    texts = []
    monkeypatch.setattr(zero_shot_module, "embed_texts",
                        lambda clip, given: texts.extend(given) or torch.arange(len(given))[:, None])
    grid = zero_shot_module.all_sentences(None)
    assert grid.shape == (48, 6, 10, 1)
    assert texts[grid[FAMILIAR.index("cat"), STYLES.index("flat"), COLOUR_NAMES.index("teal"), 0]] == (
        "a flat cat on a teal background")
