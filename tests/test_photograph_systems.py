"""Super-resolution and inpainting on tiny networks and on the mixture; their masks and measures; photographs of one's
own."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.datasets import masks
from course_utils.datasets.photographs import opened
from course_utils.diffusion import GaussianMixture, NoiseSchedule, ddim, ddpm, dpmpp, exact_denoiser, repaint
from course_utils.measure import (
    consistency,
    energy_distance,
    fool_rate,
    grid,
    psnr,
    seam,
    ssim,
    texture_distance,
    texture_features,
)
from course_utils.networks import UNet, widened
from course_utils.runtime import seeded
from course_utils.systems import ddpm as unconditional
from course_utils.systems import inpainting, sr3
from tests.tiny import alive

SCHEDULE = NoiseSchedule.cosine()
# Given that x is -0.4, y is near 0.6; given 0.4, near -0.6. But while there is much noise, x hardly says which
MIXTURE = GaussianMixture(torch.tensor([[-0.4, 0.6], [0.4, -0.6]]), torch.tensor([0.2, 0.2]))


def pictures(n: int = 2, size: int = 16, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=seeded(seed)) * 1.6 - 0.8


def smooth(n: int, size: int = 64, seed: int = 0) -> torch.Tensor:
    """Pictures with something to see at each size."""
    parts = [torch.nn.functional.interpolate(torch.randn(n, 3, side, side, generator=seeded(seed + side)), size,
                                             mode="bicubic") for side in (4, 8, 16, 32)]
    return (0.25 * sum(parts)).clamp(-1, 1)


# Super-resolution


def upscaler(**options) -> sr3.SR3:
    return sr3.SR3(alive(channels=3, extra=3, noise_level=True, predicts="x0", **options))


@pytest.mark.parametrize("schedule", [SCHEDULE, NoiseSchedule.linear(100), NoiseSchedule.cosine(13)])
@pytest.mark.parametrize("sampler", [ddim, ddpm, dpmpp])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_any_schedule_and_any_sampler_serve(schedule, sampler):
    system, low = sr3.SR3(upscaler().network, schedule), sr3.shrunk(pictures())
    made = system.sample(low, steps=4, sampler=sampler)
    assert made.shape == (2, 3, 16, 16) and made.isfinite().all()
    assert torch.equal(made, system.sample(low, steps=4, sampler=sampler))
    for other in (system.sample(low, steps=4, seed=1, sampler=sampler),
                  system.sample(low.flip(0), steps=4, sampler=sampler)):
        assert not torch.equal(made, other)


def test_what_counts_is_the_noise_level_not_the_time():
    low, xt = sr3.shrunk(pictures()), torch.randn(2, 3, 16, 16, generator=seeded(1))
    # Every second step of a schedule is a schedule, with other times for the same levels
    half = NoiseSchedule(1 - SCHEDULE.abar[1::2] / torch.cat([torch.ones(1), SCHEDULE.abar[1:-1:2]]))
    system = upscaler()
    guess, same = system.denoiser(low)(xt, 601).x0, sr3.SR3(system.network, half).denoiser(low)(xt, 300).x0
    assert torch.allclose(guess, same, atol=1e-5)
    assert not torch.allclose(guess, system.denoiser(low)(xt, 300).x0, atol=1e-3)


def test_the_network_is_told_the_root_of_abar_and_the_enlarged_picture():
    seen, low = {}, sr3.shrunk(pictures())

    class Spy(torch.nn.Linear):
        noise_level, predicts, pooled = True, "x0", None

        def forward(self, xt, level, image):
            seen.update(level=level, image=image)
            return torch.full_like(image, 0.125)

    guess = sr3.SR3(Spy(1, 1)).denoiser(low)(torch.zeros(2, 3, 16, 16), 700)
    assert torch.allclose(seen["level"], SCHEDULE.abar[700].sqrt().float().expand(2))
    assert torch.equal(seen["image"], sr3.enlarged(low)) and torch.equal(guess.x0, sr3.enlarged(low) + 0.125)


def test_a_training_batch():
    x0 = pictures(4000, 4)
    batch = sr3.noised(x0, seeded(0))
    assert all(torch.equal(value, sr3.noised(x0, seeded(0))[name]) for name, value in batch.items())
    assert torch.equal(batch["image"], sr3.enlarged(sr3.shrunk(x0)))
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
    network = alive(channels=3, extra=3, noise_level=True, predicts="x0").train()
    loss = sr3.loss(network, sr3.noised(pictures(), seeded(0)), "soft-v")
    loss.sum().backward()
    assert loss.shape == (2,) and all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_noise_on_the_small_picture():
    x0 = pictures(500, 8)
    batch = sr3.noised(x0, seeded(0), most=0.5)
    level = batch["vector"][:, 0]
    assert 0 <= level.min() and level.max() < 0.5 and abs(level.mean() - 0.25) < 0.03
    off = batch["image"] - (1 - level**2).sqrt()[:, None, None, None] * sr3.enlarged(sr3.shrunk(x0))
    assert torch.allclose(off.flatten(1).std(1), level, atol=0.1)
    system, low = upscaler(pooled=1), sr3.shrunk(pictures())
    clean, noisy = (system.sample(low, steps=2, noise=noise) for noise in (0.0, 0.4))
    assert not torch.equal(clean, noisy)
    assert system.regression(low).shape == clean.shape
    with pytest.raises(ValueError, match="never seen noise on its small pictures. Leave `noise` at 0"):
        upscaler().sample(low, noise=0.1)


def test_the_regression_answer_is_one_call_without_chance():
    system, low = upscaler(), sr3.shrunk(pictures())
    first = system.regression(low)
    assert torch.equal(first, system.regression(low)) and first.shape == (2, 3, 16, 16)
    assert first.abs().max() <= 1 and not first.requires_grad


def test_small_and_large_again():
    x0 = smooth(3)
    low = sr3.shrunk(x0)
    assert low.shape == (3, 3, 16, 16) and sr3.enlarged(low).shape == x0.shape
    assert torch.allclose(low.mean((2, 3)), x0.mean((2, 3)), atol=0.05)
    assert sr3.shrunk(torch.ones(1, 1, 8, 8)).allclose(torch.ones(1, 1, 2, 2))
    # What is too fine for the small picture melts into grey; every fourth pixel would be all white or all black
    fine = ((torch.arange(64) % 2) * 2.0 - 1).expand(1, 1, 64, 64)
    assert sr3.shrunk(fine).abs().max() < 0.1


@pytest.mark.parametrize("low", [torch.zeros(3, 4, 4), torch.full((1, 3, 4, 4), 255.0),
                                 torch.zeros(1, 3, 4, 4, dtype=torch.uint8), torch.full((1, 3, 4, 4), math.nan)])
def test_other_small_pictures_are_a_sentence(low):
    with pytest.raises(ValueError, match=r"pictures must be floats .* in \[-1, 1\]; got .*to_model_range"):
        upscaler().sample(low)


def test_a_network_that_knows_times_is_a_sentence():
    for other in ({}, {"noise_level": True, "predicts": "eps"}):
        with pytest.raises(ValueError, match=r"takes a noise level in place of t, and predicts x0: UNet\(noise_level"):
            sr3.SR3(alive(channels=3, extra=3, **other))


# Wider networks


@pytest.mark.parametrize("stem", [1, 2, 4])
@pytest.mark.parametrize("extra", [3, 4])
def test_a_widened_network_answers_as_before(stem, extra):
    network = alive(channels=3, stem=stem).double()
    wide = widened(network, extra).double()
    xt, t = torch.randn(2, 3, 16, 16, generator=seeded(0)).double(), torch.tensor([100, 800])
    image = torch.randn(2, extra, 16, 16, generator=seeded(1)).double()
    assert torch.allclose(wide(xt, t, image=image), network(xt, t), atol=1e-9)
    assert all(p.requires_grad for p in wide.parameters()) and wide.training
    wide(xt, t, image=image).sum().backward()
    assert wide.first.weight.grad[:, 3 * stem**2 :].abs().amax((0, 2, 3)).min() > 0
    with torch.no_grad():
        wide.first.weight[:, 3 * stem**2 :] += 0.1
    assert not torch.allclose(wide(xt, t, image=image), network(xt, t), atol=1e-3)


def test_a_widened_network_saves_and_loads_itself(tmp_path):
    network = UNet(channels=3, widths=(8, 16), middle=1, predicts="v")
    widened(network, 4).save_pretrained(tmp_path)
    again = UNet.from_pretrained(tmp_path)
    assert again.takes["image"] == ("extra", 4) and again.predicts == "v" and len(again.middle) == 1
    with pytest.raises(ValueError, match="has extra=4 channels beside xt already; widen the one"):
        widened(again, 1)


# RePaint where the answer is known


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
    ({"mask": torch.tensor([1.0, 0.5])}, r"1 where the picture \(3, 2\) is kept and 0 in the hole.*got \(2,\), 0.5..1"),
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


# The three methods on pictures


def systems() -> dict:
    network = alive(channels=3)
    return {"repaint": inpainting.RePaint(unconditional.DDPM(network)),
            "palette": inpainting.Palette(alive(channels=3, extra=3)),
            "masked-image": inpainting.MaskedImage(alive(channels=3, extra=4))}


@pytest.mark.parametrize("name", ["repaint", "palette", "masked-image"])
def test_known_pixels_come_back_and_holes_are_filled(name):
    system, known, mask = systems()[name], pictures(), masks.mixed(2, 16, seeded(0))
    made = system.sample(known, mask, steps=4)
    assert made.shape == known.shape and made.isfinite().all()
    assert ((made - known).abs() * mask).max() < 1 / 255
    hole = (mask == 0).expand_as(made)
    assert (made - known)[hole].abs().mean() > 0.05
    assert torch.equal(made, system.sample(known, mask, steps=4))
    assert not torch.equal(made[hole], system.sample(known, mask, steps=4, seed=1)[hole])
    # What lay in the hole does not matter, for nobody is told of it
    other = torch.where(mask.bool(), known, -known)
    assert torch.allclose(made, system.sample(other, mask, steps=4), atol=1e-5)


@pytest.mark.parametrize("name", ["palette", "masked-image"])
@pytest.mark.parametrize("sampler", [ddpm, dpmpp])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_learned_methods_are_ordinary_denoisers(name, sampler):
    known, mask = pictures(), masks.boxes(2, 16, seeded(0))
    made = systems()[name].sample(known, mask, steps=4, sampler=sampler)
    assert ((made - known).abs() * mask).max() < 1 / 255


@pytest.mark.parametrize("name", ["repaint", "palette", "masked-image"])
def test_wrong_masks_and_pictures_are_sentences(name):
    system, known = systems()[name], pictures()
    for mask in (torch.full((2, 1, 16, 16), 255.0), torch.ones(2, 16, 16), torch.ones(1, 1, 16, 16),
                 torch.full((2, 1, 16, 16), 0.5)):
        with pytest.raises(ValueError, match=r"masks must be \(2, 1, 16, 16\), 1 where the picture is kept and 0 in"):
            system.sample(known, mask, steps=2)
    with pytest.raises(ValueError, match=r"pictures must be floats .* in \[-1, 1\]; got .*to_model_range"):
        system.sample(known * 200, torch.ones(2, 1, 16, 16), steps=2)


def test_what_the_networks_are_told():
    x0, mask = pictures(), masks.boxes(2, 16, seeded(0))
    keep, hole = mask.bool().expand_as(x0), ~mask.bool().expand_as(x0)
    palette = inpainting.Palette.noised(x0, mask, seeded(1))
    assert torch.equal(palette["xt"][keep], x0[keep]) and not torch.allclose(palette["xt"][hole], x0[hole])
    assert palette["image"].shape == x0.shape and torch.equal(palette["image"][keep], x0[keep])
    assert 0.8 < palette["image"][hole].std() < 1.2
    told = inpainting.MaskedImage.noised(x0, mask, seeded(1))
    assert torch.equal(told["image"][:, 3:], mask) and torch.equal(told["image"][:, :3], x0 * mask)
    assert torch.equal(told["xt"], unconditional.noised(x0, seeded(1))["xt"])


def test_palette_learns_from_the_hole_alone():
    x0, mask = pictures(), masks.boxes(2, 16, seeded(0))
    batch = inpainting.Palette.noised(x0, mask, seeded(1))
    answer = x0.clone().requires_grad_()
    loss = inpainting.Palette.loss(lambda xt, t, image: answer + 0.5, batch, "x0")
    assert torch.allclose(loss, 0.25 * (1 - mask).mean((1, 2, 3)))
    loss.sum().backward()
    assert torch.equal(answer.grad != 0, (mask == 0).expand_as(x0))
    everywhere = inpainting.MaskedImage.loss(lambda xt, t, image: x0 + 0.5, batch, "x0")
    assert torch.allclose(everywhere, torch.tensor(0.25))


def test_an_unknown_method_is_a_sentence():
    with pytest.raises(ValueError, match="method must be one of repaint, palette, masked-image; got 'lama'"):
        inpainting.load("lama")


# Masks


@pytest.mark.parametrize("kind,least,most", [("box", 0.05, 0.4), ("half", 0.5, 0.5), ("stroke", 0.04, 0.75),
                                             ("silhouette", 0.03, 0.75)])
@pytest.mark.parametrize("size", [32, 64])
def test_masks_are_0_and_1_with_holes_of_a_sensible_size(kind, least, most, size):
    made = masks.KINDS[kind](200, size, seeded(0))
    assert made.shape == (200, 1, size, size) and made.dtype == torch.float32
    assert bool(((made == 0) | (made == 1)).all())
    shares = 1 - made.mean((1, 2, 3))
    assert least <= shares.min() and shares.max() <= most and 0.15 < shares.mean() <= 0.5
    assert torch.equal(made, masks.KINDS[kind](200, size, seeded(0)))
    assert not torch.equal(made, masks.KINDS[kind](200, size, seeded(1)))
    often = 1 - made.mean((0, 1))
    assert (often > 0).float().mean() > 0.85 and often.max() < 0.9


def test_mixed_masks_are_of_all_kinds():
    made = masks.mixed(400, 32, seeded(0))
    halves = ((1 - made.mean((1, 2, 3))) == 0.5).float().mean()
    assert made.shape == (400, 1, 32, 32) and 0.15 < halves < 0.4
    assert masks.mixed(0, 32, seeded(0)).shape == (0, 1, 32, 32)


# Measures


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
    assert torch.equal(consistency(x, sr3.shrunk(x), sr3.shrunk), torch.zeros(2))
    brighter = (0.5 * x) + 0.1
    assert torch.allclose(consistency(brighter, sr3.shrunk(0.5 * x), sr3.shrunk), torch.tensor(0.0025), atol=1e-4)


def test_pairs_must_fit():
    x = smooth(2)
    for call in (lambda: psnr(x, x[:1]), lambda: ssim(x, x[:1]), lambda: consistency(x, x, sr3.shrunk)):
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


# A photograph of one's own


def file(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def ramp(width: int = 60, height: int = 40) -> Image.Image:
    return Image.fromarray(np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F"])
def test_every_mode_opens(mode):
    image = ramp()
    if mode in ("I", "I;16", "F"):
        values = np.asarray(image).astype(np.int32) * (1 if mode == "F" else 257)
        image = Image.fromarray(values.astype({"I": np.int32, "I;16": np.uint16, "F": np.float32}[mode]))
    else:
        image = image.convert("RGB").convert(mode)
    picture = opened(file(image, "TIFF" if mode in ("CMYK", "YCbCr", "I", "F") else "PNG"))
    assert picture.shape == (3, 40, 60) and picture.dtype == torch.uint8
    columns = picture.float().mean((0, 1))
    assert columns[:10].mean() < 40 and columns[-10:].mean() > 210


def test_what_is_transparent_becomes_white():
    image = Image.new("RGBA", (8, 8), (200, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 4, 8))
    picture = opened(file(image))
    assert picture[:, 0, 0].tolist() == [0, 0, 255] and picture[:, 0, 7].tolist() == [255, 255, 255]
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 90, 90, 90])
    assert opened(file(palette, transparency=1)).unique().tolist() == [255]


def test_a_rotated_photograph_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right
    path = tmp_path / "photo.jpg"
    path.write_bytes(file(ramp(), "JPEG", exif=exif))
    picture = opened(path).float()
    assert picture.shape == (3, 60, 40) and picture[:, 0].mean() < 20 and picture[:, -1].mean() > 230


@pytest.mark.parametrize("size,wanted", [((2000, 1000), (256, 512)), ((30, 3000), (512, 5)), ((1, 1), (1, 1)),
                                         ((9000, 1), (1, 512)), ((512, 100), (100, 512))])
def test_the_long_side_is_at_most_512(size, wanted):
    assert opened(file(Image.new("RGB", size, "red"))).shape == (3, *wanted)


def test_too_many_pixels_are_a_sentence_before_they_are_decoded(monkeypatch):
    data, bomb = (bytearray(file(Image.new("1", size))) for size in ((8000, 6000), (8, 8)))
    monkeypatch.setattr(Image.Image, "load", None)
    with pytest.raises(ValueError, match="has 48 megapixels; at most 40 are read. Downscale it"):
        opened(bytes(data))
    # A header that claims far more than PIL itself would open
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises(ValueError, match="cannot be read as an image .* at most 40 megapixels"):
        opened(bytes(bomb))


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"GIF89a\0\0\0\0", b"\xff\xd8\xff\xe0" * 9])
def test_what_is_no_picture_is_a_sentence(data, tmp_path):
    with pytest.raises(ValueError, match="this file cannot be read as an image .* intact JPEG, PNG or WebP"):
        opened(data)
    with pytest.raises(ValueError, match="cannot be read as an image"):
        opened(tmp_path / "missing.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF"])
def test_a_cut_or_spoilt_file_never_crashes(kind):
    whole, draws = file(ramp(200, 150).convert("RGB"), kind), np.random.default_rng(0)
    for end in (len(whole) // 3, len(whole) // 2):
        with pytest.raises(ValueError, match="cannot be read as an image"):
            opened(whole[:end])
    for _ in range(40):
        spoilt = bytearray(whole)
        for place in draws.integers(0, len(whole), 4):
            spoilt[place] = draws.integers(256)
        try:
            assert opened(bytes(spoilt)).dtype == torch.uint8
        except ValueError as error:
            assert "cannot be read as an image" in str(error) or "megapixels" in str(error)
