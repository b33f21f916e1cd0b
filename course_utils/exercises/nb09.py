"""The exercises of notebook 09, GLIDE."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded

_NUMBERS = {"a": 2, "cat": 3, "dog": 4, "left": 5, "of": 6, "pizza": 7}


def _caption_cases():
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


def _attention_cases():
    generator = seeded(1)
    for words, width in ((5, 8), (3, 4)):
        image = torch.randn(3, 2, 6, width, generator=generator).unbind(0)
        text = torch.randn(2, 2, words, width, generator=generator).unbind(0)
        yield *image, *text


def _attended(q: Tensor, k: Tensor, v: Tensor, root: float | None = None, axis: int = -1) -> Tensor:
    return (q @ k.mT / (q.shape[-1] ** 0.5 if root is None else root)).softmax(axis) @ v


def _joint(q, k, v, k_text, v_text, **options):
    return _attended(q, torch.cat([k_text, k], 1), torch.cat([v_text, v], 1), **options)


def _weight_cases():
    generator = seeded(2)
    for words, word in ((9, 0), (10, 4)):
        yield torch.randn(2, 4, 9, words + 9, generator=generator).softmax(-1), word, 3


def _map(weights: Tensor, word: int, side: int) -> Tensor:
    return weights.mean(1)[:, :, word].unflatten(1, (side, side))


def _embedding_cases():
    generator = seeded(3)
    for scale in (1.0, 14.0):
        yield 3 * torch.randn(6, 4, generator=generator), 0.5 * torch.randn(6, 4, generator=generator), scale


def _symmetric_loss(scores: Tensor) -> Tensor:
    own = torch.arange(len(scores))
    return (cross_entropy(scores, own) + cross_entropy(scores.mT, own)) / 2


def _scores(f: Tensor, g: Tensor, scale: float = 1.0) -> Tensor:
    return scale * normalize(f, dim=1) @ normalize(g, dim=1).mT


def _row_loss(scores: Tensor) -> Tensor:
    return cross_entropy(scores, torch.arange(len(scores)))


def _level_cases():
    generator = seeded(4)
    for most in (0.5, 0.3):
        # All sizes are 3, so that a level on the wrong axis gets its own feedback and not one about shapes
        yield (*torch.randn(2, 3, 3, 3, 3, generator=generator), most * torch.rand(3, generator=generator))


def _spoil(x: Tensor, eps: Tensor, kept: Tensor, noise: Tensor) -> Tensor:
    return kept[:, None, None, None] * x + noise[:, None, None, None] * eps


def _spoil_cases():
    for x, eps, level in _level_cases():
        yield x, level, eps


EXERCISES = [
    Exercise(
        name="attention_weights_in_a_layer",
        grade=number(
            right=581_632,
            mistakes={
                72_704: "That is one head. Each of the 8 has attention weights of its own.",
                645_248: "Words have no queries here: 28 + 256 is the number of keys, but only 256 positions have "
                         "queries.",
                524_288: "Those are the positions among themselves. The 28 words have keys as well.",
                57_344: "Those are the weights of words. The positions attend to each other, too.",
                65_536: "One head, and the positions among themselves: the 28 words and the other heads are missing.",
                80_656: "Words have no queries here, and there are 8 heads.",
                23_552: "That is for section 4's layer. Here there are 16 x 16 positions and 8 heads.",
                5_632: "16 is the side. There are 16 x 16 = 256 positions, each with a query and a key.",
                7_168: "That is one head, and the words only. The positions attend to each other, too.",
                11_776: "That is for 8 x 8 positions in 2 heads. Here there are 16 x 16, in 8 heads.",
                47_104: "That is for 8 x 8 positions. 16 x 16 are 256.",
                284: "That is the number of keys. Each position has, in each head, a weight for each of them.",
                2_272: "Keys times heads: and how many queries are there?",
            },
            otherwise="Count the queries (16 x 16 positions), the keys (28 words and all positions), and the heads; "
                      "multiply.",
            tolerance=0.001,
        ),
        hints=("How many queries, and how many keys? Section 4 printed both numbers for 8 x 8 positions.",
               "Each head has a matrix of its own: queries times keys."),
        solution="attention_weights_in_a_layer = 8 * 256 * (28 + 256)",
        means="The words cost little: a tenth of the matrix. The positions are expensive: their part grows with the "
              "fourth power of the side. So attention is used at low resolutions.",
    ),
    Exercise(
        name="to_tokens",
        grade=tensors(
            _caption_cases,
            _tokens,
            {
                "0 is the padding. An unknown word is 1: it is a word, not the absence of one.":
                    lambda *given: _tokens(*given, unknown=0),
                "Unknown words are left out. Each must become a 1: 'a fluffy cat' has three words.":
                    _left_out,
                "The padding stands in front. The words come first, then the zeros.": _in_front,
                "0 is the padding, and 1 the unknown word. Yours are the other way round.":
                    lambda *given: _tokens(*given, unknown=0, padding=1),
                "The padding is 1. That is the unknown word; padding is 0.":
                    lambda *given: _tokens(*given, padding=1),
                "A long caption stays too long: truncate it after `length` words.":
                    lambda parts, numbers, length: _tokens(parts, numbers, max(length, len(parts))),
                "You truncate the beginning of long captions. Keep the first words.":
                    lambda parts, numbers, length: _tokens(parts[-length:], numbers, length),
            },
            "Look up each word (numbers.get(word, 1)), truncate to `length`, pad with 0, return an int64 tensor.",
            tolerance=0.0,
        ),
        hints=("numbers.get(word, 1) gives 1 for a word that is not there.",
               "torch.zeros(length, dtype=torch.int64) is all padding; write the words into its beginning."),
        solution="def to_tokens(parts, numbers, length):\n"
                 "    found = [numbers.get(word, 1) for word in parts[:length]]\n"
                 "    tokens = torch.zeros(length, dtype=torch.int64)\n"
                 "    tokens[:len(found)] = torch.tensor(found, dtype=torch.int64)\n"
                 "    return tokens",
        means="An empty caption is a row of zeros, and that is what guidance starts from.",
    ),
    Exercise(
        name="joint_answer",
        grade=tensors(
            _attention_cases,
            _joint,
            {
                "The root is missing: divide by the root of the width, or the softmax picks only the largest.":
                    lambda *given: _joint(*given, root=1.0),
                "You divide by the width. It is the *root* of the width: a sum of C products grows like it.":
                    lambda q, *rest: _joint(q, *rest, root=q.shape[-1]),
                "Attention to the words only: that is cross-attention. Here it goes to the positions, too.":
                    lambda q, k, v, k_text, v_text: _attended(q, k_text, v_text),
                "Attention to the image only. The words' keys and values join those of the image.":
                    lambda q, k, v, k_text, v_text: _attended(q, k, v),
                "Two softmaxes, added. Words and positions compete in one: all weights together sum to 1.":
                    lambda q, k, v, k_text, v_text: _attended(q, k_text, v_text) + _attended(q, k, v),
                "The mean of two attentions. Words and positions compete in *one* softmax.":
                    lambda q, k, v, k_text, v_text: (_attended(q, k_text, v_text) + _attended(q, k, v)) / 2,
                "Your softmax is along the queries. It belongs along the keys, the last axis.":
                    lambda *given: _joint(*given, axis=-2),
                "Keys and values are in different orders: the weight of a word goes to the value of a position.":
                    lambda q, k, v, k_text, v_text: _attended(q, torch.cat([k_text, k], 1), torch.cat([v, v_text], 1)),
                "Keys and values are exchanged: the keys are compared with the queries, the values are averaged.":
                    lambda q, k, v, k_text, v_text: _joint(q, v, k, v_text, k_text),
            },
            "Join keys and values along dimension 1, take softmax(q k^T / sqrt(C)) along the keys, and multiply by "
            "the values.",
        ),
        hints=("torch.cat([k_text, k], 1), and the values in the same order.",
               "(q @ keys.mT / C ** 0.5).softmax(-1) @ values"),
        solution="def joint_answer(q, k, v, k_text, v_text):\n"
                 "    keys, values = torch.cat([k_text, k], 1), torch.cat([v_text, v], 1)\n"
                 "    weights = (q @ keys.mT / q.shape[-1] ** 0.5).softmax(-1)\n"
                 "    return weights @ values",
        means="No new kind of layer: only more keys. That is all it takes to condition an image on text.",
    ),
    Exercise(
        name="word_map",
        grade=tensors(
            _weight_cases,
            _map,
            {
                "That is a position, not a word: you count from the first position. The text stands in *front*.":
                    lambda weights, word, side: _map(weights, weights.shape[-1] - side * side + word, side),
                "That is a position, not a word: you count from behind the positions. The text stands in *front*.":
                    lambda weights, word, side: _map(weights, side * side + word, side),
                "You count from the end. The text stands in front: word 0 is column 0.":
                    lambda weights, word, side: _map(weights, weights.shape[-1] - 1 - word, side),
                "Your rows are columns: position i is in row i // side.":
                    lambda weights, word, side: _map(weights, word, side).mT,
                "That is a row of the matrix: what *position* number `word` attends to. Take the column: which "
                "positions attend to the word.":
                    lambda weights, word, side: weights.mean(1)[:, word, -side * side:].unflatten(1, (side, side)),
                "That is the sum over the heads; take the mean.":
                    lambda weights, word, side: 4 * _map(weights, word, side),
                "That is the first head alone. Take the mean of all.":
                    lambda weights, word, side: _map(weights[:, :1], word, side),
                "That is the maximum over the heads. Take the mean.":
                    lambda weights, word, side: _map(weights.amax(1, keepdim=True), word, side),
            },
            "Take the column of the word, the mean over the heads (dimension 1), and unflatten to `side` rows.",
        ),
        hints=("weights.mean(1) is (B, positions, keys).",
               "[:, :, word] is the column; .unflatten(1, (side, side)) the map."),
        solution="def word_map(weights, word, side):\n"
                 "    return weights.mean(1)[:, :, word].unflatten(1, (side, side))",
        means="Notebook 12 draws such maps for Stable Diffusion, at full size.",
    ),
    Exercise(
        name="clip_loss",
        grade=tensors(
            _embedding_cases,
            lambda f, g, scale: _symmetric_loss(_scores(f, g, scale)),
            {
                "The embeddings are not normalised: a long one would win everywhere. Divide each by its norm.":
                    lambda f, g, scale: _symmetric_loss(scale * f @ g.mT),
                "Only the loss from images to captions. Add the one from captions to images and take the mean.":
                    lambda f, g, scale: _row_loss(_scores(f, g, scale)),
                "Only the loss from captions to images. Add the one from images to captions and take the mean.":
                    lambda f, g, scale: _row_loss(_scores(f, g, scale).mT),
                "That is the sum of both directions; take the mean, half of it.":
                    lambda f, g, scale: 2 * _symmetric_loss(_scores(f, g, scale)),
                "The scale is missing. Cosines are in -1..1; without a scale no softmax can be confident.":
                    lambda f, g, scale: _symmetric_loss(_scores(f, g)),
                "That rewards the right pairs, but nothing pushes the wrong ones apart: all embeddings may collapse.":
                    lambda f, g, scale: -_scores(f, g, scale).diagonal().mean(),
                "`scale` is e^tau already. Do not take exp again.":
                    lambda f, g, scale: _symmetric_loss(_scores(f, g, math.exp(scale))),
                "You divide by the scale. Cosines are *multiplied* by it.":
                    lambda f, g, scale: _symmetric_loss(_scores(f, g, 1 / scale)),
                "The embeddings are normalised along the wrong axis: each *row* must have norm 1.":
                    lambda f, g, scale: _symmetric_loss(scale * normalize(f, dim=0) @ normalize(g, dim=0).mT),
            },
            "Normalise all rows to norm 1, multiply (f @ g.T), times scale; then cross_entropy with the diagonal as "
            "target for rows and for columns, and the mean of both.",
        ),
        hints=("f / f.norm(dim=1, keepdim=True) has rows of norm 1.",
               "torch.nn.functional.cross_entropy(scores, torch.arange(B)), once for scores and once for scores.T."),
        solution="def clip_loss(f, g, scale):\n"
                 "    f, g = (x / x.norm(dim=1, keepdim=True) for x in (f, g))\n"
                 "    scores, own = scale * f @ g.T, torch.arange(len(f))\n"
                 "    losses = (torch.nn.functional.cross_entropy(s, own) for s in (scores, scores.T))\n"
                 "    return sum(losses) / 2",
        means="The larger the batch, the harder the task, and the better the embeddings. CLIP used 32,768 pairs.",
    ),
    Exercise(
        name="spoil",
        grade=tensors(
            _spoil_cases,
            lambda x, level, eps: _spoil(x, eps, (1 - level**2).sqrt(), level),
            {
                "The image must shrink a little when noise is added, or bright pixels leave the range that the "
                "network knows: sqrt(1 - level^2) in front.":
                    lambda x, level, eps: _spoil(x, eps, torch.ones(3), level),
                "*Variances* add up to 1, not standard deviations: sqrt(1 - level^2), not 1 - level.":
                    lambda x, level, eps: _spoil(x, eps, 1 - level, level),
                "1 - level^2 without a root is the image's share of the *variance*. Multiply by its root.":
                    lambda x, level, eps: _spoil(x, eps, 1 - level**2, level),
                "Here the level is the standard deviation of the noise, not its variance: level * eps.":
                    lambda x, level, eps: _spoil(x, eps, (1 - level).sqrt(), level.sqrt()),
                "The noise has the variance level^2, so its standard deviation is the level itself.":
                    lambda x, level, eps: _spoil(x, eps, (1 - level**2).sqrt(), level**2),
                "Image and noise are exchanged: at level 0 the result must be the image.":
                    lambda x, level, eps: _spoil(eps, x, (1 - level**2).sqrt(), level),
                "The level is broadcast along the width of the image. Each *image* has one: level.view(-1, 1, 1, 1).":
                    lambda x, level, eps: (1 - level**2).sqrt() * x + level * eps,
                "All images got the same level. Each has its own: level.view(-1, 1, 1, 1).":
                    lambda x, level, eps: (1 - level[0] ** 2).sqrt() * x + level[0] * eps,
            },
            "sqrt(1 - level^2) * enlarged + level * eps, with the level of each image as (B, 1, 1, 1).",
        ),
        hints=("It is the jump of notebook 02 with abar = 1 - level^2.",
               "level.view(-1, 1, 1, 1) broadcasts with (B, C, H, W)."),
        solution="def spoil(enlarged, level, eps):\n"
                 "    level = level.view(-1, 1, 1, 1)\n"
                 "    return (1 - level**2).sqrt() * enlarged + level * eps",
        means="The jump once more. Imagen, in the next notebook, builds its whole cascade on this line.",
    ),
]
