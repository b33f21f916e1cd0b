"""The bandwidth of an operation, compared with that of a plain copy."""

from __future__ import annotations

from course_utils.show.figures import figure, grid


def roofline(measurements: dict, ops: list[str], caption: str, alt: str) -> None:
    """A panel for each of `ops`: GB/s over the minimum bytes to move, for each implementation, and a copy's bandwidth.

    `measurements` is what `kernels.measurements()` returns.
    """
    fig, axes = grid(len(ops), height=2.8, squeeze=False, sharey=True)
    for axis, op in zip(axes[0], ops):
        points = sorted((p for p in measurements["points"] if p["op"] == op), key=lambda p: p["least_bytes"])
        for way in ("eager", "compile", "kernel", "kernel, CUDA graph"):
            speeds = [p["least_bytes"] / p["microseconds"][way][0] / 1e3 for p in points]
            axis.plot([p["least_bytes"] for p in points], speeds, marker="o", markersize=4, label=way)
        axis.axhline(measurements["copy_gb_per_s"], color="black", linestyle=":", linewidth=1.2, label="a copy")
        axis.set(xscale="log", yscale="log", title=op, xlabel="minimum bytes to move")
    axes[0, 0].set_ylabel("GB/s")
    axes[0, -1].legend(loc="lower right", fontsize=8.5)
    figure(fig, caption, alt)

