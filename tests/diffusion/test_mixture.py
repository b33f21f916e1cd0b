"""The exact answers of Gaussian mixtures, against autograd and against sampling."""

import pytest
import torch

from course_utils.diffusion import GaussianMixture, NoiseSchedule, Prediction, exact_denoiser, ideal_denoiser
from course_utils.runtime import seeded

MIXTURE = GaussianMixture(torch.tensor([[0.5, 1.0], [-1.0, -0.5], [1.2, -1.0]]), torch.tensor([0.3, 0.2, 0.4]),
                          torch.tensor([0.2, 0.5, 0.3]))


@pytest.mark.parametrize("mixture", [MIXTURE, MIXTURE.noised(0.4), MIXTURE.spread(0.3),
                                     GaussianMixture(MIXTURE.means.abs() / 2, MIXTURE.stds).mirrored(1.0)])
def test_score_is_the_slope_of_log_prob(mixture):
    x = torch.rand(200, 2, generator=seeded(0), dtype=torch.float32).requires_grad_()
    slope = torch.autograd.grad(mixture.log_prob(x).sum(), x)[0]
    assert (mixture.score(x.detach()) - slope).abs().max() < 1e-3 * slope.abs().max()


def test_density_integrates_to_one():
    line = torch.linspace(-5, 5, 401)
    x = torch.cartesian_prod(line, line)
    assert abs(MIXTURE.log_prob(x).exp().sum() * 0.025**2 - 1) < 1e-3


def test_noised_is_the_density_of_noised_samples():
    n, abar = 100_000, 0.3
    x = abar**0.5 * MIXTURE.sample(n, seeded(1)) + 0.7**0.5 * torch.randn(n, 2, generator=seeded(2))
    direct = MIXTURE.noised(abar).sample(n, seeded(3))
    assert (x.mean(0) - direct.mean(0)).abs().max() < 5 * 2**0.5 / n**0.5 * x.std()
    assert (x.T.cov() - direct.T.cov()).abs().max() < 0.03


def test_mirrored_has_no_flow_through_the_walls():
    drops = GaussianMixture(torch.tensor([[0.2, 0.3], [0.8, 0.6]]), torch.tensor([0.1, 0.2])).mirrored(1.0)
    along = torch.linspace(0.05, 0.95, 19)
    for wall in (0.0, 1.0):
        left = drops.spread(0.05).score(torch.stack([torch.full_like(along, wall), along], 1))
        floor = drops.spread(0.05).score(torch.stack([along, torch.full_like(along, wall)], 1))
        assert left[:, 0].abs().max() < 1e-3 and floor[:, 1].abs().max() < 1e-3


def test_posterior_mean_is_the_best_guess():
    schedule, n = NoiseSchedule.cosine(1000), 200_000
    x0, eps = MIXTURE.sample(n, seeded(4)), torch.randn(n, 2, generator=seeded(5))
    for t in (100, 500, 900):
        xt = schedule.jump(x0, t, eps)
        guess = exact_denoiser(MIXTURE, schedule)(xt, t).x0
        # The error of the best guess is uncorrelated with every function of xt
        for function in (xt, guess, xt**2, xt.sin()):
            assert ((x0 - guess) * function).mean().abs() < 6 * ((x0 - guess) * function).std() / n**0.5


def test_score_of_the_prediction_is_the_score_of_the_noised_mixture():
    schedule = NoiseSchedule.cosine(1000)
    xt = torch.randn(300, 2, generator=seeded(6))
    for t in (50, 500, 950):
        prediction = exact_denoiser(MIXTURE, schedule)(xt, t)
        score = MIXTURE.noised(schedule.abar[t]).score(xt)
        assert (prediction.score - score).abs().max() < 1e-3 * score.abs().max()


def test_one_t_for_each_point_is_the_same_as_one_by_one():
    schedule = NoiseSchedule.cosine(1000)
    xt, t = torch.randn(4, 2, generator=seeded(7)), torch.tensor([10, 300, 700, 990])
    together = exact_denoiser(MIXTURE, schedule)(xt, t).x0
    each = torch.cat([exact_denoiser(MIXTURE, schedule)(xt[i : i + 1], int(t[i])).x0 for i in range(4)])
    assert torch.allclose(together, each, atol=1e-6)


def test_ideal_denoiser_is_bayes_rule():
    schedule = NoiseSchedule.cosine(1000)
    images = torch.randn(30, 1, 4, 4, generator=seeded(8))
    xt = torch.randn(5, 1, 4, 4, generator=seeded(9))
    for t in (400, 800):
        abar = schedule.abar[t].float()
        squared = (xt[:, None] - abar.sqrt() * images).square().flatten(2).sum(2)
        wanted = torch.einsum("bn,nchw->bchw", (-squared / 2 / (1 - abar)).softmax(1), images)
        assert (ideal_denoiser(images, schedule)(xt, t).x0 - wanted).abs().max() < 1e-4


def test_ideal_denoiser_keeps_its_digits_at_little_noise():
    images = torch.randn(50, 3, 32, 32, generator=seeded(10))
    images[1] = images[0] + 0.02 * torch.randn(3, 32, 32, generator=seeded(11))
    schedule = NoiseSchedule.cosine(1000)
    xt = schedule.jump(images[:2], 0, torch.randn(2, 3, 32, 32, generator=seeded(12)))
    assert (ideal_denoiser(images, schedule)(xt, 0).x0 - images[:2]).abs().max() < 1e-4


def test_three_names_of_one_prediction():
    xt, eps = torch.randn(2, 6, 3, generator=seeded(13))
    abar = torch.tensor([0.9, 0.5, 0.1, 0.01, 0.99, 0.3])[:, None]
    first = Prediction.of(xt, abar, eps=eps)
    for name in ("x0", "v", "eps"):
        again = Prediction.of(xt, abar, **{name: getattr(first, name)})
        assert torch.allclose(again.x0, first.x0, atol=1e-3) and torch.allclose(again.eps, eps, atol=1e-3)
        assert torch.allclose(again.v, first.v, atol=1e-3)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="exactly one of eps, x0 and v"):
        Prediction.of(torch.zeros(1), torch.tensor(0.5))
    with pytest.raises(ValueError, match=r"a mixture needs means \(K, D\)"):
        GaussianMixture(torch.zeros(3, 2), torch.ones(2))
    with pytest.raises(ValueError, match="stds must be at least 0"):
        GaussianMixture(torch.zeros(1, 2), torch.tensor([-1.0]))
    with pytest.raises(ValueError, match=r"points must be \(B, 2\)"):
        MIXTURE.score(torch.zeros(4, 3))
