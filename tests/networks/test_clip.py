"""The CLIP of notebooks 11 to 13, its tokenizer, and the networks that take its embeddings."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from course_utils.datasets.scenes import Scenes
from course_utils.datasets.vocabulary import FAMILIAR
from course_utils.networks import CLIP, NetworkError, UnCLIPDecoder, UnCLIPPrior, captions, load_network
from course_utils.networks.captions import END, START, CaptionTokenizer
from course_utils.networks.clip import contrastive_loss
from course_utils.networks.weights import as_stored
from course_utils.runtime import seeded
from course_utils.training.run import Run
from tests.tiny import CAPTIONS, reader

pytestmark = pytest.mark.usefixtures("plain_precision")


def clip() -> CLIP:
    """A small CLIP, the same each time."""
    torch.manual_seed(0)
    return CLIP(embedding_dim=8, width=16, text_layers=1, image_layers=1, heads=2).eval()


def test_each_word_of_a_caption_is_one_token_and_the_rest_is_spelt():
    tokenizer = CaptionTokenizer()
    assert tokenizer.split("A  glossy cat on a striped Blue background") == [
        f"{word}</w>" for word in "a glossy cat on a striped blue background".split()]
    for text in ("xylophone", "고양이 🐱", "naïve façade", "1234 !?", "\x00"):
        tokens = tokenizer(text)[0].tolist()
        assert tokens.count(tokenizer.end) == 32 - tokens.index(tokenizer.end), "every byte has a token of its own"
        assert len(tokenizer.split(text)) >= len(text.split())
    assert tokenizer.clip.decode(tokenizer("고양이 🐱")[0].tolist(), skip_special_tokens=True) == "고양이 🐱"


def test_captions_stand_between_two_marks_and_fit():
    tokenizer = CaptionTokenizer()
    tokens = tokenizer(["", "a cat", "a cat " * 40])
    assert tokens.shape == (3, 32) and tokens.dtype == torch.int64 and int(tokens.max()) < len(tokenizer)
    assert (tokens[:, 0] == tokenizer.ids[START]).all() and (tokens[:, -1] == tokenizer.ids[END]).all()
    assert (tokens == tokenizer.end).sum(1).tolist() == [31, 29, 1]
    world = Scenes("train", among=FAMILIAR, coarse=True)
    longest = tokenizer([world.scene(number).caption for number in range(500)])
    assert (longest == tokenizer.end).sum(1).min() >= 2, "no caption is cut off"


def test_a_tokenizer_needs_its_files(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    captions._clip_tokenizer.cache_clear()
    with pytest.raises(NetworkError, match="SHA256SUMS is missing"):
        CaptionTokenizer()
    captions._clip_tokenizer.cache_clear()


def test_both_towers_answer_with_unit_vectors():
    network = clip()
    tokens, images = network.tokenizer(CAPTIONS), torch.rand(4, 3, 64, 64, generator=seeded(0)) * 2 - 1
    text, seen = network.text_embedding(tokens), network.image_embedding(images)
    assert torch.allclose(text.norm(dim=1), torch.ones(4)) and torch.allclose(seen.norm(dim=1), torch.ones(4))
    assert torch.allclose(network(images, tokens), network.scale * seen @ text.mT, atol=1e-5)
    # Cut to the longest caption or not, alone or together: what follows a caption does not count
    assert torch.allclose(network.text(tokens)[1], text, atol=1e-5)
    assert torch.allclose(network.text_embedding(tokens[3:]), text[3:], atol=1e-5)
    assert network.text(tokens)[0].shape == (4, 32, 16)


def test_the_library_computes_the_same():
    network = clip()
    tokens, images = network.tokenizer(CAPTIONS), torch.rand(4, 3, 64, 64, generator=seeded(0)) * 2 - 1
    theirs = network.clip(input_ids=tokens, pixel_values=images)
    assert torch.allclose(network(images, tokens), theirs.logits_per_image, atol=1e-5)


def test_the_text_tower_is_a_text_encoder_of_stable_diffusion():
    from transformers import CLIPTextModel

    network = clip()
    tower = network.clip.text_model
    alone = CLIPTextModel(tower.config)
    alone.load_state_dict(tower.state_dict())
    tokens = network.tokenizer(CAPTIONS)
    assert torch.allclose(alone(input_ids=tokens).last_hidden_state, network.text(tokens)[0], atol=1e-6)


def test_images_of_another_size_are_resized_and_others_refused():
    network = clip()
    small = torch.rand(2, 3, 32, 32, generator=seeded(0))
    large = torch.nn.functional.interpolate(small, (64, 64), mode="bilinear")
    assert torch.allclose(network.image_embedding(small), network.image_embedding(large), atol=1e-4)
    for call, words in ((lambda: network.image_embedding(small[:, :1]), "images must be"),
                        (lambda: network.image_embedding(small[0]), "images must be"),
                        (lambda: network.text_embedding(torch.zeros(2, 33, dtype=torch.int64)), "tokens must be"),
                        (lambda: network.tokenizer([3]), "a prompt is a text")):
        with pytest.raises(ValueError, match=words):
            call()


def test_the_contrastive_loss_shares_between_equal_captions():
    logits = torch.randn(3, 3, generator=seeded(0))
    own = torch.arange(3)
    plain = (cross_entropy(logits, own, reduction="none") + cross_entropy(logits.mT, own, reduction="none")) / 2
    assert torch.allclose(contrastive_loss(logits), plain)
    same = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
    shared = contrastive_loss(logits, same)
    rows, columns = logits.log_softmax(1), logits.log_softmax(0)
    assert torch.allclose(shared[2], plain[2])
    assert torch.allclose(shared[0], -(rows[0, :2].mean() + columns[:2, 0].mean()) / 2)


def decoder(alive: bool = True) -> UnCLIPDecoder:
    network = UnCLIPDecoder.continuing(reader(), embedding_dim=8)
    if alive:
        torch.manual_seed(1)
        torch.nn.init.normal_(network.extra.weight)
        with torch.no_grad():
            network.unet.pooled.weight[:, -8:].normal_()
    return network.eval()


def test_the_decoder_begins_as_the_base_and_ignores_the_embedding():
    base, network = reader(), decoder(alive=False)
    mine, given = network.state_dict(), base.state_dict()
    assert all(torch.equal(mine[name][..., : value.shape[-1]], value) for name, value in given.items())
    xt, tokens = torch.randn(4, 3, 8, 8, generator=seeded(0)), base.tokenizer(CAPTIONS)
    embedding = torch.randn(4, 8, generator=seeded(1))
    begun = network(xt, 400, embedding=embedding, tokens=tokens)
    assert torch.allclose(begun, network(xt, 400, embedding=-embedding, tokens=tokens))
    # The four new tokens hold nothing, but take a share of the attention
    assert (begun - base(xt, 400, tokens=tokens)).abs().mean() < 0.1


def test_the_decoder_reads_embedding_and_caption_each_on_its_own():
    network = decoder()
    xt, tokens = torch.randn(2, 3, 8, 8, generator=seeded(0)), network.tokenizer(CAPTIONS[:2])
    embedding, none = torch.randn(2, 8, generator=seeded(1)), torch.zeros(2, 8)
    answers = [network(xt, 400, embedding=e, tokens=w) for e in (embedding, none) for w in (tokens, 0 * tokens)]
    assert all(not torch.allclose(answers[i], answers[j], atol=1e-3) for i in range(4) for j in range(i))


def prior() -> UnCLIPPrior:
    torch.manual_seed(0)
    network = UnCLIPPrior(dim=8, text_width=16, width=16, layers=2, heads=2).eval()
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    return network


def test_the_prior_predicts_from_all_it_is_told():
    network, generator = prior(), seeded(0)
    given = {"zt": torch.randn(2, 8, generator=generator), "states": torch.randn(2, 32, 16, generator=generator),
             "text_embedding": torch.randn(2, 8, generator=generator)}
    plain = network(t=300, **given)
    assert plain.shape == (2, 8)
    assert not torch.allclose(network(t=800, **given), plain, atol=1e-3)
    for name, value in given.items():
        assert not torch.allclose(network(t=300, **given | {name: value + 1}), plain, atol=1e-3), name
    with pytest.raises(ValueError, match="zt must be"):
        network(torch.zeros(2, 9), 0, states=given["states"], text_embedding=given["text_embedding"])


def test_no_token_of_the_prior_sees_a_later_one():
    network, generator = prior(), seeded(0)
    states, after = torch.randn(1, 32, 16, generator=generator), []
    network.blocks[-1].register_forward_hook(lambda module, given, made: after.append(made))
    for change in (0.0, 1.0):
        changed = states.clone()
        changed[:, 20] += change
        network(torch.zeros(1, 8), 0, states=changed, text_embedding=torch.zeros(1, 8))
    different = (after[0] - after[1]).abs().amax(2)[0] > 1e-6
    assert not different[:20].any() and different[20:].all()


def test_the_networks_come_back_from_their_folders(tmp_path):
    for network in (clip(), decoder(), prior()):
        run = Run(tmp_path / type(network).__name__)
        run.write_checkpoint(network, {"network": type(network).__name__})
        again, stored = load_network(run.checkpoint), as_stored(network)
        assert all(torch.equal(a, b) for a, b in zip(stored.state_dict().values(), again.state_dict().values()))
