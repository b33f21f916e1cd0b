"""ddpm and ddim: against diffusers step by step, and against the density they must reach."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from course_utils.diffusion import GaussianMixture, NoiseSchedule, ddim, ddpm, exact_denoiser
from course_utils.measure import two_sample_p
from course_utils.runtime import generator

MIXTURE = GaussianMixture(torch.tensor([[1.0, 0.5], [-1.0, -0.5], [0.8, -1.0]]), torch.tensor([0.2, 0.25, 0.3]))
DOUBLE = GaussianMixture(MIXTURE.means.double(), MIXTURE.stds.double())
SCHEDULE = NoiseSchedule.cosine(1000)


# diffusers keeps abar in single precision. Both formulas are compared on the same numbers, in double precision


def start(seed: int, n: int = 20) -> torch.Tensor:
    return torch.randn(n, 2, generator=generator(seed), dtype=torch.float64)


@pytest.mark.parametrize("name,theirs", [("linear", "linear"), ("cosine", "squaredcos_cap_v2")])
def test_every_step_of_ddpm_equals_diffusers(name, theirs):
    schedule = getattr(NoiseSchedule, name)(1000)
    library = DDPMScheduler(1000, beta_schedule=theirs, clip_sample=False)
    library.betas, library.alphas_cumprod = schedule.beta, schedule.abar
    steps, noise = [], generator(2)
    ddpm(exact_denoiser(DOUBLE, schedule), schedule, start(1), generator=generator(2), callback=steps.append)
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
    steps, noise = [], generator(4)
    ddim(exact_denoiser(DOUBLE, schedule), schedule, start(3), eta=eta, generator=generator(4), callback=steps.append)
    for step in steps[:-1]:
        next_x = library.step(step.prediction.eps, step.t, step.xt, eta=eta, generator=noise).prev_sample
        assert (step.x_next - next_x).abs().max() < 1e-5
    # The last step adds no noise here: it ends at the guess, as eta = 0 does there
    last = library.step(steps[-1].prediction.eps, 0, steps[-1].xt, eta=0).prev_sample
    assert (steps[-1].x_next - last).abs().max() < 1e-5


@pytest.mark.parametrize("sampler,steps", [(ddpm, 300), (ddpm, 1000), (ddim, 100)])
def test_the_exact_score_recovers_the_mixture(sampler, steps):
    n = 1500
    end = sampler(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, torch.randn(n, 2, generator=generator(5)), steps,
                  generator=generator(6))
    assert two_sample_p(end, MIXTURE.sample(n, generator(7))) > 0.01


def test_a_wrong_score_does_not_recover_it():
    wrong = GaussianMixture(MIXTURE.means, MIXTURE.stds, torch.tensor([0.6, 0.2, 0.2]))
    end = ddpm(exact_denoiser(wrong, SCHEDULE), SCHEDULE, torch.randn(1500, 2, generator=generator(8)), 300,
               generator=generator(9))
    assert two_sample_p(end, MIXTURE.sample(1500, generator(10))) < 0.01


def test_ddim_without_noise_is_a_function_of_its_start():
    noise = torch.randn(10, 2, generator=generator(11))
    first, second = (ddim(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, noise, 50) for _ in range(2))
    assert torch.equal(first, second)


def test_ddim_with_eta_1_is_ddpm():
    noise = torch.randn(10, 2, generator=generator(12))
    a = ddpm(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, noise, 40, generator=generator(13))
    b = ddim(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, noise, 40, eta=1.0, generator=generator(13))
    assert (a - b).abs().max() < 1e-3


def test_a_denoiser_gets_a_plain_number_and_returns_the_shape():
    seen = []

    def denoiser(xt, t):
        seen.append(t)
        return exact_denoiser(MIXTURE, SCHEDULE)(xt, t)

    assert ddpm(denoiser, SCHEDULE, torch.zeros(3, 2), 7).shape == (3, 2)
    assert len(seen) == 7 and all(isinstance(t, int) for t in seen)
