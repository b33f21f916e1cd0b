"""Fewer steps: the student is taught where the teacher ends; a velocity is v in another scale."""

import pytest
import torch

from course_utils.diffusion import Prediction
from course_utils.networks import LatentUNet
from course_utils.runtime import seeded
from course_utils.systems.model import Model
from course_utils.systems.stable_diffusion import SCHEDULE, StableDiffusion
from course_utils.training.recipes.few_steps import FewSteps, Flow, Usual, flow_samples
from tests.networks.test_autoencoder import alive
from tests.training.test_latent_recipes import Reader

pytestmark = pytest.mark.usefixtures("plain_precision")


def some(kind, n=4):
    recipe = kind()
    recipe.clip = Reader()
    recipe.teacher = alive(LatentUNet(widths=[32, 64]))
    return recipe, recipe.batch(n, seeded(3))


def test_one_step_of_the_student_ends_where_the_teacher_does():
    recipe, batch = some(FewSteps)
    given, null = {"text": batch["text"]}, {"text": torch.zeros_like(batch["text"])}
    teach = Model(recipe.teacher, SCHEDULE).denoiser(given, null, 3.0)
    for i, t in enumerate(batch["t"].tolist()):
        assert t in SCHEDULE.timesteps(4)
        xs = batch["xt"]
        for k in range(5):
            xs = teach(xs, t - 50 * k).towards(SCHEDULE.at(t - 50 * (k + 1), xs))
        student = Prediction.of(batch["xt"], SCHEDULE.at(t, xs), v=batch["v"])
        assert torch.allclose(student.towards(SCHEDULE.at(t - 250, xs))[i], xs[i], atol=1e-3)


def test_the_velocity_is_v_on_another_scale():
    recipe, batch = some(Flow)
    t = (batch["t"] / 999).view(-1, 1, 1, 1)
    size = ((1 - t) ** 2 + t**2).sqrt()
    signal, noise = (1 - t) / size, t / size
    x0 = batch["xt"] - t * batch["v"]
    v = signal * (x0 + batch["v"]) - noise * x0
    seen = (noise - signal) * batch["xt"] / size + (noise + signal) * v
    assert torch.allclose(seen, batch["v"], atol=1e-4)


def test_straight_lines_are_followed_in_one_step():
    class Line(LatentUNet):
        """Knows the only image there is: zero latents."""

        def forward(self, xt, t, *, text):
            return xt / (t / 999)

    recipe, _ = some(Usual)
    system = StableDiffusion(Line(), recipe.autoencoder, recipe.clip)
    (one, five), nothing = (flow_samples(system, ["a"], steps=n) for n in (1, 5)), torch.zeros(1, 8, 16, 16)
    assert torch.allclose(one, five, atol=1e-4) and torch.allclose(one, system.decode(nothing), atol=1e-4)


@pytest.mark.parametrize("kind", [FewSteps, Usual, Flow])
def test_each_recipe_has_a_loss_for_each_example(kind):
    recipe, batch = some(kind)
    network = alive(LatentUNet(widths=[32, 64], predicts=recipe.predicts))
    loss = recipe.loss(network, batch)
    assert loss.shape == (4,) and loss.isfinite().all() and (loss > 0).all()
