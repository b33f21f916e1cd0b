"""The mathematics of the course: pure tensor functions, no networks, no files."""

from course_utils.diffusion import physics
from course_utils.diffusion.denoise import Denoiser, Prediction, exact_denoiser, ideal_denoiser
from course_utils.diffusion.guidance import dynamic_threshold, static_threshold
from course_utils.diffusion.interpolation import slerp
from course_utils.diffusion.mixture import GaussianMixture
from course_utils.diffusion.samplers import SAMPLERS, Step, ddim, ddim_inversion, ddpm, dpmpp, repaint
from course_utils.diffusion.schedule import NoiseSchedule

__all__ = ["SAMPLERS", "Denoiser", "GaussianMixture", "NoiseSchedule", "Prediction", "Step", "ddim", "ddim_inversion",
           "ddpm", "dpmpp", "dynamic_threshold", "exact_denoiser", "ideal_denoiser", "physics", "repaint",
           "slerp", "static_threshold"]
