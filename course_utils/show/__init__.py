"""Figures and widgets in one style; every figure has a caption and an alt text."""

from importlib import import_module
from pkgutil import iter_modules

from course_utils.show.architecture import trace
from course_utils.show.figures import (
    arrows,
    compare,
    curves,
    draw_image,
    draw_points,
    equation,
    figure,
    grid,
    images,
    points,
)
from course_utils.show.pipeline import step
from course_utils.show.widgets import Explorer, play

__all__ = ["Explorer", "arrows", "compare", "curves", "draw_image", "draw_points", "equation", "figure", "grid",
           "images", "play", "points", "step", "trace"]

# A module with a function of its own name offers it here: each widget, and the larger figures
for _name in [_module.name for _module in iter_modules(__path__)]:
    _function = getattr(import_module(f"{__name__}.{_name}"), _name, None)
    if _function is not None:
        globals()[_name] = _function
