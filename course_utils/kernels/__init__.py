"""Fused operations: each has a reference in plain torch, and a Triton kernel for NVIDIA GPUs where it is faster."""

from course_utils.kernels.dispatch import measurements, why_not
from course_utils.kernels.guided import guided_step, limited, predicted_x0
from course_utils.kernels.noising import noise, q_sample, squared_error
from course_utils.kernels.norm import group_norm_silu

__all__ = ["group_norm_silu", "guided_step", "limited", "measurements", "noise", "predicted_x0", "q_sample",
           "squared_error", "why_not"]
