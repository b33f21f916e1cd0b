"""The model under all systems, on tensors of other shapes than images, and the samplers' contract with it."""

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.diffusion import GaussianMixture, NoiseSchedule, Prediction, ddim, ddpm, dpmpp, exact_denoiser
from course_utils.diffusion.losses import weighted_error
from course_utils.kernels import noise
from course_utils.runtime import seeded
from course_utils.systems import cfg, unconditional
from course_utils.systems.model import SCHEDULE, Model
from tests.tiny import alive

SHAPES = {"latents": (3, 4, 16, 16), "vectors": (3, 64)}


class Linear(nn.Module):
    """x0 from xt, the time and a condition of the same shape, by a matrix."""

    predicts = "x0"

    def __init__(self, size: int):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(2 * size, size)

    def forward(self, xt, t, *, hint):
        x = torch.cat([xt.flatten(1) / (1 + t[:, None]), hint.flatten(1)], dim=1)
        return self.layer(x.to(self.layer.weight.dtype)).view_as(xt)


@pytest.fixture(params=SHAPES)
def case(request):
    """A model, data far outside of [-1, 1], and a condition."""
    shape = SHAPES[request.param]
    x0 = 7 * torch.randn(shape, generator=seeded(0))
    return Model(Linear(x0[0].numel())), x0, torch.randn(shape, generator=seeded(1))


def test_a_batch_is_noised_as_the_schedule_says_and_keeps_its_condition(case):
    model, x0, hint = case
    batch = model.batch(x0, seeded(2), hint=hint)
    expected = SCHEDULE.jump(x0, batch["t"], noise(batch["seed"], x0.shape[1:]))
    assert torch.allclose(batch["xt"], expected, atol=1e-5) and torch.equal(batch["hint"], hint)
    assert torch.equal(batch["abar"], SCHEDULE.abar[batch["t"]].float())


def test_the_loss_is_that_of_each_example_and_reaches_the_weights(case):
    model, x0, hint = case
    batch = model.batch(x0, seeded(2), hint=hint)
    losses = model.loss(batch)
    output, abar = model.network(batch["xt"], batch["t"], hint=hint), SCHEDULE.at(batch["t"], x0)
    eps = noise(batch["seed"], x0.shape[1:])
    assert torch.allclose(losses, weighted_error(output, "x0", x0, eps, abar, "soft-v"), rtol=1e-4)
    losses.mean().backward()
    assert losses.shape == (3,) and model.network.layer.weight.grad.any()


@pytest.mark.parametrize("sampler", [ddpm, ddim, dpmpp])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_samples_have_the_shape_that_was_asked_for_and_no_threshold(case, sampler):
    model, x0, hint = case
    reported = []
    denoiser = model.denoiser({"hint": 9 * hint})
    with torch.no_grad():
        made = model.sample(denoiser, x0.shape, steps=4, seed=1, sampler=sampler, callback=reported.append)
        again = model.sample(denoiser, x0.shape, steps=4, seed=1, sampler=sampler)
        other = model.sample(denoiser, x0.shape, steps=4, seed=2, sampler=sampler)
    assert made.shape == x0.shape and made.abs().max() > 1.5 and [step.i for step in reported] == [0, 1, 2, 3]
    assert torch.equal(made, again) and not torch.equal(made, other)


def test_guidance_of_vectors_is_the_formula(case):
    model, x0, hint = case
    with torch.no_grad():
        given, free = (model.denoiser({"hint": part})(x0, 500).x0 for part in (hint, 0 * hint))
        guided = model.denoiser({"hint": hint}, {"hint": 0 * hint}, 3.0)(x0, 500).x0
        none = model.denoiser({"hint": hint}, {"hint": 0 * hint}, 0.0)(x0, 500).x0
    assert torch.allclose(guided, free + 3 * (given - free), atol=0.1) and torch.equal(none, free)
    with pytest.raises(ValueError, match="guidance at scale 2 needs the null condition"):
        model.denoiser({"hint": hint}, guidance_scale=2.0)


def test_a_network_of_noise_levels_gets_the_root_of_abar_between_the_times():
    model = Model(alive(noise_level=True))
    batch = model.batch(torch.zeros(500, 1, 8, 8), seeded(0))
    after, before = SCHEDULE.at(batch["t"], batch["abar"]), SCHEDULE.at(batch["t"] - 1, batch["abar"])
    assert (batch["abar"] >= after).all() and (batch["abar"] <= before).all()
    assert (batch["abar"] > after).double().mean() > 0.9
    xt = torch.randn(2, 1, 8, 8, generator=seeded(1))
    with torch.no_grad():
        by_network = model.network(xt, SCHEDULE.at(600, xt).sqrt().expand(2))
        assert torch.allclose(model.denoiser()(xt, 600).x0, by_network, atol=0.05)


def heun(denoiser, schedule, xT, steps, *, generator=None, callback=None):
    """Karras et al. 2022 (EDM), algorithm 1 without churn: two calls a step."""
    xt, times = xT, schedule.timesteps(steps)
    for t, s in zip(times, [*times[1:], -1]):
        first, abar_s = denoiser(xt, t), schedule.at(s, xt)
        x_next = first.towards(abar_s)
        if s >= 0:
            eps = (first.eps + denoiser(x_next, s).eps) / 2
            x_next = Prediction.of(xt, first.abar, eps=eps).towards(abar_s)
        xt = x_next
    return xt


def test_a_sampler_with_two_calls_a_step_is_written_with_the_same_parts():
    world = GaussianMixture(torch.tensor([[1.0, 0.5], [-1.0, -0.5]]).double(), torch.tensor([0.2, 0.3]).double())
    # Its first time is not yet all noise, as in the paper
    schedule = NoiseSchedule.linear(1000)
    denoiser, xT = exact_denoiser(world, schedule), torch.randn(200, 2, generator=seeded(3), dtype=torch.float64)
    exact = ddim(denoiser, schedule, xT, 1000)
    far, near = ((sampler(denoiser, schedule, xT, 40) - exact).norm(dim=1).mean() for sampler in (ddim, heun))
    assert near < far / 2


@pytest.mark.parametrize("options, sentence", [
    ({"steps": 1.5}, "steps must be a whole number; got 1.5"),
    ({"steps": "2"}, "steps must be a whole number; got '2'"),
    ({"steps": 1, "sampler": "ddim"}, "sampler must be a function such as ddpm, ddim, dpmpp .*; got 'ddim'"),
    ({"steps": 1, "seed": 2**70}, "a seed must lie between"),
])
def test_options_that_are_none_are_a_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        unconditional.load().sample(1, **options)


@pytest.mark.parametrize("scale", ["2", None, float("nan"), float("inf"), [1, 2], torch.ones(2)])
def test_a_scale_that_is_none_is_a_sentence(scale):
    with pytest.raises(ValueError, match="the guidance scale must be a number from 0"):
        cfg.load().sample([1], steps=1, guidance_scale=scale)


@pytest.mark.parametrize("label", [["sneaker"], [1.5], [[1], [2, 3]], None, 1])
def test_labels_that_are_none_are_a_sentence(label):
    with pytest.raises(ValueError, match="labels must be integers in 0..9"):
        cfg.load().sample(label, steps=1)


def test_numbers_of_numpy_and_whole_floats_are_numbers():
    system = cfg.load()
    wanted = system.sample([1], steps=2, guidance_scale=2, seed=3)
    got = system.sample(np.array([1]), steps=2.0, guidance_scale=np.float32(2), seed=np.int16(3))
    assert torch.equal(got, wanted)


def test_torchs_default_dtype_changes_nothing():
    system = cfg.load()
    wanted = system.sample([1], steps=2, sampler=ddpm)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(system.sample([1], steps=2, sampler=ddpm), wanted)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("n", [0, -1, 2.5, "2", None])
def test_a_number_of_images_that_is_none_is_a_sentence(n):
    with pytest.raises(ValueError, match="each size of a shape must be a whole number, 1 or more"):
        unconditional.load().sample(n, steps=1)
