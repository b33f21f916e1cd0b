"""The Exercise record, and the `check` that notebooks call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from torch import Tensor


@dataclass(frozen=True)
class Exercise:
    """One exercise: the learner defines `name` (a function or a value) and calls `check`.

    `grade(answer)` returns None for a correct answer, otherwise the reason as a sentence. `solution` is Python source
    that defines `name`; `means` is the consequence, printed when the answer is correct.
    """

    name: str
    grade: Callable[[object], str | None]
    hints: tuple[str, ...]
    solution: str
    means: str

    @property
    def mistakes(self) -> list[str]:
        """The reasons that the check gives for known wrong answers, as sentences; for the teachers' handouts."""
        listed = getattr(self.grade, "mistakes", None)
        return _sentences(self.grade) if listed is None else list(listed)


class NotDone(Exception):
    """The stub still returns None or Ellipsis."""


class Checker:
    """`check(function)` or `check(name=value)`; then `check.hint()` and `check.solution()` for the same exercise.

    It prints and never raises for a wrong or missing answer, so that Run All continues. Raises ValueError for an
    unknown exercise.
    """

    def __init__(self, exercises: list[Exercise]):
        self.exercises = {exercise.name: exercise for exercise in exercises}
        self.numbers = {name: i for i, name in enumerate(self.exercises, 1)}
        self._last, self._hints_given = next(iter(self.exercises)), {}

    def names(self) -> list[str]:
        """The exercises' names in order."""
        return list(self.exercises)

    def __call__(self, function: Callable | None = None, **answers) -> None:
        if (function is not None) + len(answers) != 1:
            raise ValueError("check one thing at a time: check(my_function) or check(my_answer=...).")
        name, answer = next(iter(answers.items())) if answers else (getattr(function, "__name__", "?"), function)
        self._last = self._find(name).name
        print(f"Exercise {self.numbers[name]}: {self._verdict(self.exercises[name], answer)}")

    def hint(self, name: str | None = None) -> None:
        """Print the next hint for the exercise checked last (or for `name`); the first one again after the last."""
        exercise = self._find(name or self._last)
        given = self._hints_given.get(exercise.name, 0)
        self._hints_given[exercise.name] = given + 1
        place = given % len(exercise.hints)
        print(f"Hint {place + 1} of {len(exercise.hints)}: {exercise.hints[place]}")

    def solution(self, name: str | None = None) -> None:
        """Print a solution for the exercise checked last (or for `name`)."""
        print(self._find(name or self._last).solution)

    def _find(self, name: str) -> Exercise:
        if name not in self.exercises:
            raise ValueError(f"this notebook has no exercise {name!r}; it has {', '.join(self.exercises)}.")
        return self.exercises[name]

    @staticmethod
    def _verdict(exercise: Exercise, answer) -> str:
        undone = "not done yet. Replace the ... and run this cell again. (check.hint(), check.solution())"
        if answer is None or answer is Ellipsis:
            return undone
        # A learner's code may raise anything; the exception is reported as feedback
        try:
            reason = exercise.grade(_watched(answer) if callable(answer) else answer)
        except NotDone:
            return undone
        except Exception as error:
            return f"not yet. Your code stopped with {type(error).__name__}: {error}"
        return f"not yet. {reason}" if reason else f"right. {exercise.means}"


def _watched(function: Callable) -> Callable:
    def call(*arguments):
        result = function(*arguments)
        if result is None or result is Ellipsis:
            raise NotDone
        return result

    return call


def load(notebook: str) -> Checker:
    """The Checker of a notebook, by its two digits: `load("02")`. Raises ValueError if it has no exercises."""
    module = f"{__package__}.nb{notebook}"
    if not str(notebook).isdigit() or find_spec(module) is None:
        raise ValueError(f"there are no exercises for notebook {notebook!r}; give its two digits, for example '02'.")
    return Checker(import_module(module).EXERCISES)


def _sentences(grade: Callable) -> list[str]:
    """The whole sentences in a grader of its own; those into which it puts numbers are left out."""
    said = [text for text in grade.__code__.co_consts if isinstance(text, str) and text != grade.__doc__]
    return [text for text in said if " " in text and not text[0].islower() and text[0] not in " ,.;:)%"
            and text.endswith((".", "?", "!"))]


def number(mistakes: dict[float, str], right: float, otherwise: str, tolerance: float = 0.02) -> Callable:
    """A grader for a number: `right` within the relative `tolerance`, feedback for known mistakes, or `otherwise`."""

    def grade(answer) -> str | None:
        answer = answer.item() if hasattr(answer, "item") else answer
        if not isinstance(answer, (int, float)) or isinstance(answer, bool):
            return f"The answer must be a number; this is a {type(answer).__name__}."
        if abs(answer - right) <= tolerance * abs(right):
            return None
        for wrong, reason in mistakes.items():
            if abs(answer - wrong) <= tolerance * max(abs(wrong), 1e-9):
                return reason
        return otherwise

    grade.mistakes = [f"{wrong:g}: {reason}" for wrong, reason in mistakes.items()]
    return grade


def choice(right: str, mistakes: dict[str, str], otherwise: str | None = None) -> Callable:
    """A grader for one of several named answers: `right`, feedback for each of the others, or `otherwise`."""

    def grade(answer) -> str | None:
        said = answer.strip().lower() if isinstance(answer, str) else answer
        if said == right:
            return None
        names = ", ".join(repr(name) for name in sorted([right, *mistakes]))
        return mistakes.get(said) or otherwise or f"Answer with one of {names}."

    grade.mistakes = [f"{wrong}: {reason}" for wrong, reason in mistakes.items()]
    return grade


class Faults:
    """A grader for a text of letters: which fault made which run. `order`: the right ones, not in the code's order.

    `runs` puts runs, given by the letter of their fault, into the order of the figure. reasons: by letter, what its run
    looks like.
    """

    FORM = 'The answer must be a text of four different letters from a to d, such as "abcd".'

    def __init__(self, order: str, reasons: dict[str, str]):
        self.order, self.reasons = order, reasons
        self.mistakes = [*reasons.values(), self.FORM]

    def runs(self, by_fault: dict[str, Tensor]) -> list[Tensor]:
        return [by_fault[fault] for fault in self.order]

    def __call__(self, answer) -> str | None:
        given = answer.strip().lower() if isinstance(answer, str) else ""
        if sorted(given) != sorted(self.order):
            return self.FORM
        for run, (letter, wanted) in enumerate(zip(given, self.order), 1):
            if letter != wanted:
                return f"Run {run} is not ({letter}). {self.reasons[letter]}"
        return None


def named(keys: Sequence[str], values: Sequence[str], grade: Callable[[dict], str | None]) -> Callable:
    """A grader for a dict that gives each of `keys` one of two `values`; `grade` sees no other answers."""
    *most, last = keys
    form = f"The answer must be a dict with the keys {', '.join(most)} and {last}."
    either = "Each value must be " + " or ".join(f'"{value}"' for value in values) + "."

    def checked(answer) -> str | None:
        if not isinstance(answer, dict) or set(answer) != set(keys):
            return form
        return grade(answer) if set(answer.values()) <= set(values) else either

    checked.mistakes = [form, either, *_sentences(grade)]
    return checked


def tensors(cases: Callable, right: Callable, mistakes: dict, otherwise: str, tolerance: float = 1e-3) -> Callable:
    """A grader for a function of tensors.

    `cases()` yields lists of arguments; `right(*arguments)` is the reference; `mistakes` {sentence: wrong function}
    gives the feedback for a function that agrees with the wrong one in all cases, `otherwise` that for all others.
    """

    def grade(function) -> str | None:
        given = [list(arguments) for arguments in cases()]
        # Copies, so that in-place operations of the learner's code do not change the arguments
        got = [function(*(a.clone() if hasattr(a, "clone") else a for a in arguments)) for arguments in given]
        references = [right(*arguments) for arguments in given]
        if all(_close(answer, reference, tolerance) for answer, reference in zip(got, references)):
            dtype, expected = got[0].dtype, references[0].dtype
            if dtype != expected and not expected.is_floating_point:
                return f"The numbers are right, but the dtype is {dtype}. It should be {expected}."
            return None
        for sentence, wrong in mistakes.items():
            if all(_close(answer, wrong(*arguments), tolerance) for answer, arguments in zip(got, given)):
                return sentence
        for answer, reference in zip(got, references):
            if getattr(answer, "shape", None) != reference.shape:
                return f"The shape is {_shape(answer)}; it should be {tuple(reference.shape)}."
        return otherwise

    grade.mistakes = list(mistakes)
    return grade


def _close(a, b, tolerance: float) -> bool:
    if getattr(a, "shape", None) != b.shape or bool((a.isnan() != b.isnan()).any()):
        return False
    return bool((a - b).nan_to_num().abs().max() <= tolerance * b.nan_to_num().abs().max())


def _shape(value) -> str:
    return str(tuple(value.shape)) if hasattr(value, "shape") else f"that of a plain {type(value).__name__}"
