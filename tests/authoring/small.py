"""A notebook of few cells with the anatomy of the course, for the tests of handouts, slides and book."""

import base64
import io
from pathlib import Path

from nbformat import v4
from PIL import Image

from course_utils.authoring import notebook_file, project
from course_utils.authoring.setup_cell import badge, setup_cell

CARD = """# 05 · A small notebook

**Which way is up?**

**The idea.** Look where the sun is.

**What you will have built:** a compass.

"""
UP = "From noon on the sun sinks. **Where is it at noon?**\n\n$$s = \\frac{1}{2}$$\n\nIn the **south** of here."


def image(colour: str = "red", size: tuple[int, int] = (60, 20)) -> str:
    """A PNG of one colour, in base64."""
    Image.new("RGB", size, colour).save(buffer := io.BytesIO(), "png")
    return base64.b64encode(buffer.getvalue()).decode()


def figure(caption: str, alt: str = "A red stripe", **picture) -> list:
    """Outputs as `show` stores them."""
    return [v4.new_output("display_data", {"image/png": image(**picture), "text/plain": "<Figure>"},
                          metadata={"image/png": {"alt": alt}}),
            v4.new_output("display_data", {"text/markdown": f"*{caption}*", "text/plain": "<Markdown>"})]


def cells(*between) -> list:
    """Card, set-up cell, an idea with its figure, these cells, an exercise, summary, and a deeper section."""
    made = [
        v4.new_markdown_cell(CARD + badge(project.repository(), "05_small.ipynb")),
        v4.new_code_cell(setup_cell(project.repository()), outputs=[v4.new_output("stream", text="Ready.\n")]),
        v4.new_markdown_cell("## 1 Where is the sun?\n\n" + UP),
        v4.new_code_cell("show.figure(fig, caption='The $x$ of it', alt='A red\\n stripe')\n" + "x = 1  # " + 90 * "w ",
                         outputs=figure("The $x$ of it")),
        v4.new_markdown_cell("*The sun is where the south is.*\n\nSee [Going deeper](#Going-deeper), "
                             "[notebook 05](05_small.ipynb) and [data](../data/README.md)."),
        *between,
        v4.new_markdown_cell("## Exercises\n\n### Exercise 1 (predict)\nA bag of four. How many?"),
        v4.new_code_cell("times_too_small = ...\n\ncheck(times_too_small=times_too_small)",
                         outputs=[v4.new_output("stream", text="Exercise 1: not done yet.\n")]),
        v4.new_markdown_cell("## Summary\n\n- South it is.\n- And north is not.\n\n**Symbols**\n\n"
                             "| a | b |\n|--|--|\n| 1 | 2 |"),
        v4.new_markdown_cell("## Going deeper\n\nMore."),
        v4.new_markdown_cell("### Why south?\n\n*Answers:* why. *Needs:* section 1.\n\nBecause."),
    ]
    for cell in made:
        if cell["cell_type"] == "code":
            cell["execution_count"] = 1
    return made


def write(folder: Path, *between) -> Path:
    """The notebook as a file."""
    path = folder / "05_small.ipynb"
    path.write_text(notebook_file.text({"cells": cells(*between), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}),
                    encoding="utf-8")
    return path
