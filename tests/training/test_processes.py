"""Trainings in processes of their own: stopped, killed, shared."""

import os
import subprocess
import sys

import pytest

from course_utils import runtime
from course_utils.networks import training_record
from course_utils.training.run import Run
from tests.conftest import ROOT
from tests.tiny import Tiny, log, quietly

pytestmark = pytest.mark.usefixtures("plain_precision")


def child(*arguments) -> str:
    """What Python prints in a process of its own."""
    path = os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])
    done = subprocess.run([sys.executable, *map(str, arguments)], cwd=ROOT, text=True, capture_output=True, timeout=400,
                          env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"})
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
            f"  {runtime.command('train', 'tiny', '--resume', '--folder', tmp_path / name)}\n")
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


def test_the_doctor_needs_no_torch():
    code = ("import sys\nfrom course_utils.__main__ import main\nmain(['doctor', '--version'])\n"
            "sys.exit('torch' in sys.modules or 'course_utils.training' in sys.modules)")
    assert "torch " in child("-c", code)
