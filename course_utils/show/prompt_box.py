"""The widget of notebook 09: type a prompt and watch its image being sampled."""

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
    """Type a prompt, choose seed, guidance scale and steps, and have the image sampled, step by step.

    draw(prompt, seed, scale, steps, callback) -> (3, size, size) in [-1, 1] must pass `callback` to its samplers, one
    or several, for the preview of x0 (which may be smaller), the progress bar and cancelling. It runs in a thread, one
    call at a time; its errors are shown in the widget. words: the network's vocabulary, for completing the word at the
    cursor. remarks(prompt) -> sentences about parts of the prompt that are not understood; they are shown below the
    image, which is drawn nevertheless.
    """
    return PromptBox(draw, remarks, prompt=caption, words=list(words), side=size, seed=seed, scale=scale, wanted=steps)


class PromptBox(PromptField, Live):
    """See `prompt_box`. `drawn` holds, as a data URL, the image or, while `busy`, the current prediction.

    `wanted` is the requested number of steps; `step` and `steps` are the progress of the current sampler.
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
        """Show the static figure: the predicted x0 after some of the steps, and the final image.

        Raises what `draw` raises.
        """
        (prompt, seed, scale, steps), (predictions, made) = self._latest()
        after = sorted({len(predictions) * part // 8 for part in (0, 1, 2, 4)} if predictions else ())
        asked = f"{shortened(prompt)}, seed {seed}, guidance scale {scale:g}, {steps} steps"
        images([*(predictions[i] for i in after), made], titles=[*(f"after step {i + 1}" for i in after), "the image"],
               caption=plain(" ".join([f"Drawn from {asked}.", *self.notes])),
               alt=f"The image drawn from {asked}, and before it the predictions after some of the steps, which are "
                   "blurred at first.")

    def _request(self) -> tuple[str, int, float, int]:
        return self._prompt_with_notes(), self.seed, self.scale, self.wanted

    def _make(self, prompt: str, seed: int, scale: float, steps: int, callback: Callback) -> tuple:
        predictions = []

        def keep(step: Step) -> None:
            predictions.append(step.prediction.x0[0].float().cpu())
            callback(step)

        made = self._draw(prompt, seed, scale, steps, keep)
        if made.ndim != 3:
            raise ValueError(f"draw must return one image (3, H, W); got {tuple(made.shape)}.")
        self._show(data_url(made))
        return predictions, made.detach().cpu()

    def _preview(self, step: Step, *_) -> Tensor:
        return step.prediction.x0[0]

    def _show(self, url: str) -> None:
        self.drawn = url

    def _on_message(self, widget, content: dict, buffers: list) -> None:
        super()._on_message(widget, content, buffers)
        if content.get("do") == "draw":
            self.begin(**{name: content[name] for name in ("prompt", "seed", "scale", "wanted")})
