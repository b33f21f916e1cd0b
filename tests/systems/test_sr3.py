"""Super-resolution on tiny networks."""

import math

import pytest
import torch

from course_utils.diffusion import NoiseSchedule, ddim, ddpm, dpmpp
from course_utils.runtime import seeded
from course_utils.systems import sr3
from tests.pictures import pictures, smooth
from tests.tiny import alive

SCHEDULE = NoiseSchedule.cosine()


def upscaler(**options) -> sr3.SR3:
    return sr3.SR3(alive(channels=3, image_channels=3, noise_level=True, predicts="x0", **options))


@pytest.mark.parametrize("schedule", [SCHEDULE, NoiseSchedule.linear(100), NoiseSchedule.cosine(13)])
@pytest.mark.parametrize("sampler", [ddim, ddpm, dpmpp])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_any_schedule_and_any_sampler_serve(schedule, sampler):
    system, low = sr3.SR3(upscaler().network, schedule), sr3.shrink(pictures())
    made = system.sample(low, steps=4, sampler=sampler)
    assert made.shape == (2, 3, 16, 16) and made.isfinite().all()
    assert torch.equal(made, system.sample(low, steps=4, sampler=sampler))
    for other in (system.sample(low, steps=4, seed=1, sampler=sampler),
                  system.sample(low.flip(0), steps=4, sampler=sampler)):
        assert not torch.equal(made, other)


def test_what_counts_is_the_noise_level_not_the_time():
    low, xt = sr3.shrink(pictures()), torch.randn(2, 3, 16, 16, generator=seeded(1))
    # Every second step of a schedule is a schedule, with other times for the same levels
    half = NoiseSchedule(1 - SCHEDULE.abar[1::2] / torch.cat([torch.ones(1), SCHEDULE.abar[1:-1:2]]))
    system = upscaler()
    guess, same = system.denoiser(low)(xt, 601).x0, sr3.SR3(system.network, half).denoiser(low)(xt, 300).x0
    assert torch.allclose(guess, same, atol=1e-5)
    assert not torch.allclose(guess, system.denoiser(low)(xt, 300).x0, atol=1e-3)


def test_the_network_is_told_the_root_of_abar_and_the_enlarged_picture():
    seen, low = {}, sr3.shrink(pictures())

    class Spy(torch.nn.Linear):
        noise_level, predicts, pooled = True, "x0", None

        def forward(self, xt, level, image):
            seen.update(level=level, image=image)
            return torch.full_like(image, 0.125)

    guess = sr3.SR3(Spy(1, 1)).denoiser(low)(torch.zeros(2, 3, 16, 16), 700)
    assert torch.allclose(seen["level"], SCHEDULE.abar[700].sqrt().float().expand(2))
    assert torch.equal(seen["image"], sr3.enlarge(low)) and torch.equal(guess.x0, sr3.enlarge(low) + 0.125)


def test_a_training_batch():
    x0, model = pictures(4000, 4), upscaler().model
    batch = model.batch(x0, seeded(0))
    assert all(torch.equal(value, model.batch(x0, seeded(0))[name]) for name, value in batch.items())
    abar = batch["abar"].double()
    assert 0 < abar.min() and abar.max() <= 1
    # Between the schedule's levels, not on them, and as often in each part of time
    nearest = (abar[:, None] - SCHEDULE.abar).abs().min(1).values
    assert (nearest > 1e-6).double().mean() > 0.9
    times = (abar[:, None] < SCHEDULE.abar).sum(1) / SCHEDULE.T
    assert abs(times.mean() - 0.5) < 0.02 and abs(times.std() - 12**-0.5) < 0.02
    eps = (batch["xt"] - batch["abar"].sqrt()[:, None, None, None] * x0)[abar < 0.9]
    eps = eps / (1 - batch["abar"][abar < 0.9]).sqrt()[:, None, None, None]
    assert abs(eps.mean()) < 0.01 and abs(eps.std() - 1) < 0.01


def test_the_loss_reaches_every_weight():
    network = alive(channels=3, image_channels=3, noise_level=True, predicts="x0").train()
    model, x0 = sr3.SR3(network).model, pictures()
    loss = model.loss(model.batch(x0, seeded(0), image=sr3.enlarge(sr3.shrink(x0))))
    loss.sum().backward()
    assert loss.shape == (2,) and all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_noise_on_the_small_picture():
    x0, level = pictures(500, 8), torch.linspace(0, 0.5, 500)
    condition = sr3.augment(sr3.enlarge(sr3.shrink(x0)), level, seeded(0))
    assert torch.equal(condition["vector"][:, 0], level)
    off = condition["image"] - (1 - level**2).sqrt()[:, None, None, None] * sr3.enlarge(sr3.shrink(x0))
    assert torch.allclose(off.flatten(1).std(1), level, atol=0.1)
    system, low = upscaler(vector_dim=1), sr3.shrink(pictures())
    clean, noisy = (system.sample(low, steps=2, noise=noise) for noise in (0.0, 0.4))
    assert not torch.equal(clean, noisy)
    assert system.regression(low).shape == clean.shape
    with pytest.raises(ValueError, match="never seen noise on its small images. Leave `noise` at 0"):
        upscaler().sample(low, noise=0.1)


def test_the_regression_answer_is_one_call_without_chance():
    system, low = upscaler(), sr3.shrink(pictures())
    first = system.regression(low)
    assert torch.equal(first, system.regression(low)) and first.shape == (2, 3, 16, 16)
    assert first.abs().max() <= 1 and not first.requires_grad


def test_small_and_large_again():
    x0 = smooth(3)
    low = sr3.shrink(x0)
    assert low.shape == (3, 3, 16, 16) and sr3.enlarge(low).shape == x0.shape
    assert torch.allclose(low.mean((2, 3)), x0.mean((2, 3)), atol=0.05)
    assert sr3.shrink(torch.ones(1, 1, 8, 8)).allclose(torch.ones(1, 1, 2, 2))
    # What is too fine for the small picture melts into grey; every fourth pixel would be all white or all black
    fine = ((torch.arange(64) % 2) * 2.0 - 1).expand(1, 1, 64, 64)
    assert sr3.shrink(fine).abs().max() < 0.1


@pytest.mark.parametrize("low", [torch.zeros(3, 4, 4), torch.full((1, 3, 4, 4), 255.0),
                                 torch.zeros(1, 3, 4, 4, dtype=torch.uint8), torch.full((1, 3, 4, 4), math.nan)])
def test_other_small_pictures_are_a_sentence(low):
    with pytest.raises(ValueError, match=r"images must be floats .* in \[-1, 1\]; got .*to_model_range"):
        upscaler().sample(low)


def test_a_network_that_knows_times_is_a_sentence():
    for other in ({}, {"noise_level": True, "predicts": "eps"}):
        with pytest.raises(ValueError, match=r"takes a noise level in place of t, and predicts x0: UNet\(noise_level"):
            sr3.SR3(alive(channels=3, image_channels=3, **other))


def test_arrays_and_doubles_are_images_too():
    system, low = sr3.load(), torch.rand(1, 3, 8, 8) * 2 - 1
    wanted = system.sample(low, steps=1)
    for given in (low.double(), low.numpy(), low.numpy().astype("float64")):
        assert (system.sample(given, steps=1) - wanted).abs().max() < 1e-3
