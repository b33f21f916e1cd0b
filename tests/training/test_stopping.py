"""A training stops and goes on without a trace, loses nothing, says what is wrong."""

import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from course_utils.networks import load_network, training_record
from course_utils.training import ending, train, trainer
from course_utils.training.run import Run, RunError
from tests.conftest import ROOT
from tests.tiny import Broken, Stopped, Tiny, log, quietly, same

pytestmark = pytest.mark.usefixtures("plain_precision")


@pytest.mark.parametrize("stops", [[5], [10], [2, 1, 8]])
def test_going_on_leaves_no_trace(tmp_path, stops):
    quietly(Tiny(), tmp_path / "straight")
    for i, after in enumerate(stops):
        assert quietly(Stopped(after), tmp_path / "stopped", resume=i > 0) is None
        assert Run(tmp_path / "stopped").load()[1]["images"] == 8 * sum(stops[: i + 1])
    assert quietly(Tiny(), tmp_path / "stopped", resume=True) is not None
    assert same(tmp_path / "straight", tmp_path / "stopped")


def test_a_stop_before_the_first_batch_can_be_gone_on_from(tmp_path):
    with ending.stop_signals() as stop:
        signal.raise_signal(signal.SIGTERM)
    assert stop == [signal.SIGTERM]
    started = trainer._Training(Tiny(), Run(tmp_path / "stopped"), progress=False)
    started.begin(ending.Budget(96), again=False)
    assert not started.go(60.0, stop)
    quietly(Tiny(), tmp_path / "stopped", resume=True)
    quietly(Tiny(), tmp_path / "straight")
    assert same(tmp_path / "straight", tmp_path / "stopped")


def test_a_second_ctrl_c_ends_it_at_once_and_the_handlers_come_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), ending.stop_signals():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


def test_a_training_runs_in_a_thread(tmp_path):
    thread = threading.Thread(target=quietly, args=(Tiny(), tmp_path / "thread"))
    thread.start()
    thread.join()
    quietly(Tiny(), tmp_path / "main")
    assert same(tmp_path / "thread", tmp_path / "main")


def test_a_finished_training_takes_a_larger_budget(tmp_path):
    quietly(Tiny(), tmp_path)
    assert quietly(Tiny(), tmp_path, resume=True) is not None  # Killed while it measured: only that is left
    quietly(Tiny(), tmp_path, resume=True, images=160)
    assert training_record(tmp_path / "checkpoint")["images"] == 160
    assert [row["images"] for row in log(tmp_path)] == [80, 96, 160]


def test_nothing_is_lost_by_a_forgotten_resume(tmp_path):
    assert quietly(Stopped(5), tmp_path) is None
    with pytest.raises(RunError, match="holds a training already. Go on with it .--resume.*--again.*--folder"):
        quietly(Tiny(), tmp_path)
    assert Run(tmp_path).load()[1]["images"] == 40


def test_again_begins_anew_and_touches_nothing_else(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    quietly(Tiny(), tmp_path, images=160)
    assert quietly(Stopped(3), tmp_path, again=True) is None
    assert Run(tmp_path).load()[1]["images"] == 24 and log(tmp_path) == []
    assert training_record(tmp_path / "checkpoint")["images"] == 160  # Until a new one stands
    quietly(Tiny(), tmp_path, again=True)
    assert training_record(tmp_path / "checkpoint")["images"] == 96
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_nothing_to_go_on_from_is_a_sentence(tmp_path):
    with pytest.raises(RunError, match="nothing to go on from in .* Leave --resume out"):
        quietly(Tiny(), tmp_path, resume=True)


def test_another_recipe_or_network_is_a_sentence(tmp_path):
    class Other(Tiny):
        name = "other"

    class Wider(Tiny):
        def network(self):
            return super().network().__class__(widths=(16, 16), middle=1)

    quietly(Stopped(2), tmp_path)
    for recipe in (Other(), Wider()):
        with pytest.raises(RunError, match=f"a training of 'tiny' whose network is not the one that '{recipe.name}'"):
            quietly(recipe, tmp_path, resume=True)


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "foreign"])
def test_a_damaged_state_is_a_sentence(tmp_path, damage):
    from safetensors.torch import save_file

    quietly(Stopped(2), tmp_path)
    state = tmp_path / "state.safetensors"
    content = {"empty": b"", "cut": state.read_bytes()[:-100], "noise": bytes(range(256)) * 20}
    if damage == "foreign":
        save_file({"a": torch.zeros(1)}, state)
    else:
        state.write_bytes(content[damage])
    with pytest.raises(RunError, match="state.safetensors cannot be read .* Begin anew"):
        quietly(Tiny(), tmp_path, resume=True)


def test_parts_of_an_earlier_crash_are_taken_for_nothing(tmp_path):
    quietly(Tiny(), tmp_path / "straight")
    quietly(Stopped(5), tmp_path / "stopped")
    for name in ("state.part", "log.part", "preview.part"):
        (tmp_path / "stopped" / name).write_bytes(b"half of it")
    for name in ("checkpoint.part", "checkpoint.old"):
        (tmp_path / "stopped" / name).mkdir()
        (tmp_path / "stopped" / name / "model.safetensors").write_bytes(b"half of it")
    with open(tmp_path / "stopped" / "log.jsonl", "a") as stream:
        stream.write('{"images": 48, "seconds": 1, "loss": 1, "lr": 1}\n{"images": 56, "sec')
    quietly(Tiny(), tmp_path / "stopped", resume=True)
    assert same(tmp_path / "straight", tmp_path / "stopped")
    assert not list((tmp_path / "stopped").glob("*.part")) and not list((tmp_path / "stopped").glob("*.old"))
    assert load_network(tmp_path / "stopped" / "checkpoint")


@pytest.mark.parametrize("slope_only", [False, True])
def test_a_loss_that_is_no_number_stops_and_leaves_the_state_before(tmp_path, slope_only):
    with pytest.raises(RunError, match="not finite any more, and nothing of that was saved. A smaller learning"):
        quietly(Broken(6, slope_only), tmp_path, save_every=0)
    tensors, numbers = Run(tmp_path).load()
    assert numbers["images"] == 48 and all(tensor.isfinite().all() for tensor in tensors.values())
    assert not (tmp_path / "checkpoint").exists()
    assert quietly(Tiny(), tmp_path, resume=True) is not None


def test_it_stops_soon_where_saves_are_rare(tmp_path):
    with pytest.raises(RunError, match="after 80 images the loss or the weights are not finite"):
        quietly(Broken(6), tmp_path, images=800)
    assert log(tmp_path) == [] and not (tmp_path / "state.safetensors").exists()


def test_two_trainings_cannot_share_a_folder(tmp_path):
    with Run(tmp_path).locked(), pytest.raises(RunError, match=f"another training is writing in {tmp_path}. Stop it"):
        train(Tiny(), images=64, folder=tmp_path, progress=False)
    assert not (tmp_path / "log.jsonl").exists()
    assert train(Tiny(), images=64, folder=tmp_path, progress=False) is not None


def test_a_crashed_training_frees_its_folder(tmp_path):
    code = (f"from pathlib import Path\nfrom course_utils.training.run import Run\nimport os\n"
            f"with Run(Path({str(tmp_path)!r})).locked():\n    os._exit(1)")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 1
    with Run(tmp_path).locked():
        assert (tmp_path / ".lock").exists()


def test_the_command_to_go_on_can_be_pasted(tmp_path, capsys):
    folder = tmp_path / "a folder"
    train(Stopped(2), images=64_000, folder=folder)
    said = capsys.readouterr().out
    assert f"{sys.executable} -m course_utils train {Stopped.name} --resume --folder '{folder}'" in said


def test_a_laptop_asleep_spends_no_budget(tmp_path, monkeypatch):
    """The clock jumps by an hour in each batch; a budget of ten minutes is spent by at most one minute of it."""
    now = iter(range(0, 3600 * 1000, 3600))
    monkeypatch.setattr(trainer, "time", SimpleNamespace(monotonic=lambda: next(now)))
    train(Tiny(), minutes=10, folder=tmp_path, progress=False)
    assert training_record(tmp_path / "checkpoint")["images"] >= 8 * Tiny.batch_size


def test_a_training_where_gradients_are_switched_off(tmp_path):
    with torch.no_grad():
        assert train(Tiny(), images=16, folder=tmp_path, progress=False) is not None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc and /dev/full are Linux's")
def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", Path("/proc/nowhere")):
        with pytest.raises(RunError, match="cannot be written .*Name another place"):
            train(Tiny(), images=16, folder=folder, progress=False)


def test_a_full_disk_leaves_what_was_saved(tmp_path, monkeypatch):
    train(Tiny(), images=16, folder=tmp_path, progress=False)
    before = (tmp_path / "state.safetensors").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr("course_utils.training.run.write_tensors", full)
    with pytest.raises(RunError, match="could not be written .*No space left.*make room, then go on with --resume"):
        train(Tiny(), images=64, resume=True, folder=tmp_path, progress=False)
    assert (tmp_path / "state.safetensors").read_bytes() == before
