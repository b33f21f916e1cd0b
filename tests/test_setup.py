"""Set-up: one list of versions, one address, a doctor who sees what is wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import course_utils
from course_utils import __main__ as command_line
from course_utils import doctor, files
from course_utils.authoring import lock, project, stamp
from course_utils.authoring.setup_cell import setup_cell
from tests import notebook_helpers
from tests.conftest import ROOT

SETTINGS = project.settings()
LOCKED = [Requirement(line) for line in (ROOT / "requirements.lock").read_text().splitlines()
          if line and not line.startswith("#")]


def python(code: str, *arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=options.pop("cwd", ROOT),
                          capture_output=True, text=True, **options)


# One list of versions

@pytest.mark.parametrize("wanted", SETTINGS["dependencies"] + SETTINGS["optional-dependencies"]["test"]
                         + SETTINGS["optional-dependencies"]["korean"])
def test_every_range_admits_its_locked_version(wanted):
    requirement = Requirement(wanted)
    versions = [next(iter(locked.specifier)).version for locked in LOCKED
                if canonicalize_name(locked.name) == canonicalize_name(requirement.name)]
    assert versions, f"{wanted} is not in requirements.lock: run `make lock`"
    assert all(requirement.specifier.contains(version) for version in versions), versions


def test_the_lock_holds_for_every_system():
    assert all(str(locked.specifier).startswith("==") for locked in LOCKED)
    assert [str(locked.specifier) for locked in LOCKED if locked.name == "torch"] == ["==2.13.0"]
    assert not [locked.name for locked in LOCKED if re.match("nvidia|cuda|triton", locked.name)]
    assert "://" not in (ROOT / "requirements.lock").read_text()


def test_environment_is_made_from_pyproject():
    assert (ROOT / "environment.yml").read_text() == lock.environment(SETTINGS), "run `make lock`"
    content = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = content["dependencies"]
    option, *ranges = pip["pip"]
    assert content["channels"] == ["conda-forge"] and "pip" in [line.split()[0] for line in conda]
    assert option.startswith("--extra-index-url https://")
    wanted = SETTINGS["dependencies"] + SETTINGS["optional-dependencies"]["korean"]
    assert [Requirement(line) for line in ranges] == [Requirement(line) for line in wanted]


def test_conda_understands_environment():
    rattler = pytest.importorskip("rattler", reason="py-rattler, which knows conda's grammar, is not installed")
    errors = pytest.importorskip("rattler.exceptions")
    content = yaml.safe_load((ROOT / "environment.yml").read_text())
    for line in content["dependencies"][:-1]:
        rattler.MatchSpec(line)
    with pytest.raises(errors.InvalidMatchSpecError):
        rattler.MatchSpec("python ==>3")


def test_make_installs_the_python_that_the_project_admits():
    assert SETTINGS["requires-python"] == ">=3.11,<3.14"
    assert "(3, 11) <= sys.version_info[:2] <= (3, 13)" in (ROOT / "Makefile").read_text()


# One address

@pytest.fixture
def small_course(tmp_path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "README.md").write_text("git clone https://github.com/OLD/old\n(https://github.com/A/b/actions/c.svg)\n")
    (tmp_path / "CITATION.cff").write_text('repository-code: "https://github.com/OLD/old"\n')
    (tmp_path / "notebooks").mkdir()
    badge = "md:# 04\n[![Open in Colab](a.svg)](https://colab.research.google.com/github/a/b/04_loss.ipynb)"
    notebook_helpers.write(tmp_path / "notebooks" / "04_loss.ipynb", badge, setup_cell("https://old"), "1")
    return tmp_path


def test_stamp_writes_the_address_everywhere_and_only_once(small_course):
    changed = {path.name for path in stamp.stamp("me/my.course", small_course)}
    assert changed == {"04_loss.ipynb", "README.md", "pyproject.toml", "CITATION.cff"}
    notebook = (small_course / "notebooks" / "04_loss.ipynb").read_text()
    assert 'url = \\"https://github.com/me/my.course\\"' in notebook and "https://old" not in notebook
    assert "colab.research.google.com/github/me/my.course/blob/main/notebooks/04_loss.ipynb" in notebook
    readme, cited = ((small_course / name).read_text() for name in ("README.md", "CITATION.cff"))
    assert readme == "git clone https://github.com/me/my.course\n(https://github.com/me/my.course/actions/c.svg)\n"
    assert cited == 'repository-code: "https://github.com/me/my.course"\n'
    assert project.repository(small_course) == "https://github.com/me/my.course"
    assert stamp.stamp(None, small_course) == []


@pytest.mark.parametrize("name", ["https://github.com/a/b", "a", "a/b/c", "a b/c", ""])
def test_stamp_refuses_what_is_no_repository(small_course, name):
    before = (small_course / "pyproject.toml").read_text()
    with pytest.raises(ValueError, match="must look like owner/name"):
        stamp.stamp(name, small_course)
    assert (small_course / "pyproject.toml").read_text() == before


def test_stamp_writes_nothing_if_a_notebook_has_no_set_up_cell(small_course):
    notebook_helpers.write(small_course / "notebooks" / "05_x.ipynb", "1")
    before = (small_course / "pyproject.toml").read_text()
    with pytest.raises(ValueError, match="05_x.ipynb: the first code cell must be the set-up cell"):
        stamp.stamp("me/course", small_course)
    assert (small_course / "pyproject.toml").read_text() == before


# The set-up cell

def test_set_up_cell_finds_the_course_above_and_changes_nothing_the_second_time(tmp_path):
    (tmp_path / "course_utils").symlink_to(ROOT / "course_utils")
    deep = tmp_path / "notebooks" / "mine"
    deep.mkdir(parents=True)
    cell = setup_cell("https://example.invalid/course")
    code = f"{cell}\n{cell}\nprint(sys.path.count({str(tmp_path)!r}), Path.cwd())"
    result = python(code, cwd=deep)
    assert result.stdout.splitlines() == ["Ready.", "Ready.", f"1 {deep}"], result.stderr


def test_set_up_cell_far_from_the_course_says_what_to_do(tmp_path):
    result = python(setup_cell("https://example.invalid/course"), cwd=tmp_path)
    assert result.returncode == 1
    assert "The course was not found. Open this notebook inside the course folder" in result.stderr


def test_set_up_cell_needs_only_the_standard_library():
    modules = set(re.findall(r"^import (\w+)|^from (\w+)", setup_cell("x"), re.MULTILINE))
    assert {a or b for a, b in modules} <= set(sys.stdlib_module_names)
    assert len(setup_cell("x").splitlines()) <= 35


def unmet(monkeypatch, *requirements, colab=False):
    monkeypatch.setattr(doctor, "requirements", lambda: list(requirements))
    if colab:
        monkeypatch.setitem(sys.modules, "google.colab", None)


def test_a_missing_or_old_package_is_named(monkeypatch):
    unmet(monkeypatch, "no-such-package>=1", "numpy>=999", "torch>=2.11")
    with pytest.raises(RuntimeError, match=r"needs no-such-package>=1, numpy>=999; .* has no-such-package missing"
                                           r", numpy \d.*make lab"):
        doctor.need_packages()


def test_nothing_is_installed_on_colab_if_nothing_is_missing(monkeypatch):
    unmet(monkeypatch, "numpy>=2", colab=True)
    monkeypatch.setattr(doctor.subprocess, "run", None)
    doctor.need_packages()


@pytest.mark.parametrize("package", ["torch>=999", "numpy>=999", "ipywidgets>=999"])
def test_colab_is_never_given_another_torch_numpy_or_ipywidgets(monkeypatch, package):
    unmet(monkeypatch, package, "no-such-package>=1", colab=True)
    monkeypatch.setattr(doctor.subprocess, "run", None)
    with pytest.raises(RuntimeError, match="Choose the newest one: menu Runtime"):
        doctor.need_packages()


def test_on_colab_only_the_missing_package_is_installed(monkeypatch):
    unmet(monkeypatch, "numpy>=2", "no-such-package>=1", "jupyterlab>=999", colab=True)
    calls = []
    answer = subprocess.CompletedProcess([], 1, "", "no network")
    monkeypatch.setattr(doctor.subprocess, "run", lambda command, **options: calls.append(command) or answer)
    with pytest.raises(RuntimeError, match="Installing no-such-package>=1 failed: no network"):
        doctor.need_packages()
    assert [command[2:] for command in calls] == [["pip", "install", "--quiet", "no-such-package>=1"]]


# The doctor

def test_versions_come_without_importing_anything_heavy():
    result = python("import sys\nfrom course_utils.__main__ import main\ncode = main(['doctor', '--version'])\n"
                    "print(sorted({'torch', 'numpy', 'diffusers', 'matplotlib'} & set(sys.modules)), code)")
    assert result.stdout.splitlines()[-1] == "[] 0", result.stderr
    assert re.search(r"^torch \d", result.stdout, re.MULTILINE)


def test_import_is_fast():
    started = time.perf_counter()
    assert python("import course_utils").returncode == 0
    assert time.perf_counter() - started < 2


def test_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as end:
        command_line.main(["--version"])
    assert end.value.code == 0 and course_utils.__version__ in capsys.readouterr().out


def test_doctor_finds_this_computer_well(capsys):
    assert doctor.examine() == 0, capsys.readouterr().out
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("[OK]") for line in lines[:-1]) and len(lines) > len(doctor.CHECKS)


@pytest.mark.parametrize("harm, sentence", [
    (lambda data: (data / "SHA256SUMS").unlink(), "SHA256SUMS is missing"),
    (lambda data: (data / "file.txt").write_text("changed"), "file.txt is damaged"),
    (lambda data: (data / "file.txt").unlink(), "file.txt is missing"),
])
def test_doctor_sees_harmed_data(tmp_path, monkeypatch, capsys, harm, sentence):
    (tmp_path / "file.txt").write_text("good")
    digest = "770e607624d689265ca6c44884d0807d9b054d23c473c106c72be9de08b7376c"
    (tmp_path / "SHA256SUMS").write_text(f"{digest}  file.txt\n")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setattr(doctor, "CHECKS", [doctor._data])
    assert doctor.examine() == 0, capsys.readouterr().out
    harm(tmp_path)
    assert doctor.examine() == 1
    assert re.search(rf"\[FAIL\] data: .*{sentence}.*git checkout", capsys.readouterr().out)


def test_doctor_sees_a_missing_package_and_a_broken_one(monkeypatch, capsys):
    unmet(monkeypatch, "numpy>=2", "no-such-package>=1")
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.setattr(doctor, "CHECKS", [doctor._packages, doctor._widgets])
    assert doctor.examine() == 1
    said = capsys.readouterr().out
    assert re.search(r"\[OK\] +numpy \d", said)
    assert "[FAIL] packages: no-such-package>=1 missing or too old. Run `make lab`" in said
    assert "[FAIL] widgets: ModuleNotFoundError" in said and "2 of 2 checks failed" in said


def test_doctor_sees_a_cache_that_cannot_be_written(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    monkeypatch.setattr(doctor, "CHECKS", [doctor._cache])
    assert doctor.examine() == 1
    assert "cannot be written" in capsys.readouterr().out


@pytest.mark.parametrize("arguments, code, sentence", [
    (["operate"], 2, "invalid choice: 'operate'"),
    ([], 2, "required"),
    (["notebook", "notebooks/99.ipynb"], 1, "There is no notebook notebooks/99.ipynb."),
    (["stamp", "nonsense"], 1, "must look like owner/name"),
])
def test_bad_arguments_get_a_sentence(arguments, code, sentence):
    result = subprocess.run([sys.executable, "-m", "course_utils", *arguments], cwd=ROOT,
                            capture_output=True, text=True)
    assert result.returncode == code and sentence in result.stderr
    assert "Traceback" not in result.stderr


# What people bring with them

def test_another_python_is_told_in_a_sentence():
    old = "import sys; from collections import namedtuple; V = namedtuple('V', 'major minor micro a b')\n"
    result = python(f"{old}sys.version_info = V(3, 9, 1, 'final', 0)\n{setup_cell('https://example.invalid/course')}")
    assert "RuntimeError: The course needs Python 3.11, 3.12 or 3.13; this kernel runs" in result.stderr
    result = python(f"{old}sys.version_info = V(3, 9, 1, 'final', 0)\nimport course_utils.__main__")
    assert result.returncode == 1 and result.stderr.startswith("The course needs Python 3.11, 3.12 or 3.13; this is")


def test_a_broken_package_is_not_taken_for_a_missing_course():
    result = python(f"import sys; sys.modules['tomllib'] = None\n{setup_cell('https://example.invalid/course')}")
    assert "tomllib" in result.stderr and "The course was not found" not in result.stderr


def test_an_empty_folder_of_the_same_name_is_passed_by(tmp_path):
    (tmp_path / "notebooks" / "course_utils").mkdir(parents=True)
    (tmp_path / "course_utils").symlink_to(ROOT / "course_utils")
    result = python(setup_cell("https://example.invalid/course"), cwd=tmp_path / "notebooks")
    assert result.stdout == "Ready.\n", result.stderr


@pytest.fixture
def tree(tmp_path) -> Path:
    """A folder with the course's Makefile and an environment that claims to be ready."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    lock = subprocess.run("cksum < requirements.lock | tr ' ' '-'", shell=True, cwd=tmp_path, capture_output=True,
                          text=True).stdout.strip()
    (tmp_path / ".venv" / f".ready-{lock}").touch()
    return tmp_path


def make(folder, *arguments: str, **settings: str) -> str:
    """What make prints, also where these tests were themselves started by make."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", *arguments], cwd=folder, env=outside | settings, capture_output=True, text=True)
    return done.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_does_not_trust_an_environment_whose_python_is_gone(tree):
    (tree / ".venv" / "bin" / "python").symlink_to(sys.executable)
    assert "pip install" not in make(tree, "-n", "lab")
    (tree / ".venv" / "bin" / "python").unlink()
    (tree / ".venv" / "bin" / "python").symlink_to("/gone")
    plan = make(tree, "-n", "lab")
    assert "pip install" in plan and "venv --clear" in plan


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_shields_its_environment_from_settings_of_pip_and_python(tree):
    with open(tree / "Makefile", "a") as stream:
        stream.write("\nshow:\n\t@echo $$PIP_USER $$PYTHONPATH. $$PIP_TARGET.\n")
    assert make(tree, "show", PIP_USER="1", PYTHONPATH="/old", PIP_TARGET="/else") == "0 . .\n"


def test_the_doctor_can_speak_on_a_console_without_hangul(tmp_path):
    code = "import sys; from course_utils import __main__ as m; m._doctor = lambda o: print('한글'); m.main(['doctor'])"
    result = python(code, env={**os.environ, "PYTHONIOENCODING": "cp1252"})
    assert result.returncode == 0 and "\\ud55c" in result.stdout, result.stderr


def test_the_doctor_names_the_folder_that_a_foreign_package_comes_from(monkeypatch, capsys, tmp_path):
    info = tmp_path / "wanted-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wanted\nVersion: 0.1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    unmet(monkeypatch, "wanted>=2")
    monkeypatch.setattr(doctor, "CHECKS", [doctor._packages])
    assert doctor.examine() == 1
    said = capsys.readouterr().out
    assert f"Python takes wanted from {tmp_path}" in said and "Unset PYTHONPATH" in said and "[OK]" not in said


def test_the_doctor_names_the_kernel_that_comes_first(monkeypatch, capsys, tmp_path):
    kernel = tmp_path / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps({"argv": ["/usr/bin/other", "-m", "x"], "display_name": "P",
                                                    "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "CHECKS", [doctor._kernel])
    assert doctor.examine() == 1
    assert f"rename or remove the folder {kernel}, which comes first, then:" in capsys.readouterr().out


def test_without_git_no_remedy_needs_it(monkeypatch, tmp_path):
    monkeypatch.setattr("course_utils.runtime.root", lambda: tmp_path)
    said = files.restore("checkpoints/cfg-garments/model.safetensors")
    assert "git checkout" not in said and "download the course once more" in said and "train cfg-garments" in said
