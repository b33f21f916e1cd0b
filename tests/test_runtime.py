"""What the outside world is asked: the hub, seeds, folders."""

import pytest
import torch

from course_utils import runtime


@pytest.mark.parametrize("value,allowed", [("1", False), ("true", False), ("0", True), ("", True)])
def test_hub_is_switched_off_by_its_own_variables(monkeypatch, value, allowed):
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert runtime.hub_allowed() is allowed


def test_an_offline_hub_is_a_sentence(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(RuntimeError, match="DiT-XL must be fetched from huggingface.co, but HF_HUB_OFFLINE"):
        runtime.need_hub("DiT-XL")


def test_a_hub_that_does_not_answer_is_a_sentence(monkeypatch):
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RuntimeError, match="does not answer .* Check the network, or skip this cell"):
        runtime.need_hub("DiT-XL")


def test_a_seed_gives_the_same_draws_whatever_ran_before():
    first = torch.randn(5, generator=runtime.generator(3))
    torch.randn(7)
    assert torch.equal(first, torch.randn(5, generator=runtime.generator(3)))


def test_data_dir_can_be_moved(monkeypatch, tmp_path):
    assert runtime.data_dir() == runtime.root() / "data"
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert runtime.data_dir() == tmp_path


def test_device_is_one_of_three():
    assert runtime.device().type in ("cpu", "cuda", "mps")


def test_colab_is_known_by_its_module(monkeypatch):
    assert not runtime.in_colab()
    monkeypatch.setitem(__import__("sys").modules, "google.colab", object())
    assert runtime.in_colab()
