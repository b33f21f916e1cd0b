"""Checkpoints: what they hold, and a sentence for each way in which they can be broken."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from course_utils import runtime
from course_utils.files import DataError
from course_utils.networks import NetworkError, Recogniser, UNet, load_network, training_record
from course_utils.networks.weights import LARGE, Network, as_stored, packed, unpacked
from course_utils.runtime import seeded
from course_utils.training.run import Run
from tests.tiny import alive


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A checkpoint of a small U-Net, some of whose weights are in eight bits."""
    folder = tmp_path_factory.mktemp("run")
    Run(folder).write_checkpoint(alive(widths=(16, 48)), {"network": "UNet", "images": 8})
    return folder / "checkpoint"


@pytest.fixture
def shipped(tmp_path, monkeypatch, whole) -> Path:
    """The same, as data/checkpoints/small, to be damaged."""
    monkeypatch.setattr(runtime, "data_dir", lambda: tmp_path)
    return Path(shutil.copytree(whole, tmp_path / "checkpoints" / "small"))


def test_it_is_found_by_name_and_by_folder(shipped):
    for name in ("small", shipped):
        network = load_network(name)
        assert isinstance(network, UNet) and not network.training
        assert training_record(name) == {"network": "UNet", "images": 8}


def test_a_recogniser_goes_the_same_way(tmp_path):
    network = Recogniser(["shirt", "bag"], width=8, features=5).train()
    pictures = torch.rand(16, 1, 32, 32, generator=seeded(0))
    network(pictures)  # Its norms have seen something
    Run(tmp_path).write_checkpoint(network, {"network": "Recogniser"})
    again = load_network(tmp_path / "checkpoint")
    assert again.names == ["shirt", "bag"] and again.features(pictures).shape == (16, 5)
    assert torch.allclose(again(pictures), network.eval()(pictures), atol=0.01)


def test_no_pickle_and_nothing_but_three_files(whole):
    assert {path.name for path in whole.iterdir()} == {"config.json", "model.safetensors", "training.json"}


def test_a_new_checkpoint_replaces_the_old_one_whole(tmp_path):
    for images in (8, 16):
        Run(tmp_path).write_checkpoint(UNet(widths=(8, 16), middle=1), {"network": "UNet", "images": images})
        (tmp_path / "checkpoint" / "stray").touch()
    Run(tmp_path).write_checkpoint(UNet(widths=(8, 16), middle=1), {"network": "UNet", "images": 24})
    assert training_record(tmp_path / "checkpoint")["images"] == 24
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    assert not (tmp_path / "checkpoint" / "stray").exists()


# Eight bits


def _rows(*shape: int) -> torch.Tensor:
    """Weights of all sizes: ordinary rows, a row of zeros, a huge outlier, a row that half precision hardly holds."""
    rows = torch.randn(shape, generator=seeded(0))
    rows[1], rows[2, 0], rows[3] = 0, 1e4, rows[3] * 1e-6
    rows[4:] *= torch.logspace(-5, 2, len(rows) - 4).view(-1, *[1] * (rows.ndim - 1))
    return rows


@pytest.mark.parametrize("shape", [(64, 64), (32, 16, 3, 3), (4096, 1), (8, 4, 4, 4, 8)])
def test_eight_bits_move_nothing_by_more_than_half_a_step(shape):
    value = _rows(*shape)
    stored = packed({"w": value})
    assert set(stored) == {"w", "w.scale"} and stored["w"].dtype == torch.int8
    assert stored["w.scale"].dtype == torch.float16 and stored["w.scale"].shape == shape[:1]
    again = unpacked(stored)
    assert set(again) == {"w"} and again["w"].dtype == torch.float32 and not again["w"][1].any()
    step = stored["w.scale"].float()
    assert ((again["w"] - value).flatten(1).abs().amax(1) <= 0.5 * step * (1 + 1e-5)).all()
    # And a step is no larger than it must be
    largest = value.flatten(1).abs().amax(1)
    assert torch.allclose(step[largest > 1e-2], largest[largest > 1e-2] / 127, rtol=1e-3)
    assert step.min() < 1e-5 and torch.equal(packed(again)["w"], stored["w"])


def test_what_is_small_or_no_matrix_keeps_half_precision():
    weights = {"matrix": torch.rand(LARGE // 8, 7), "vector": torch.rand(2 * LARGE), "count": torch.tensor(3)}
    stored = packed(weights)
    assert {name: value.dtype for name, value in stored.items()} == {
        "matrix": torch.float16, "vector": torch.float16, "count": torch.int64}
    assert all(torch.equal(unpacked(stored)[name], value) for name, value in stored.items())


def test_the_large_weights_take_half_of_half_precision(tmp_path):
    network = alive(widths=(32, 96))
    Run(tmp_path).write_checkpoint(network, {"network": "UNet"})
    file = tmp_path / "checkpoint" / "model.safetensors"
    kinds = [value.dtype for value in load_file(file).values()]
    assert torch.int8 in kinds and set(kinds) == {torch.int8, torch.float16}
    halves = 2 * sum(p.numel() for p in network.parameters())
    assert 0.5 * halves < file.stat().st_size < 0.6 * halves


def test_a_network_in_eight_bits_answers_nearly_the_same(tmp_path):
    network, xt = alive(widths=(32, 96)), torch.randn(8, 1, 32, 32, generator=seeded(0))
    Run(tmp_path).write_checkpoint(network, {"network": "UNet"})
    again, exact = load_network(tmp_path / "checkpoint"), network(xt, 500)
    assert 0 < (again(xt, 500) - exact).std() < 0.02 * exact.std()
    assert all(p.dtype == torch.float32 for p in again.parameters())
    # What is measured before it is stored, and what the hub's mixin reads, is what is loaded
    for other in (as_stored(network), UNet.from_pretrained(tmp_path / "checkpoint")):
        assert not other.training and torch.equal(other(xt, 500), again(xt, 500))


def test_a_checkpoint_in_half_precision_still_loads(whole, tmp_path):
    network = load_network(whole)
    folder = Path(shutil.copytree(whole, tmp_path / "half"))
    halves = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    save_file(halves, folder / "model.safetensors")
    again = load_network(folder).state_dict()
    assert all(torch.equal(again[name], value.float()) for name, value in halves.items())


@pytest.mark.parametrize("damage", [None, torch.ones(3), torch.tensor(1.0), float("nan"), float("inf"), 0.0, -1.0])
def test_a_missing_or_damaged_scale_is_a_sentence(shipped, damage):
    stored = load_file(shipped / "model.safetensors")
    name = next(name for name in stored if name.endswith(".scale"))
    scale = stored.pop(name)
    if isinstance(damage, float):
        scale[1] = damage
    if damage is not None:
        stored[name] = scale if isinstance(damage, float) else damage
    save_file(stored, shipped / "model.safetensors")
    sentence = f"{name.removesuffix('.scale')} is stored in eight bits, but {name}, .* is missing or damaged"
    with pytest.raises(NetworkError, match=f"the checkpoint in .*small is damaged .{sentence}.*Restore it with"):
        load_network("small")
    # The mixin by itself would take what it finds for weights
    with pytest.raises(ValueError, match=sentence):
        UNet.from_pretrained(shipped)


# What is broken


def test_a_missing_checkpoint_is_a_sentence(shipped):
    advice = "Restore it with `git checkout -- data/checkpoints/nope`, or train it: python -m course_utils train nope"
    for ask in (load_network, training_record):
        with pytest.raises(NetworkError, match=f"there is no checkpoint 'nope' .looked for .*{advice}"):
            ask("nope")
        with pytest.raises(NetworkError, match="there is no checkpoint .*Train it again"):
            ask(shipped / "nope")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _change(path: Path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


DAMAGES = {
    "no weights": ("model.safetensors", Path.unlink),
    "cut weights": ("model.safetensors", _cut),
    "empty weights": ("model.safetensors", lambda path: path.write_bytes(b"")),
    "a git-lfs pointer": ("model.safetensors", lambda path: path.write_text("version https://git-lfs.github.com/spec")),
    "no config": ("config.json", Path.unlink),
    "cut config": ("config.json", _cut),
    "config that is a list": ("config.json", lambda path: path.write_text("[]")),
    "config of another shape": ("config.json", lambda path: _change(path, widths=[16, 16])),
    "config with one layer more": ("config.json", lambda path: _change(path, middle=2)),
    "config of an unknown option": ("config.json", lambda path: _change(path, depth=3)),
    "config of an unknown name": ("config.json", lambda path: _change(path, predicts="score")),
    "cut record": ("training.json", _cut),
    "record that is no text": ("training.json", lambda path: path.write_bytes(b"\xff\xfe\x00")),
    "record that is a list": ("training.json", lambda path: path.write_text("[]")),
    "record of another network": ("training.json", lambda path: _change(path, network="ResNet")),
    "record of the wrong network": ("training.json", lambda path: _change(path, network="Recogniser")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_a_sentence(shipped, damage):
    name, do = DAMAGES[damage]
    do(shipped / name)
    with pytest.raises(NetworkError, match="(is damaged|names no network of the course).*Restore it with") as found:
        load_network("small")
    assert "small" in str(found.value) and "\n" not in str(found.value)


def _shipped_names() -> list[str]:
    return sorted(path.parent.name for path in (runtime.data_dir() / "checkpoints").glob("*/training.json"))


@pytest.mark.parametrize("name", _shipped_names())
def test_a_shipped_checkpoint_is_whole(name):
    network, record = load_network(name), training_record(name)
    assert record["recipe"] == name and isinstance(network, Network.kinds[record["network"]])
    assert record["parameters"] == sum(p.numel() for p in network.parameters())
    assert {"data", "images", "seconds", "hardware", "precision", "torch", "measures", "curve"} <= set(record)
    assert record["curve"][-1][0] == record["images"] and record["curve"][-1][1] < record["curve"][0][1]
    assert all(p.isfinite().all() for p in network.state_dict().values())


def test_a_shipped_checkpoint_that_was_changed_is_not_loaded(tmp_path, monkeypatch):
    """64 zeros in the weights would load, and draw other images."""
    name = "garment-recogniser"
    shutil.copytree(runtime.data_dir() / "checkpoints" / name, tmp_path / "checkpoints" / name)
    shutil.copy(runtime.data_dir() / "SHA256SUMS", tmp_path)
    monkeypatch.setattr(runtime, "data_dir", lambda: tmp_path)
    assert load_network(name) is not None
    path = tmp_path / "checkpoints" / name / "model.safetensors"
    weights = bytearray(path.read_bytes())
    weights[-64:] = bytes(64)
    path.write_bytes(weights)
    with pytest.raises(DataError, match="model.safetensors is damaged.*or train it: python -m course_utils train"):
        load_network(name)
    path.unlink()
    with pytest.raises(DataError, match="model.safetensors is missing"):
        load_network(name)
    # What asks for a network that may be missing catches one kind of error
    with pytest.raises(NetworkError):
        load_network(name)


def test_a_checkpoint_of_your_own_needs_no_sum(tmp_path, monkeypatch):
    shutil.copytree(runtime.data_dir() / "checkpoints" / "garment-recogniser", tmp_path / "checkpoints" / "mine")
    shutil.copy(runtime.data_dir() / "SHA256SUMS", tmp_path)
    monkeypatch.setattr(runtime, "data_dir", lambda: tmp_path)
    assert load_network("mine") is not None
