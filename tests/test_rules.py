"""The house's import rules: arrows point down, and few rooms know the outside world."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT, unmarked

# What each room may import of the others. A room knows itself; a new room must be given its place here
GROUND = {"runtime", "hub", "files", "kernels"}
MAY_IMPORT = {
    "runtime": {"hub"},
    "hub": {"runtime"},
    "files": {"runtime"},
    "kernels": {"runtime"},
    "diffusion": GROUND,
    "networks": GROUND,
    "datasets": GROUND,
    "measure": GROUND,
    "evaluation": GROUND | {"networks", "datasets", "measure"},
    # The widgets run the mathematics live; networks and systems reach them as arguments
    "show": GROUND | {"diffusion", "datasets"},
    "systems": GROUND | {"diffusion", "networks"},
    "training": GROUND | {"diffusion", "networks", "datasets", "systems", "measure", "evaluation"},
    "exercises": GROUND | {"diffusion", "networks", "datasets", "measure"},
    "doctor": GROUND | {"datasets"},
    "bench": GROUND | {"networks", "systems"},
    # The teachers' handouts hold the solutions
    "authoring": {"runtime", "exercises"},
    "__main__": {"bench", "doctor", "hub", "authoring", "training"},
}


def modules(package: Path = ROOT / "course_utils") -> dict[str, str]:
    """Source by dotted name, such as "diffusion.schedule"; the package itself is ""."""
    sources = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        sources[name] = path.read_text(encoding="utf-8")
    return sources


def imported(source: str, module: str, is_package: bool = False) -> set[str]:
    """Full dotted names that a module of course_utils imports, inside functions too."""
    names = set()
    here = ["course_utils", *filter(None, module.split("."))]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = here[: len(here) - node.level + is_package]
                base = ".".join([*above, *filter(None, [node.module])])
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def broken_rules(sources: dict[str, str]) -> list[str]:
    """A sentence for each rule that the modules break."""
    broken = []
    packages = {name.rpartition(".")[0] for name in sources if "." in name} | {""}
    for module, source in sources.items():
        room = module.split(".")[0]
        names = imported(source, module, is_package=module in packages)
        outside = {name.split(".")[0] for name in names}
        if room == "":
            broken += [f"course_utils/__init__.py imports {name}" for name in names]
            continue
        if room not in MAY_IMPORT:
            broken.append(f"the room {room} has no place in MAY_IMPORT")
            continue
        for name in sorted(names):
            parts = name.split(".")
            # `import course_utils` and its __version__ are free for all
            if parts[0] == "course_utils" and parts[1:2] not in ([], ["__version__"]):
                if parts[1] != room and parts[1] not in MAY_IMPORT[room]:
                    broken.append(f"{module} imports {name}")
            if parts[-1] == "*":
                broken.append(f"{module} imports {name}")
        if room not in ("runtime", "hub"):
            for word in _outside_world(source):
                broken.append(f"{module} asks {word}, which only runtime may")
        if "triton" in outside and room != "kernels":
            broken.append(f"{module} imports triton")
    return broken


def _outside_world(source: str) -> set[str]:
    tree = ast.parse(source)
    found = {f"os.{node.attr}" for node in ast.walk(tree)
             if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "putenv")
             and isinstance(node.value, ast.Name) and node.value.id == "os"}
    names = imported(source, "")
    found |= names & {"os.environ", "os.getenv"}
    found |= {name for name in names if name.startswith("google.colab")}
    found |= {"google.colab" for node in ast.walk(tree)
              if isinstance(node, ast.Constant) and node.value == "google.colab"}
    return found


def test_the_house_keeps_its_rules():
    assert broken_rules(modules()) == []


@pytest.mark.parametrize("module, source, complaint", [
    ("diffusion.schedule", "from course_utils.networks import unet", "imports course_utils.networks"),
    ("diffusion.schedule", "from course_utils import datasets", "imports course_utils.datasets"),
    ("datasets.garments", "from ..diffusion import schedule", "imports course_utils.diffusion"),
    ("show.films", "from course_utils.systems import sr3", "imports course_utils.systems"),
    ("diffusion.schedule", "def f():\n    from course_utils import show", "imports course_utils.show"),
    ("systems.glide", "import course_utils.exercises", "imports course_utils.exercises"),
    ("training", "from course_utils.authoring import stamp", "imports course_utils.authoring"),
    ("runtime", "import course_utils.diffusion", "imports course_utils.diffusion"),
    ("datasets.emoji", "from os import environ", "asks os.environ"),
    ("show.figures", "import os\nos.environ['A'] = 'b'", "asks os.environ"),
    ("show.figures", "import google.colab.output", "asks google.colab"),
    ("show.figures", "import sys\n'google.colab' in sys.modules", "asks google.colab"),
    ("networks.unet", "import triton.language as tl", "imports triton"),
    ("networks.unet", "from course_utils.kernels.norm import *", "imports course_utils.kernels.norm.*"),
    ("cellar", "import os", "has no place"),
    ("", "import torch", "__init__.py imports torch"),
])
def test_each_broken_rule_is_seen(module, source, complaint):
    (sentence,) = broken_rules({module: source})
    assert complaint in sentence


def test_what_is_allowed_passes():
    assert broken_rules({
        "": "",
        "training.recipes": "from course_utils import runtime\nfrom course_utils.systems import sr3",
        "systems.sr3": "from course_utils.diffusion.schedule import NoiseSchedule\nfrom . import base",
        "kernels.norm": "import triton",
        "runtime": "import os\nos.environ.get('COURSE_DATA')",
        "__main__": "import course_utils\nfrom course_utils import doctor",
    }) == []


def test_a_long_test_that_is_not_marked_slow_is_named():
    def report(duration, name="tests/test_a.py::test_b", when="call", **keywords):
        return pytest.TestReport(name, (name, 1, name), keywords, "passed", None, when, duration=duration)

    assert unmarked([report(9.9), report(12, slow=1), report(12, "notebooks/01_a.ipynb::Cell 3"),
                     report(12, when="setup"), report(12)]) == ["tests/test_a.py::test_b: 12 s"]
