"""The widget of notebook 01: molecules in a box, forward and reverse diffusion, with a score of chosen strength."""

from __future__ import annotations

import anywidget
import torch
import traitlets

from course_utils.diffusion import GaussianMixture, physics
from course_utils.runtime import seeded
from course_utils.show.figures import draw_points, figure, grid
from course_utils.show.widgets import script

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


class MoleculeBox(anywidget.AnyWidget):
    """An animation of `molecules` that start as `drops` (a 2-D mixture in the unit box), diffuse, and run in reverse.

    The reverse process starts from new, uniformly distributed molecules and new noise; slider `strength` selects the
    fraction of the exact score that is used (an index into STRENGTHS). `frame` in 0..2*frames-1 is the current frame.
    """

    _esm = script("controls.js", "molecule_box.js")
    films = traitlets.Bytes().tag(sync=True)
    inside = traitlets.List().tag(sync=True)
    clock = traitlets.List().tag(sync=True)
    strengths = traitlets.List(STRENGTHS).tag(sync=True)
    frames = traitlets.Int().tag(sync=True)
    molecules = traitlets.Int().tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)
    strength = traitlets.Int(len(STRENGTHS) - 1).tag(sync=True)

    def __init__(self, drops: GaussianMixture, molecules: int = 600, frames: int = 60, seed: int = 0):
        times = physics.clock(1.0, 2 * (frames - 1))
        ink = physics.reflect(drops.sample(molecules, seeded(seed)))
        forward = physics.diffuse(ink, times, generator=seeded(seed, purpose="kicks"), width=1.0)[::2]
        evenly = torch.rand(molecules, 2, generator=seeded(seed, purpose="end"))
        films = []
        for strength in STRENGTHS:
            back = physics.undiffuse(evenly, drops, times, strength=strength, width=1.0,
                                      generator=seeded(seed, purpose="kicks back"))
            films.append(torch.cat([forward, back[::2]]))
        self._films = torch.stack(films)
        near = torch.cdist(self._films.flatten(0, 2), drops.means) < 3 * drops.stds
        super().__init__(
            films=(self._films * 255).round().to(torch.uint8).numpy().tobytes(),
            inside=near.any(1).float().view(self._films.shape[:3]).mean(2).tolist(),
            clock=times[::2].tolist(), frames=frames, molecules=molecules,
        )

    def __repr__(self) -> str:
        return f"MoleculeBox({self.molecules} molecules)"

    def twin(self) -> None:
        """Show the static figure: forward diffusion, and the reverse process with three strengths of the score."""
        last = self.frames - 1
        panels = {"drops": (4, 0), f"time {self.clock[last // 10]:.2f}": (4, last // 10), "evenly spread": (4, last),
                  "back, score 1": (4, -1), "back, score 0.5": (2, -1), "back, no score": (0, -1)}
        fig, axes = grid(len(panels), height=1.85)
        for axis, (title, (choice, frame)) in zip(axes, panels.items()):
            colours = "#D55E00" if frame < 0 else "#0072B2"
            draw_points(axis, self._films[choice, frame], colours)
            axis.set_title(title)
        share = [round(100 * self.inside[choice][-1]) for choice in (4, 2, 0)]
        figure(fig, "The box: the ink spreads; new molecules gather again only with the score",
               "Six square boxes of dots. Round drops, spreading, evenly spread; then the reverse process with the "
               f"full score ({share[0]}% inside the drops), half of it ({share[1]}%) and none ({share[2]}%).")
