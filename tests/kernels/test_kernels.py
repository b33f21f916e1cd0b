"""The kernels: against their definitions in plain torch, by Triton's interpreter where there is no GPU."""

import json
import os
import subprocess
import sys

import pytest
import torch

from course_utils import bench
from course_utils.diffusion import ddim, dpmpp
from course_utils.kernels import dispatch, guided, noising, norm, norm_on_cpu
from course_utils.runtime import seeded
from course_utils.systems.model import Model, noised
from course_utils.systems.unconditional import Unconditional
from tests.conftest import ROOT
from tests.tiny import alive

needs_triton = pytest.mark.skipif(dispatch.triton is None, reason="Triton is not installed (Linux only)")
WHERE = "cuda" if dispatch.triton and not dispatch.interpreted() else "cpu"
FORMATS = {torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}


def numbers(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=seeded(seed)).to(WHERE, dtype)


def off(mine, other):
    """The largest difference, as a share of the largest number."""
    return ((mine.double() - other.double()).abs().max() / other.double().abs().max().clamp(min=1)).item()


# --- group_norm_silu


def norm_arguments(shape, groups, bent, dtype=torch.float32):
    """x, weight, bias, scale, shift for pictures of this shape."""
    x = 2 * numbers(*shape, seed=1) + 1
    rows = [numbers(shape[1], seed=2), numbers(shape[1], seed=3)]
    rows += [numbers(*shape[:2], seed=4), numbers(*shape[:2], seed=5)] if bent else [None, None]
    return x.to(dtype), *rows, groups


@needs_triton
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("bent", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape,groups", [
    ((2, 8, 4, 4), 2), ((1, 12, 3, 5), 3), ((2, 48, 8, 8), 12), ((1, 6, 50, 60), 2),
])
def test_norm_forward_and_backward(shape, groups, layout, bent, dtype):
    x, weight, bias, scale, shift, _ = norm_arguments(shape, groups, bent, dtype)
    x = x.to(memory_format=layout)
    y, stats = norm.launch(x, weight, bias, scale, shift, groups, 1e-5)
    wide = [p if p is None else p.double().requires_grad_() for p in (x, weight, bias, scale, shift)]
    truth = norm.reference(wide[0], *wide[1:3], groups, *wide[3:])
    assert y.dtype == dtype and y.stride() == x.stride() and off(y, truth) < FORMATS[dtype]
    dy = numbers(*shape, seed=6).to(dtype)
    truth.backward(dy.double())
    found = norm.launch_backward(dy, x, weight, bias, scale, shift, stats, groups)
    for gradient, parameter in zip(found, wide):
        assert parameter is None or off(gradient, parameter.grad) < FORMATS[dtype]


@needs_triton
def test_norm_of_a_picture_that_lies_scattered():
    x = numbers(2, 8, 10, 12)[:, :, ::2, 1:9:2]
    weight, bias = numbers(8, seed=1), numbers(8, seed=2)
    assert off(norm.launch(x, weight, bias, None, None, 2, 1e-5)[0], norm.reference(x, weight, bias, 2)) < 1e-5


@pytest.mark.parametrize("bent", [False, True])
@pytest.mark.parametrize("chunk", [1, 2 * 48 * 64, 2**18])
def test_norm_on_the_cpu_in_bfloat16(chunk, bent, monkeypatch):
    monkeypatch.setattr(norm_on_cpu, "CHUNK", chunk)
    x, *rows, groups = (part.cpu() if isinstance(part, torch.Tensor) else part
                        for part in norm_arguments((5, 48, 8, 8), 12, bent, torch.bfloat16))
    x = x.contiguous(memory_format=torch.channels_last)
    mine, wide = ([p if p is None else p.detach().to(form(p)).requires_grad_() for p in (x, *rows)]
                  for form in (lambda p: p.dtype, lambda p: torch.float64))
    assert norm_on_cpu.fits(mine[0])
    y, truth = (norm.group_norm_silu(*p[:3], groups, *p[3:]) for p in (mine, wide))
    assert y.dtype == x.dtype and y.stride() == x.stride() and off(y, truth) < 5e-3
    # Also for a gradient that lies the other way round in memory
    dy = torch.randn(y.shape, generator=seeded(6)).bfloat16()
    y.backward(dy)
    truth.backward(dy.double())
    for part, exact in zip(mine, wide):
        assert part is None or part.grad.dtype == part.dtype and off(part.grad, exact.grad) < 5e-3


def test_what_the_cpu_does_not_do_faster_is_left_to_torch():
    x = torch.zeros(2, 8, 4, 4).contiguous(memory_format=torch.channels_last)
    assert norm_on_cpu.fits(x.bfloat16())
    assert not any(map(norm_on_cpu.fits, (x, x.half(), x.bfloat16().contiguous(), x.bfloat16().to("meta"))))


# --- noise from a seed

SEEDS = (1, 2**40 + 5, -7)


def seeds(some=SEEDS):
    return torch.tensor(some, device=WHERE)


@needs_triton
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 5, 7), (1, 1, 1), (3, 40, 40)])
def test_noising_and_its_loss(shape, dtype):
    x0, output = (numbers(3, *shape, seed=seed, dtype=dtype) for seed in (0, 1))
    a, b = torch.tensor([[1.0, 0.5, 0.1], [0.2, 1.0, 2.0]], device=WHERE)
    truth = noising.mix_reference(x0.double(), seeds(), a.double(), b.double())
    assert off(noising.launch(x0, seeds(), a, b), truth) < FORMATS[dtype]
    wide = output.double().requires_grad_()
    errors, grow = ((wide - truth) ** 2).flatten(1).mean(1), torch.tensor([1.0, 2.0, 3.0], device=WHERE)
    errors.backward(grow.double())
    assert off(noising.launch_error(output, x0, seeds(), a, b), errors) < 1e-5
    assert off(noising.launch_error_backward(grow, output, x0, seeds(), a, b), wide.grad) < FORMATS[dtype]


@needs_triton
def test_the_noise_is_the_same_for_any_block_size(monkeypatch):
    zeros_, one = torch.zeros(3, 1, 30, 30, device=WHERE), torch.ones(3, device=WHERE)
    made = []
    for block in (64, 256):
        monkeypatch.setattr(noising, "BLOCK", block)
        made.append(noising.launch(zeros_, seeds(), one, one))
    assert torch.equal(*made)


def test_the_noise_belongs_to_the_seed_and_not_to_the_batch():
    together = noising.noise(torch.tensor(SEEDS), (3, 8, 8))
    assert torch.equal(together[1:2], noising.noise(torch.tensor(SEEDS[1:2]), (3, 8, 8)))
    assert torch.equal(together, noising.noise(torch.tensor(SEEDS), (3, 8, 8)))
    assert not torch.equal(together[0], together[1])


def test_philox_is_the_published_generator():
    """The known answer of the authors' test vectors (Random123, kat_vectors) for counter and key zero."""
    made = [part.item() for part in noising.philox(torch.zeros(1, dtype=torch.int64), 1)]
    assert made == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def test_the_noise_is_normal():
    made = noising.noise(torch.randint(2**62, (300,), generator=seeded(0)), (1, 32, 32)).flatten(1)
    ordered = made.flatten().sort().values.double()
    normal = torch.special.ndtr(ordered)
    steps = torch.arange(1, len(ordered) + 1) / len(ordered)
    # Kolmogorov and Smirnov: one in a thousand truly normal sets of numbers is further off
    assert (normal - steps).abs().max() < 1.95 / len(ordered) ** 0.5
    together = torch.corrcoef(made)
    assert (together - torch.eye(300)).abs().max() < 5.5 / 1024**0.5
    assert abs((made[:, 1:] * made[:, :-1]).mean()) < 4 / made.numel() ** 0.5


def test_a_wrong_seed_is_a_sentence():
    with pytest.raises(ValueError, match="one int64 for each of the 2 images; got torch.float32, .2,."):
        noising.q_sample(torch.zeros(2, 1, 4, 4), torch.ones(2), torch.ones(2))


# --- guided_step


@needs_triton
@pytest.mark.parametrize("threshold", [None, "static", 0.9, 0.995])
@pytest.mark.parametrize("guidance", [False, True])
@pytest.mark.parametrize("predicts", guided.NAMES)
def test_the_guided_step(predicts, guidance, threshold):
    abar_t, abar_s = torch.tensor([[0.3, 0.6], [0.7, 1.0]], device=WHERE)
    level = threshold if isinstance(threshold, float) else 0.0
    for shape in ((3, 8, 8), (1, 5, 7), (1, 1, 1)):
        x, output, without = (4 * numbers(2, *shape, seed=seed) for seed in range(3))
        without = without if guidance else None
        truth = guided.reference(x, output, abar_t, abar_s, predicts, unconditional=without, guidance_scale=2.5,
                                 threshold=threshold)
        made = guided.launch(x, output, without, abar_t, abar_s, 2.5, guided.NAMES.index(predicts),
                             threshold == "static", level)
        assert off(made, truth) < 1e-5


@needs_triton
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_guided_step_from_a_network_in_half_precision(dtype):
    x, output, without = (numbers(2, 3, 8, 8, seed=seed) for seed in range(3))
    output, without = output.to(dtype), without.to(dtype)
    abar_t, abar_s = torch.tensor([[0.3, 0.6], [0.7, 0.9]], device=WHERE)
    truth = guided.reference(x, output, abar_t, abar_s, "v", unconditional=without, guidance_scale=3.0, threshold=0.95)
    assert off(guided.launch(x, output, without, abar_t, abar_s, 3.0, 2, False, 0.95), truth) < 1e-5


def test_a_wrong_threshold_is_a_sentence():
    x = torch.zeros(1, 1, 2, 2)
    for predicts, threshold in (("x0", 1.5), ("score", None), ("x0", float("nan"))):
        with pytest.raises(ValueError, match="predicts must be eps, x0 or v, and threshold None"):
            guided.guided_step(x, x, 0.5, 0.6, predicts, threshold=threshold)


# --- what torch asks of an operation


def operations():
    x, *rows, groups = norm_arguments((2, 8, 3, 4), 2, bent=True)
    yield norm._op, (x, *rows, groups, 1e-5), (0, 1, 2, 3, 4)
    yield norm._op, (x, *rows[:2], None, None, groups, 1e-5), (0, 1, 2)
    output, x0 = numbers(3, 1, 5, 3), numbers(3, 1, 5, 3, seed=1)
    ones = torch.ones(3, device=WHERE)
    yield noising._mix_op, (x0, seeds(), ones, ones), ()
    yield noising._error_op, (output, x0, seeds(), ones, ones), (0,)
    yield guided._op, (output, x0, None, ones / 2, ones, 1.0, 0, True, 0.0), ()


@needs_triton
@pytest.mark.parametrize("which", range(5))
def test_the_operations_keep_torchs_rules(which):
    op, arguments, slopes = list(operations())[which]
    arguments = [part.requires_grad_() if i in slopes else part for i, part in enumerate(arguments)]
    torch.library.opcheck(op, arguments)


@pytest.mark.parametrize("which", [0, 1, 3])
def test_gradients_against_finite_differences(which):
    op, arguments, slopes = list(operations())[which]
    wide = [part.cpu().double().requires_grad_(i in slopes) if torch.is_tensor(part) and part.is_floating_point()
            else part.cpu() if torch.is_tensor(part) else part for i, part in enumerate(arguments)]

    def first(*given):
        made = op(*given)
        return made if torch.is_tensor(made) else made[0]

    assert torch.autograd.gradcheck(first, wide)


# --- with and without


def network(predicts):
    return alive(std=0.1, predicts=predicts).to(WHERE)


@needs_triton
@pytest.mark.parametrize("predicts", ["x0", "v"])
def test_a_training_step_is_the_same_with_kernels_and_without(predicts, monkeypatch):
    x0 = numbers(4, 1, 16, 16).clamp(-1, 1)
    losses, gradients = [], []
    for choice in ("on", "off"):
        monkeypatch.setenv("COURSE_KERNELS", choice)
        model = network(predicts)
        batch = noised(x0, seeded(3, x0.device))
        loss = Model(model).loss(batch).mean()
        loss.backward()
        losses.append(loss.detach())
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert off(*losses) < 1e-5
    assert max(map(off, *gradients)) < 1e-4


@needs_triton
@pytest.mark.parametrize("sampler", [ddim, dpmpp])
def test_a_sampling_run_is_the_same_with_kernels_and_without(sampler, monkeypatch):
    # In bfloat16 the last digit of a number is a hundredth of it, and five steps carry it on
    monkeypatch.setenv("COURSE_PRECISION", "no")
    made = []
    for choice in ("on", "off"):
        monkeypatch.setenv("COURSE_KERNELS", choice)
        made.append(Unconditional(network("v")).sample(2, steps=5, seed=4, size=16, sampler=sampler))
    assert off(*made) < 1e-4 and made[0].std() > 0.1


@needs_triton
def test_with_kernels_the_same_seed_gives_the_same_picture(monkeypatch):
    monkeypatch.setenv("COURSE_KERNELS", "on")
    model = Unconditional(network("x0"))
    assert torch.equal(*(model.sample(2, steps=3, seed=4, size=8) for _ in range(2)))


# --- the bench


@pytest.mark.skipif(WHERE == "cuda", reason="a GPU is here, and the bench measures it for minutes")
def test_without_a_gpu_the_bench_checks(capsys, monkeypatch):
    if dispatch.triton is not None:
        bench.kernels()
        said = capsys.readouterr().out
        assert "no NVIDIA GPU" in said and said.count("largest difference") == 6
        with monkeypatch.context() as broken:
            broken.setattr(guided, "fused", lambda xt, *_, **__: xt)
            with pytest.raises(RuntimeError, match="guided_step, threshold static is off by"):
                bench.kernels()
    monkeypatch.setattr(dispatch, "triton", None)
    bench.kernels()
    assert "Triton is not installed" in capsys.readouterr().out
    assert not dispatch.MEASUREMENTS.exists() or json.loads(dispatch.MEASUREMENTS.read_text())["gpu"]


def test_a_kernel_is_worth_it_from_where_it_was_never_slower():
    def point(op, n, kernel):
        return {"op": op, "shape": [n], "microseconds": {"definition": [10.0], "kernel": [kernel]}}

    points = [point("a, one", 1, 20.0), point("a, one", 2, 5.0), point("a, two", 2, 11.0), point("a, one", 4, 5.0),
              point("a, two", 8, 10.0), point("b", 1, 3.0), point("c", 1, 3.0), point("c", 2, 30.0)]
    assert bench.faster_from(points) == {"a": 4, "b": 1}


@pytest.mark.slow
@needs_triton
def test_all_kernels_compile_for_the_courses_gpus(tmp_path):
    """For T4, A100 and H100, none of which need be here; each within the T4's 64 KiB of shared memory."""
    settings = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, ROOT / "tests/kernels/cross_compile.py"], env=settings, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {name.rpartition("sm_")[2] for name in found} == {"75", "80", "90"} and len(found) > 50
    assert all(kernel["cubin"] > 1000 and kernel["shared"] <= 65536 for kernel in found.values()), found
