"""Rows of samples, one for each variant of a network, with a bar for each measure beside them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from course_utils.show.figures import COLOURS, WIDTH, draw_image, figure, plt, styled

Bars = tuple[Sequence[float], "Sequence[float] | None"]  # a value for each row, and its standard error if known


def ablation(rows: dict[str, Tensor], measures: dict[str, Bars], caption: str, alt: str, columns: int = 6,
             xscale: str = "linear") -> None:
    """Draw {name: samples (N, C, H, W) in [-1, 1]} as a row each, and {title: (values, errors)} as bars beside them.

    A value is written under its bar; an error is drawn as a whisker.
    """
    side, gap, margin = 0.8, 0.03, 1.25
    wide = (WIDTH - margin - columns * side) / len(measures)
    above = 0.1 + 0.2 * max(title.count("\n") + 1 for title in measures)
    height = above + len(rows) * side + 0.05
    with styled({"figure.constrained_layout.use": False}):
        fig = plt.figure(figsize=(WIDTH, height))
        for row, (name, samples) in enumerate(rows.items()):
            bottom = height - above - (row + 1) * side
            fig.text((margin - 0.1) / WIDTH, (bottom + side / 2) / height, name, ha="right", va="center")
            for column, image in enumerate(samples[:columns]):
                left = margin + column * side
                draw_image(fig.add_axes((left / WIDTH, bottom / height, (side - gap) / WIDTH, (side - gap) / height)),
                           image)
        for k, (title, (values, errors)) in enumerate(measures.items()):
            left = margin + columns * side + k * wide + 0.15
            axis = fig.add_axes((left / WIDTH, 0.05 / height, (wide - 0.3) / WIDTH, len(rows) * side / height))
            axis.barh(range(len(rows)), values, xerr=errors, height=0.36, color=COLOURS[5], capsize=4)
            for row, value in enumerate(values):
                axis.text(0.03, row + 0.32, f"{value:.3g}", va="center", transform=axis.get_yaxis_transform())
            axis.set(title=title, ylim=(len(rows) - 0.4, -0.6), xscale=xscale)
            axis.spines[["top", "right", "bottom"]].set_visible(False)
            axis.tick_params(left=False, labelleft=False, bottom=False, labelbottom=False)
            axis.minorticks_off()
            axis.grid(False)
    figure(fig, caption, alt, photo=True)
