"""Checkpoints: what they hold, and a sentence for each way in which they can be broken."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from course_utils import runtime
from course_utils.networks import NetworkError, Recogniser, UNet, load_network, training_record
from course_utils.networks.checkpoints import KINDS
from course_utils.runtime import generator
from course_utils.training.run import Run


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A checkpoint of a small U-Net."""
    folder = tmp_path_factory.mktemp("run")
    Run(folder).write_checkpoint(UNet(widths=(8, 16), middle=1), {"network": "UNet", "images": 8})
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
    pictures = torch.rand(16, 1, 32, 32, generator=generator(0))
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
    assert record["recipe"] == name and isinstance(network, KINDS[record["network"]])
    assert record["parameters"] == sum(p.numel() for p in network.parameters())
    assert {"data", "images", "seconds", "hardware", "precision", "torch", "measures", "curve"} <= set(record)
    assert record["curve"][-1][0] == record["images"] and record["curve"][-1][1] < record["curve"][0][1]
    assert all(p.isfinite().all() for p in network.state_dict().values())
