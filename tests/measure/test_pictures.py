"""Measures of pictures: in pairs, of texture, at the border of a hole."""

import math

import pytest
import torch

from course_utils.datasets import masks
from course_utils.measure import consistency, fool_rate, grid, psnr, seam, ssim, texture_distance, texture_features
from course_utils.runtime import seeded
from course_utils.systems import sr3
from tests.pictures import smooth


def test_psnr_by_hand():
    x = torch.zeros(2, 3, 4, 4)
    assert torch.allclose(psnr(x + torch.tensor([0.2, 0.02])[:, None, None, None], x), torch.tensor([20.0, 40.0]))
    assert psnr(x, x).isinf().all()


def test_ssim_by_hand():
    # One window: the weighted means, variances and covariance of the definition, one by one
    a, b = (torch.rand(1, 1, 11, 11, generator=seeded(seed)).double() * 2 - 1 for seed in (0, 1))
    weight = [[math.exp(-((i - 5) ** 2 + (j - 5) ** 2) / 4.5) for j in range(11)] for i in range(11)]
    weight = torch.tensor(weight).double() / sum(map(sum, weight))
    ma, mb = (weight * a).sum(), (weight * b).sum()
    va, vb, cov = ((weight * p * q).sum() for p, q in ((a - ma, a - ma), (b - mb, b - mb), (a - ma, b - mb)))
    wanted = ((2 * ma * mb + 0.0004) * (2 * cov + 0.0036)) / ((ma**2 + mb**2 + 0.0004) * (va + vb + 0.0036))
    assert torch.allclose(ssim(a, b), wanted.float(), atol=1e-6)
    # Flat pictures differ in brightness only
    flat = ssim(torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), -0.1))
    assert torch.allclose(flat, torch.tensor((2 * -0.05 + 0.0004) / (0.26 + 0.0004)), atol=1e-5)
    x = smooth(2)
    noisy = [ssim(x + s * torch.randn(x.shape, generator=seeded(0)), x) for s in (0.1, 0.3)]
    assert torch.allclose(ssim(x, x), torch.ones(2)) and (noisy[1] < noisy[0]).all() and (noisy[0] < 0.99).all()


def test_consistency_counts_in_0_to_1():
    x = smooth(2)
    assert torch.equal(consistency(x, sr3.shrink(x), sr3.shrink), torch.zeros(2))
    brighter = (0.5 * x) + 0.1
    assert torch.allclose(consistency(brighter, sr3.shrink(0.5 * x), sr3.shrink), torch.tensor(0.0025), atol=1e-4)


def test_pairs_must_fit():
    x = smooth(2)
    for call in (lambda: psnr(x, x[:1]), lambda: ssim(x, x[:1]), lambda: consistency(x, x, sr3.shrink)):
        with pytest.raises(ValueError, match=r"in pairs \(B, C, H, W\) of equal shape; got"):
            call()
    with pytest.raises(ValueError, match="at least 11 x 11 pixels; got"):
        ssim(x[..., :8, :8], x[..., :8, :8])


def test_textures_tell_noise_and_blur_by_their_strength():
    real, other = smooth(200), smooth(200, seed=100)
    draw = torch.randn(real.shape, generator=seeded(7))
    floor = texture_distance(other, real)
    noisy = [texture_distance(other + s * draw, real) for s in (0.05, 0.1, 0.2)]
    soft = [texture_distance(torch.nn.functional.interpolate(
        torch.nn.functional.avg_pool2d(other, k), scale_factor=k, mode="bicubic"), real) for k in (2, 4)]
    assert 2 * floor < noisy[0] < noisy[1] < noisy[2] and 2 * floor < soft[0] < soft[1]
    features = texture_features(real)
    assert features.shape == (200, 49) and features.isfinite().all()
    assert texture_features(torch.zeros(1, 3, 32, 32)).isfinite().all()
    with pytest.raises(ValueError, match="at least 32 x 32; got"):
        texture_features(real[:, :1])


def test_the_fool_rate_is_a_half_for_equals_and_0_for_the_obvious():
    real, made = (torch.randn(400, 5, generator=seeded(seed)) for seed in (0, 1))
    assert fool_rate(real, real) == 0.5
    assert abs(fool_rate(made, real) - 0.5) < 0.1
    shifted = fool_rate(made + torch.tensor([1.0, 0, 0, 0, 0]), real)
    # Two normal numbers one standard deviation apart: the lower one is larger in Phi(-1/sqrt 2) of all pairs
    assert abs(shifted - 0.24) < 0.06 and fool_rate(made + 10, real) == 0
    with pytest.raises(ValueError, match="needs pairs, at least 10; got 9 made and 400 real"):
        fool_rate(made[:9], real)


def test_a_seam_shows_and_a_smooth_hole_does_too():
    x, mask = smooth(40), masks.boxes(40, 64, seeded(0))
    assert seam(x, x, mask) == 1
    assert seam(x + 0.3 * (1 - mask), x, mask) > 1.5
    assert seam(x[:, :, 32:33, 32:33].expand_as(x), x, mask) == 0
    with pytest.raises(ValueError, match="no border between kept and painted"):
        seam(x, x, torch.ones_like(mask))


def test_a_grid_shows():
    x = torch.nn.functional.avg_pool2d(torch.randn(40, 3, 66, 66, generator=seeded(1)), 3, stride=1)
    blocks = 0.2 * torch.randn(40, 3, 16, 16, generator=seeded(0))
    assert abs(grid(x, 4) - 1) < 0.1 < grid(x + blocks.repeat_interleave(4, 2).repeat_interleave(4, 3), 4) - 1
