"""What the outside world is asked: the hub, seeds, folders."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from course_utils import runtime
from tests.conftest import ROOT


@pytest.mark.parametrize("value,allowed", [("1", False), ("true", False), ("0", True), ("", True)])
def test_hub_is_switched_off_by_its_own_variables(monkeypatch, value, allowed):
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert runtime.hub_allowed() is allowed


def test_an_offline_hub_is_a_sentence(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(RuntimeError, match="DiT-XL must be downloaded from huggingface.co, but HF_HUB_OFFLINE"):
        runtime.need_hub("DiT-XL")
    with pytest.raises(RuntimeError, match="GLIDE must be downloaded from example.org, but HF_HUB_OFFLINE"):
        runtime.need_hub("GLIDE", "example.org")


def test_a_hub_that_does_not_answer_is_a_sentence(monkeypatch):
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RuntimeError, match="does not answer .* Check the network, or skip this cell"):
        runtime.need_hub("DiT-XL")


class Session:
    """What huggingface_hub asks with; it notes the addresses."""

    def __init__(self, error=None):
        self.asked, self.error = [], error

    def head(self, address, timeout):
        self.asked.append(address)
        if self.error:
            raise self.error


@pytest.fixture
def session(monkeypatch):
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    session = Session()
    monkeypatch.setattr("huggingface_hub.get_session", lambda: session)
    return session


def test_the_hub_is_asked_with_its_own_library_so_that_proxies_count(session):
    runtime.need_hub("DiT-XL")
    assert session.asked == ["https://huggingface.co"]
    session.error = OSError("no route")
    with pytest.raises(RuntimeError, match="does not answer .no route.. Check the network, or skip this cell"):
        runtime.need_hub("DiT-XL")


def test_a_mirror_is_asked_in_place_of_the_hub(session, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://mirror.example")
    runtime.need_hub("DiT-XL")
    runtime.need_hub("GLIDE", "example.org")
    assert session.asked == ["https://mirror.example", "https://example.org"]


def test_what_is_in_the_cache_needs_no_network(session, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache",
                        lambda repo, name: str(tmp_path) if repo == "some/model" else None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    runtime.need_hub("DiT-XL", repo="some/model")
    assert session.asked == []
    with pytest.raises(RuntimeError, match="HF_HUB_OFFLINE"):
        runtime.need_hub("DiT-XL", repo="other/model")


def test_a_command_can_be_pasted_into_a_shell():
    said = runtime.command("train", "short", "--folder", "/tmp/a folder/한글 (1)")
    echo = subprocess.run(["sh", "-c", f"printf '%s\\n' {said}"], capture_output=True, text=True).stdout.splitlines()
    assert echo == [sys.executable, "-m", "course_utils", "train", "short", "--folder", "/tmp/a folder/한글 (1)"]


@pytest.mark.parametrize("seed", [7, np.int64(7), np.float32(7), 7.0, torch.tensor(7)])
def test_a_seed_may_be_any_whole_number(seed):
    assert torch.equal(torch.randn(3, generator=runtime.seeded(seed)), torch.randn(3, generator=runtime.seeded(7)))


@pytest.mark.parametrize("seed", [7.5, "7", None, True, float("nan")])
def test_what_is_no_seed_is_a_sentence(seed):
    with pytest.raises(ValueError, match="a seed must be a whole number; got"):
        runtime.seeded(seed)


def test_a_seed_gives_the_same_draws_whatever_ran_before():
    first = torch.randn(5, generator=runtime.seeded(3))
    torch.randn(7)
    assert torch.equal(first, torch.randn(5, generator=runtime.seeded(3)))


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


CPU = torch.device("cpu")


@pytest.mark.parametrize("name,dtype", [("bf16", torch.bfloat16), ("fp16", torch.float16), ("no", torch.float32)])
def test_a_precision_can_be_chosen_and_networks_run_in_it(monkeypatch, name, dtype):
    monkeypatch.setenv("COURSE_PRECISION", name)
    layer = torch.nn.Linear(4, 4)
    with runtime.autocast(CPU):
        assert runtime.precision(CPU) == name and layer(torch.ones(2, 4)).dtype == dtype
    assert layer(torch.ones(2, 4)).dtype == layer.weight.dtype == torch.float32


@pytest.mark.parametrize("name", ["fp32", "BF16", ""])
def test_an_unknown_precision_is_a_sentence(monkeypatch, name):
    monkeypatch.setenv("COURSE_PRECISION", name)
    with pytest.raises(ValueError, match=f"COURSE_PRECISION must be bf16, fp16 or no; it is '{name}'"):
        runtime.precision(CPU)


@pytest.fixture
def machine(monkeypatch):
    """The question which precision is fast, asked anew on a machine that is made up."""
    monkeypatch.delenv("COURSE_PRECISION", raising=False)
    runtime._probe.cache_clear()
    yield monkeypatch
    runtime._probe.cache_clear()


@pytest.mark.parametrize("able,expected", [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"),
                                           ({"avx512_bf16": False, "avx2": True}, "no"), ({}, "no")])
def test_a_processor_takes_bf16_where_it_computes_in_it(machine, able, expected):
    machine.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert runtime.precision(CPU) == expected


@pytest.mark.parametrize("capability,expected", [((7, 5), "fp16"), ((8, 0), "bf16"), ((9, 0), "bf16")])
def test_a_t4_takes_fp16_and_later_cards_bf16(machine, capability, expected):
    machine.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert runtime.precision(torch.device("cuda")) == expected


def test_apple_takes_float32(machine):
    assert runtime.precision(torch.device("mps")) == "no"


def test_the_waiting_of_threads_is_set_before_torch_loads():
    # libgomp reads it once, so an import of torch above it would undo it silently
    code = ("import os, sys; from course_utils import doctor, runtime; "
            "print('torch' in sys.modules, os.environ['GOMP_SPINCOUNT'])")
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "3000"]


PURPOSES = ("", "steps", "upsampler", "upsampler steps", "condition", "augmentation", "permutations", "halves",
            "batches of training 0")


def test_no_two_seeds_or_purposes_share_a_stream():
    """Not even shifted by some draws: no value of one stream's beginning stands in another's."""
    starts = {(seed, purpose): runtime.seeded(seed, purpose=purpose).initial_seed() % 2**32
              for seed in range(300) for purpose in PURPOSES}
    assert len(set(starts.values())) == len(starts), "a CPU's generator looks at 32 bits of its seed"
    values = torch.cat([torch.rand(8, generator=runtime.seeded(seed, purpose=purpose), dtype=torch.float64)
                        for seed, purpose in starts])
    assert len(values.unique()) == len(values)
    first, again = (torch.rand(4, generator=runtime.seeded(3, purpose="steps")) for _ in range(2))
    assert torch.equal(first, again)
