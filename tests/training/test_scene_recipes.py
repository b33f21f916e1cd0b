"""The recipes of the judge of scenes and of GLIDE's networks."""

import math
from dataclasses import replace

import pytest
import torch

from course_utils.datasets.captions import INVERSE, article
from course_utils.datasets.heldout import RELATION_TRIPLES, contains_held_out
from course_utils.datasets.scenes import Scenes
from course_utils.datasets.sprites import STYLES, concepts
from course_utils.datasets.vocabulary import COLOUR_NAMES, FAMILIAR, RELATIONS, said
from course_utils.evaluation.scenes import evaluation_scenes, swap_objects
from course_utils.networks import NoisyCLIP, SceneRecogniser
from course_utils.runtime import seeded
from course_utils.training import train
from course_utils.training.recipes import glide as recipes
from course_utils.training.recipes.glide import (
    GLIDECLIP,
    LENGTH,
    GLIDEBase,
    GLIDEInpaint,
    GLIDEUpsampler,
    GLIDEWrongCaptions,
)
from course_utils.training.recipes.scene_recogniser import SceneRecogniserRecipe
from tests.tiny import VOCABULARY, reader

pytestmark = pytest.mark.usefixtures("plain_precision")


def test_the_judge_learns_all_it_is_asked():
    recipe = SceneRecogniserRecipe()
    one, two = (recipe.batch(16, seeded(5)) for _ in range(2))
    assert one["images"].shape == (16, 3, 64, 64) and all(torch.equal(one[name], two[name]) for name in one)
    torch.manual_seed(0)
    network = SceneRecogniser(list(concepts()), list(STYLES), list(COLOUR_NAMES), list(RELATIONS), width=8)
    losses = recipe.loss(network, one)
    assert losses.shape == (16,)
    losses.mean().backward()
    assert all(parameter.grad.any() for parameter in network.parameters())


def test_the_judge_cannot_know_an_order_without_looking():
    for scene in map(Scenes("unseen-relation").scene, range(40)):
        (a, word, b), other = *scene.relations, swap_objects(scene)
        assert swap_objects(other) == scene and {placed.concept for placed in other.objects} == {a, b}
        # Pictures of another shape may overlap more, or less
        assert [(b, word, a)] == other.relations or "in front of" in {word, other.relations[0][1]}
    held_out = {}
    for a, word, b in RELATION_TRIPLES:
        i, j = concepts()[a].index, concepts()[b].index
        held_out[min(i, j), max(i, j)] = RELATIONS.index(word if i < j else INVERSE[word])
    found = SceneRecogniserRecipe().batch(1200, seeded(0))
    rows = zip(map(tuple, found["pair"].tolist()), found["relation"].tolist())
    right = [held_out[pair] == relation for pair, relation in rows if pair in held_out]
    assert len(right) > 150 and 0.4 < sum(right) / len(right) < 0.6


def test_the_judge_never_learns_from_its_own_test(monkeypatch):
    module, worlds = "course_utils.training.recipes.scene_recogniser", []

    class Spy(Scenes):
        def __init__(self, split, seed=0, **options):
            super().__init__(split, seed=seed, **options)
            worlds.append((split, seed))

    monkeypatch.setattr(f"{module}.Scenes", Spy)
    SceneRecogniserRecipe().batch(2, seeded(0))
    learned = set(worlds)
    worlds.clear()
    monkeypatch.setattr(f"{module}.render", lambda *_: None)
    monkeypatch.setattr(f"{module}.evaluate", lambda *_: {"concept": torch.ones(2)})
    assert SceneRecogniserRecipe().measures(None)["concept_unseen-style_32"] == 1
    assert len(worlds) == 4 and learned and not learned & set(worlds)


@pytest.mark.parametrize("kind", [GLIDEBase, GLIDEUpsampler, GLIDEInpaint, GLIDECLIP])
def test_batches_follow_from_their_generator(kind):
    one, two, other = (kind().batch(8, seeded(seed)) for seed in (3, 3, 4))
    assert all(len(value) == 8 and torch.equal(value, two[name]) for name, value in one.items())
    assert not torch.equal(one["x0"], other["x0"]) and one["x0"].shape[-1] == (64 if kind is GLIDEUpsampler else 32)


@pytest.mark.parametrize("kind", [GLIDEBase, GLIDEUpsampler, GLIDEInpaint, GLIDECLIP])
def test_recipes_draw_and_measure(kind, monkeypatch):
    torch.manual_seed(0)
    judge = SceneRecogniser(list(concepts()), list(STYLES), list(COLOUR_NAMES), list(RELATIONS), width=8).eval()
    networks = {"glide-base": reader(), "scene-recogniser": judge}
    monkeypatch.setattr(recipes, "load_network", networks.get)
    monkeypatch.setattr(recipes, "evaluation_scenes", lambda split, count: evaluation_scenes(split, min(count, 16)))
    network = {GLIDEBase: reader, GLIDEUpsampler: lambda: reader(vector_dim=1, image_channels=3),
               GLIDEInpaint: kind().network,
               GLIDECLIP: lambda: NoisyCLIP(VOCABULARY, LENGTH, widths=(8, 16), width=32, layers=1)}[kind]()
    loss = kind().loss(network.train(), kind().batch(4, seeded(0)))
    loss.mean().backward()
    assert loss.shape == (4,) and all(parameter.grad is not None for parameter in network.parameters())
    network.eval().requires_grad_(False)
    made, found = kind().preview(network), kind().measures(network)
    assert made is None if kind is GLIDECLIP else len(made) in (16, 32) and made.isfinite().all()
    assert all(math.isfinite(value) for name, value in found.items() if not name.startswith("relation"))
    assert ("concept_unseen-style" in found) == (kind is GLIDEBase) and found["held_out_loss"] > 0


def test_training_shows_familiar_concepts_and_nothing_held_out():
    scenes = GLIDEBase().scenes(300, seeded(0))
    assert not any(contains_held_out(scene) for scene in scenes)
    assert all(placed.concept in FAMILIAR for scene in scenes for placed in scene.objects)
    alone = sum(len(scene.objects) == 1 for scene in scenes)
    assert 150 < alone < 210


@pytest.mark.parametrize("split", ["test", "unseen-style", "unseen-ground", "unseen-relation"])
def test_the_captions_for_measuring_say_everything(split):
    scenes = evaluation_scenes(split, 12)
    found = said(scenes)
    assert len(scenes) == 12 and (found["style"] >= 0).all() and (found["ground"] >= 0).all()
    assert torch.equal(found["relation"] >= 0, found["count"] == 2)
    assert all(bool(contains_held_out(scene)) == (split != "test") for scene in scenes)


def test_a_training_goes_on_where_it_stopped(tmp_path):
    class Small(GLIDEBase):
        name, images, batch_size, warmup = "small", 24, 8, 2

        def network(self):
            return reader().train()

        def preview(self, network):
            return None

        def measures(self, network):
            return {}

        def loss(self, network, batch):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            return super().loss(network, batch)

    def run(folder, left, **options):
        recipe = Small()
        recipe.left = left
        return train(recipe, folder=tmp_path / folder, progress=False, save_every=0, **options)

    whole = run("whole", 9)
    with pytest.raises(KeyboardInterrupt):
        run("parts", 2)
    parts = run("parts", 9, resume=True)
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), parts.state_dict().values()))


def test_the_base_meets_one_wording_first_and_then_all():
    said_of = {}
    for seen in (0, GLIDEBase.plain):
        said_of[seen] = GLIDEBase().scenes(200, seeded(1), images_seen=seen)
    own = [replace(scene, caption="") for scene in said_of[GLIDEBase.plain]]
    assert [replace(scene, caption="") for scene in said_of[0]] == own, "the scenes are the same"
    for scene in said_of[0]:
        assert " in " in scene.caption and scene.caption.endswith(f"style on {article(scene.ground.colour)} background")
        assert min(range(len(scene.objects)), key=lambda k: scene.caption.index(scene.objects[k].concept)) == 0
        assert not any(word in scene.caption for word in ("right of", "below", "in front of")) or len(scene.objects) > 2
    later = [scene.caption for scene in said_of[GLIDEBase.plain]]
    assert sum("right of" in text for text in later) > 5 and sum(text.startswith("on ") for text in later) > 20
    tested = {seen: [scene.caption for scene in GLIDEBase().scenes(50, seeded(1), "test", seen)] for seen in said_of}
    assert tested[0] == tested[GLIDEBase.plain], "it is always measured with all wordings"
    assert GLIDEInpaint.plain == 0, "and goes on with them"


def test_two_captions_in_five_belong_to_other_images():
    """The images and the set of captions are those of the base; only who has which is not."""
    right, wrong = GLIDEWrongCaptions(), GLIDEWrongCaptions()
    right.wrong = 0
    batches = [recipe.batch(400, seeded(2)) for recipe in (right, wrong)]
    assert all(torch.equal(batches[0][name], batches[1][name]) for name in ("x0", "xt", "t"))
    captions = [batch["tokens"] for batch in batches]
    moved = (captions[0] != captions[1]).any(1).float().mean()
    assert 0.3 < moved < 0.45
    assert sorted(captions[0].tolist()) == sorted(captions[1].tolist())


def test_a_network_with_wrong_captions_starts_from_the_base_and_learns():
    recipe = GLIDEWrongCaptions()
    network = recipe.network()
    assert network.training and all(parameter.requires_grad for parameter in network.parameters())
