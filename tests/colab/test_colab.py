"""The course as Google Colab runs it: its packages, an empty folder, no checkout beside the notebook.

`make test-colab` builds .venv-colab. The set-up cell clones into /content, as on Colab; git is told to take a
snapshot of this checkout when it is asked for the course's address, so the cell runs unchanged."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from course_utils.authoring import notebook_file, project
from course_utils.authoring.setup_cell import setup_cell
from tests import notebook_helpers
from tests.conftest import ROOT

PYTHON = ROOT / ".venv-colab" / "bin" / "python"
CONTENT = Path("/content")
OURS = CONTENT / ".made-by-test-colab"
# What the set-up cell is told by Colab: this module is loaded before the first cell runs
STUB = "def enable_custom_widget_manager(): pass\n"


@pytest.fixture(scope="session", autouse=True)
def colab() -> None:
    """Packages of Colab with a stub of google.colab, and an empty /content; both tidied afterwards."""
    if not PYTHON.exists():
        pytest.skip(".venv-colab is missing; `make test-colab` makes it")
    command = [PYTHON, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]
    packages = Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
    for module in ("google/colab/__init__.py", "google/colab/output/__init__.py"):
        (packages / module).parent.mkdir(parents=True, exist_ok=True)
        (packages / module).write_text(STUB)
    (packages / "colab.pth").write_text("import google.colab\n")
    # Left by a run that was killed; any other /content is somebody's own
    if OURS.exists():
        shutil.rmtree(CONTENT)
    if CONTENT.exists():
        pytest.skip(f"{CONTENT} exists already, and these tests need to make and to remove it")
    try:
        CONTENT.mkdir()
    except OSError as error:
        pytest.skip(f"{CONTENT} cannot be made ({error}); run the tests as root, as Colab does")
    OURS.touch()
    yield
    shutil.rmtree(CONTENT)


@pytest.fixture(scope="session")
def snapshot(colab, tmp_path_factory) -> Path:
    """A bare repository whose one commit is the checkout as it lies here, changes included."""
    bare = tmp_path_factory.mktemp("remote") / "course.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", bare], check=True)
    git = ["git", f"--git-dir={bare}", f"--work-tree={ROOT}", "-c", "user.name=test", "-c", "user.email=test@test"]
    subprocess.run([*git, "add", "--all", "."], check=True, cwd=ROOT)
    subprocess.run([*git, "commit", "--quiet", "--message=snapshot"], check=True, cwd=ROOT)
    return bare


@pytest.fixture
def empty_folder(tmp_path, monkeypatch) -> Path:
    """Where the notebook starts, with nothing of the course around it and nothing cloned yet."""
    for left_over in folders():
        shutil.rmtree(CONTENT / left_over)
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab-test")
    return tmp_path


def folders() -> list[str]:
    return sorted(path.name for path in CONTENT.iterdir() if path != OURS)


def instead(remote: Path) -> dict[str, str]:
    """Environment in which git takes the course's address to be this folder."""
    return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{remote}.insteadOf",
            "GIT_CONFIG_VALUE_0": project.repository()}


def run(source: str, folder: Path, remote: Path) -> subprocess.CompletedProcess:
    return subprocess.run([PYTHON, "-c", source], cwd=folder, env=os.environ | instead(remote),
                          capture_output=True, text=True)


def test_the_set_up_cell_clones_once(snapshot, empty_folder):
    cell = setup_cell(project.repository())
    first = run(f"{cell}\nprint(Path.cwd())", empty_folder, snapshot)
    course = CONTENT / project.repository().rpartition("/")[2]
    assert first.stdout.splitlines() == ["Ready.", str(course / "notebooks")], first.stderr
    (course / "mine.txt").write_text("a learner's own work")
    twice = run(f"{cell}\n{cell}\nprint(sys.path.count(str(course)))", empty_folder, snapshot)
    assert twice.stdout.splitlines() == ["Ready.", "Ready.", "1"], twice.stderr
    assert (course / "mine.txt").exists()
    assert folders() == [course.name]


def test_an_interrupted_clone_is_done_again(snapshot, empty_folder):
    course = CONTENT / project.repository().rpartition("/")[2]
    (CONTENT / f"{course.name}.part" / "half").mkdir(parents=True)
    assert run(setup_cell(project.repository()), empty_folder, snapshot).stdout == "Ready.\n"
    assert folders() == [course.name]


def test_a_failed_clone_says_what_to_do_and_leaves_nothing(snapshot, empty_folder):
    failed = run(setup_cell(project.repository()), empty_folder, snapshot.with_name("gone.git"))
    sentence = failed.stderr.splitlines()[-1]
    assert failed.returncode == 1
    assert f"RuntimeError: The course could not be copied from {project.repository()}" in failed.stderr
    assert "Check network and address, or upload the course folder as /content/" in sentence
    assert folders() == []


def pytest_generate_tests(metafunc):
    if "path" in metafunc.fixturenames:
        metafunc.parametrize("path", notebook_helpers.asked(metafunc.config), ids=lambda path: path.stem)


def test_notebook(snapshot, empty_folder, path):
    copy = Path(shutil.copy(path, empty_folder))
    for cell in notebook_file.read(copy)["cells"]:
        # What a learner may install for the model at full scale is text
        assert cell["cell_type"] == "markdown" or "pip install" not in cell["source"]
    code, said = notebook_helpers.nbval(copy, str(PYTHON), **instead(snapshot))
    assert code == 0, said
