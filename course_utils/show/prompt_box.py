"""The widget of notebook 09: type a sentence, and watch its image being drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import traitlets
from torch import Tensor

from course_utils.diffusion.samplers import Callback, Step
from course_utils.show.figures import images
from course_utils.show.live import Live, data_url
from course_utils.show.prompt_field import PromptField, Remarks, plain, shortened
from course_utils.show.widgets import script

LIMITS = {"seed": (0, 9999), "scale": (0, 20), "wanted": (1, 100)}


def prompt_box(draw: Callable[[str, int, float, int, Callback], Tensor], words: Sequence[str], remarks: Remarks,
               caption: str = "a glossy cat on a blue background", size: int = 64, seed: int = 0, scale: float = 2.0,
               steps: int = 20) -> PromptBox:
    """Type a caption, choose seed, guidance scale and steps, and have the image drawn, step by step.

    draw(caption, seed, scale, steps, callback) -> (3, size, size) in [-1, 1] must hand `callback` to its samplers, one
    or several, which thereby show the guess so far, count the steps and can be cancelled; a guess may be smaller. It
    runs in a thread, one at a time; what it raises is shown in the widget. words: what the network knows; they complete
    the word at the cursor. remarks(caption) -> sentences about what of a caption is not understood: they stand under
    the image, which is drawn all the same.
    """
    return PromptBox(draw, remarks, prompt=caption, words=list(words), side=size, seed=seed, scale=scale, wanted=steps)


class PromptBox(PromptField, Live):
    """See `prompt_box`. `drawn` holds, for the browser, the image or, while `busy`, the guess so far.

    `wanted` is the number of steps that is asked for; `step` and `steps` count those that are made.
    """

    _esm = script("controls.js", "live.js", "prompt_field.js", "prompt_box.js")
    side = traitlets.Int().tag(sync=True)
    seed = traitlets.Int(min=LIMITS["seed"][0], max=LIMITS["seed"][1]).tag(sync=True)
    scale = traitlets.Float(min=LIMITS["scale"][0], max=LIMITS["scale"][1]).tag(sync=True)
    wanted = traitlets.Int(min=LIMITS["wanted"][0], max=LIMITS["wanted"][1]).tag(sync=True)
    limits = traitlets.Dict(LIMITS).tag(sync=True)
    drawn = traitlets.Unicode().tag(sync=True)

    def __init__(self, draw, remarks, **state):
        self._draw, self._remarks = draw, remarks
        super().__init__(**state)

    def __repr__(self) -> str:
        return f"PromptBox({self.prompt!r})"

    def twin(self) -> None:
        """Show the static image: what was guessed after some of the steps, and what was drawn.

        Raises what `draw` raises.
        """
        (prompt, seed, scale, steps), (guesses, made) = self._finished()
        after = sorted({len(guesses) * part // 8 for part in (0, 1, 2, 4)} if guesses else ())
        asked = f"{shortened(prompt)}, seed {seed}, guidance scale {scale:g}, {steps} steps"
        images([*(guesses[i] for i in after), made], titles=[*(f"after step {i + 1}" for i in after), "the image"],
               caption=plain(" ".join([f"Drawn from {asked}.", *self.notes])),
               alt=f"The image that was drawn from {asked}, and before it the guesses after some of the steps, which "
                   "are blurred at first.")

    def _order(self) -> tuple[str, int, float, int]:
        return self._noted(), self.seed, self.scale, self.wanted

    def _make(self, prompt: str, seed: int, scale: float, steps: int, callback: Callback) -> tuple:
        guesses = []

        def keep(step: Step) -> None:
            guesses.append(step.prediction.x0[0].float().cpu())
            callback(step)

        made = self._draw(prompt, seed, scale, steps, keep)
        if made.ndim != 3:
            raise ValueError(f"draw must return one image (3, H, W); got {tuple(made.shape)}.")
        self._show(data_url(made))
        return guesses, made.detach().cpu()

    def _guess(self, step: Step, *_) -> Tensor:
        return step.prediction.x0[0]

    def _show(self, address: str) -> None:
        self.drawn = address

    def _told(self, widget, content: dict, buffers: list) -> None:
        super()._told(widget, content, buffers)
        if content.get("do") == "draw":
            self.begin(**{name: content[name] for name in ("prompt", "seed", "scale", "wanted")})
