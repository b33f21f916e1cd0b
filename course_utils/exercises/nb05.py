"""The exercises of notebook 05, Classifier guidance."""

from __future__ import annotations

import torch

from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded

_SIZE = (3, 1, 6, 6)


def _bend_cases():
    generator = seeded(0)
    for share, scale in ((0.9, 1.0), (0.5, 4.0), (0.05, 2.5)):
        yield *torch.randn(2, *_SIZE, generator=generator), torch.tensor(share), scale


def _bend(factor):
    """The prediction plus factor(abar, scale) times the gradient: the answer, and mistakes in the factor."""
    return lambda predicted, gradient, a, scale: predicted + factor(a, scale) * gradient


def _logit_cases():
    generator = seeded(1)
    for classes in (10, 3):
        yield 3 * torch.randn(6, classes, generator=generator), torch.randint(classes, (6,), generator=generator)


def _picked(table, label):
    return table.gather(1, label[:, None])[:, 0]


def _hinge_cases():
    generator = seeded(2)
    for _ in range(2):
        yield tuple(2 * torch.randn(2, 20, generator=generator))


def _pair_cases():
    generator = seeded(3)
    for scale in (0.0, 1.0, 3.0):
        yield *torch.randn(2, *_SIZE, generator=generator), scale


EXERCISES = [
    Exercise(
        name="gradient_in_the_middle",
        grade=number(
            right=4,
            mistakes={
                0: "That is the score of both bumps together: in the middle their pulls cancel. The class is only one "
                   "of the two.",
                8: "That is the gradient of log(p / (1 - p)). The gradient of log p is that times 1 - p, here a half.",
                2: "Divide by the variance 0.25, not by the standard deviation 0.5; or perhaps you halved once too "
                   "often.",
                -4: "The wrong direction: going right makes the right bump more likely, so the gradient is above 0.",
                0.5: "That is the probability itself. The question is how fast its logarithm grows when x moves right.",
                1: "The variance is missing: the standard deviation is 0.5, and 1 / 0.25 is 4.",
            },
            otherwise="By Bayes it is the score of the right bump alone minus the score of both. In the middle the "
                      "second is 0. The first is (mean - x) / variance.",
        ),
        hints=(
            "Read section 1 from right to left: the classifier's gradient is one score minus another.",
            "By symmetry the score of both bumps together is 0 in the middle.",
            "The score of one Gaussian is (mean - x) / variance.",
        ),
        solution="gradient_in_the_middle = (1 - 0) / 0.5**2",
        means="Inside the right bump, at x = 1, the same gradient is nearly 0: 8 times the 0.03% of doubt "
              "that is left. A confident classifier does not push.",
    ),
    Exercise(
        name="bend",
        grade=tensors(
            _bend_cases,
            _bend(lambda a, scale: -(1 - a).sqrt() * scale),
            {
                "The sign: noise points away from the data and a score towards it, so a gradient that pulls towards "
                "the class is subtracted from the noise.": _bend(lambda a, scale: (1 - a).sqrt() * scale),
                "A score is noise divided by -sqrt(1 - abar). To convert a gradient to noise, multiply by that root; "
                "it is missing.": _bend(lambda a, scale: -scale),
                "That is the root of the image's share. Noise carries sqrt(1 - abar).":
                    _bend(lambda a, scale: -a.sqrt() * scale),
                "Take the square root of 1 - abar: it is a variance, and noise is measured in standard deviations.":
                    _bend(lambda a, scale: -(1 - a) * scale),
                "You divided by the root. eps = -sqrt(1 - abar) score: multiply.":
                    _bend(lambda a, scale: -scale / (1 - a).sqrt()),
                "The scale does nothing in your line.": _bend(lambda a, scale: -(1 - a).sqrt()),
                "You scaled the prediction, too. Only the gradient is scaled: at scale 0, eps must not change.":
                    lambda eps, gradient, a, scale: scale * (eps - (1 - a).sqrt() * gradient),
            },
            "Write eps as a score, -eps / sqrt(1 - abar), add scale times the gradient, and solve for eps.",
        ),
        hints=(
            "score = -eps / sqrt(1 - abar).",
            "new score = score + scale * gradient. Multiply by -sqrt(1 - abar).",
        ),
        solution="def bend(eps, gradient, abar_t, scale):\n    return eps - (1 - abar_t).sqrt() * scale * gradient",
        means="Algorithm 2 in one line. It works with every sampler, because every sampler asks for a prediction.",
    ),
    Exercise(
        name="moved_image",
        grade=tensors(
            _bend_cases,
            _bend(lambda a, scale: (1 - a) / a.sqrt() * scale),
            {
                "That is how far the *noise* is bent. On the way to the image it is multiplied by -sqrt(1 - abar) / "
                "sqrt(abar).": _bend(lambda a, scale: -(1 - a).sqrt() * scale),
                "The size is that of the bent noise. The image is (xt - sqrt(1 - abar) eps) / sqrt(abar).":
                    _bend(lambda a, scale: (1 - a).sqrt() * scale),
                "The sign: subtracting from the noise adds to the image.":
                    _bend(lambda a, scale: -(1 - a) / a.sqrt() * scale),
                "You divided by abar; the jump multiplies the image by its root.":
                    _bend(lambda a, scale: (1 - a) / a * scale),
                "One root of 1 - abar comes from bending, a second from the jump; together they are 1 - abar.":
                    _bend(lambda a, scale: ((1 - a) / a).sqrt() * scale),
                "The division by sqrt(abar) is missing: the jump shrank the image by that factor.":
                    _bend(lambda a, scale: (1 - a) * scale),
                "The scale does nothing in your line.": _bend(lambda a, scale: (1 - a) / a.sqrt()),
            },
            "Bend eps as in exercise 2, put it into x0 = (xt - sqrt(1 - abar) eps) / sqrt(abar), and see what changed.",
        ),
        hints=(
            "x0 = (xt - sqrt(1 - abar) eps) / sqrt(abar): how does x0 move when eps moves?",
            "eps moves by -sqrt(1 - abar) scale gradient. Multiply by -sqrt(1 - abar) / sqrt(abar).",
        ),
        solution="def moved_image(x0, gradient, abar_t, scale):\n"
                 "    return x0 + (1 - abar_t) / abar_t.sqrt() * scale * gradient",
        means="At high noise the factor is huge, so the same gradient moves the predicted x0 far; near t = 0 it hardly "
              "moves it at all. Guidance decides early.",
    ),
    Exercise(
        name="log_prob_of_label",
        grade=tensors(
            _logit_cases,
            lambda logits, label: _picked(logits.log_softmax(1), label),
            {
                "That is the logit. It also rises where *every* logit rises; subtract the logsumexp of the row, which "
                "is what a log-softmax does.": lambda logits, label: _picked(logits, label),
                "That is the probability. Bayes' rule for scores wants its logarithm; without it the gradient is "
                "multiplied by p, and vanishes where it is needed most.":
                    lambda logits, label: _picked(logits.softmax(1), label),
                "The sign: that is the loss, -log p. Uphill in it the class becomes less likely.":
                    lambda logits, label: -_picked(logits.log_softmax(1), label),
                "Your softmax runs over the batch. The classes are in dimension 1.":
                    lambda logits, label: _picked(logits.log_softmax(0), label),
                "That is the log probability of the likeliest class, whichever it is. Take that of the label.":
                    lambda logits, label: logits.log_softmax(1).amax(1),
            },
            "Take log_softmax over dimension 1, and from each row the entry of its label.",
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
        name="discriminator_loss",
        grade=tensors(
            _hinge_cases,
            lambda real, fake: (1 - real).relu() + (1 + fake).relu(),
            {
                "Real and fake are swapped: the discriminator should give real images high scores.":
                    lambda real, fake: (1 + real).relu() + (1 - fake).relu(),
                "Without the relu the discriminator gains by making confident scores ever larger, without end.":
                    lambda real, fake: (1 - real) + (1 + fake),
                "The margin is missing: a discriminator that outputs 0 for everything would have loss 0.":
                    lambda real, fake: (-real).relu() + fake.relu(),
                "That is the generator's loss. The discriminator's is the opposite, and includes real images.":
                    lambda real, fake: -fake,
                "Only real images count. A discriminator that calls everything real would have loss 0.":
                    lambda real, fake: (1 - real).relu(),
                "Only fake images count. A discriminator that calls everything fake would have loss 0.":
                    lambda real, fake: (1 + fake).relu(),
                "That is the older loss with logarithms (Goodfellow et al., 2014). Write the hinge loss.":
                    lambda real, fake: torch.nn.functional.softplus(-real) + torch.nn.functional.softplus(fake),
                "Fake images should score below -1: change the sign in the second half.":
                    lambda real, fake: (1 - real).relu() + (1 - fake).relu(),
                "That is a hinge on pairs: it only asks that the real one score higher. Treat each image by itself.":
                    lambda real, fake: (1 - real + fake).relu(),
                "That is the loss on pairs of our own GAN. BigGAN's treats each image by itself.":
                    lambda real, fake: torch.nn.functional.softplus(fake - real),
                "The relu goes around each half by itself: a good score of one image must not offset another's.":
                    lambda real, fake: (2 - real + fake).relu(),
            },
            "A real image costs what its score lacks of 1, a fake one what its score exceeds -1 by; nothing below 0.",
        ),
        hints=(
            "Real images should score at least 1. What is missing up to 1? If nothing is, the loss is 0.",
            "(1 - real).relu() for one half; change the sign for the other.",
        ),
        solution="def discriminator_loss(real, fake):\n    return (1 - real).relu() + (1 + fake).relu()",
        means="Scores beyond the margin cost nothing, so only the doubtful images matter. At a loss of 2 the "
              "discriminator has learned nothing, at 0 it has won, and then the generator learns nothing either.",
    ),
    Exercise(
        name="without_a_classifier",
        grade=tensors(
            _pair_cases,
            lambda given, free, scale: free + scale * (given - free),
            {
                "At scale 0 that is already conditional. In the course, scale 0 is unconditional: start at free. "
                "(Notebook 06 meets a paper that counts like you.)":
                    lambda given, free, scale: given + scale * (given - free),
                "The two are swapped: at scale 1 it must be the conditional prediction.":
                    lambda given, free, scale: given + scale * (free - given),
                "The difference points away from the class: it is the conditional minus the unconditional prediction.":
                    lambda given, free, scale: free - scale * (given - free),
                "You scaled a prediction, not a difference. The classifier's gradient is a difference of two scores.":
                    lambda given, free, scale: free + scale * given,
                "At scale 0 nothing would be left. Keep the unconditional prediction, and scale the difference.":
                    lambda given, free, scale: scale * (given - free),
                "At scale 0 that is no prediction at all. Only the difference is scaled.":
                    lambda given, free, scale: scale * given,
            },
            "log p(y | x) = log p(x | y) - log p(x) + a constant: replace the gradient in algorithm 2 by two scores.",
        ),
        hints=(
            "The classifier's gradient is the conditional score minus the unconditional score.",
            "Each score is -eps / sqrt(1 - abar). Put both into eps - sqrt(1 - abar) scale gradient; the roots cancel.",
            "At scale 0 the answer is free, at scale 1 it is given.",
        ),
        solution="def without_a_classifier(given, free, scale):\n    return free + scale * (given - free)",
        means="Two predictions and no classifier. You have found classifier-free guidance, the subject of notebook 06.",
    ),
]
