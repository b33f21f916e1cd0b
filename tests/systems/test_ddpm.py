"""The shipped garment model: what its notebooks promise of it, and that our samplers are diffusers' on it."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch.nn.functional import avg_pool2d

from course_utils.datasets import to_model_range
from course_utils.datasets.garments import Garments
from course_utils.diffusion import Prediction, ddim, ddpm
from course_utils.measure import frechet_distance, precision_recall
from course_utils.networks import load_network, training_record
from course_utils.runtime import seeded
from course_utils.systems.model import noised
from course_utils.systems.unconditional import load

PICTURES = 150


@pytest.fixture(scope="module")
def system():
    return load()


@pytest.fixture(scope="module")
def made(system):
    return system.sample(PICTURES, steps=20)


def test_same_seed_same_pictures(system):
    first, again, other = (system.sample(2, steps=3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_the_recogniser_names_most_of_them(made):
    named = load_network("garment-recogniser")(made).softmax(1).amax(1) > 0.5
    assert named.float().mean() > 0.88


def test_they_are_near_the_test_pictures_and_as_varied(made):
    """Far nearer than blurred training pictures, which a viewer would still call clothes."""
    recogniser = load_network("garment-recogniser")
    test = to_model_range(Garments("test").images[:2000])
    blurred = avg_pool2d(to_model_range(Garments("train").images[:PICTURES]), 3, stride=1, padding=1)
    real, ours, soft = (recogniser.features(x) for x in (test, made, blurred))
    assert frechet_distance(ours, real) < 0.7 * frechet_distance(soft, real)
    precision, recall = precision_recall(real, ours)
    assert precision > 0.8 and recall > 0.5


def test_it_beats_the_mean_picture_by_far(system):
    """x0 is guessed better than by the best constant, at each noise level but the last."""
    x0 = to_model_range(Garments("test").images[:200])
    for t in (50, 300, 600, 800):
        xt = system.model.schedule.jump(x0, t, torch.randn(x0.shape, generator=seeded(0)))
        guess = system.denoiser()(xt, t).x0
        assert (guess - x0).square().mean() < 0.5 * (x0.mean(0) - x0).square().mean()


@pytest.mark.parametrize("kind", ["ddim", "ddpm"])
def test_a_whole_trajectory_equals_diffusers(system, kind):
    """The same network in double precision, the same noise: 20 steps, largest difference below 1e-4."""
    network = load_network("ddpm-garments").double()
    xT = torch.randn(4, 1, 32, 32, generator=seeded(3), dtype=torch.float64)

    def denoiser(xt, t):
        x0 = network(xt, torch.full((len(xt),), t)).clamp(-1, 1)
        return Prediction.of(xt, system.model.schedule.at(t, xt), x0=x0)

    # diffusers' own choice of times
    schedule = _With(system.model.schedule, list(range(950, -1, -50)))
    ours = {"ddim": ddim, "ddpm": ddpm}[kind](denoiser, schedule, xT, 20, generator=seeded(5))
    library = {"ddim": DDIMScheduler, "ddpm": DDPMScheduler}[kind](1000, prediction_type="sample", clip_sample=False)
    library.betas, library.alphas_cumprod = schedule.beta, schedule.abar
    library.set_timesteps(20)
    assert library.timesteps.tolist() == schedule.times
    theirs, noise = xT, seeded(5)
    for t in schedule.times:
        theirs = library.step(denoiser(theirs, t).x0, t, theirs, generator=noise).prev_sample
    assert (ours - theirs).abs().max() < 1e-4


class _With:
    """A schedule with given times."""

    def __init__(self, schedule, times):
        self.schedule, self.times = schedule, times

    def __getattr__(self, name):
        return getattr(self.schedule, name)

    def timesteps(self, steps):
        return self.times


def test_the_record_says_how_it_was_trained():
    record = training_record("ddpm-garments")
    assert record["recipe"] == "ddpm-garments" and record["images"] > 100_000 and record["measures"]
    images, losses = zip(*record["curve"])
    assert list(images) == sorted(images) and losses[-1] < 0.3 * losses[0]


def test_late_times_come_more_often():
    t = noised(torch.zeros(40_000, 1, 1, 1), seeded(4), late=True)["t"].double()
    assert abs(t.mean() / 1000 - 2 / 3) < 0.01 and abs((t < 500).double().mean() - 1 / 4) < 0.01
    assert t.min() >= 0 and t.max() == 999


def test_a_batch_is_the_same_for_the_same_draw():
    x0 = to_model_range(Garments("test").images[:8])
    a, b = noised(x0, seeded(4)), noised(x0, seeded(4))
    assert all(torch.equal(a[name], b[name]) for name in a)
