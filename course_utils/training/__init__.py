"""The trainer, and the recipes: one file for each system that the course trains."""

from course_utils.training.recipe import Recipe, find, names, recorded, recorded_images
from course_utils.training.trainer import train

__all__ = ["Recipe", "find", "names", "recorded", "recorded_images", "train"]
