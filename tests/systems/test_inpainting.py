"""The three ways to fill a hole, on tiny networks."""

import pytest
import torch

from course_utils.datasets import masks
from course_utils.diffusion import ddpm, dpmpp
from course_utils.runtime import seeded
from course_utils.systems import inpainting
from course_utils.systems.model import Model, noised
from course_utils.systems.unconditional import Unconditional
from tests.pictures import pictures
from tests.tiny import alive


def systems() -> dict:
    network = alive(channels=3)
    return {"repaint": inpainting.RePaint(Unconditional(network)),
            "palette": inpainting.Palette(alive(channels=3, image_channels=3)),
            "masked-image": inpainting.MaskedImage(alive(channels=3, image_channels=4))}


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
        with pytest.raises(ValueError, match=r"masks must be \(2, 1, 16, 16\), 1 where the image is kept and 0 in"):
            system.sample(known, mask, steps=2)
    with pytest.raises(ValueError, match=r"images must be floats .* in \[-1, 1\]; got .*to_model_range"):
        system.sample(known * 200, torch.ones(2, 1, 16, 16), steps=2)


def test_what_the_networks_are_told():
    x0, mask = pictures(), masks.boxes(2, 16, seeded(0))
    keep, hole = mask.bool().expand_as(x0), ~mask.bool().expand_as(x0)
    palette, given = inpainting.Palette.batch(x0, mask, seeded(1)), {}

    def network(xt, t, image):
        given.update(xt=xt, image=image)
        return image

    Model(inpainting.Palette.wrap(network)).loss(palette)
    assert torch.equal(given["xt"][keep], x0[keep]) and not torch.allclose(given["xt"][hole], x0[hole])
    assert torch.equal(given["image"], palette["image"])
    assert palette["image"].shape == x0.shape and torch.equal(palette["image"][keep], x0[keep])
    assert 0.8 < palette["image"][hole].std() < 1.2
    told = inpainting.MaskedImage.batch(x0, mask, seeded(1))
    assert torch.equal(told["image"][:, 3:], mask) and torch.equal(told["image"][:, :3], x0 * mask)
    assert torch.equal(told["xt"], noised(x0, seeded(1))["xt"])


def test_palette_learns_from_the_hole_alone():
    x0, mask = pictures(), masks.boxes(2, 16, seeded(0))
    batch = inpainting.Palette.batch(x0, mask, seeded(1))
    answer = x0.clone().requires_grad_()
    loss = Model(inpainting.Palette.wrap(lambda xt, t, image: answer + 0.5), weight="x0").loss(batch)
    assert torch.allclose(loss, 0.25 * (1 - mask).mean((1, 2, 3)))
    loss.sum().backward()
    assert torch.equal(answer.grad != 0, (mask == 0).expand_as(x0))
    batch = inpainting.MaskedImage.batch(x0, mask, seeded(1))
    everywhere = Model(inpainting.MaskedImage.wrap(lambda xt, t, image: x0 + 0.5), weight="x0").loss(batch)
    assert torch.allclose(everywhere, torch.tensor(0.25))


def test_an_unknown_method_is_a_sentence():
    with pytest.raises(ValueError, match="method must be one of repaint, palette, masked-image; got 'lama'"):
        inpainting.load("lama")
