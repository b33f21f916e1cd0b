"""Figures and widgets in one style; every figure has a caption and an alt text."""

from course_utils.show.activation_explorer import activation_explorer
from course_utils.show.architecture import architecture, trace
from course_utils.show.before_after import before_after
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
from course_utils.show.guidance_explorer import guidance_explorer
from course_utils.show.heat import heat
from course_utils.show.hole_painter import hole_painter
from course_utils.show.prompt_box import prompt_box
from course_utils.show.roofline import roofline
from course_utils.show.sampler_explorer import sampler_explorer
from course_utils.show.widgets import Explorer, play

__all__ = ["Explorer", "activation_explorer", "architecture", "arrows", "before_after", "compare", "curves",
           "draw_image", "draw_points", "equation", "figure", "grid", "guidance_explorer", "heat", "hole_painter",
           "images", "play", "points", "prompt_box", "roofline", "sampler_explorer", "trace"]
