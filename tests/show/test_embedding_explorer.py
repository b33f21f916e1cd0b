"""The widget of notebook 11: what it asks for, what it shows, and how it takes a file."""

import datetime

import pytest
import torch

from course_utils import show
from course_utils.datasets.photographs import opened
from tests.datasets.test_own_photographs import file, ramp

IMAGES = {name: torch.full((3, 32, 32), shade) for name, shade in (("dark", -0.8), ("light", 0.8))}


def uploaded(name: str, content: bytes) -> dict:
    """What ipywidgets makes of a chosen file."""
    now = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    return {"name": name, "type": "image/png", "size": len(content), "content": memoryview(content),
            "last_modified": now}


class Blender:
    def __init__(self):
        self.calls = []

    def __call__(self, one, other, share, words, seed):
        self.calls.append((one.mean().item(), other.mean().item(), share, words, seed))
        if words == "nonsense":
            raise ValueError("these words mean nothing.")
        return (1 - share) * one + share * other


def explorer(**options):
    blender = Blender()
    return show.embedding_explorer(IMAGES, blender, **options), blender


def test_each_control_reaches_the_blend():
    made, blender = explorer()
    assert blender.calls[-1][2:] == (0.5, "", 0) and blender.calls[-1][:2] == pytest.approx((-0.8, 0.8))
    made.controls["share"].value, made.controls["words"].value, made.controls["seed"].value = 0.2, " a cat ", 3
    made.controls["second"].value = "dark"
    one, other, share, words, seed = blender.calls[-1]
    assert (one, other) == pytest.approx((-0.8, -0.8)) and share == pytest.approx(0.2) and (words, seed) == ("a cat", 3)
    count = len(blender.calls)
    made.controls["second"].value, made.controls["second"].value = "light", "dark"
    assert len(blender.calls) == count, "what was made once is kept"
    assert "20% of the way" in made.describe(**made.values) and "'a cat'" in made.describe(**made.values)


def test_an_error_is_a_sentence_in_place_of_the_figure():
    made, _ = explorer()
    made.controls["words"].value = "nonsense"
    assert "these words mean nothing" in made.figure.value and "alert" in made.figure.value
    made.controls["words"].value = ""
    assert "<img" in made.figure.value


def test_a_file_becomes_the_first_image():
    made, blender = explorer(opened=opened)
    button, problem = made.widget.children[1].children
    button.set_trait("value", (uploaded("mine.png", file(ramp(64, 64))),))
    assert made.controls["first"].value == "mine.png" and made.controls["second"].value == "light"
    assert blender.calls[-1][0] == pytest.approx(0, abs=0.1) and not problem.value
    for content, words in ((b"no image", "cannot be read"), (file(ramp(64, 1)), "largest square")):
        button.set_trait("value", (uploaded("bad.png", content),))
        assert words in problem.value and made.controls["first"].value == "mine.png"


def test_images_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="all of the same size"):
        show.embedding_explorer({"a": torch.zeros(3, 8, 8), "b": torch.zeros(3, 9, 9)}, Blender())
