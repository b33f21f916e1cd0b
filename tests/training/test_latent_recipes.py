"""The recipes of the autoencoder and of what draws its latents, and what their checkpoints are worth."""

import pytest
import torch

from course_utils.datasets.vocabulary import FAMILIAR
from course_utils.evaluation.scenes import evaluation_scenes, render
from course_utils.measure import psnr
from course_utils.networks import Autoencoder, LatentUNet, LayoutTokenizer, LayoutUNet, load_network, training_record
from course_utils.runtime import seeded
from course_utils.training.recipes.autoencoder import CROP, SDAutoencoder, SDDecoder, encoded, returned, seen_again
from course_utils.training.recipes.stable_diffusion import SDBase, SDLayout, covers

pytestmark = pytest.mark.usefixtures("plain_precision")


def test_crops_come_from_everywhere_in_a_scene():
    recipe = SDAutoencoder()
    batch, scene = recipe.batch(40, seeded(1)), recipe.scenes(10, seeded(1))[0]
    image, places = render([scene], 128)[0], set()
    assert batch["images"].shape == (40, 3, CROP, CROP) and batch["noise"].shape == (40, 8, 8, 8)
    windows = image.unfold(1, CROP, 1).unfold(2, CROP, 1)
    for crop in batch["images"][:4]:
        found = (windows == crop[:, None, None]).all(0).all(-1).all(-1).nonzero()
        assert len(found), "the crop is part of its scene"
        places.add(tuple(found[0].tolist()))
    assert len(places) == 4


def test_each_term_of_the_loss_counts():
    recipe = SDAutoencoder()
    batch = {"images": torch.zeros(2, 3, 4, 4), "noise": torch.zeros(2, 1, 1, 1)}
    mean, log_variance = torch.tensor([0.0, 3.0]).view(2, 1, 1, 1), torch.zeros(2, 1, 1, 1)

    def network(images, noise):
        return images + 0.5, mean, log_variance

    assert torch.allclose(recipe.loss(network, batch), torch.tensor([0.5 + 2 * 0.25, 1.0 + 1e-3 * 4.5]))


@pytest.mark.slow
def test_the_scale_is_one_over_the_spread_of_latents():
    torch.manual_seed(0)
    recipe = SDAutoencoder()
    network = Autoencoder((8, 8, 8, 16), latent_channels=2, groups=4).eval()
    network.start_from_pca(render(recipe.scenes(8, seeded(0)), 128))
    recipe.shipped(network)
    assert network.scale != 1 and 0.85 < encoded(network, evaluation_scenes("test", 32)).std() < 1.15


def test_what_is_gone_is_not_seen_again():
    scenes = evaluation_scenes("test", 32)
    real = render(scenes, 128)
    assert set(seen_again(real, real, scenes).values()) == {1.0}
    assert seen_again(torch.zeros_like(real), real, scenes)["concept_again"] < 0.2


def test_the_decoder_went_on_and_the_encoder_stayed():
    before, after = load_network("sd-autoencoder").state_dict(), load_network("sd-decoder").state_dict()
    moved = {name.split(".")[1] for name in before if not torch.equal(before[name], after[name])}
    assert before.keys() == after.keys() and moved == {"decoder", "post_quant_conv"}


@pytest.mark.parametrize("name", ["sd-autoencoder", "sd-decoder"])
def test_the_checkpoint_returns_what_it_is_given(name):
    scenes, said = evaluation_scenes("test", 12), training_record(name)["measures"]
    network = load_network(name)
    found = psnr(returned(network, scenes), render(scenes, 128)).mean().item()
    assert said["psnr"] >= 27 and abs(found - said["psnr"]) < 2.5
    assert min(said[f"{what}_again"] for what in ("concept", "style", "ground")) >= 0.97
    assert 0.8 < encoded(network, scenes).std() < 1.2


def test_the_discriminator_learns_apart_from_the_decoder():
    recipe = SDDecoder()
    recipe.critic = 8
    network, batch = recipe.network(), recipe.batch(4, seeded(0))
    decoder, critic = network.vae.decoder.conv_out.weight, network.discriminator.last.weight
    loss = recipe.loss(network, batch)
    assert loss.shape == (4,)
    loss.mean().backward()
    assert not any(weight.grad is not None for weight in network.vae.encoder.parameters())
    made, real, fake, fooled = network.judged(batch["images"], batch["noise"])
    assert torch.equal(fake, fooled) and real.shape == (4, 8, 8)
    told_apart = (1 - real).relu().mean() + (1 + fake).relu().mean()
    own, = torch.autograd.grad(told_apart, critic, retain_graph=True)
    assert torch.allclose(critic.grad, own, rtol=1e-3, atol=1e-6)
    gap = made - batch["images"]
    near, deceived = (torch.autograd.grad(term, decoder, retain_graph=True)[0] for term in
                      ((gap.abs() + 2 * gap**2).mean(), -fooled.mean()))
    pull = (decoder.grad - near).norm() / near.norm()
    assert abs(pull - 0.5) < 0.02 and torch.nn.functional.cosine_similarity(
        (decoder.grad - near).flatten(), deceived.flatten(), 0) > 0.99
    alone = recipe.shipped(network)
    assert alone.discriminator is None and alone.scale == network.scale
    assert torch.equal(alone.vae.encoder.conv_in.weight, network.vae.encoder.conv_in.weight)


class Reader(torch.nn.Module):
    """In place of a CLIP: the states of a caption are its length."""

    def __init__(self):
        super().__init__()
        self.somewhere = torch.nn.Parameter(torch.zeros(()))

    def tokenizer(self, captions):
        return torch.tensor([[len(caption)] * 3 for caption in captions])

    def text(self, tokens):
        return tokens[..., None].repeat(1, 1, 128).float(), None


def test_captions_and_latents_belong_together():
    recipe = SDBase()
    recipe.clip = Reader()
    batch, scenes = recipe.batch(40, seeded(2)), recipe.scenes(40, seeded(2))
    lengths = batch["text"][:, 0, 0].tolist()
    assert batch["text"].shape == (40, 3, 128) and batch["x0"].shape == (40, 8, 16, 16)
    assert all(found in (0, len(scene.caption)) for found, scene in zip(lengths, scenes))
    assert 0 < lengths.count(0) < 15
    assert torch.allclose(batch["x0"], encoded(recipe.autoencoder, scenes), atol=1e-4)
    assert batch["t"].float().mean() > 550, "times of much noise come more often"
    network = recipe.network()
    loss = recipe.loss(network, batch)
    loss.mean().backward()
    assert loss.shape == (40,) and network.predicts == "v"


def test_layouts_are_sets_of_what_the_scene_shows():
    recipe = SDLayout()
    batch, scenes = recipe.batch(60, seeded(3), split="test"), recipe.scenes(60, seeded(3), "test")
    rows, as_drawn = batch["tokens"].view(60, 3, 3), LayoutTokenizer(len(FAMILIAR))(recipe.asked(scenes)).view(60, 3, 3)
    empty = [not row.any() for row in rows]
    assert 0 < sum(empty) < 15
    for row, drawn, gone in zip(rows.tolist(), as_drawn.tolist(), empty):
        assert gone or sorted(row) == sorted(drawn)
    assert any(row.tolist() != drawn.tolist() for row, drawn, gone in zip(rows, as_drawn, empty) if not gone)


def test_a_layout_goes_on_from_the_base(monkeypatch):
    base = LatentUNet(widths=[32, 64])
    torch.nn.init.normal_(base.unet.conv_out.weight)
    monkeypatch.setattr("course_utils.training.recipes.stable_diffusion.load_network", lambda name: base)
    network = SDLayout().network()
    xt, text = torch.randn(2, 8, 16, 16), torch.randn(2, 9, 128)
    assert torch.equal(network.unet(xt, 5, text=text), base(xt, 5, text=text))
    assert len(network.tokenizer) > len(FAMILIAR) and network.unet.unet.conv_out.weight.requires_grad


def test_half_of_the_layouts_are_new():
    recipe = SDLayout()
    tokens, usual = recipe.batch(60, seeded(3))["tokens"], recipe.scenes(60, seeded(3))
    as_drawn = LayoutTokenizer(len(FAMILIAR))(recipe.asked(usual)).view(60, 3, 3)
    same = sum(sorted(row) == sorted(drawn) for row, drawn in zip(tokens.view(60, 3, 3).tolist(), as_drawn.tolist()))
    assert 15 < same < 45


def test_places_that_are_near_begin_alike():
    words = LayoutUNet(48, unet={"widths": [32, 64]}).layout.words.weight
    places = torch.nn.functional.normalize(words[1:1025], dim=1).view(32, 32, -1)
    near, far = (places[:-1] * places[1:]).sum(-1), (places[0] * places[-1]).sum(-1)
    assert near.mean() > far.mean() + 0.2


def test_in_a_box_the_tokens_of_its_object_are_to_be_attended_to():
    found = covers([[(3, (0.0, 0.0, 0.5, 0.25)), (5, (0.5, 0.5, 1.0, 1.0))], []], 3).unflatten(1, (8, 8))
    assert torch.equal(found[0, :, :, 0], found[0, :, :, 2]) and not found[1].any() and not found[..., 6:].any()
    assert found[0, :2, :4, 0].all() and found[0, :, :, 0].sum() == 8
    assert found[0, 4:, 4:, 3].all() and found[0, :, :, 3].sum() == 16


def test_attention_is_shown_in_the_training_of_layouts():
    recipe = SDLayout()
    given = recipe.batch(8, seeded(4))
    assert given["covers"].any() and "covers" not in recipe.batch(8, seeded(4), split="test")
    network = load_network("sd-layout").requires_grad_(True)
    with network.watched() as seen:
        plain = recipe.loss(network, {name: value for name, value in given.items() if name != "covers"})
    assert len(seen) == 4 and all(torch.allclose(each.sum(3), torch.ones(8, 4, 64), atol=1e-5) for each in seen)
    shown = recipe.loss(network, given)
    assert "covers" in given and (shown > plain).all(), "no attention is all right"
    shown.mean().backward()
    assert network.layout.words.weight.grad.any()
