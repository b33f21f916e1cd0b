"""The exercises of notebook 05, Classifier guidance."""

from __future__ import annotations

import torch

from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded

_SIZE = (3, 1, 6, 6)


def _bend_cases():
    draws = seeded(0)
    for share, scale in ((0.9, 1.0), (0.5, 4.0), (0.05, 2.5)):
        yield *torch.randn(2, *_SIZE, generator=draws), torch.tensor(share), scale


def _bend(factor):
    """Mistakes that differ in what the slope is multiplied by."""
    return lambda guess, slope, a, scale: guess + factor(a, scale) * slope


def _logit_cases():
    draws = seeded(1)
    for classes in (10, 3):
        yield 3 * torch.randn(6, classes, generator=draws), torch.randint(classes, (6,), generator=draws)


def _picked(table, label):
    return table.gather(1, label[:, None])[:, 0]


def _hinge_cases():
    draws = seeded(2)
    for _ in range(2):
        yield tuple(2 * torch.randn(2, 20, generator=draws))


def _pair_cases():
    draws = seeded(3)
    for scale in (0.0, 1.0, 3.0):
        yield *torch.randn(2, *_SIZE, generator=draws), scale


EXERCISES = [
    Exercise(
        name="slope_in_the_middle",
        judge=number(
            right=4,
            answers={
                0: "That is the score of both bumps together: in the middle their pulls cancel. The class is only one "
                   "of the two.",
                8: "That is the slope of the log of p / (1 - p). The slope of log p is that times 1 - p, here a half.",
                2: "Divide by the variance 0.25, not by the standard deviation 0.5; or perhaps you took half once too "
                   "often.",
                -4: "The wrong way: going right makes the right bump more likely, so the slope is above 0.",
                0.5: "That is the probability itself. Asked is how fast its logarithm grows when x moves right.",
                1: "The variance is missing: the bumps are a half wide, and 1 / 0.25 is 4.",
            },
            otherwise="By Bayes it is the score of the right bump alone minus the score of both. In the middle the "
                      "second is 0. The first is (mean - x) / variance.",
        ),
        hints=(
            "Read section 1 from right to left: the classifier's slope is one score minus another.",
            "By symmetry the score of both bumps together is 0 in the middle.",
            "The score of one Gaussian is (mean - x) / variance.",
        ),
        solution="slope_in_the_middle = (1 - 0) / 0.5**2",
        means="Inside the right bump, at x = 1, the same slope is nearly 0: 8 times the 0.03% of doubt that is left. A "
              "classifier that is sure does not push.",
    ),
    Exercise(
        name="bend",
        judge=tensors(
            _bend_cases,
            _bend(lambda a, scale: -(1 - a).sqrt() * scale),
            {
                "The sign: noise points away from the data and a score towards it, so a slope that pulls to the class "
                "is taken away from the noise.": _bend(lambda a, scale: (1 - a).sqrt() * scale),
                "A score is noise divided by sqrt(1 - abar). To come back from a slope to noise, multiply by that "
                "root; it is missing.": _bend(lambda a, scale: -scale),
                "That is the root of the image's share. Noise carries sqrt(1 - abar).":
                    _bend(lambda a, scale: -a.sqrt() * scale),
                "Take the square root of 1 - abar: it is a variance, and noise is measured in standard deviations.":
                    _bend(lambda a, scale: -(1 - a) * scale),
                "You divided by the root. eps = -sqrt(1 - abar) score: multiply.":
                    _bend(lambda a, scale: -scale / (1 - a).sqrt()),
                "The scale does nothing in your line.": _bend(lambda a, scale: -(1 - a).sqrt()),
                "You scaled the guess, too. Only the slope gets the scale: at scale 0 the guess must stay as it is.":
                    lambda eps, slope, a, scale: scale * (eps - (1 - a).sqrt() * slope),
            },
            "Write the guess as a score, -eps / sqrt(1 - abar), add scale times the slope, and solve for eps.",
        ),
        hints=(
            "score = -eps / sqrt(1 - abar).",
            "new score = score + scale * slope. Multiply by -sqrt(1 - abar).",
        ),
        solution="def bend(eps, slope, abar_t, scale):\n    return eps - (1 - abar_t).sqrt() * scale * slope",
        means="Algorithm 2 in one line. It fits every sampler, for every sampler asks for a guess.",
    ),
    Exercise(
        name="moved_image",
        judge=tensors(
            _bend_cases,
            _bend(lambda a, scale: (1 - a) / a.sqrt() * scale),
            {
                "That is how far the *noise* is bent. On the way to the image it is multiplied by -sqrt(1 - abar) / "
                "sqrt(abar).": _bend(lambda a, scale: -(1 - a).sqrt() * scale),
                "The size is that of the bent noise. The image is (xt - sqrt(1 - abar) eps) / sqrt(abar).":
                    _bend(lambda a, scale: (1 - a).sqrt() * scale),
                "The sign: taking from the noise adds to the image.":
                    _bend(lambda a, scale: -(1 - a) / a.sqrt() * scale),
                "You divided by abar; the jump multiplies the image by the root of it.":
                    _bend(lambda a, scale: (1 - a) / a * scale),
                "One root of 1 - abar comes from bending, a second from the jump; together they are 1 - abar.":
                    _bend(lambda a, scale: ((1 - a) / a).sqrt() * scale),
                "The division by sqrt(abar) is missing: the jump had made the image smaller.":
                    _bend(lambda a, scale: (1 - a) * scale),
                "The scale does nothing in your line.": _bend(lambda a, scale: (1 - a) / a.sqrt()),
            },
            "Bend eps as in exercise 2, put it into x0 = (xt - sqrt(1 - abar) eps) / sqrt(abar), and see what changed.",
        ),
        hints=(
            "x0 = (xt - sqrt(1 - abar) eps) / sqrt(abar): how does x0 move when eps moves?",
            "eps moves by -sqrt(1 - abar) scale slope. Multiply by -sqrt(1 - abar) / sqrt(abar).",
        ),
        solution="def moved_image(x0, slope, abar_t, scale):\n"
                 "    return x0 + (1 - abar_t) / abar_t.sqrt() * scale * slope",
        means="At much noise the factor is huge, so the same slope moves the guess far; close to t = 0 it moves it "
              "hardly at all. Guidance decides early.",
    ),
    Exercise(
        name="log_prob_of_label",
        judge=tensors(
            _logit_cases,
            lambda logits, label: _picked(logits.log_softmax(1), label),
            {
                "That is the logit. Its slope also rises where *every* class gets likelier; subtract the logsumexp of "
                "the row, which is what a log-softmax does.": lambda logits, label: _picked(logits, label),
                "That is the probability. Bayes' rule for scores wants its logarithm; without it the slope is p times "
                "too small, and vanishes where it is needed most.":
                    lambda logits, label: _picked(logits.softmax(1), label),
                "The sign: that is the loss, -log p. Uphill in it the class becomes less likely.":
                    lambda logits, label: -_picked(logits.log_softmax(1), label),
                "Your softmax runs over the batch. The classes are in dimension 1.":
                    lambda logits, label: _picked(logits.log_softmax(0), label),
                "That is the probability of the likeliest class, whatever it is. Take that of the label.":
                    lambda logits, label: logits.log_softmax(1).amax(1),
            },
            "Take log_softmax over dimension 1, and of each row the entry that its label names.",
        ),
        hints=(
            "logits.log_softmax(1) has a row for each image and a column for each class.",
            "rows.gather(1, label[:, None])[:, 0] takes one entry of each row.",
        ),
        solution="def log_prob_of_label(logits, label):\n"
                 "    return logits.log_softmax(1).gather(1, label[:, None])[:, 0]",
        means="This line is the whole condition. Another log-probability here (of a caption, of a colour) guides "
              "towards that; notebook 09 does it.",
    ),
    Exercise(
        name="judge_loss",
        judge=tensors(
            _hinge_cases,
            lambda real, fake: (1 - real).relu() + (1 + fake).relu(),
            {
                "Real and made are swapped: the judge should give real images high scores.":
                    lambda real, fake: (1 + real).relu() + (1 - fake).relu(),
                "Without the relu the judge gains by making sure scores ever surer, and never stops.":
                    lambda real, fake: (1 - real) + (1 + fake),
                "The margin is missing: a judge that says 0 to everything would pay nothing.":
                    lambda real, fake: (-real).relu() + fake.relu(),
                "That is the generator's loss. The judge wants the opposite, and looks at real images, too.":
                    lambda real, fake: -fake,
                "Only real images are judged. A judge that calls everything real would pay nothing.":
                    lambda real, fake: (1 - real).relu(),
                "Only made images are judged. A judge that calls everything made would pay nothing.":
                    lambda real, fake: (1 + fake).relu(),
                "That is the older loss with logarithms (Goodfellow et al., 2014). Asked is the hinge.":
                    lambda real, fake: torch.nn.functional.softplus(-real) + torch.nn.functional.softplus(fake),
                "Made images should score below -1: turn the sign in the second half.":
                    lambda real, fake: (1 - real).relu() + (1 - fake).relu(),
                "That is a hinge for pairs: it only asks that the real one score higher. Judge each image by itself.":
                    lambda real, fake: (1 - real + fake).relu(),
                "That is the loss of pairs, which our own GAN has. BigGAN's judges each image by itself.":
                    lambda real, fake: torch.nn.functional.softplus(fake - real),
                "The relu goes around each half by itself: a surely real image may not pay for a doubtful one.":
                    lambda real, fake: (2 - real + fake).relu(),
            },
            "A real image costs what is missing up to a score of 1, a made one what is above -1; nothing below 0.",
        ),
        hints=(
            "Real images should score at least 1. What is missing? At most nothing.",
            "(1 - real).relu() for one half; turn the sign for the other.",
        ),
        solution="def judge_loss(real, fake):\n    return (1 - real).relu() + (1 + fake).relu()",
        means="Scores beyond the margin cost nothing, so the judge minds the doubtful images only. At 2 it has "
              "learned nothing, at 0 it has won, and then the generator learns nothing either.",
    ),
    Exercise(
        name="without_a_classifier",
        judge=tensors(
            _pair_cases,
            lambda given, free, scale: free + scale * (given - free),
            {
                "At scale 0 that is already the class. The course's scale counts from 'no condition': start at free. "
                "(Notebook 06 meets a paper that counts like you.)":
                    lambda given, free, scale: given + scale * (given - free),
                "The two are swapped: at scale 1 it must be the guess for the class.":
                    lambda given, free, scale: given + scale * (free - given),
                "The difference points away from the class: the guess for the class minus the free one.":
                    lambda given, free, scale: free - scale * (given - free),
                "You scaled a guess, not a difference. The classifier's slope is a difference of two scores.":
                    lambda given, free, scale: free + scale * given,
                "At scale 0 nothing would be left. The free guess stays whole, the difference is scaled.":
                    lambda given, free, scale: scale * (given - free),
                "At scale 0 that is no guess at all. Only the difference gets the scale.":
                    lambda given, free, scale: scale * given,
            },
            "log p(y | x) = log p(x | y) - log p(x) + a constant: replace the slope in algorithm 2 by two scores.",
        ),
        hints=(
            "The classifier's slope is the score of the class minus the score of everything.",
            "Each score is -eps / sqrt(1 - abar). Put both into eps - sqrt(1 - abar) scale slope; the roots cancel.",
            "At scale 0 the answer is free, at scale 1 it is given.",
        ),
        solution="def without_a_classifier(given, free, scale):\n    return free + scale * (given - free)",
        means="Two guesses and no classifier. You have found classifier-free guidance, the subject of notebook 06.",
    ),
]
