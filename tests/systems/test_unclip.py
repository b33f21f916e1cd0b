"""DALL-E 2 on tiny networks: embeddings from captions, images from embeddings, and what is calculated with them."""

import pytest
import torch

from course_utils.networks import UNet
from course_utils.runtime import seeded
from course_utils.systems import imagen, unclip
from course_utils.systems.unclip import slerp
from tests.networks.test_clip import clip, decoder
from tests.networks.test_clip import prior as prior_network
from tests.systems.test_imagen import base as imagen_base
from tests.systems.test_imagen import network as imagen_network
from tests.tiny import CAPTIONS

pytestmark = pytest.mark.usefixtures("plain_precision")

IMAGES = torch.rand(2, 3, 32, 32, generator=seeded(7)) * 2 - 1


def system(upsamplers: bool = False) -> unclip.UnCLIP:
    made, more = clip(), ()
    if upsamplers:
        last = UNet(channels=3, image_channels=3, vector_dim=1, stem=4, widths=(8, 16), middle=0)
        more = (imagen.Upsampler(imagen_network(image_channels=3, vector_dim=1), imagen_base().encoder),
                imagen.LastUpsampler(last))
    return unclip.UnCLIP(made, unclip.Prior(prior_network(), made), unclip.Decoder(decoder()), *more)


def test_the_prior_keeps_the_candidate_nearest_to_the_caption():
    prior = system().prior
    text = unclip.embed_text(prior.clip, CAPTIONS[:2])
    # Candidates of a prompt are drawn side by side
    many = prior.sample([CAPTIONS[0]] * 3 + [CAPTIONS[1]] * 3, steps=3, candidates=1).unflatten(0, (2, 3))
    best = prior.sample(CAPTIONS[:2], steps=3, candidates=3)
    cosines = (many * text[:, None]).sum(2)
    assert torch.allclose((best * text).sum(1), cosines.amax(1), atol=1e-5) and cosines.std(1).min() > 1e-4
    assert torch.allclose(best.norm(dim=1), torch.ones(2))
    assert not torch.allclose(prior.sample(CAPTIONS[:2], steps=3, seed=1), prior.sample(CAPTIONS[:2], steps=3))


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_the_priors_guidance_leads_away_from_the_empty_caption(scale):
    prior, zt = system().prior, torch.randn(2, 8, generator=seeded(0))
    guess = prior.denoiser(CAPTIONS[:2], scale)(zt, 400)
    with torch.no_grad():
        given, free = (prior.network(zt, 400, **unclip.read(prior.clip, texts)) for texts in (CAPTIONS[:2], ["", ""]))
    assert torch.allclose(guess.x0, free + scale * (given - free), atol=1e-4)


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_the_decoders_guidance_leads_away_from_no_embedding_and_no_caption(scale):
    system_, xt = system().decoder, torch.randn(2, 3, 32, 32, generator=seeded(0))
    embedding = torch.randn(2, 8, generator=seeded(1))
    guess = system_.denoiser(embedding, CAPTIONS[:2], scale)(xt, 400)
    tokens = system_.network.tokenizer(CAPTIONS[:2])
    with torch.no_grad():
        given = system_.network(xt, 400, embedding=embedding, tokens=tokens)
        free = system_.network(xt, 400, embedding=0 * embedding, tokens=0 * tokens)
    assert torch.allclose(guess.x0, free + scale * (given - free), atol=1e-3)


def test_from_captions_to_images_and_back_to_embeddings():
    made = system(upsamplers=True)
    images = made.sample(CAPTIONS[:2], steps=2)
    assert images.shape == (2, 3, 32, 32) and torch.equal(images, made.sample(CAPTIONS[:2], steps=2))
    assert made.embed(images.clamp(-1, 1)).shape == made.embed_text(CAPTIONS[:2]).shape == (2, 8)
    assert made.enlarge(images).shape == (2, 3, 128, 128)
    with pytest.raises(ValueError, match="no upsamplers"):
        system().enlarge(images)


def test_variations_share_the_embedding_and_nothing_else():
    made = system()
    some = made.variations(IMAGES[0], 3, steps=2)
    assert some.shape == (3, 3, 32, 32) and not torch.allclose(some[0], some[1])
    assert torch.equal(some, made.decoder.sample(made.embed(IMAGES[:1]).expand(3, -1), None, 2.0, 2))


def test_the_ends_of_an_interpolation_are_reconstructions():
    made = system()
    film = made.interpolate(*IMAGES, frames=5, steps=4)
    embedding = made.embed(IMAGES)
    noise = made.decoder.invert(IMAGES, embedding, 4)
    ends = made.decoder.reconstruct(noise, embedding, 4)
    assert film.shape == (5, 3, 32, 32) and torch.allclose(film[[0, 4]], ends, atol=1e-4)
    assert not torch.allclose(film[2], ends[0], atol=1e-2) and not torch.allclose(film[2], ends[1], atol=1e-2)


def test_a_text_difference_begins_at_the_image_itself():
    made = system()
    film = made.text_difference(IMAGES[0], CAPTIONS[0], CAPTIONS[1], [0, 0.5, 1], steps=3)
    embedding = made.embed(IMAGES[:1])
    begun = made.decoder.reconstruct(made.decoder.invert(IMAGES[:1], embedding, 3), embedding, 3)
    assert torch.allclose(film[:1], begun, atol=1e-4) and not torch.allclose(film[2], film[0], atol=1e-2)
    other = made.text_difference(IMAGES[0], CAPTIONS[0], CAPTIONS[2], [0, 0.5, 1], steps=3)
    assert not torch.allclose(other[2], film[2], atol=1e-3)


def test_slerp_walks_the_sphere_at_an_even_pace():
    one, other = torch.nn.functional.normalize(torch.randn(2, 8, generator=seeded(0), dtype=torch.float64), dim=1)
    path = torch.stack([slerp(one, other, share) for share in (0, 0.25, 0.5, 0.75, 1)])
    steps = (path[1:] * path[:-1]).sum(1).acos()
    assert torch.allclose(path.norm(dim=1), torch.ones(5).double()) and torch.allclose(steps, steps[0].expand(4))
    assert torch.allclose(path[0], one) and torch.allclose(path[-1], other)
    assert torch.allclose(slerp(one, one, 0.3), one), "no angle at all"


@pytest.mark.parametrize("call, words", [
    (lambda made: made.prior.sample([]), "at least one prompt"),
    (lambda made: made.prior.sample([3]), "a prompt is a text"),
    (lambda made: made.decoder.sample(torch.zeros(2, 7)), r"embeddings must be \(B, 8\)"),
    (lambda made: made.decoder.sample(torch.zeros(8)), r"embeddings must be \(B, 8\)"),
    (lambda made: made.decoder.sample(torch.zeros(2, 8), ["a cat"]), "each embedding needs its prompt; got 2 and 1"),
    (lambda made: made.decoder.sample(torch.zeros(2, 8), guidance_scale=float("inf")), "guidance scale"),
    (lambda made: made.decoder.invert(torch.zeros(2, 3, 64, 64), torch.zeros(2, 8)), "images must be"),
    (lambda made: made.decoder.invert(torch.zeros(2, 3, 32, 32), torch.zeros(1, 8)), "one for each embedding"),
    (lambda made: made.embed(torch.full((1, 3, 32, 32), 255.0)), "images must be floats"),
    (lambda made: unclip.load("top"), "part must be one of whole, cascade, clip"),
])
def test_what_does_not_fit_is_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call(system())
