"""The exercises of notebook 03, Architecture."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import group_norm, pixel_unshuffle

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


def _wave_cases():
    for times, width in (([0, 1, 50, 999], 16), ([3, 300, 700], 128)):
        yield torch.tensor(times), width


def _waves(t, width, rates=None, cosines_first=True):
    half = width // 2
    rates = 10_000.0 ** (-torch.arange(half) / half) if rates is None else rates
    angles = t.float()[:, None] * rates
    both = [angles.cos(), angles.sin()]
    return torch.cat(both if cosines_first else both[::-1], dim=1)


def _alternating(t, width):
    return _waves(t, width).unflatten(1, (2, -1)).transpose(1, 2).flatten(1)


def _bend_cases():
    generator = seeded(0)
    for channels, groups in ((8, 2), (12, 4)):
        h = 3 * torch.randn(4, channels, 5, 7, generator=generator) + 2
        yield h, torch.randn(4, channels, generator=generator), torch.randn(4, channels, generator=generator), groups


def _each(a):
    return a[:, :, None, None]


def _bend(h, scale, shift, groups):
    return group_norm(h, groups) * (1 + _each(scale)) + _each(shift)


def _unshuffle_cases():
    generator = seeded(1)
    for shape in ((2, 1, 6, 8), (3, 2, 4, 4)):
        yield (torch.randn(shape, generator=generator),)


def _split(x):
    b, c, h, w = x.shape
    return x.reshape(b, c, h // 2, 2, w // 2, 2)


def _permuted(x, *order):
    b, c, h, w = x.shape
    return _split(x).permute(*order).reshape(b, 4 * c, h // 2, w // 2)


def _corners(x):
    b, c, h, w = x.shape
    return x.reshape(b, c, 2, h // 2, 2, w // 2).permute(0, 1, 2, 4, 3, 5).reshape(b, 4 * c, h // 2, w // 2)


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


def _grade_forget_time(forget) -> str | None:
    seen = []

    def network(xt, t):
        seen.append(t)
        return xt + torch.as_tensor(t).float().reshape(-1, *[1] * (xt.ndim - 1))

    xt, t = torch.zeros(3, 1, 4, 4), torch.tensor([7, 300, 999])
    true = t.clone()
    made = forget(network, 100)
    if isinstance(made, torch.Tensor):
        return "Return a function, to be called later with (xt, t). You called the network already."
    if not callable(made):
        return f"Return a function of (xt, t); this is a {type(made).__name__}."
    if made is network:
        return "That is the network itself, and it still depends on t."
    answer = made(xt, t)
    if answer is None:
        return "Your new function returns nothing. Is there a return in it?"
    if not torch.equal(t, true):
        return "You changed t in place, so the caller's times are wrong now. Make new ones: torch.full_like(t, said)."
    if torch.equal(answer, xt + t.view(-1, 1, 1, 1)):
        return "It still depends on t: images at different times get different outputs."
    if not torch.equal(answer, xt + 100):
        if torch.equal(answer, xt):
            return "It passes t = 0. Pass the value of `said`."
        return "With said = 100 every image should be treated as at t = 100."
    said = seen[-1]
    if not isinstance(said, torch.Tensor) or said.shape != (3,) or said.is_floating_point():
        return "The network takes t as integers (B,), one for each image: torch.full_like(t, said)."
    return None if torch.equal(forget(network, 5)(xt, t), xt + 5) else "It always passes 100, not the value of `said`."


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
        name="waves",
        grade=_when_shapes_clash("Make t a column, t[:, None]: then each time meets each rate.", tensors(
            _wave_cases,
            _waves,
            {
                "Sines and cosines are swapped: the cosines come first.":
                    lambda t, w: _waves(t, w, cosines_first=False),
                "The waves alternate: cosine, sine, cosine, ... All cosines come first, then all sines: torch.cat.":
                    _alternating,
                "The minus in the exponent is missing: the waves should get slower, not faster.":
                    lambda t, w: _waves(t, w, 10_000.0 ** (torch.arange(w // 2) / (w // 2))),
                "i is divided by width; it should be width / 2, the number of waves. Yours stop halfway.":
                    lambda t, w: _waves(t, w, 10_000.0 ** (-torch.arange(w // 2) / w)),
                "Your last exponent is 1; here i / (width / 2) stops one step before. No `- 1` in the denominator.":
                    lambda t, w: _waves(t, w, 10_000.0 ** (-torch.arange(w // 2) / (w // 2 - 1))),
                "i counts from 0: the fastest wave has the rate 1.":
                    lambda t, w: _waves(t, w, 10_000.0 ** (-torch.arange(1, w // 2 + 1) / (w // 2))),
                "Here t is not divided by 1,000: the rates are for integer steps.":
                    lambda t, w: _waves(t / 1000, w),
                "2 pi is not in the formula: the rate is in radians per step.":
                    lambda t, w: _waves(2 * torch.pi * t, w),
            },
            "angles = t[:, None] * rates, of shape (B, width / 2); then their cosines beside their sines.",
        )),
        hints=(
            "rates = 10000.0 ** (-torch.arange(width // 2) / (width // 2)) has shape (width / 2,).",
            "t[:, None] * rates has shape (B, width / 2), a row per time. Then torch.cat([cosines, sines], dim=1).",
        ),
        solution="def waves(t, width):\n"
                 "    rates = 10000.0 ** (-torch.arange(width // 2) / (width // 2))\n"
                 "    angles = t[:, None] * rates\n"
                 "    return torch.cat([angles.cos(), angles.sin()], dim=1)",
        means="The same waves encode the positions of tokens here, and bounding boxes in notebook 13.",
    ),
    Exercise(
        name="bend",
        grade=_when_shapes_clash("scale and shift (B, C) must meet h (B, C, H, W): scale[:, :, None, None].", tensors(
            _bend_cases,
            _bend,
            {
                "The 1 is missing: at scale 0 the norm should stay as it is, and yours becomes zero.":
                    lambda h, a, b, g: group_norm(h, g) * _each(a) + _each(b),
                "The norm is missing: without it, scale and shift act on whatever range the noise left.":
                    lambda h, a, b, g: h * (1 + _each(a)) + _each(b),
                "The norm comes last and removes scale and shift again. First the norm, then scale and shift.":
                    lambda h, a, b, g: group_norm(h * (1 + _each(a)) + _each(b), g),
                "The shift is scaled too. Multiply first, then add.":
                    lambda h, a, b, g: (group_norm(h, g) + _each(b)) * (1 + _each(a)),
                "Scale and shift are swapped.": lambda h, a, b, g: _bend(h, b, a, g),
                "The shift is missing.": lambda h, a, b, g: group_norm(h, g) * (1 + _each(a)),
                "You normalised each channel by itself. Take `groups` groups: channels keep their differences.":
                    lambda h, a, b, g: _bend(h, a, b, h.shape[1]),
                "You normalised all channels together. Take `groups` groups.": lambda h, a, b, g: _bend(h, a, b, 1),
                "Each image has its own scale and shift, not the batch's mean.":
                    lambda h, a, b, g: _bend(h, a.mean(0, keepdim=True), b.mean(0, keepdim=True), g),
            },
            "group_norm(h, groups), times 1 + scale, plus shift, each of shape (B, C, 1, 1).",
        )),
        hints=(
            "scale has shape (B, C); to multiply h it needs (B, C, 1, 1): scale[:, :, None, None].",
            "The formula is norm(h) * (1 + scale) + shift.",
        ),
        solution="def bend(h, scale, shift, groups):\n"
                 "    h = torch.nn.functional.group_norm(h, groups)\n"
                 "    return h * (1 + scale[:, :, None, None]) + shift[:, :, None, None]",
        means="With the 1, a condition of zeros changes nothing. So a condition can be added to a network harmlessly.",
    ),
    Exercise(
        name="unshuffle",
        grade=tensors(
            _unshuffle_cases,
            lambda x: pixel_unshuffle(x, 2),
            {
                "You read memory in another order: reshape alone mixes positions up. Split the axes, then permute.":
                    lambda x: x.reshape(x.shape[0], 4 * x.shape[1], x.shape[2] // 2, x.shape[3] // 2),
                "Those are the four *corners* of the image. Split H into (H/2, 2), not (2, H/2).": _corners,
                "Channels and small axes are in the wrong order: C first, then the 2 of the rows, then that of the "
                "columns.": lambda x: _permuted(x, 0, 3, 5, 1, 2, 4),
                "The small axes are swapped: rows before columns.": lambda x: _permuted(x, 0, 1, 5, 3, 2, 4),
                "Each channel is the mean of four pixels: nothing may be averaged, each channel keeps its own pixels.":
                    lambda x: torch.nn.functional.avg_pool2d(x, 2).repeat_interleave(4, 1),
                "Four copies of one channel: take rows 0 and 1, columns 0 and 1.":
                    lambda x: x[:, :, ::2, ::2].repeat_interleave(4, 1),
            },
            "x.reshape(B, C, H/2, 2, W/2, 2), permute to (B, C, 2, 2, H/2, W/2), then join the channels.",
        ),
        hints=(
            "x.reshape(B, C, H // 2, 2, W // 2, 2): axis 3 says which of two rows, axis 5 which of two columns.",
            ".permute(0, 1, 3, 5, 2, 4) brings both to the channels; then .reshape(B, 4 * C, H // 2, W // 2).",
        ),
        solution="def unshuffle(x):\n"
                 "    B, C, H, W = x.shape\n"
                 "    x = x.reshape(B, C, H // 2, 2, W // 2, 2).permute(0, 1, 3, 5, 2, 4)\n"
                 "    return x.reshape(B, 4 * C, H // 2, W // 2)",
        means="Vision transformers extract their patches in the same way; there it is called patchify.",
    ),
    Exercise(
        name="attend_with_words",
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
        solution="def attend_with_words(q, k, v, words_k, words_v):\n"
                 "    k, v = torch.cat([words_k, k], dim=1), torch.cat([words_v, v], dim=1)\n"
                 "    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)\n"
                 "    return weights @ v",
        means="Nothing else in the network changes when text is added; the U-Net of notebook 09 has these very lines.",
    ),
    Exercise(
        name="forget_time",
        grade=_grade_forget_time,
        hints=(
            "Define a function inside the function, and return it: def wrapped(xt, t): ...; return wrapped.",
            "torch.full_like(t, said) has the shape of t and the same number everywhere.",
        ),
        solution="def forget_time(network, said):\n"
                 "    def wrapped(xt, t):\n"
                 "        return network(xt, torch.full_like(t, said))\n"
                 "    return wrapped",
        means="Its error is the network's at t = 100, and close to it nearby. With said = 100, understating is worse: "
              "noise that the network does not expect stays in the image. Overstating (t below 100) removes details, "
              "which weigh less. A denoiser is a function, changed by wrapping it: guidance (05, 06) is a wrapper too.",
    ),
]
