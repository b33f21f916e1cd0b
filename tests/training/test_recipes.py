"""Every recipe, recorded trainings, and the command line."""

import json

import pytest
import torch

from course_utils import __main__ as command_line
from course_utils import runtime, training
from course_utils.networks import training_record
from course_utils.training import find, names, recorded, recorded_images
from course_utils.training.run import Run
from tests.tiny import Stopped, Tiny

pytestmark = pytest.mark.usefixtures("plain_precision")


def test_the_recipes_have_names():
    assert {"ddpm-garments", "garment-recogniser", "short", "no-skips"} <= set(names())
    assert all(find(name).name == name and find(name).data for name in names())


@pytest.mark.parametrize("name", names())
def test_every_recipe_makes_a_batch_and_a_loss(name):
    recipe = find(name)
    network = recipe.network()
    batches = [recipe.batch(4, runtime.seeded(seed)) for seed in (3, 3, 4)]
    assert all(len(value) == 4 for value in batches[0].values())
    assert all(torch.equal(value, batches[1][key]) for key, value in batches[0].items())
    assert any(not torch.equal(value, batches[2][key]) for key, value in batches[0].items())
    loss = recipe.loss(network, batches[0])
    loss.mean().backward()
    assert loss.shape == (4,) and loss.isfinite().all()


def test_an_unknown_recipe_is_a_sentence_and_a_list(capsys):
    assert command_line.main(["train", "nope"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err == f"there is no recipe 'nope'; there are {', '.join(names())}.\n"


def test_the_pictures_of_a_recorded_training(monkeypatch, tmp_path):
    """Cut out of the trainer's own grid, in its order."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    for channels in (1, 3):
        made = torch.randint(256, (16, channels, 32, 32), generator=runtime.seeded(0)) / 127.5 - 1
        Run(tmp_path / "recorded" / "some").save({}, {})
        Run(tmp_path / "recorded" / "some").write_preview(made)
        assert (recorded_images("some") - made).abs().max() < 1e-5


def test_an_unknown_recorded_training_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(runtime, "data_dir", lambda: tmp_path)
    with pytest.raises(ValueError, match="there is no recorded training 'nope'"):
        recorded("nope")
    (tmp_path / "recorded" / "some").mkdir(parents=True)
    (tmp_path / "recorded" / "some" / "training.json").write_text(json.dumps({"images": 3}))
    assert recorded("some") == {"images": 3}


def test_the_command_line_trains(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training, "find", lambda name: Tiny())
    monkeypatch.setattr(runtime, "data_dir", lambda: tmp_path)
    assert command_line.main(["train", "tiny", "--images", "40"]) == 0
    assert training_record(tmp_path / "runs" / "tiny" / "checkpoint")["images"] == 40
    assert command_line.main(["train", "tiny"]) == 1
    assert command_line.main(["train", "tiny", "--resume", "--images", "80"]) == 0
    assert command_line.main(["train", "tiny", "--again", "--images", "40"]) == 0
    monkeypatch.setattr(training, "find", lambda name: Stopped(2))
    assert command_line.main(["train", "tiny", "--again"]) == 130
    for wrong in (["--resume", "--again"], ["--images", "8", "--minutes", "1"], ["--images", "many"]):
        with pytest.raises(SystemExit) as ended:
            command_line.main(["train", "tiny", *wrong])
        assert ended.value.code == 2


def test_a_class_without_a_name_of_its_own_is_no_recipe():
    """A base class for other recipes inherits the name of what it goes on from, and must not be taken for it."""
    assert type(find("sd-base")).__name__ == "SDBase" and type(find("glide-base")).__name__ == "GLIDEBase"
