"""Plausible wrong answers: {notebook: {exercise: {answer or its source: a word its verdict must contain}}}."""

from importlib import import_module
from pathlib import Path

FILES = sorted(Path(__file__).parent.glob("nb*.py"))
WRONG = {path.stem[2:]: import_module(f"{__name__}.{path.stem}").WRONG for path in FILES}
