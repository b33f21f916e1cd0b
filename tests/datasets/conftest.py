"""Scenes that several files look at."""

import pytest

from course_utils.datasets.scene import Scene
from course_utils.datasets.scenes import Scenes


@pytest.fixture(scope="session")
def some() -> list[Scene]:
    """300 training scenes of all sorts."""
    train = Scenes("train", seed=3)
    return [train.scene(index) for index in range(300)]


@pytest.fixture(scope="session")
def many() -> list[Scene]:
    """20,000 training scenes, for what is rare."""
    train = Scenes("train", seed=0)
    return [train.scene(index) for index in range(20_000)]
