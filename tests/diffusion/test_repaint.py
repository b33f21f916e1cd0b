"""RePaint where the answer is known: on a mixture."""

import pytest
import torch

from course_utils.diffusion import GaussianMixture, NoiseSchedule, exact_denoiser, repaint
from course_utils.measure import energy_distance
from course_utils.runtime import seeded

SCHEDULE = NoiseSchedule.cosine()

# Given that x is -0.4, y is near 0.6; given 0.4, near -0.6. But while there is much noise, x hardly says which
MIXTURE = GaussianMixture(torch.tensor([[-0.4, 0.6], [0.4, -0.6]]), torch.tensor([0.2, 0.2]))


def filled(resample: int, steps: int = 25) -> torch.Tensor:
    """y by RePaint for 600 points whose x is known."""
    known = torch.tensor([-0.4, 99.0]).expand(600, 2)
    points = repaint(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, torch.randn(600, 2, generator=seeded(1)), steps,
                     known=known, mask=torch.tensor([1, 0]), resample=resample, jump=5, generator=seeded(2))
    assert torch.equal(points[:, 0], known[:, 0])
    return points[:, 1:]


def test_the_exact_posterior():
    posterior = MIXTURE.given({0: -0.4})
    assert posterior.means.shape == (2, 1) and posterior.weights[0] > 0.999
    assert torch.allclose(MIXTURE.given({1: 0.0}).weights, torch.tensor([0.5, 0.5]))
    # p(y | x) p(x) = p(x, y)
    y = torch.linspace(-2, 2, 9)[:, None]
    joint = MIXTURE.log_prob(torch.cat([torch.full_like(y, 0.1), y], 1)).exp()
    column = torch.cartesian_prod(torch.tensor([0.1]), torch.linspace(-5, 5, 2001))
    p_x = torch.trapezoid(MIXTURE.log_prob(column).exp(), dx=0.005)
    assert torch.allclose(MIXTURE.given({0: 0.1}).log_prob(y).exp() * p_x, joint, rtol=1e-3)


def test_resampling_brings_repaint_to_the_exact_posterior():
    truth = MIXTURE.given({0: -0.4}).sample(600, seeded(3))
    far, nearer, near = (energy_distance(filled(resample), truth) for resample in (1, 3, 10))
    assert far > 0.1 and nearer < 0.5 * far and near < 0.1 * far
    # As many calls, spent on smaller steps, do not help (section 5.6 of the paper)
    assert energy_distance(filled(1, steps=250), truth) > 0.7 * far


def test_the_wrong_polarity_is_far_from_it():
    truth = MIXTURE.given({0: -0.4}).sample(200, seeded(3))
    known = torch.tensor([-0.4, 0.0]).expand(200, 2)
    wrong = repaint(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, torch.randn(200, 2, generator=seeded(1)), 25,
                    known=known, mask=torch.tensor([0, 1]), resample=2, generator=seeded(2))
    assert torch.equal(wrong[:, 1], known[:, 1]) and energy_distance(wrong[:, 1:], truth) > 0.5


@pytest.mark.parametrize("steps,resample,jump", [(6, 1, 1), (6, 3, 1), (6, 3, 2), (7, 2, 3), (5, 2, 10)])
def test_repaint_asks_steps_times_resample_times(steps, resample, jump):
    seen, xT = [], torch.randn(4, 2, generator=seeded(0))
    repaint(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, xT, steps, known=torch.zeros(4, 2),
            mask=torch.tensor([1.0, 0.0]), resample=resample, jump=jump, callback=seen.append)
    times = SCHEDULE.timesteps(steps)
    assert len(seen) == steps * resample and sorted({step.t for step in seen}, reverse=True) == times
    assert all(torch.equal(now.x_next, after.xt) for now, after in zip(seen, seen[1:]))
    ups = [after.t - now.t for now, after in zip(seen, seen[1:]) if after.t >= now.t]
    assert len(ups) == (resample - 1) * -(-steps // jump)
    assert [step.t for step in seen[: min(jump, steps)]] == times[:jump]


def test_what_is_known_gets_the_noise_of_each_time():
    """The known coordinate is standard normal, and so it is at each time; with the printed formula it would not be."""
    seen, n = [], 4000
    mixture = GaussianMixture(torch.zeros(1, 2), torch.tensor([1.0]))
    repaint(exact_denoiser(mixture, SCHEDULE), SCHEDULE, torch.randn(n, 2, generator=seeded(0)), 8,
            known=torch.randn(n, 2, generator=seeded(1)), mask=torch.tensor([1, 0]), resample=3, jump=2,
            generator=seeded(2), callback=seen.append)
    for step in seen[:-1]:
        assert abs(step.x_next[:, 0].std() - 1) < 0.05


@pytest.mark.parametrize("options,sentence", [
    ({"mask": torch.tensor([1.0, 0.5])}, r"1 where the image \(3, 2\) is kept and 0 in the hole.*got \(2,\), 0.5..1"),
    ({"mask": torch.zeros(3)}, r"got \(3,\), 0..0"),
    ({"mask": torch.zeros(4, 3, 2)}, r"got \(4, 3, 2\)"),
    ({"known": torch.zeros(2)}, "`known` of the shape of xT"),
    ({"resample": 0}, "resample and jump of at least 1"),
    ({"jump": 0}, "resample and jump of at least 1"),
])
def test_repaint_says_what_it_needs(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        repaint(exact_denoiser(MIXTURE, SCHEDULE), SCHEDULE, torch.zeros(3, 2), 5,
                **{"known": torch.zeros(3, 2), "mask": torch.tensor([1, 0])} | options)
