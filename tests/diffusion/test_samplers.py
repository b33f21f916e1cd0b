"""ddpm and ddim against diffusers step by step, dpmpp against its paper, and all against what they must reach."""

import inspect
import subprocess
import sys

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from course_utils.diffusion import (
    GaussianMixture,
    NoiseSchedule,
    Prediction,
    ddim,
    ddim_inversion,
    ddpm,
    dpmpp,
    exact_denoiser,
)
from course_utils.measure import two_sample_p
from course_utils.runtime import seeded
from tests.conftest import ROOT

# diffusers hands numpy a tensor, which numpy 2 deprecates; Python itself hides that from users
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

MIXTURE = GaussianMixture(torch.tensor([[1.0, 0.5], [-1.0, -0.5], [0.8, -1.0]]), torch.tensor([0.2, 0.25, 0.3]))
DOUBLE = GaussianMixture(MIXTURE.means.double(), MIXTURE.stds.double())
SCHEDULE = NoiseSchedule.cosine(1000)


# diffusers keeps abar in single precision. Both formulas are compared on the same numbers, in double precision


def start(seed: int, n: int = 20) -> torch.Tensor:
    return torch.randn(n, 2, generator=seeded(seed), dtype=torch.float64)


@pytest.mark.parametrize("name,theirs", [("linear", "linear"), ("cosine", "squaredcos_cap_v2")])
def test_every_step_of_ddpm_equals_diffusers(name, theirs):
    schedule = getattr(NoiseSchedule, name)(1000)
    library = DDPMScheduler(1000, beta_schedule=theirs, clip_sample=False)
    library.betas, library.alphas_cumprod = schedule.beta, schedule.abar
    steps, noise = [], seeded(2)
    ddpm(exact_denoiser(DOUBLE, schedule), schedule, start(1), generator=seeded(2), callback=steps.append)
    assert [step.t for step in steps] == list(range(999, -1, -1))
    for step in steps:
        next_x = library.step(step.prediction.eps, step.t, step.xt, generator=noise).prev_sample
        assert (step.x_next - next_x).abs().max() < 1e-5


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name,theirs", [("linear", "linear"), ("cosine", "squaredcos_cap_v2")])
def test_every_step_of_ddim_equals_diffusers(name, theirs, eta):
    schedule = getattr(NoiseSchedule, name)(1000)
    library = DDIMScheduler(1000, beta_schedule=theirs, clip_sample=False, set_alpha_to_one=True)
    library.betas, library.alphas_cumprod = schedule.beta, schedule.abar
    library.set_timesteps(1000)
    steps, noise = [], seeded(4)
    ddim(exact_denoiser(DOUBLE, schedule), schedule, start(3), eta=eta, generator=seeded(4), callback=steps.append)
    for step in steps[:-1]:
        next_x = library.step(step.prediction.eps, step.t, step.xt, eta=eta, generator=noise).prev_sample
        assert (step.x_next - next_x).abs().max() < 1e-5
    # The last step adds no noise here: it ends at the guess, as eta = 0 does there
    last = library.step(steps[-1].prediction.eps, 0, steps[-1].xt, eta=0).prev_sample
    assert (steps[-1].x_next - last).abs().max() < 1e-5


@pytest.mark.parametrize("sampler,steps", [(ddpm, 300), (ddpm, 1000), (ddim, 100), (dpmpp, 20)])
def test_the_exact_score_recovers_the_mixture(sampler, steps):
    n = 1000
    end = sampler(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, torch.randn(n, 2, generator=seeded(5)), steps,
                  generator=seeded(6))
    assert two_sample_p(end, MIXTURE.sample(n, seeded(7))) > 0.01


def test_a_wrong_score_does_not_recover_it():
    wrong = GaussianMixture(MIXTURE.means, MIXTURE.stds, torch.tensor([0.6, 0.2, 0.2]))
    end = ddpm(exact_denoiser(wrong, SCHEDULE), SCHEDULE, torch.randn(1000, 2, generator=seeded(8)), 300,
               generator=seeded(9))
    assert two_sample_p(end, MIXTURE.sample(1000, seeded(10))) < 0.01


def test_ddim_without_noise_is_a_function_of_its_start():
    noise = torch.randn(10, 2, generator=seeded(11))
    first, second = (ddim(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, noise, 50) for _ in range(2))
    assert torch.equal(first, second)


def test_ddim_with_eta_1_is_ddpm():
    noise = torch.randn(10, 2, generator=seeded(12))
    a = ddpm(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, noise, 40, generator=seeded(13))
    b = ddim(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, noise, 40, eta=1.0, generator=seeded(13))
    assert (a - b).abs().max() < 1e-3


def test_a_denoiser_gets_a_plain_number_and_returns_the_shape():
    seen = []

    def denoiser(xt, t):
        seen.append(t)
        return exact_denoiser(MIXTURE, SCHEDULE)(xt, t)

    assert ddpm(denoiser, SCHEDULE, torch.zeros(3, 2), 7).shape == (3, 2)
    assert len(seen) == 7 and all(isinstance(t, int) for t in seen)


@pytest.fixture(scope="module", params=[SCHEDULE, NoiseSchedule.linear()], ids=["cosine", "linear"])
def exact(request):
    """A schedule, and where 400 points end on the exact path."""
    return request.param, ddim(exact_denoiser(DOUBLE, request.param), request.param, start(14, 400), 1000)


@pytest.mark.parametrize("steps,gain", [(5, 1.8), (10, 1.6), (20, 4.0)])
def test_dpmpp_is_closer_to_the_exact_path_than_ddim(exact, steps, gain):
    schedule, exact = exact
    denoiser, noise = exact_denoiser(DOUBLE, schedule), start(14, 400)
    far, near = ((sampler(denoiser, schedule, noise, steps) - exact).norm(dim=1).mean() for sampler in (ddim, dpmpp))
    assert gain * near < far


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_every_step_of_dpmpp_equals_the_paper(name):
    # Lu et al. 2022, algorithm 2, in double precision; the library works in single
    schedule, steps = getattr(NoiseSchedule, name)(1000), []
    dpmpp(exact_denoiser(DOUBLE, schedule), schedule, start(15), 12, callback=steps.append)
    for before, now, after in zip([None, *steps], steps[:-1], steps[1:]):
        (alpha, sigma), (alpha_next, sigma_next) = (
            (abar.sqrt(), (1 - abar).sqrt()) for abar in (now.prediction.abar, after.prediction.abar))
        h, guess = torch.log(alpha_next / sigma_next) - torch.log(alpha / sigma), now.prediction.x0
        if before is not None:
            abar = before.prediction.abar
            r = (torch.log(alpha / sigma) - torch.log(abar.sqrt() / (1 - abar).sqrt())) / h
            guess = (1 + 1 / (2 * r)) * guess - before.prediction.x0 / (2 * r)
        x_next = sigma_next / sigma * now.xt - alpha_next * torch.expm1(-h) * guess
        assert (now.x_next - x_next).abs().max() < 1e-4
    assert (steps[-1].x_next - steps[-1].prediction.x0).abs().max() < 1e-5


@pytest.mark.parametrize("T,steps", [(1000, 1), (1000, 2), (1000, 10), (1000, 333), (1000, 1000), (50, 49), (1, 1)])
@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_dpmpp_asks_at_plain_falling_times(name, T, steps):
    schedule, seen = NoiseSchedule.cosine(T) if name == "cosine" else NoiseSchedule.linear(T), []

    def denoiser(xt, t):
        seen.append(t)
        return exact_denoiser(MIXTURE, schedule)(xt, t)

    end = dpmpp(denoiser, schedule, torch.randn(3, 2, generator=seeded(16)), steps)
    assert bool(end.isfinite().all()) and end.shape == (3, 2)
    assert all(type(t) is int for t in seen) and len(seen) == steps
    assert seen[0] == T - 1 and all(t > s for t, s in zip(seen, seen[1:])) and 0 <= seen[-1] <= T / steps


def test_without_steps_every_sampler_takes_them_all():
    schedule = NoiseSchedule.cosine(30)
    for sampler in (ddpm, ddim, dpmpp):
        steps = []
        sampler(exact_denoiser(MIXTURE, schedule), schedule, torch.zeros(1, 2), callback=steps.append)
        assert [step.t for step in steps] == list(range(29, -1, -1))


@pytest.mark.parametrize("sampler", [ddpm, ddim, dpmpp])
def test_every_sampler_shares_signature_and_callback(sampler):
    parameters = inspect.signature(sampler).parameters
    assert list(parameters)[:4] == ["denoiser", "schedule", "xT", "steps"]
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in ("generator", "callback"))
    steps, noise = [], torch.randn(5, 1, 2, generator=seeded(17))
    end = sampler(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, noise, 6, generator=seeded(18), callback=steps.append)
    assert [(step.i, step.steps) for step in steps] == [(i, 6) for i in range(6)]
    assert torch.equal(steps[0].xt, noise) and torch.equal(steps[-1].x_next, end)
    for now, after in zip(steps, steps[1:]):
        assert torch.equal(now.x_next, after.xt) and now.t > after.t
    for step in steps:
        assert isinstance(step.prediction, Prediction) and torch.equal(step.prediction.xt, step.xt)


@pytest.mark.parametrize("sampler", [ddpm, ddim, dpmpp])
@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_steps_outside_the_schedule_are_refused(sampler, steps):
    with pytest.raises(ValueError, match=rf"steps must lie in 1\.\.1000, the length of the schedule; got {steps}\."):
        sampler(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, torch.zeros(1, 2), steps)


def test_dpmpp_is_a_function_of_its_start_alone():
    noise = torch.randn(10, 2, generator=seeded(19))
    first, second = (dpmpp(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, noise, 20, generator=seeded(seed))
                     for seed in (20, 21))
    assert torch.equal(first, second)
    assert (dpmpp(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, noise[:4], 20) - first[:4]).abs().max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_dpmpp_keeps_type_and_device(dtype, device):
    def denoiser(xt, t):
        # A network may guess in single precision whatever it was given
        return Prediction.of(xt, SCHEDULE.at(t, xt), x0=torch.tanh(xt).float())

    end = dpmpp(denoiser, SCHEDULE, torch.zeros(2, 3, 4, 4, dtype=dtype, device=device), 5)
    assert end.dtype == dtype and end.device.type == device and end.shape == (2, 3, 4, 4)


def test_dpmpp_is_silent():
    # In a process of its own: diffusers speaks at import, and pytest swallows warnings
    lines = ["import torch", "from course_utils.diffusion import NoiseSchedule, Prediction, dpmpp",
             "s = NoiseSchedule.cosine()",
             "dpmpp(lambda x, t: Prediction.of(x, s.at(t, x), x0=x), s, torch.zeros(1, 2), 3)"]
    ran = subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize("steps, corrections, error", [(200, 1, 0.02), (50, 3, 0.02)])
def test_inversion_finds_the_noise_that_ddim_makes_an_image_from(steps, corrections, error):
    denoiser, noise = exact_denoiser(DOUBLE, SCHEDULE), start(8)
    seen = []
    x0 = ddim(denoiser, SCHEDULE, noise, steps)
    found = ddim_inversion(denoiser, SCHEDULE, x0, steps, corrections=corrections, callback=seen.append)
    assert (ddim(denoiser, SCHEDULE, found, steps) - x0).abs().mean() < error
    assert [step.t for step in seen] == SCHEDULE.timesteps(steps)[::-1]
    coarse = ddim_inversion(denoiser, SCHEDULE, x0, steps, corrections=0)
    assert (found - noise).abs().mean() < (coarse - noise).abs().mean(), "a correction helps"
