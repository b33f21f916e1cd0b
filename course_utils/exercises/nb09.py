"""The exercises of notebook 09, GLIDE."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded

_NUMBERS = {"a": 2, "cat": 3, "dog": 4, "left": 5, "of": 6, "pizza": 7}


def _captions():
    yield "a cat left of a pizza".split(), dict(_NUMBERS), 9
    yield "a fluffy cat left of a dragon".split(), dict(_NUMBERS), 8
    yield "a cat left of a dog left of a pizza".split(), dict(_NUMBERS), 6
    yield [], dict(_NUMBERS), 4


def _tokens(parts, numbers, length, unknown=1, padding=0):
    row = [numbers.get(part, unknown) for part in parts][:length]
    return torch.tensor(row + [padding] * (length - len(row)), dtype=torch.int64)


def _in_front(parts, numbers, length):
    row = _tokens(parts, numbers, length)
    return torch.cat([row[row == 0], row[row != 0]])


def _left_out(parts, numbers, length):
    return _tokens([part for part in parts if part in numbers], numbers, length)


def _questions():
    draws = seeded(1)
    for words, width in ((5, 8), (3, 4)):
        image = torch.randn(3, 2, 6, width, generator=draws).unbind(0)
        text = torch.randn(2, 2, words, width, generator=draws).unbind(0)
        yield *image, *text


def _attended(q: Tensor, k: Tensor, v: Tensor, root: float | None = None, axis: int = -1) -> Tensor:
    return (q @ k.mT / (q.shape[-1] ** 0.5 if root is None else root)).softmax(axis) @ v


def _joint(q, k, v, k_text, v_text, **options):
    return _attended(q, torch.cat([k_text, k], 1), torch.cat([v_text, v], 1), **options)


def _shares():
    draws = seeded(2)
    for words, word in ((9, 0), (10, 4)):
        yield torch.randn(2, 4, 9, words + 9, generator=draws).softmax(-1), word, 3


def _map(share: Tensor, word: int, side: int) -> Tensor:
    return share.mean(1)[:, :, word].unflatten(1, (side, side))


def _arrows():
    draws = seeded(3)
    for scale in (1.0, 14.0):
        yield 3 * torch.randn(6, 4, generator=draws), 0.5 * torch.randn(6, 4, generator=draws), scale


def _both_ways(scores: Tensor) -> Tensor:
    own = torch.arange(len(scores))
    return (cross_entropy(scores, own) + cross_entropy(scores.mT, own)) / 2


def _scores(f: Tensor, g: Tensor, scale: float = 1.0) -> Tensor:
    return scale * normalize(f, dim=1) @ normalize(g, dim=1).mT


def _own(scores: Tensor) -> Tensor:
    return cross_entropy(scores, torch.arange(len(scores)))


def _levels():
    draws = seeded(4)
    for most in (0.5, 0.3):
        # Three of everything, so that a level on the wrong axis gets its sentence and not one about shapes
        yield (*torch.randn(2, 3, 3, 3, 3, generator=draws), most * torch.rand(3, generator=draws))


def _spoiled(x: Tensor, eps: Tensor, kept: Tensor, noise: Tensor) -> Tensor:
    return kept[:, None, None, None] * x + noise[:, None, None, None] * eps


def _ordered():
    for x, eps, level in _levels():
        yield x, level, eps


EXERCISES = [
    Exercise(
        name="shares_in_a_layer",
        judge=number(
            right=581_632,
            answers={
                72_704: "That is one head. Each of the 8 has shares of its own.",
                645_248: "Words do not ask here: 28 + 256 is the number of keys, but only the 256 places ask.",
                524_288: "Those are the places among themselves. The 28 words have keys as well.",
                57_344: "Those are the shares that go to words. The places ask each other, too.",
                65_536: "One head, and the places among themselves: the 28 words and the other heads are missing.",
                80_656: "Words do not ask here, and there are 8 heads.",
                23_552: "That is for section 4's layer. Here there are 16 x 16 places and 8 heads.",
                5_632: "16 is the side. There are 16 x 16 = 256 places, which ask and are asked.",
                7_168: "That is one head, and the words only. The places ask each other, too.",
                11_776: "That is for 8 x 8 places in 2 heads. Here there are 16 x 16, in 8 heads.",
                47_104: "That is for 8 x 8 places. 16 x 16 are 256.",
                284: "That is the number of keys. Each place in each head has a share for each of them.",
                2_272: "Keys times heads: and how many places ask?",
            },
            otherwise="Count the places that ask (16 x 16), the keys that are asked (28 words and all places), and the "
                      "heads; multiply.",
            tolerance=0.001,
        ),
        hints=("Who asks? Who is asked? Section 4 printed both numbers for 8 x 8 places.",
               "Each head has a table of its own: questions times keys."),
        solution="shares_in_a_layer = 8 * 256 * (28 + 256)",
        means="The words cost little: a tenth of the table. What is dear are the places: their part grows with the "
              "fourth power of the side. So attention stands where images are small.",
    ),
    Exercise(
        name="to_tokens",
        judge=tensors(
            _captions,
            _tokens,
            {
                "0 is the padding. An unknown word is 1: somebody said something, and not nothing.":
                    lambda *given: _tokens(*given, unknown=0),
                "Unknown words are left out. They must leave a 1: who says 'a fluffy cat' has said three words.":
                    _left_out,
                "The padding stands in front. The words come first, then the zeros.": _in_front,
                "The padding is 0, and 1 the unknown word. Yours are the other way round.":
                    lambda *given: _tokens(*given, unknown=0, padding=1),
                "The empty places hold 1. That is the unknown word; nothing is 0.":
                    lambda *given: _tokens(*given, padding=1),
                "A long caption stays too long: cut off what comes after `length` words.":
                    lambda parts, numbers, length: _tokens(parts, numbers, max(length, len(parts))),
                "You cut off the beginning of long captions. The first words are kept.":
                    lambda parts, numbers, length: _tokens(parts[-length:], numbers, length),
            },
            "Look up each word (numbers.get(word, 1)), cut to `length`, fill up with 0, make a tensor of int64.",
            tolerance=0.0,
        ),
        hints=("numbers.get(word, 1) gives 1 for a word that is not there.",
               "torch.zeros(length, dtype=torch.int64) is a row of paddings; write the words into its beginning."),
        solution="def to_tokens(parts, numbers, length):\n"
                 "    found = [numbers.get(word, 1) for word in parts[:length]]\n"
                 "    tokens = torch.zeros(length, dtype=torch.int64)\n"
                 "    tokens[:len(found)] = torch.tensor(found, dtype=torch.int64)\n"
                 "    return tokens",
        means="An empty caption is a row of zeros, and that is what guidance starts from.",
    ),
    Exercise(
        name="joint_answer",
        judge=tensors(
            _questions,
            _joint,
            {
                "The root is missing: divide by the root of the width, or the softmax picks only the largest.":
                    lambda *given: _joint(*given, root=1.0),
                "You divide by the width. It is the *root* of the width: a sum of C products grows like it.":
                    lambda q, *rest: _joint(q, *rest, root=q.shape[-1]),
                "Only the words are asked: that is cross-attention. Here the places are asked, too.":
                    lambda q, k, v, k_text, v_text: _attended(q, k_text, v_text),
                "Only the image is asked. The words' keys and values belong into the same row.":
                    lambda q, k, v, k_text, v_text: _attended(q, k, v),
                "Two softmaxes, added. Words and places compete in one: their shares together add up to 1.":
                    lambda q, k, v, k_text, v_text: _attended(q, k_text, v_text) + _attended(q, k, v),
                "The mean of two answers. Words and places compete in *one* softmax.":
                    lambda q, k, v, k_text, v_text: (_attended(q, k_text, v_text) + _attended(q, k, v)) / 2,
                "Your softmax goes along the questions. It belongs along the keys, the last axis.":
                    lambda *given: _joint(*given, axis=-2),
                "Keys and values are in different orders: the value of a word is given to a place's key.":
                    lambda q, k, v, k_text, v_text: _attended(q, torch.cat([k_text, k], 1), torch.cat([v, v_text], 1)),
                "Keys and values are exchanged: the keys are compared with the questions, the values are averaged.":
                    lambda q, k, v, k_text, v_text: _joint(q, v, k, v_text, k_text),
            },
            "Join keys and values along dimension 1, take softmax(q k' / root of C) along the keys, and multiply the "
            "values.",
        ),
        hints=("torch.cat([k_text, k], 1), and the values in the same order.",
               "(q @ keys.mT / C ** 0.5).softmax(-1) @ values"),
        solution="def joint_answer(q, k, v, k_text, v_text):\n"
                 "    keys, values = torch.cat([k_text, k], 1), torch.cat([v_text, v], 1)\n"
                 "    share = (q @ keys.mT / q.shape[-1] ** 0.5).softmax(-1)\n"
                 "    return share @ values",
        means="No new kind of layer: a longer row of keys. That is all it takes for an image to read.",
    ),
    Exercise(
        name="word_map",
        judge=tensors(
            _shares,
            _map,
            {
                "That is a place, not a word: you count from the first place. The text stands in *front*.":
                    lambda share, word, side: _map(share, share.shape[-1] - side * side + word, side),
                "That is a place, not a word: you count from behind the places. The text stands in *front*.":
                    lambda share, word, side: _map(share, side * side + word, side),
                "You count from the end. The text stands in front: word 0 is column 0.":
                    lambda share, word, side: _map(share, share.shape[-1] - 1 - word, side),
                "Your rows are columns: place number i stands in row i // side.":
                    lambda share, word, side: _map(share, word, side).mT,
                "That is a row of the table: to whom *place* number `word` listens. Wanted is the column, who listens "
                "to the word.":
                    lambda share, word, side: share.mean(1)[:, word, -side * side:].unflatten(1, (side, side)),
                "A sum over the heads; the mean is wanted.":
                    lambda share, word, side: 4 * _map(share, word, side),
                "That is the first head alone. Take the mean of all.":
                    lambda share, word, side: _map(share[:, :1], word, side),
                "That is the largest of the heads. Take the mean.":
                    lambda share, word, side: _map(share.amax(1, keepdim=True), word, side),
            },
            "Take the column of the word, the mean over the heads (dimension 1), and make `side` rows of what is left.",
        ),
        hints=("share.mean(1) is (B, places, keys).",
               "[:, :, word] is the column; .unflatten(1, (side, side)) the map."),
        solution="def word_map(share, word, side):\n"
                 "    return share.mean(1)[:, :, word].unflatten(1, (side, side))",
        means="Notebook 12 draws such maps for Stable Diffusion, at full size.",
    ),
    Exercise(
        name="clip_loss",
        judge=tensors(
            _arrows,
            lambda f, g, scale: _both_ways(_scores(f, g, scale)),
            {
                "The arrows still have their lengths: a long one would win everywhere. Divide each by its length.":
                    lambda f, g, scale: _both_ways(scale * f @ g.mT),
                "Only the images look for their captions. The captions look for their images, too; take the mean.":
                    lambda f, g, scale: _own(_scores(f, g, scale)),
                "Only the captions look for their images. The images look for their captions, too; take the mean.":
                    lambda f, g, scale: _own(_scores(f, g, scale).mT),
                "The sum of both directions; the mean is wanted: half of it.":
                    lambda f, g, scale: 2 * _both_ways(_scores(f, g, scale)),
                "The scale is missing. Cosines lie in -1..1; without a scale no softmax can be sure.":
                    lambda f, g, scale: _both_ways(_scores(f, g)),
                "That rewards the right pairs, but nothing pushes the wrong ones away: all arrows may become the same.":
                    lambda f, g, scale: -_scores(f, g, scale).diagonal().mean(),
                "`scale` is e^tau already. Do not take exp again.":
                    lambda f, g, scale: _both_ways(_scores(f, g, math.exp(scale))),
                "You divide by the scale. Cosines are *multiplied* by it.":
                    lambda f, g, scale: _both_ways(_scores(f, g, 1 / scale)),
                "The arrows were made shorter along the wrong axis: each *row* has length 1.":
                    lambda f, g, scale: _both_ways(scale * normalize(f, dim=0) @ normalize(g, dim=0).mT),
            },
            "Make all rows of length 1, multiply (f @ g.T), times scale; then cross_entropy to the diagonal for rows "
            "and for columns, and the mean of both.",
        ),
        hints=("f / f.norm(dim=1, keepdim=True) has rows of length 1.",
               "torch.nn.functional.cross_entropy(scores, torch.arange(B)), once for scores and once for scores.T."),
        solution="def clip_loss(f, g, scale):\n"
                 "    f, g = (x / x.norm(dim=1, keepdim=True) for x in (f, g))\n"
                 "    scores, own = scale * f @ g.T, torch.arange(len(f))\n"
                 "    ways = (torch.nn.functional.cross_entropy(s, own) for s in (scores, scores.T))\n"
                 "    return sum(ways) / 2",
        means="The larger the batch, the harder the question, and the better the arrows. CLIP used 32,768 pairs.",
    ),
    Exercise(
        name="spoil",
        judge=tensors(
            _ordered,
            lambda x, level, eps: _spoiled(x, eps, (1 - level**2).sqrt(), level),
            {
                "The image must shrink a little when noise is added, or bright pixels leave the range that the "
                "network knows: sqrt(1 - level^2) in front.":
                    lambda x, level, eps: _spoiled(x, eps, torch.ones(3), level),
                "Shares of *variance* add up to 1, not shares of strength: sqrt(1 - level^2), not 1 - level.":
                    lambda x, level, eps: _spoiled(x, eps, 1 - level, level),
                "The square of the level, and no root: that is the image's share of the *variance*. Multiply by its "
                "root.": lambda x, level, eps: _spoiled(x, eps, 1 - level**2, level),
                "Here the level is the strength of the noise, not its variance: level * eps.":
                    lambda x, level, eps: _spoiled(x, eps, (1 - level).sqrt(), level.sqrt()),
                "The noise has the variance level^2, so its strength is the level itself.":
                    lambda x, level, eps: _spoiled(x, eps, (1 - level**2).sqrt(), level**2),
                "Image and noise are exchanged: at level 0 nothing but the image may be left.":
                    lambda x, level, eps: _spoiled(eps, x, (1 - level**2).sqrt(), level),
                "The level runs along the width of the image. Each *image* has its own: level.view(-1, 1, 1, 1).":
                    lambda x, level, eps: (1 - level**2).sqrt() * x + level * eps,
                "All images got the same level. Each has its own: level.view(-1, 1, 1, 1).":
                    lambda x, level, eps: (1 - level[0] ** 2).sqrt() * x + level[0] * eps,
            },
            "sqrt(1 - level^2) * enlarged + level * eps, with the level of each image as (B, 1, 1, 1).",
        ),
        hints=("It is the jump of notebook 02 with abar = 1 - level^2.",
               "level.view(-1, 1, 1, 1) fits against (B, C, H, W)."),
        solution="def spoil(enlarged, level, eps):\n"
                 "    level = level.view(-1, 1, 1, 1)\n"
                 "    return (1 - level**2).sqrt() * enlarged + level * eps",
        means="The jump once more. Imagen, in the next notebook, builds its whole cascade on this line.",
    ),
]
