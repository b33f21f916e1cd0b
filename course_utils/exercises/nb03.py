"""The exercises of notebook 03, Architecture."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import nn

from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded


def _when_shapes_clash(sentence: str, grade: Callable) -> Callable:
    """A grader that puts this sentence before torch's error about tensor sizes."""

    def careful(function) -> str | None:
        try:
            return grade(function)
        except RuntimeError as error:
            return f"{sentence} (torch says: {error})"

    return careful


def _word_cases():
    generator = seeded(2)
    for n, m, d in ((6, 3, 4), (5, 5, 9)):
        q, k, v = torch.randn(3, 2, n, d, generator=generator)
        yield q, k, v, *torch.randn(2, 2, m, d, generator=generator)


def _joint_attention(q, k, v, wk, wv, power=0.5, dim=-1):
    k, v = torch.cat([wk, k], 1), torch.cat([wv, v], 1)
    return (q @ k.transpose(-1, -2) / q.shape[-1] ** power).softmax(dim) @ v


def _two_softmaxes(q, k, v, wk, wv):
    return sum((q @ a.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ b for a, b in ((k, v), (wk, wv)))


def _only(q, k, v):
    return (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ v


def two_with_a_mistake(network: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Two copies of the notebook's U-Net, each with one mistake that raises no error; exercise 4 asks which."""
    late, jagged = copy.deepcopy(network), copy.deepcopy(network)
    late.time.forward = lambda t: network.time(t / 1000)
    with torch.no_grad():
        for parameter in jagged.last.parameters():
            parameter.copy_(parameter[[0, 2, 1, 3]])
    return late, jagged


def _grade_finding(answer) -> str | None:
    if not isinstance(answer, (tuple, list)) or len(answer) != 3:
        return "Three things are wanted: the factors without the 8 x 8 and without the 16 x 16 skip, and a letter."
    *factors, letter = answer
    small, large = (float(factor) for factor in factors)
    if max(small, large) < 1:
        return "Those look like the errors themselves. Divide each by the error of the whole network at the same t."
    if small > 20 and large > 20:
        return "Both factors are large: you silenced both skips at once, or the finer one twice. One at a time."
    if small > large:
        return "The two factors are in the other order: `ups[0]` works at 8 x 8, `ups[1]` at 16 x 16."
    if not (1.05 < small < 5 and large > 20):
        return "The factors are off. Both errors are those at t = 20, over that of the whole network at t = 20."
    return _LETTERS.get(str(letter).strip().upper(), "The third entry is one letter: A, B or C.")


_LETTERS = {
    "A": "The factors fit. But twice as many numbers would explain a factor of about two, not of hundreds. What do the "
         "numbers at 16 x 16 know that nobody else does?",
    "B": None,
    "C": "The factors fit. But 8 x 8 costs something even at t = 20. Measure at t = 500, and look at samples.",
}


def _grade_mistakes(answer) -> str | None:
    letters = "".join(str(answer).upper().replace(",", " ").split())
    if len(letters) != 2 or set(letters) - set("ABCD"):
        return "Give two letters of A to D, for the first and the second row."
    if letters == "CB":
        return "Right letters, wrong order: the first row first."
    first, second = letters
    return _FIRST.get(first) or _SECOND.get(second)


_FIRST = {
    "A": "First row: without skips the samples were grey squares (Break it). Here noise survives: the network takes it "
         "for texture. In section 2 that happened when it was told ...?",
    "C": "First row: a wrong order of pixels cannot keep the noise alive; the shapes would still be right.",
    "D": "First row: the attention that needs the positions is hardly used (Measure it). Missing positions cannot ruin "
         "everything.",
}
_SECOND = {
    "A": "Second row: without skips nothing but grey squares came out. These are garments, only their edges are odd.",
    "B": "Second row: with a wrong time noise survives or details are wiped away. Here only the edges are jagged. "
         "How wide is one tooth?",
    "D": "Second row: positions tell tokens of 8 x 8 pixels apart. These teeth are one pixel wide.",
}


EXERCISES = [
    Exercise(
        name="tokens_in_the_middle",
        grade=number(
            right=36,
            mistakes={
                576: "Half of it: the stem divides each side by 4, and the two downsamplings divide it by 4 once more.",
                144: "Almost. Three widths mean *two* halvings, not one: each resolution halves the one before.",
                9: "Three halvings are one too many: three widths are three resolutions, with two steps between them.",
                6: "6 is the side of the feature map in the middle. How many positions does the map have?",
                9216: "9,216 pixels go in. The stem and the halvings come before the middle.",
                2304: "The stem divides each *side* by 4, so it leaves a sixteenth of the positions, not a quarter.",
                16: "16 tokens is the middle of the shipped network, for 32 x 32 pixels. This image is larger.",
                192: "192 is the dimension, how many numbers each token has. How many tokens are there?",
            },
            otherwise="Divide the side by the stem (4), then by 2 for each step from width to width; then square.",
            tolerance=0.001,
        ),
        hints=("After the stem a side is 96 / 4 = 24.", "Three widths: 24 x 24, then half of it, then half again."),
        solution="tokens_in_the_middle = (96 // 4 // 2 // 2) ** 2",
        means="6 x 6 = 36 tokens. `unet.stride`, here 16, is the product of stem and halvings; image sizes must be "
              "multiples of it.",
    ),
    Exercise(
        name="joint_attention",
        grade=_when_shapes_clash("Tokens are dimension 1: join with dim=1; transpose k: k.transpose(-1, -2).", tensors(
            _word_cases,
            _joint_attention,
            {
                "The root is missing: divide by sqrt(d), not by d.": lambda *a: _joint_attention(*a, power=1),
                "Divide by sqrt(d), or long vectors make the softmax pick a single token.":
                    lambda *a: _joint_attention(*a, power=0),
                "The weights must sum to 1 for each query: softmax over the last dimension.":
                    lambda *a: _joint_attention(*a, dim=-2),
                "Two attentions, added: words and image tokens should compete in *one* softmax. Join the keys first.":
                    _two_softmaxes,
                "The words are not used: join their keys and values to those of the image.":
                    lambda q, k, v, wk, wv: _only(q, k, v),
                "Only the words are used. They stand *beside* the image's own keys and values, not in place of "
                "them.": lambda q, k, v, wk, wv: _only(q, wk, wv),
                "Keys and values are joined in different orders, so each weight meets a wrong value.":
                    lambda q, k, v, wk, wv: (q @ torch.cat([k, wk], 1).transpose(-1, -2) / q.shape[-1] ** 0.5
                                             ).softmax(-1) @ torch.cat([wv, v], 1),
            },
            "Join keys, join values (torch.cat along dimension 1), then softmax(q k^T / sqrt(d)) v.",
        )),
        hints=(
            "torch.cat([words_k, k], dim=1) has shape (B, M + N, d). Do the same with the values, in the same order.",
            "(q @ k.transpose(-1, -2) / d**0.5).softmax(-1) has shape (B, N, M + N).",
        ),
        solution="def joint_attention(q, k, v, words_k, words_v):\n"
                 "    k, v = torch.cat([words_k, k], dim=1), torch.cat([words_v, v], dim=1)\n"
                 "    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)\n"
                 "    return weights @ v",
        means="Nothing else in the network changes when text is added; the U-Net of notebook 09 has these very lines.",
    ),
    Exercise(
        name="finding",
        grade=_grade_finding,
        hints=(
            "broken = copy.deepcopy(mine); then give broken.ups[i] the `forward` of `silenced`, for one i only.",
            "up = broken.ups[0]; up.forward = lambda x, skip, condition: Up.forward(up, x, 0 * skip, condition). Then "
            "squared_error(broken, 20) / squared_error(mine, 20).",
            "At t = 20 a garment is almost clean: the answer is nearly the input, pixel by pixel. Which way can "
            "that travel?",
        ),
        solution="# Measured: squared_error(broken, 20) / squared_error(mine, 20), one skip silenced at a time\n"
                 "finding = (1.6, 550, 'B')",
        means="At little noise the answer is nearly the input, and only 16 x 16 places of 64 channels can hold it "
              "pixel by pixel. The 8 x 8 skip matters more at t = 500, where shapes are at stake.",
    ),
    Exercise(
        name="mistakes",
        grade=_grade_mistakes,
        hints=(
            "First row: noise is left over at the end. Compare with the sandal of section 2.",
            "Second row: look at a slanted edge. The teeth are one pixel wide: what works on squares of 2 x 2 pixels?",
        ),
        solution="mistakes = 'BC'",
        means="t / 1000 tells the network that there is hardly any noise, at every step; some libraries want t / 1000, "
              "others t, and none complains. And two of the four channels of each square changed places.",
    ),
]
