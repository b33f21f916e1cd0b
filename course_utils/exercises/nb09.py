"""The exercises of notebook 09, GLIDE."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from course_utils.exercises.base import Exercise, Faults, named, number, tensors
from course_utils.runtime import seeded


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


def _losses_of_pairs(scores: Tensor) -> Tensor:
    own = torch.arange(len(scores))
    return (cross_entropy(scores, own, reduction="none") + cross_entropy(scores.mT, own, reduction="none")) / 2


def _decided(answer: dict) -> str | None:
    for part, where in (("thing", "columns 1 and 2"), ("background", "columns 1 and 2"), ("style", "column 3")):
        if answer[part] != "pooled":
            return (f"Look at the {part} in {where}: tokens and pooled embedding are of different captions. Which of "
                    f"the two captions names the {part} that you see?")
    return None


FAULTS = Faults("dcab", {
    "a": "The empty caption gives *any* thing on any background, none of what was asked for.",
    "b": "A guidance scale of 15 keeps tree and house where they belong, but colours glare and edges tear.",
    "c": "An upsampler that is told there is no noise takes the noise for details, and draws it as blotches.",
    "d": "Sorted words are the right words in a wrong order: the same things on the same background, but 'house' "
         "now comes before 'tree'.",
})
# Of exercise 4
shuffled = FAULTS.runs


EXERCISES = [
    Exercise(
        name="right_share",
        grade=number(
            right=0.99125,
            mistakes={
                0.6083: "That is the share at s = 1. At s = 2 each probability is squared.",
                0.6923: "You squared 0.6 and 0.4 as two lumps. The 0.4 is spread over 48 things, and each of the small "
                        "numbers is squared by itself.",
                0.9998: "That is a panda against *one* other thing. There are 47 of them.",
                0.3701: "That is 0.6083 squared. It must still be divided by the sum over all 48 things.",
                0.9782: "0.6083 / (0.6083 + 0.4/48 ...): square each probability before you add.",
                17.76: "The densities are proportional: divide by their sum over all 48 things.",
                99.125: "That is the share in percent. Write it as a number between 0 and 1.",
                0.85: "That is read from the plot, where the network is imperfect. Compute the share from the formula.",
                1.2167: "A share above 1 cannot be. Guidance multiplies the logarithm, not the share.",
            },
            otherwise="p(x) is the same for all things, so it cancels. Square p(panda | c) = 0.6 + 0.4/48, and 0.4/48 "
                      "for each of the other 47; divide the first by the sum of all.",
            tolerance=0.002,
        ),
        hints=("p(x) is 1/48 for every thing, so its power cancels; only p(x | c) to the power 2 counts.",
               "a = (0.6 + 0.4/48)**2; b = (0.4/48)**2; there are 47 things with b.",
               "a / (a + 47 * b)"),
        solution="a, b = (0.6 + 0.4 / 48) ** 2, (0.4 / 48) ** 2\nright_share = a / (a + 47 * b)",
        means="From 61% to 99%: wrong captions are spread over many things, the right ones all agree. The plot shows "
              "the same repair. The network does not reach 99%: it is not perfect with right captions either.",
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
                "That is one loss for each pair, not reduced: take the mean.":
                    lambda f, g, scale: _losses_of_pairs(_scores(f, g, scale)),
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
        name="decided_by",
        grade=named(("thing", "background", "style"), ("tokens", "pooled"), _decided),
        hints=("In columns 1 and 2 the two captions differ in thing and background. Whose thing, whose background?",
               "In column 3 they differ in the style alone. Are there thick outlines in the images?"),
        solution='decided_by = {"thing": "pooled", "background": "pooled", "style": "pooled"}',
        means="In this small network the pooled embedding says *what*, the tokens only *where*. So a map of attention "
              "shows where a network looks, not what decides: only an experiment that changes one thing shows that. "
              "A network whose pooled embedding knows less must look up more.",
    ),
    Exercise(
        name="faults",
        grade=FAULTS,
        hints=("Which run shows other things than a tree and a house?",
               "Two runs are rough: one has coloured blotches, the other glaring colours. In one run the tree and the "
               "house are clean, but not as asked."),
        solution=f'faults = "{FAULTS.order}"',
        means="Each fault has a look of its own. To debug a text-to-image model, look at samples first, and ask which "
              "part of the pipeline could do that.",
    ),
]
