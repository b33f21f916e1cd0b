"""GLIDE on tiny networks: guidance by captions, the cascade, holes, scores."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from course_utils.diffusion.guidance import gradient
from course_utils.networks import NoisyCLIP
from course_utils.networks.clip import contrastive_loss
from course_utils.networks.text import PAD, UNKNOWN, Tokenizer
from course_utils.runtime import seeded
from course_utils.systems import glide
from course_utils.training.recipes.glide import LENGTH
from tests.tiny import CAPTIONS, VOCABULARY, reader

pytestmark = pytest.mark.usefixtures("plain_precision")


@pytest.mark.parametrize("caption", ["", "cat " * 200, "xyzzy", "고양이 한 마리", "12345", "\n\t", "🐱"])
def test_every_caption_gets_a_picture(caption):
    made = glide.TextConditional(reader()).sample(caption, steps=2)
    assert made.shape == (1, 3, 32, 32) and made.isfinite().all()


# --- guidance


@pytest.mark.parametrize("scale", [0.0, 1.0, 4.0])
def test_guidance_is_the_formula(scale):
    network, xt, t = reader(), torch.randn(4, 3, 32, 32, generator=seeded(0)), 400
    guess = glide.TextConditional(network).denoiser(CAPTIONS, scale)(xt, t)
    tokens = network.tokenizer(CAPTIONS)
    with torch.no_grad():
        given, free = (network(xt, t, tokens=some) for some in (tokens, torch.zeros_like(tokens)))
    by_hand = free + scale * (given - free)
    assert torch.allclose(guess.x0, by_hand, atol=1e-3)
    assert torch.allclose(by_hand[3], free[3], atol=1e-5), "the empty caption is no caption"


def test_captions_are_forgotten_and_words_hidden_at_their_rates():
    tokens = Tokenizer(VOCABULARY, LENGTH)(CAPTIONS[:1]).expand(8000, -1)
    forgotten = glide.drop_captions(tokens, seeded(0), 0.2)
    empty = (forgotten == PAD).all(1)
    assert abs(empty.float().mean() - 0.2) < 0.02
    kept, there = forgotten[~empty], tokens[0] != PAD
    hidden = kept[:, there] == UNKNOWN
    assert abs(hidden.float().mean() - glide.P_UNKNOWN) < 0.005
    assert torch.equal(torch.where(kept == UNKNOWN, tokens[~empty], kept), tokens[~empty])


# --- the cascade, and holes


def test_the_upsampler_sees_the_small_picture_and_how_noisy_it_is():
    low = torch.rand(500, 3, 4, 4, generator=seeded(0)) * 2 - 1
    level = torch.linspace(0, 0.5, 500)
    seen = glide.enlarge_and_augment(low, level, seeded(1))
    clean = glide.enlarge_and_augment(low, torch.zeros(500), seeded(1))["image"]
    assert clean.shape == (500, 3, 8, 8) and torch.equal(seen["vector"][:, 0], level)
    noise = (seen["image"] - (1 - level**2).sqrt()[:, None, None, None] * clean).flatten(1).std(1)
    assert torch.allclose(noise, level, atol=0.08)
    network = reader(vector_dim=1, image_channels=3)
    with torch.no_grad():
        xt, tokens = torch.randn(2, 3, 8, 8, generator=seeded(0)), network.tokenizer(CAPTIONS[:2])
        plain = network(xt, 300, tokens=tokens, image=clean[:2], vector=torch.zeros(2, 1))
        others = (network(xt, 300, tokens=tokens, image=-clean[:2], vector=torch.zeros(2, 1)),
                  network(xt, 300, tokens=tokens, image=clean[:2], vector=torch.full((2, 1), 0.4)),
                  network(xt, 300, tokens=tokens.flip(0), image=clean[:2], vector=torch.zeros(2, 1)))
    assert all((plain - other).abs().max() > 1e-4 for other in others)


def test_the_cascade_draws_large_pictures():
    base, upsampler = glide.TextConditional(reader()), glide.Upsampler(reader(vector_dim=1, image_channels=3))
    cascade = glide.GLIDE(base, upsampler)
    one = cascade.sample(CAPTIONS[:2], 3.0, steps=2)
    assert one.shape == (2, 3, 64, 64) and torch.equal(one, cascade.sample(CAPTIONS[:2], 3.0, steps=2))
    for other in (cascade.sample(CAPTIONS[2:], 3.0, steps=2), cascade.sample(CAPTIONS[:2], 1.0, steps=2),
                  cascade.sample(CAPTIONS[:2], 3.0, steps=2, seed=1)):
        assert not torch.equal(one, other)
    low = base.sample(CAPTIONS[:2], steps=2)
    with pytest.raises(ValueError, match="augmentation must be a number in 0..0.5"):
        upsampler.sample(CAPTIONS[:2], low, augmentation=0.9)
    with pytest.raises(ValueError, match="must be .B, 3, 32, 32., as the base draws them; got .2, 3, 64, 64."):
        upsampler.sample(CAPTIONS[:2], one.clamp(-1, 1))
    with pytest.raises(ValueError, match="got 2 images and 1 prompts"):
        upsampler.sample("a cat", low)


def test_the_widened_base_answers_as_before_and_keeps_what_is_known():
    base = reader()
    wide = base.widened(4)
    xt, tokens = torch.randn(4, 3, 32, 32, generator=seeded(0)), base.tokenizer(CAPTIONS)
    image = torch.randn(4, 4, 32, 32, generator=seeded(1))
    with torch.no_grad():
        assert torch.allclose(base(xt, 200, tokens=tokens), wide(xt, 200, tokens=tokens, image=image), atol=1e-5)
    wide(xt, 200, tokens=tokens, image=image).square().mean().backward()
    assert wide.unet.first.weight.grad[:, 3 * 4 :].any(), "the new channels can learn"
    known, mask = xt.tanh(), (torch.rand(4, 1, 32, 32, generator=seeded(2)) < 0.5).float()
    made = glide.Inpainter(wide.eval()).sample(CAPTIONS, known, mask, steps=3)
    inside = mask.bool().expand_as(made)
    assert torch.allclose(made[inside], known[inside], atol=1e-5)
    assert not torch.allclose(made[~inside], known[~inside], atol=0.1)
    with pytest.raises(ValueError, match="masks must be .4, 1, 32, 32., 1 where the image is kept"):
        glide.Inpainter(wide).sample(CAPTIONS, known, mask / 2)


def test_an_unknown_part_is_a_sentence():
    with pytest.raises(ValueError, match="part must be one of cascade, base, upsampler, inpaint, clip; got 'all'"):
        glide.load("all")


# --- scores


def test_the_contrastive_loss_asks_in_both_directions():
    scores = torch.randn(5, 5, generator=seeded(0))
    by_hand = [(cross_entropy(scores[i], torch.tensor(i)) + cross_entropy(scores[:, i], torch.tensor(i))) / 2
               for i in range(5)]
    assert torch.allclose(contrastive_loss(scores), torch.stack(by_hand), atol=1e-5)
    assert contrastive_loss(100 * torch.eye(5)).max() < 1e-5


def test_a_scorer_pushes_pictures_to_their_caption():
    torch.manual_seed(0)
    scorer = NoisyCLIP(VOCABULARY, widths=(8, 16), width=32, layers=1).eval()
    xt, tokens = torch.randn(4, 3, 32, 32, generator=seeded(0)), scorer.tokenizer(CAPTIONS)
    scores = scorer(xt, 100, tokens)
    assert scores.shape == (4, 4) and scores.abs().max() <= scorer.scale * 1.001
    assert math.isclose(scorer.scale.item(), 1 / 0.07, rel_tol=1e-3)
    guided = glide.ClipGuided(glide.TextConditional(reader()), scorer)
    score = guided.log_prob(CAPTIONS)
    assert torch.allclose(score(xt, 100), scores.diagonal(), atol=1e-3)
    slope = gradient(score, xt, 100)
    step = 0.01 * slope / slope.flatten(1).norm(dim=1).amax()
    assert (score(xt + step, 100) > score(xt, 100)).all()
    free, pushed = (guided.sample(CAPTIONS, scale, steps=3, guidance_scale=0.0) for scale in (0.0, 30.0))
    assert pushed.shape == (4, 3, 32, 32) and pushed.isfinite().all() and not torch.equal(free, pushed)


@pytest.mark.parametrize("prompts", [[], None, 3, [None], ["a cat", 3]])
def test_what_is_no_prompt_is_a_sentence(prompts):
    base = glide.load("base")
    with pytest.raises(ValueError, match="give at least one prompt|a caption is a text"):
        base.sample(prompts, steps=1)
