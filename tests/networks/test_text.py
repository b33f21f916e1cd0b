"""Networks that read: captions as numbers, padding, the way from words to the picture."""

import pytest
import torch

from course_utils.datasets.sprites import STYLES, concepts
from course_utils.datasets.vocabulary import COLOUR_NAMES, RELATIONS
from course_utils.networks import NoisyCLIP, SceneRecogniser, TextUNet, load_network
from course_utils.networks.text import PAD, UNKNOWN, TextEncoder, Tokenizer
from course_utils.networks.weights import as_stored
from course_utils.runtime import seeded
from course_utils.systems.model import Model, noised
from course_utils.training.recipes.glide import LENGTH
from course_utils.training.run import Run
from tests.tiny import CAPTIONS, VOCABULARY, reader

pytestmark = pytest.mark.usefixtures("plain_precision")


def test_captions_become_numbers_of_one_length():
    tokenizer = Tokenizer(["cat", "a"], 4)
    assert tokenizer(["A cat!", "", "a dog", "a a a cat cat"]).tolist() == [
        [3, 2, PAD, PAD], [PAD] * 4, [3, UNKNOWN, PAD, PAD], [3, 3, 3, 2]]
    assert tokenizer("cat").shape == (1, 4) and tokenizer("cat").dtype == torch.int64
    with pytest.raises(ValueError, match="a caption is a text such as .*; got 3"):
        tokenizer([3])


@pytest.mark.parametrize("caption, remarks", [
    ("a glossy cat", []),
    ("A Glossy CAT.", []),
    ("", ["no word in this caption"]),
    (" ?! ", ["no word in this caption"]),
    ("a glossy 🐱", ["never seen the word '🐱'"]),
    ("एक बिल्ली", ["never seen the word 'एक'", "never seen the word 'बिल्ली'"]),
    ("a cat_dog & 'cat'", ["word 'cat_dog'", "word '&'"]),
    ("a fluffy caat", ["never seen the word 'fluffy' and cannot draw it.", "'caat' and cannot draw it. Did you mean"]),
    ("고양이", ["never seen the word '고양이'"]),
    ("7 cat", ["never seen the word '7'"]),
    ("cat " * 30, ["Only the first 28 words count; cut off: 'cat cat'"]),
])
def test_what_is_not_understood_is_said(caption, remarks):
    found = Tokenizer(VOCABULARY, LENGTH).remarks(caption)
    assert len(found) == len(remarks) and all(part in whole for part, whole in zip(remarks, found))


def test_padding_is_learned_and_stands_only_behind_the_caption():
    torch.manual_seed(0)
    text, tokens = TextEncoder(9, 4, width=32, layers=1), torch.tensor([[2, 3, PAD, PAD], [2, 3, 4, 5]])
    assert torch.equal(text(tokens)[0][1], text.norm(text.words.weight[2:6] + text.places)), "blocks start as nothing"
    torch.nn.init.normal_(text.blocks[0].attention.out.weight, std=0.2)
    every, pooled = text(tokens)
    own = torch.stack([text.words.weight[2:4].sum(0), text.words.weight[2:6].sum(0)])
    assert every.shape == (2, 4, 32) and torch.allclose(pooled, every[:, -1] + own, atol=1e-6)
    pooled[:, 0].sum().backward()
    assert not text.padding.grad[:2].any() and text.padding.grad[2:].any(1).all()
    assert text.places.grad.any(1).all() and not text.words.weight.grad[PAD].any()
    with pytest.raises(ValueError, match=r"tokens must be \(B, 4\), .*; got \(2, 3\)"):
        text(tokens[:, :3])


def test_the_loss_of_the_picture_reaches_the_words_and_every_word_counts():
    network = reader().train()
    tokens = network.tokenizer(CAPTIONS)
    batch = noised(torch.randn(4, 3, 8, 8, generator=seeded(0)), seeded(0), tokens=tokens)
    Model(network).loss(batch).mean().backward()
    used = tokens[tokens != PAD].unique()
    assert network.text.words.weight.grad[used].any(1).all()
    for part in (network.text.padding, network.unet.pooled.weight, network.unet.middle[0].attention.context_kv.weight):
        assert part.grad.any()
    with torch.no_grad():
        answers = network(batch["xt"][:1].expand(4, -1, -1, -1), 500, tokens=tokens)
    assert all(not torch.allclose(answers[i], answers[j]) for i in range(4) for j in range(i))


def test_a_vector_is_wanted_by_the_networks_that_take_one():
    for network, size, vector in ((reader(), 32, torch.zeros(4, 1)), (reader(vector_dim=1), 33, None)):
        with pytest.raises(ValueError, match=f"made with vector_dim={size}, but `vector` has the shape"):
            network(torch.zeros(4, 3, 8, 8), 0, tokens=network.tokenizer(CAPTIONS), vector=vector)


def test_networks_come_back_from_their_folders(tmp_path):
    judge = SceneRecogniser(list(concepts()), list(STYLES), list(COLOUR_NAMES), list(RELATIONS), width=8)
    scorer = NoisyCLIP(VOCABULARY, widths=(8, 16), width=32, layers=1)
    for network in (reader(vector_dim=1, image_channels=3), reader().widened(4), scorer, judge):
        run = Run(tmp_path / type(network).__name__)
        run.write_checkpoint(network, {"network": type(network).__name__})
        again, stored = load_network(run.checkpoint), as_stored(network)
        assert all(torch.equal(a, b) for a, b in zip(stored.state_dict().values(), again.state_dict().values()))
        assert not hasattr(network, "tokenizer") or again.tokenizer.words == VOCABULARY
        if isinstance(network, TextUNet):
            assert again.unet.takes == network.unet.takes


@pytest.mark.parametrize("caption", ["“a red cat”", "«a red cat»", "a red cat…", "a—red – cat",
                                     "\ufeffa red\u200b cat", "‘a red cat’", "'a' red cat", "a [red] cat",
                                     "ａ ｒｅｄ ｃａｔ", "a\u00a0red\u3000cat"])
def test_typographers_punctuation_separates_words(caption):
    tokenizer = Tokenizer(["a", "red", "cat", "top-hat"], 8)
    assert tokenizer.split(caption) == ["a", "red", "cat"] and tokenizer.unknown(caption) == []


def test_hyphens_and_apostrophes_within_a_word_belong_to_it():
    tokenizer = Tokenizer(["top-hat"], 8)
    assert tokenizer.split("top‑hat cat's cat’s 고양이 🐱") == ["top-hat", "cat's", "cat’s", "고양이", "🐱"]


def test_remarks_stay_short_however_long_the_words_are():
    remarks = Tokenizer(["a"], 4).remarks("x" * 200_000 + " a a a a " + "y" * 200_000)
    assert len(remarks) == 2 and all(len(remark) < 300 for remark in remarks)
