"""Benchmark of the kernels: on an NVIDIA GPU against plain torch and torch.compile; elsewhere they are only checked."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils import runtime
from course_utils.kernels import dispatch, guided, noising, norm
from course_utils.networks import UNet
from course_utils.systems.unconditional import Unconditional

QUANTILES = (0.5, 0.2, 0.8)
# (B, C, H, W): the garment network's layers and images, and larger ones
LAYERS = ((2, 64, 16, 16), (64, 64, 16, 16), (64, 128, 8, 8), (64, 256, 64, 64), (1, 256, 256, 256))
IMAGES = ((2, 1, 32, 32), (64, 1, 32, 32), (64, 3, 64, 64), (1024, 3, 64, 64), (64, 3, 512, 512))
LAYERS_TINY, IMAGES_TINY = ((2, 8, 4, 4),), ((2, 3, 8, 8),)


@dataclass(frozen=True)
class Case:
    """One operation at one size: its definition, its kernel, and the minimum number of bytes to move.

    eager: the usual code in plain torch, when that is not the definition.
    """

    op: str
    shape: tuple[int, ...]
    definition: Callable[[], Tensor]
    kernel: Callable[[], Tensor]
    least_bytes: int
    eager: Callable[[], Tensor] | None = None


def kernels() -> None:
    """Time all kernels and write kernels/measurements.json; without an NVIDIA GPU, only check them.

    Raises RuntimeError when a kernel disagrees with its definition.
    """
    if dispatch.triton is None:
        print("Triton is not installed here (pip install triton; Linux only), so there is nothing to measure or "
              "check: the course uses plain torch.")
    elif not torch.cuda.is_available() or dispatch.interpreted():
        print("There is no NVIDIA GPU here, so nothing is timed. The kernels, run by Triton's interpreter on the CPU, "
              "against their definitions in plain torch:")
        _check()
    else:
        _measure()


def _check() -> None:
    for case in cases(torch.device("cpu"), torch.float32, LAYERS_TINY, IMAGES_TINY):
        error = (case.kernel() - case.definition()).abs().max().item()
        print(f"{case.op:34} {str(case.shape):18} largest difference {error:.1e}")
        if not error < 1e-4:
            raise RuntimeError(f"{case.op} is off by {error}. Its definition and its kernel no longer agree.")


def _measure() -> None:
    device = torch.device("cuda")
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(runtime.precision(device), torch.float32)
    record = {
        "gpu": torch.cuda.get_device_name(), "date": datetime.date.today().isoformat(), "torch": torch.__version__,
        "triton": dispatch.triton.__version__, "format": str(dtype).removeprefix("torch."),
        "copy_gb_per_s": _copy_bandwidth(device), "points": [],
    }
    print(f"{record['gpu']}: a copy runs at {record['copy_gb_per_s']:,} GB/s. Median times, and fraction of that rate:")
    for case in cases(device, dtype, LAYERS, IMAGES):
        point = {"op": case.op, "shape": case.shape, "least_bytes": case.least_bytes, "microseconds": _times(case)}
        seconds = point["microseconds"]["kernel"][0] * 1e-6
        point["share_of_copy"] = round(case.least_bytes / seconds / 1e9 / record["copy_gb_per_s"], 3)
        record["points"].append(point)
        times = ", ".join(f"{name} {median:,.1f}" for name, (median, *_) in point["microseconds"].items())
        print(f"{case.op:34} {str(case.shape):20} {times} us; {point['share_of_copy']:.0%}", flush=True)
    record["faster_from"] = faster_from(record["points"])
    # Written before the whole network is measured, which reads in this file where kernels are faster
    _write(record)
    _write(record | {"network": _network(device)})
    print(f"{dispatch.MEASUREMENTS} written")


def _write(record: dict) -> None:
    part = dispatch.MEASUREMENTS.with_suffix(".part")
    part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    part.replace(dispatch.MEASUREMENTS)
    dispatch.faster_from.cache_clear()


def faster_from(points: list[dict]) -> dict[str, int]:
    """For each operation, the size from which its kernel was never slower than its definition, if there is one."""
    found = {}
    for op in {point["op"].partition(",")[0] for point in points}:
        mine = [(torch.Size(point["shape"]).numel(), point["microseconds"]) for point in points
                if point["op"].partition(",")[0] == op]
        slow = max((size for size, times in mine if times["kernel"][0] > times["definition"][0]), default=0)
        good = [size for size, _ in mine if size > slow]
        if good:
            found[op] = min(good)
    return found


def cases(device: torch.device, dtype: torch.dtype, layers, images) -> Iterator[Case]:
    """All operations, at the shapes of `layers` (in `dtype`) and of `images`."""
    for shape in layers:
        yield from _norm_cases(shape, dtype, runtime.seeded(0, device))
    for shape in images:
        yield from _noising_cases(shape, runtime.seeded(0, device))
        yield from _guided_cases(shape, runtime.seeded(0, device))


def _norm_cases(shape: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator) -> Iterator[Case]:
    x = _numbers(generator, *shape, dtype=dtype).to(memory_format=torch.channels_last).requires_grad_()
    weight, bias = _numbers(generator, shape[1]), _numbers(generator, shape[1])
    modulation, groups = [_numbers(generator, *shape[:2], dtype=dtype) for _ in range(2)], min(32, shape[1] // 4)
    dy, size = torch.randn_like(x), x.numel() * x.element_size()
    plain, kernel = (_call(run, x, weight, bias, groups, *modulation) for run in (norm.reference, norm.fused))
    yield Case("group_norm_silu, forward", shape, _no_gradient(plain), _no_gradient(kernel), 2 * size)
    yield Case("group_norm_silu, and backward", shape, _gradient(plain, x, dy), _gradient(kernel, x, dy), 5 * size)


def _noising_cases(shape: tuple[int, ...], generator: torch.Generator) -> Iterator[Case]:
    """Compared not only with the definition but also with the usual code, which stores the noise."""
    x0, eps, output = (_numbers(generator, *shape) for _ in range(3))
    seed = torch.randint(2**62, shape[:1], generator=generator, device=generator.device)
    signal, rest = torch.linspace(0.1, 0.9, len(x0), device=x0.device), torch.ones(len(x0), device=x0.device)
    size, grad_output = x0.numel() * x0.element_size(), torch.ones_like(rest)
    output.requires_grad_()

    def noised() -> Tensor:
        return signal.view(-1, 1, 1, 1) * x0 + rest.view(-1, 1, 1, 1) * torch.randn_like(x0)

    def error() -> Tensor:
        target = signal.view(-1, 1, 1, 1) * x0 + rest.view(-1, 1, 1, 1) * eps
        return ((output - target) ** 2).flatten(1).mean(1)

    known = x0, seed, signal, rest
    plain, kernel = (_call(run, *known) for run in (noising.mix_reference, noising.fused_mix))
    yield Case("q_sample", shape, plain, kernel, 2 * size, noised)
    runs = (_call(noising.error_reference, output, *known), _call(noising.fused_error, output, *known), error)
    plain, kernel, eager = (_gradient(run, output, grad_output) for run in runs)
    yield Case("squared_error, and backward", shape, plain, kernel, 5 * size, eager)


def _guided_cases(shape: tuple[int, ...], generator: torch.Generator) -> Iterator[Case]:
    xt, output, unconditional = (_numbers(generator, *shape) for _ in range(3))
    abar = torch.linspace(0.1, 0.9, len(xt), device=generator.device)
    for threshold in ("static", 0.995):
        if threshold == "static" or xt[0].numel() <= guided.LARGEST:
            options = {"unconditional": unconditional, "guidance_scale": 3.0, "threshold": threshold}
            plain, kernel = (_call(run, xt, output, abar / 2, abar, "v", **options)
                             for run in (guided.reference, guided.fused))
            yield Case(f"guided_step, threshold {threshold}", shape, _no_gradient(plain), _no_gradient(kernel),
                       4 * xt.numel() * xt.element_size())


def _numbers(generator: torch.Generator, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=generator, device=generator.device).to(dtype)


def _call(function, *arguments, **options) -> Callable[[], Tensor]:
    return lambda: function(*arguments, **options)


def _no_gradient(function: Callable[[], Tensor]) -> Callable[[], Tensor]:
    def run() -> Tensor:
        with torch.no_grad():
            return function()

    return run


def _gradient(function: Callable[[], Tensor], x: Tensor, grad_output: Tensor) -> Callable[[], Tensor]:
    """Forward, then backward with respect to x."""
    return lambda: torch.autograd.grad(function(), x, grad_output)[0]


def _times(case: Case) -> dict[str, list[float]]:
    """Microseconds (median, 20% and 80% quantile) of each implementation."""
    testing, eager = dispatch.triton.testing, case.eager or case.definition
    ways = {"eager": eager, "compile": torch.compile(eager), "kernel": case.kernel, "definition": case.definition}
    for run in ways.values():
        run()
    found = {name: testing.do_bench(run, quantiles=QUANTILES) for name, run in ways.items()}
    found["kernel, CUDA graph"] = testing.do_bench_cudagraph(case.kernel, quantiles=QUANTILES)
    return {name: [round(1000 * value, 2) for value in values] for name, values in found.items()}


def _copy_bandwidth(device: torch.device) -> int:
    """GB/s of a copy that is too large for any cache, counting bytes read and bytes written."""
    x = torch.empty(2**30, dtype=torch.uint8, device=device)
    y = torch.empty_like(x)
    milliseconds = dispatch.triton.testing.do_bench(lambda: y.copy_(x), return_mode="median")
    return round(2 * x.numel() / milliseconds / 1e6)


def _network(device: torch.device) -> dict[str, dict[str, list[float]]]:
    """Milliseconds (median, 20%, 80%) of a training step and of 20 sampling steps, with and without kernels."""
    found = {"training step, 64 garments": {}, "64 garments in 20 steps": {}}
    for choice in ("off", "auto", "on"):
        torch.manual_seed(0)
        network = UNet().to(device)
        optimiser = torch.optim.AdamW(network.parameters(), fused=True)
        system = Unconditional(network)
        x0, generator = torch.zeros(64, 1, 32, 32, device=device), runtime.seeded(0, device)

        def step(model=system.model, optimiser=optimiser, x0=x0, generator=generator) -> None:
            with runtime.autocast(device, training=True):
                loss = model.loss(model.batch(x0, generator)).mean()
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()

        for name, run in zip(found, (step, _call(system.sample, 64))):
            with runtime.kernels_set_to(choice):
                times = dispatch.triton.testing.do_bench(run, warmup=500, rep=3000, quantiles=QUANTILES)
            found[name][choice] = [round(value, 3) for value in times]
    for name, times in found.items():
        print(f"{name}: " + ", ".join(f"kernels {choice} {median:.2f} ms" for choice, (median, *_) in times.items()))
    return found
