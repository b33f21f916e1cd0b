"""The widget of notebook 11: what lies between two images, and where words lead from there."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import ipywidgets
from torch import Tensor

from course_utils.show.figures import WIDTH, draw_image, plt, styled
from course_utils.show.photograph_chooser import central_square
from course_utils.show.widgets import Explorer

SHARES = 11


def embedding_explorer(images: dict[str, Tensor], blend: Callable[[Tensor, Tensor, float, str, int], Tensor],
                       opened: Callable[[bytes], Tensor] | None = None, first: str | None = None,
                       second: str | None = None, share: float = 0.5, words: str = "") -> Explorer:
    """Choose or upload two images, go from one to the other, add words; see both ends and what lies between.

    images: {name: (3, H, H) in [-1, 1]}, all of one size. blend(one, other, share in [0, 1], words, seed) -> (3, h, h)
    is called live; its ValueErrors are shown. opened(bytes) -> uint8 (3, H, W) of any size decodes an uploaded file or
    raises ValueError; its central square becomes the first image; None: no upload.
    ValueError unless all images have the same shape (3, H, H).
    """
    known = {name: image.detach().float().cpu() for name, image in images.items()}
    side = max((image.shape[-1] for image in known.values()), default=0)
    if {tuple(image.shape) for image in known.values()} != {(3, side, side)}:
        raise ValueError("images must be {name: tensor (3, H, H)}, at least one and all of the same size.")
    names = list(known)
    made = lru_cache(64)(lambda one, other, share, words, seed: blend(known[one], known[other], share, words, seed))

    def draw(first: str, second: str, share: float, words: str, seed: int, **_):
        between = made(first, second, share, words.strip(), seed)
        with styled():
            fig, axes = plt.subplots(1, 3, figsize=(WIDTH * 0.75, 2.6))
            titles = first, f"{1 - share:.0%} and {share:.0%}" + (f", {words.strip()}" if words.strip() else ""), second
            for axis, image, title in zip(axes, (known[first], between, known[second]), titles):
                draw_image(axis, image)
                axis.set_title(title if len(title) < 34 else title[:32] + "…")
        return fig

    def describe(first: str, second: str, share: float, words: str, seed: int, **_) -> str:
        added = f", turned towards the words '{words.strip()}'" if words.strip() else ""
        return (f"Three images: left {first}, right {second}, and in the middle what the decoder makes {share:.0%} of "
                f"the way from the first embedding to the second{added}, seed {seed}.")

    wide = ipywidgets.Layout(width="60%")
    controls = {
        "first": ipywidgets.Dropdown(options=names, value=first or names[0], description="First"),
        "second": ipywidgets.Dropdown(options=names, value=second or names[-1], description="Second"),
        "share": ipywidgets.FloatSlider(value=share, min=0, max=1, step=1 / (SHARES - 1), description="Share",
                                        continuous_update=False, readout_format=".1f", layout=wide),
        "words": ipywidgets.Text(value=words, description="Add words", continuous_update=False, layout=wide),
        "seed": ipywidgets.IntSlider(value=0, min=0, max=50, description="Seed", continuous_update=False, layout=wide),
    }
    caption = "Between two images, in the space of embeddings"
    explorer = Explorer(draw, controls, describe, caption, photo=True)
    if opened is not None:
        explorer.widget.children = (*explorer.widget.children[:1], _upload(explorer, known, opened, side),
                                    *explorer.widget.children[1:])
    return explorer


def _upload(explorer: Explorer, known: dict[str, Tensor], opened, side: int) -> ipywidgets.VBox:
    """A button that adds an image and chooses it as the first one, and a line for what is wrong with a file."""
    button, problem = ipywidgets.FileUpload(accept="image/*", multiple=False), ipywidgets.HTML()

    def receive(change) -> None:
        # A tuple of files in ipywidgets 8, a dict by name in 7, as on Colab
        files = [(name, file["content"]) for name, file in change.new.items()] if isinstance(change.new, dict) else [
            (file["name"], file["content"]) for file in change.new]
        for name, content in files:
            try:
                image = central_square(opened(bytes(content)), side)
            except ValueError as error:
                problem.value = f"<p role='alert'>{error}</p>"
                continue
            problem.value = ""
            while name in known:
                name += " again"
            known[name] = image
            for which in ("first", "second"):
                control = explorer.controls[which]
                chosen = control.value
                control.options = list(known)
                control.value = name if which == "first" else chosen

    button.observe(receive, "value")
    return ipywidgets.VBox([button, problem])
