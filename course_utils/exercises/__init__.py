"""Checks that say why an answer is wrong, with hints and solutions: `check = exercises.load("01")`."""

from course_utils.exercises.base import Checker, Exercise, load

__all__ = ["Checker", "Exercise", "load"]
