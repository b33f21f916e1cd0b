"""The trainer: stops and goes on without a trace, loses nothing, says what is wrong."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from course_utils import __main__ as command_line
from course_utils import runtime, training
from course_utils.networks import UNet, load_network, training_record
from course_utils.training import ending, find, names, recorded, recorded_images, train, trainer
from course_utils.training.run import Run, RunError
from tests.conftest import ROOT
from tests.tiny import Broken, Stopped, Tiny, alive


@pytest.fixture(autouse=True)
def plain_precision(monkeypatch):
    """All trainings of a process share one precision."""
    monkeypatch.setenv("COURSE_PRECISION", "no")


def quietly(recipe, folder: Path, **options):
    return train(recipe, folder=folder, progress=False, **options)


def log(folder: Path) -> list[dict]:
    """The log without the seconds, which differ from run to run."""
    return [{key: row[key] for key in ("images", "loss", "lr")} for row in Run(folder).read_log()]


def same(one: Path, other: Path) -> bool:
    """Have two trainings the same state, bit for bit, and the same log?"""
    (a, numbers_a), (b, numbers_b) = Run(one).load(), Run(other).load()
    numbers_a.pop("seconds"), numbers_b.pop("seconds")
    return (a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a) and numbers_a == numbers_b
            and log(one) == log(other))


# A training, and what it leaves


def test_a_training_learns_and_leaves_a_checkpoint(tmp_path, capsys):
    network = train(Tiny(), images=800, folder=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
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
            return super().batch(n, generator)

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


# Stopping and going on


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


# Other processes


def child(*arguments) -> str:
    """What Python prints in a process of its own."""
    path = os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])
    done = subprocess.run([sys.executable, *map(str, arguments)], cwd=ROOT, text=True, capture_output=True, timeout=400,
                          env=os.environ | {"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    return done.stdout


STOPPED = """
import os, signal, sys, time
from pathlib import Path
import accelerate, torch._dynamo  # Here, so that not every child imports them
from course_utils import __main__, training
from tests.tiny import Tiny

signal.alarm(300)
training.find = lambda name: Tiny()
children = {}
for number in (signal.SIGINT, signal.SIGTERM):
    folder = Path(sys.argv[1]) / number.name
    children[number] = os.fork()
    if not children[number]:
        signal.alarm(300)
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{folder}.{name}", os.O_WRONLY | os.O_CREAT), stream)
        os._exit(__main__.main(["train", "tiny", "--minutes", "5", "--folder", str(folder)]))
for number, child in children.items():
    while not (Path(sys.argv[1]) / number.name / "log.jsonl").exists():
        time.sleep(0.02)
    os.kill(child, number)
print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children.values()))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks, which is safe on Linux only")
def test_two_trainings_beside_each_other_are_stopped_by_signals(tmp_path):
    assert child("-c", STOPPED, tmp_path).split() == ["130", "130"]
    for name in ("SIGINT", "SIGTERM"):
        images = Run(tmp_path / name).load()[1]["images"]
        assert (tmp_path / f"{name}.out").read_text() == (
            f"Stopped at {images:,} images, and saved. To go on:\n"
            f"  python -m course_utils train tiny --resume --folder {tmp_path / name}\n")
        assert images >= 80 and "Traceback" not in (tmp_path / f"{name}.err").read_text()


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import accelerate, torch._dynamo
from course_utils.training import train
from course_utils.training.run import Run
from tests.tiny import Tiny

signal.alarm(300)
folder, kills, luck, hits = Path(sys.argv[1]), int(sys.argv[2]), random.Random(0), 0
run, images = Run(folder), 0

def written():
    return run.state.stat().st_mtime_ns if run.state.exists() else None

while kills > 0 or not hits:  # The alarm ends it where no kill ever meets a save
    saves, child = {written()}, os.fork()
    if not child:
        signal.alarm(300)
        train(Tiny(), images=10**9, resume=run.state.exists(), folder=folder, progress=False, save_every=0)
        os._exit(1)
    # The first save repeats what was loaded. Looked at from outside: a file that is replaced while it is being read is
    # neither the old one nor the new
    while len(saves) < 3:
        saves.add(written())
        time.sleep(0.005)
    if kills % 2:
        time.sleep(luck.uniform(0, 0.1))
    else:
        while not (folder / "state.part").exists():
            pass
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    hits, kills = hits + (folder / "state.part").exists(), kills - 1
    before, images = images, run.load()[1]["images"]
    assert images > before
    assert all(row["images"] <= images + 8 for row in run.read_log()), "more than a batch was lost"
print(hits, images)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks, which is safe on Linux only")
def test_kill_9_loses_at_most_the_last_interval(tmp_path):
    hits, images = map(int, child("-c", KILLED, tmp_path, 20).split())
    assert hits >= 1
    assert quietly(Tiny(), tmp_path, resume=True, images=images + 80) is not None
    steps = [row["images"] for row in log(tmp_path)]
    assert steps == sorted(set(steps)) and not list(tmp_path.glob("*.part"))


SHARED = """
import sys
from pathlib import Path
from course_utils.training import train
from tests.tiny import Tiny

class Shared(Tiny):
    def loss(self, network, batch):
        assert len(batch["xt"]) == (4 if network.training else 64)
        return super().loss(network, batch)

assert train(Shared(), folder=Path(sys.argv[1]), save_every=0)
"""


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path):
    (tmp_path / "script.py").write_text(SHARED)
    child("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", tmp_path / "script.py", tmp_path / "two")
    quietly(Tiny(), tmp_path / "one")
    one, two = log(tmp_path / "one"), log(tmp_path / "two")
    assert [row["images"] for row in one] == [row["images"] for row in two] == [80, 96]
    assert [row["loss"] for row in two] == pytest.approx([row["loss"] for row in one], rel=1e-3)
    assert "2 x" in training_record(tmp_path / "two" / "checkpoint")["hardware"]
    # And one process goes on where two stopped
    assert quietly(Tiny(), tmp_path / "two", resume=True, images=160) is not None


def test_a_batch_that_cannot_be_shared_is_a_sentence(tmp_path, monkeypatch):
    from accelerate import Accelerator

    monkeypatch.setattr(Accelerator, "num_processes", 3)
    with pytest.raises(ValueError, match="a batch of 8 cannot be shared by 3 processes. Use a number"):
        quietly(Tiny(), tmp_path)


# Recipes and the command line


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


def test_the_doctor_needs_no_torch():
    code = ("import sys\nfrom course_utils.__main__ import main\nmain(['doctor', '--version'])\n"
            "sys.exit('torch' in sys.modules or 'course_utils.training' in sys.modules)")
    assert "torch " in child("-c", code)
