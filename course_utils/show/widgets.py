"""Interactive widgets, each with a static twin for paper, GitHub and screen readers."""

from __future__ import annotations

import base64
import html
from pathlib import Path

import ipywidgets
from IPython.display import display

from course_utils.show.figures import figure, png


class Explorer:
    """Controls above a figure that follows them.

    `draw(**values) -> matplotlib figure` is called with the controls' values by name; `controls` {name: ipywidget};
    `describe(**values) -> str` returns the figure's alt text. The static twin is drawn at the controls' current values.
    """

    def __init__(self, draw, controls: dict, describe, caption: str, photo: bool = False):
        self.draw, self.controls, self.describe = draw, controls, describe
        self.caption, self.photo = caption, photo
        self.figure = ipywidgets.HTML()
        for control in controls.values():
            control.observe(self._update, "value")
        self._update()
        self.widget = ipywidgets.VBox([ipywidgets.VBox(list(controls.values())), self.figure])

    @property
    def values(self) -> dict:
        """The controls' current values by name."""
        return {name: control.value for name, control in self.controls.items()}

    def _update(self, _change=None) -> None:
        values = self.values
        # The error is shown in place of the figure: exceptions in a widget's callback are otherwise lost
        try:
            data = base64.b64encode(png(self.draw(**values))).decode()
            alt = html.escape(self.describe(**values), quote=True)
            self.figure.value = f'<img style="max-width:100%" alt="{alt}" src="data:image/png;base64,{data}">'
        except ValueError as error:
            self.figure.value = f"<p role='alert'>{html.escape(str(error))}</p>"

    def twin(self) -> None:
        """Show the static figure."""
        figure(self.draw(**self.values), self.caption, self.describe(**self.values), self.photo)


def play(widget) -> None:
    """Show a widget and, below it, its static twin. `widget` is an Explorer or a widget with a method `twin`."""
    display(getattr(widget, "widget", widget))
    widget.twin()


def script(*files: str) -> str:
    """The JavaScript of a widget, concatenated from files of this folder into one module."""
    return "\n".join(Path(__file__).with_name(file).read_text(encoding="utf-8") for file in files)
