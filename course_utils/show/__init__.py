"""Figures and widgets: one style, and every picture with a caption and a description for those who cannot see it."""

from course_utils.show.figures import arrows, compare, curves, draw_points, equation, figure, grid, images, points
from course_utils.show.widgets import Explorer, play

__all__ = ["Explorer", "arrows", "compare", "curves", "draw_points", "equation", "figure", "grid", "images", "play",
           "points"]
