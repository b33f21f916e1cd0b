"""Every exercise: the solution passes, plausible wrong answers fail with the misconception named, stubs go on."""

import inspect

import pytest
import torch

from course_utils import exercises
from course_utils.exercises.base import Exercise
from tests.exercises.wrong_answers import WRONG

ALL = [(notebook, name) for notebook in WRONG for name in exercises.load(notebook).names()]


def run(source: str, name: str):
    """What a learner's cell defines."""
    scope = {"torch": torch}
    exec(source, scope)
    return scope[name]


def verdict(notebook: str, name: str, answer, capsys) -> str:
    """What `check` prints for this answer."""
    check = exercises.load(notebook)
    check(answer) if callable(answer) else check(**{name: answer})
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize("notebook,name", ALL)
def test_the_solution_passes(notebook, name, capsys):
    exercise = exercises.load(notebook).exercises[name]
    assert ": right. " in verdict(notebook, name, run(exercise.solution, name), capsys)


@pytest.mark.parametrize("notebook,name", ALL)
def test_wrong_answers_are_named(notebook, name, capsys):
    assert len(WRONG[notebook][name]) >= 3
    for source, word in WRONG[notebook][name].items():
        answer = run(source, name) if isinstance(source, str) else source
        said = verdict(notebook, name, answer, capsys)
        assert ": not yet. " in said and word in said, f"{source!r}: {said}"


@pytest.mark.parametrize("notebook,name", ALL)
def test_a_stub_is_not_done_yet(notebook, name, capsys):
    solved = run(exercises.load(notebook).exercises[name].solution, name)
    stub = ...
    if callable(solved):
        stub = run(f"def {name}{inspect.signature(solved)}:\n    ...", name)
    assert "not done yet. Replace the ..." in verdict(notebook, name, stub, capsys)


@pytest.mark.parametrize("notebook,name", ALL)
def test_hints_come_one_by_one_and_solutions_are_printed(notebook, name, capsys):
    check = exercises.load(notebook)
    exercise = check.exercises[name]
    assert len(exercise.hints) >= 2
    for hint in [*exercise.hints, exercise.hints[0]]:
        check.hint(name)
        assert hint in capsys.readouterr().out
    check.solution(name)
    assert capsys.readouterr().out.strip() == exercise.solution.strip()


def test_code_that_stops_is_reported_not_raised(capsys):
    def expected_image(xt, abar_t, images, prior):
        return xt / undefined  # noqa: F821

    assert "Your code stopped with NameError" in verdict("02", "expected_image", expected_image, capsys)


def test_a_wrong_shape_is_named(capsys):
    def expected_image(xt, abar_t, images, prior):
        return xt.flatten()

    assert "The shape is (9000,); it should be (3, 3000)" in verdict("02", "expected_image", expected_image, capsys)


def test_a_wrong_type_is_named(capsys):
    assert "The answer must be a number" in verdict("01", "seconds_to_3_mm", "ninety", capsys)


def test_unknown_names_and_notebooks_are_named():
    with pytest.raises(ValueError, match="this notebook has no exercise 'foo'; it has seconds_to_3_mm"):
        exercises.load("01")(foo=3)
    with pytest.raises(ValueError, match="no exercises for notebook '77'"):
        exercises.load("77")
    with pytest.raises(ValueError, match="one thing at a time"):
        exercises.load("01")(a=1, b=2)


def test_exercises_are_complete():
    for notebook in WRONG:
        loaded = exercises.load(notebook)
        assert set(loaded.names()) == set(WRONG[notebook]) and len(loaded.names()) >= 4
        assert all(isinstance(exercise, Exercise) and exercise.means for exercise in loaded.exercises.values())
