"""The noise schedule against diffusers, and the jump against the walk."""

import pytest
import torch
from diffusers import DDPMScheduler

from course_utils.diffusion import NoiseSchedule
from course_utils.runtime import seeded

SCHEDULES = {"linear": (NoiseSchedule.linear, "linear"), "cosine": (NoiseSchedule.cosine, "squaredcos_cap_v2")}


@pytest.fixture(params=SCHEDULES)
def pair(request):
    """Our schedule and diffusers' of the same name."""
    make, theirs = SCHEDULES[request.param]
    return make(1000), DDPMScheduler(1000, beta_schedule=theirs, clip_sample=False)


def test_abar_equals_diffusers_at_every_t(pair):
    ours, theirs = pair
    assert (ours.abar - theirs.alphas_cumprod).abs().max() < 1e-5


def test_jump_equals_add_noise_at_every_t(pair):
    ours, theirs = pair
    t = torch.arange(1000)
    x0, eps = torch.randn(2, 1000, 3, generator=seeded(0))
    assert (ours.jump(x0, t, eps) - theirs.add_noise(x0, eps, t)).abs().max() < 1e-5


def test_posterior_equals_diffusers_at_every_t(pair):
    ours, theirs = pair
    assert (ours.beta - theirs.betas).abs().max() < 1e-5
    theirs.betas, theirs.alphas_cumprod = ours.beta, ours.abar  # their formula in double precision
    x0, xt = torch.randn(2, 1, 5, generator=seeded(1), dtype=torch.float64)
    for t in range(1000):
        eps = (xt - ours.abar[t].sqrt() * x0) / (1 - ours.abar[t]).sqrt()
        mean, var = ours.posterior(x0, xt, t)
        noise = torch.randn(1, 5, generator=seeded(2), dtype=torch.float64) if t else 0
        stepped = theirs.step(eps, t, xt, generator=seeded(2)).prev_sample
        assert (stepped - mean - var.sqrt() * noise).abs().max() < 1e-5


def test_the_walk_has_the_mean_and_covariance_of_the_jump():
    schedule, n = NoiseSchedule.linear(50), 20_000
    x0 = torch.tensor([0.9, -0.4, 0.1]).expand(n, 3)
    x, draws = x0, seeded(3)
    for t in range(50):
        x = schedule.step(x, t, torch.randn(x.shape, generator=draws))
    abar = schedule.abar[-1].float()
    assert (x.mean(0) - abar.sqrt() * x0[0]).abs().max() < 5 / n**0.5
    assert (x.T.cov() - (1 - abar) * torch.eye(3)).abs().max() < 5 * 2**0.5 / n**0.5


def test_other_lengths_end_in_noise():
    for T in (20, 100, 4000):
        assert NoiseSchedule.linear(T).abar[-1] < 1e-3
        assert NoiseSchedule.cosine(T).abar[-1] < 1e-2


def test_constant_is_a_power():
    made = NoiseSchedule.constant(0.02, 35)
    assert torch.allclose(made.abar[-1], torch.tensor(0.98, dtype=torch.float64) ** 35)


@pytest.mark.parametrize("t", [1000, -2, torch.tensor([3, 1000]), 0.5])
def test_a_t_outside_is_named(t):
    schedule = NoiseSchedule.linear(1000)
    with pytest.raises(ValueError, match=r"t must be integers in 0\.\.999"):
        schedule.jump(torch.zeros(2, 3), t, torch.zeros(2, 3))


@pytest.mark.parametrize("beta", [[], [0.1, 1.0], [-0.1], [[0.1]]])
def test_a_bad_beta_is_named(beta):
    with pytest.raises(ValueError, match="beta must be a list"):
        NoiseSchedule(torch.tensor(beta))


def test_timesteps_end_at_zero_and_are_named_when_bad():
    schedule = NoiseSchedule.cosine(1000)
    assert schedule.timesteps(1000) == list(range(999, -1, -1))
    assert schedule.timesteps(5)[0] == 999 and schedule.timesteps(5)[-1] == 0
    with pytest.raises(ValueError, match=r"steps must lie in 1\.\.1000"):
        schedule.timesteps(1001)
