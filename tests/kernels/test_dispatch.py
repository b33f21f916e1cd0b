"""Where kernels run: on a GPU, where a measurement found them not slower, or where they are told to."""

import json

import pytest
import torch

from course_utils.kernels import dispatch, noising


def test_without_a_gpu_nothing_changes_by_itself(monkeypatch):
    monkeypatch.delenv("COURSE_KERNELS", raising=False)
    assert not dispatch.use_kernel("q_sample", torch.zeros(10**6))


def test_by_itself_a_kernel_runs_only_where_it_was_measured_to_be_faster(monkeypatch, tmp_path):
    class OnGPU:
        is_cuda = True

        def __init__(self, n):
            self.numel = lambda: n

    monkeypatch.delenv("COURSE_KERNELS", raising=False)
    monkeypatch.setattr(dispatch, "triton", object())
    monkeypatch.setattr(dispatch, "MEASUREMENTS", tmp_path / "measurements.json")
    dispatch.faster_from.cache_clear()
    assert not dispatch.use_kernel("q_sample", OnGPU(10**9))
    dispatch.MEASUREMENTS.write_text(json.dumps({"faster_from": {"q_sample": 1000}}))
    dispatch.faster_from.cache_clear()
    assert dispatch.use_kernel("q_sample", OnGPU(1000)) and not dispatch.use_kernel("q_sample", OnGPU(999))
    assert not dispatch.use_kernel("guided_step", OnGPU(10**9))
    dispatch.faster_from.cache_clear()


def test_a_forced_kernel_that_cannot_run_is_a_sentence(monkeypatch):
    monkeypatch.setenv("COURSE_KERNELS", "on")
    monkeypatch.setattr(dispatch, "triton", None)
    with pytest.raises(RuntimeError, match="COURSE_KERNELS is on, but q_sample cannot run .* Triton is not installed"):
        noising.noise(torch.tensor([1]), (1, 2, 2))
    monkeypatch.setenv("COURSE_KERNELS", "yes")
    with pytest.raises(ValueError, match="COURSE_KERNELS must be auto, on or off; it is 'yes'"):
        noising.noise(torch.tensor([1]), (1, 2, 2))
