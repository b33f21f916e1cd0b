"""The trainer: a training learns, and what it leaves."""

import math
import time

import pytest
import torch
from PIL import Image

from course_utils import runtime
from course_utils.networks import UNet, load_network, training_record
from course_utils.training import train, trainer
from course_utils.training.run import Run
from tests.tiny import Tiny, alive, log, quietly, same

pytestmark = pytest.mark.usefixtures("plain_precision")


def test_a_training_learns_and_leaves_a_checkpoint(tmp_path, capsys):
    network = train(Tiny(), images=800, folder=tmp_path)
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == [
        "checkpoint", "log.jsonl", "preview.png", "state.safetensors"]
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == [
        "config.json", "model.safetensors", "training.json"]
    record = training_record(tmp_path / "checkpoint")
    assert list(record) == ["recipe", "network", "data", "date", "images", "seconds", "hardware", "precision", "torch",
                            "parameters", "batch_size", "lr", "measures", "curve"]
    assert (record["recipe"], record["network"], record["images"]) == ("tiny", "UNet", 800)
    assert [images for images, _ in record["curve"]] == list(range(80, 801, 80))
    assert record["curve"][-1][1] < 0.8 * record["curve"][0][1]
    assert record["measures"]["held_out_loss"] < 0.8 * record["curve"][0][1]
    again, xt = load_network(tmp_path / "checkpoint"), torch.randn(4, 1, 8, 8, generator=runtime.seeded(0))
    assert torch.allclose(again(xt, 500), network(xt, 500), atol=0.01) and not network.training
    with Image.open(tmp_path / "preview.png") as picture:
        assert picture.size == (64, 16)  # Ten pictures: a row of eight, and one that is filled up
    out, err = capsys.readouterr()
    assert "Measuring ..." in out and f"Trained on 800 images; the checkpoint is in {tmp_path}" in out
    assert "800 images" in err and "Error" not in err


def test_what_is_measured_is_what_is_stored(tmp_path):
    class Wide(Tiny):
        def network(self):
            return UNet(widths=(16, 48), middle=1)

    average = quietly(Wide(), tmp_path)
    stored = load_network(tmp_path / "checkpoint")
    rounded, exact = (Wide().measures(network)["held_out_loss"] for network in (stored, average))
    found = training_record(tmp_path / "checkpoint")["measures"]["held_out_loss"]
    assert found == pytest.approx(rounded, rel=1e-7) and found != pytest.approx(exact, rel=1e-6)


def test_a_quiet_training_says_nothing(tmp_path, capfd):
    quietly(Tiny(), tmp_path)
    assert capfd.readouterr() == ("", "")


def test_the_learning_rate_rises_and_falls_to_zero(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "LOG_EVERY", 1)
    quietly(Tiny(), tmp_path, images=160)
    rates = [row["lr"] for row in log(tmp_path)]
    assert rates == pytest.approx([1e-2 * min(1, (i + 1) / 4) * (1 - i / 20) for i in range(20)])


def test_slow_parameters_learn_at_a_tenth_of_the_rate(tmp_path):
    class Slow(Tiny):
        slow, weight_decay = ("first",), 0.0

        def network(self):
            return alive()

    before = dict(alive().named_parameters())
    quietly(Slow(), tmp_path, images=Slow.batch_size)
    after, _ = Run(tmp_path).load()
    moved = {name: (after[f"network.{name}"] - value).abs().max().item() for name, value in before.items()}
    rate = 1e-2 / 4  # in the first of four batches of the warmup; the first step of Adam is as long as the rate
    assert moved["last.weight"] == pytest.approx(rate, rel=0.01)
    assert moved["first.weight"] == pytest.approx(rate / 10, rel=0.01)
    quietly(Slow(), tmp_path, images=4 * Slow.batch_size, resume=True)


def test_the_average_follows_its_formula(tmp_path):
    class Watched(Tiny):
        weights = []

        def loss(self, network, batch):
            if network.training:
                self.weights.append(network.first.weight.detach().clone())
            return super().loss(network, batch)

    quietly(Watched(), tmp_path, images=160)
    tensors, _ = Run(tmp_path).load()
    average, *after = *Watched.weights, tensors["network.first.weight"]
    for step, weights in enumerate(after, start=1):
        decay = min(0.9, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * weights
    assert torch.allclose(tensors["average.first.weight"], average, atol=1e-6)
    assert not torch.allclose(tensors["network.first.weight"], average, atol=1e-6)


def test_equal_seeds_give_equal_trainings_and_leave_the_global_one_alone(tmp_path):
    class Other(Tiny):
        seed = 1

    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    quietly(Tiny(), tmp_path / "a")
    assert torch.equal(torch.rand(1), expected)
    quietly(Tiny(), tmp_path / "b")
    quietly(Other(), tmp_path / "c")
    assert same(tmp_path / "a", tmp_path / "b") and not same(tmp_path / "a", tmp_path / "c")


def test_a_recipe_is_told_how_many_images_were_seen(tmp_path):
    told = []

    class Curious(Tiny):
        def batch(self, n, generator, images_seen=0):
            told.append(images_seen)
            return super().batch(n, generator, images_seen)

    size = Tiny.batch_size
    quietly(Curious(), tmp_path, images=3 * size)
    quietly(Curious(), tmp_path, images=5 * size, resume=True)
    assert sorted(set(told)) == [k * size for k in range(5)]


def test_minutes_are_a_budget_too(tmp_path):
    began = time.monotonic()
    quietly(Tiny(), tmp_path, minutes=1 / 60)
    _, numbers = Run(tmp_path).load()
    assert 1 <= numbers["seconds"] < time.monotonic() - began and numbers["budget"] == [None, 1 / 60]
    assert log(tmp_path)[-1]["lr"] < 1e-2 and training_record(tmp_path / "checkpoint")["images"] == numbers["images"]


@pytest.mark.parametrize("budget,sentence", [
    ({"images": 0}, "images must be a number above 0; got 0"),
    ({"images": -8}, "images must be a number above 0; got -8"),
    ({"minutes": 0.0}, "minutes must be a number above 0; got 0.0"),
    ({"minutes": math.nan}, "minutes must be a number above 0; got nan"),
    ({"minutes": math.inf}, "minutes must be a number above 0; got inf"),
    ({"images": 8, "minutes": 1}, "give a budget in images or in minutes, not both"),
])
def test_a_bad_budget_is_a_sentence(tmp_path, budget, sentence):
    with pytest.raises(ValueError, match=sentence):
        quietly(Tiny(), tmp_path / "new", **budget)
    assert not (tmp_path / "new").exists()


def test_the_curve_of_a_long_log_is_short(tmp_path):
    run = Run(tmp_path)
    for step in range(1, 501):
        run.write_log({"images": step, "loss": step % 3})
    curve = run.curve()
    assert len(curve) == 167 and curve[0] == [3, 1.0] and curve[-1] == [500, 1.5]
    assert Run(tmp_path / "none").curve() == []
