"""Measures, and `expect`; they look at tensors, not at systems."""

from course_utils.measure.distances import (
    energy_distance,
    fool_rate,
    frechet_distance,
    precision_recall,
    spread,
    two_sample_p,
)
from course_utils.measure.expectation import expect
from course_utils.measure.images import consistency, grid, psnr, seam, ssim, texture_distance, texture_features

__all__ = ["consistency", "energy_distance", "expect", "fool_rate", "frechet_distance", "grid", "precision_recall",
           "psnr", "seam", "spread", "ssim", "texture_distance", "texture_features", "two_sample_p"]
