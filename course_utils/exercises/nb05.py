"""The exercises of notebook 05, Classifier guidance."""

from __future__ import annotations

import torch

from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded

_SIZE = (3, 1, 6, 6)


def _pair_cases():
    generator = seeded(3)
    for scale in (0.0, 1.0, 3.0):
        yield *torch.randn(2, *_SIZE, generator=generator), scale


def somebodys_gradient(log_prob, xt, t):
    """The gradient of log_prob in xt (B, ...) with the fault that exercise 3 asks for."""
    with torch.enable_grad():
        xt = xt.detach().requires_grad_()
        return torch.autograd.grad(log_prob(xt, t).mean(), xt)[0]


def _timing(answer) -> str | None:
    if not isinstance(answer, dict) or set(answer) != {"early", "late", "decides"}:
        return ('The answer is a dictionary with three entries: {"early": a number, "late": a number, '
                '"decides": a word}.')
    early, late, decides = answer["early"], answer["late"], answer["decides"]
    if not all(isinstance(share, (int, float)) and not isinstance(share, bool) for share in (early, late)):
        return '"early" and "late" are the two accuracies, as numbers.'
    if max(early, late) > 1:
        return "An accuracy is a share, between 0 and 1; accuracy(...) returns it as such."
    if decides not in ("early", "late"):
        return '"decides" is one of two words, "early" or "late": which half is enough by itself?'
    if abs(early - late) < 0.05:
        return ("The two accuracies are nearly equal. Is the other half really without guidance? Wrap the log "
                "probability, run(only_where(...)), with t >= 500 once and t < 500 once.")
    if early < late:
        return ('Here guidance at little noise comes out better. Are the two swapped? t runs from 999 down to 0, so '
                '"early" is t >= 500, the noisy half.')
    if early < 0.5:
        return ("With guidance at t >= 500 most images should be of the wanted class. Leave the scale as it is, and "
                "compare with the labels in `every`.")
    if late > 0.45:
        return "That is too good for guidance at t < 500 only: the class is settled by then. Measure it again."
    if decides == "late":
        return "Read your own two numbers again: which half alone gives nearly the accuracy of full guidance?"
    return None


EXERCISES = [
    Exercise(
        name="gradient_in_the_middle",
        grade=number(
            right=4,
            mistakes={
                0: "That is the score of both Gaussians together: in the middle their pulls cancel. The class is only "
                   "one of the two.",
                8: "That is the gradient of log(p / (1 - p)). The gradient of log p is that times 1 - p, here a half.",
                2: "Divide by the variance 0.25, not by the standard deviation 0.5; or perhaps you halved once too "
                   "often.",
                -4: "The wrong direction: going right makes the right Gaussian more likely, so the gradient is above "
                    "0.",
                0.5: "That is the probability itself. The question is how fast its logarithm grows when x moves right.",
                1: "The variance is missing: the standard deviation is 0.5, and 1 / 0.25 is 4.",
            },
            otherwise="By Bayes it is the score of the right Gaussian alone minus the score of both. In the middle the "
                      "second is 0. The first is (mean - x) / variance.",
        ),
        hints=(
            "Read section 1 from right to left: the classifier's gradient is one score minus another.",
            "By symmetry the score of both Gaussians together is 0 in the middle.",
            "The score of one Gaussian is (mean - x) / variance.",
        ),
        solution="gradient_in_the_middle = (1 - 0) / 0.5**2",
        means="Inside the right Gaussian, at x = 1, the same gradient is nearly 0: 8 times the 0.03% of doubt "
              "that is left. A confident classifier does not push.",
    ),
    Exercise(
        name="timing",
        grade=_timing,
        hints=(
            'early = run(only_where(wishes["noisy"], lambda t: t >= 500)) gives 30 images: accuracy(early, every).',
            "The same with t < 500. Compare both with share['right'], where all steps are guided.",
            "One of the two is nearly as good as full guidance, the other hardly better than none.",
        ),
        solution='# early = accuracy(run(only_where(wishes["noisy"], lambda t: t >= 500)), every)\n'
                 '# late = accuracy(run(only_where(wishes["noisy"], lambda t: t < 500)), every)\n'
                 "# What we measured once; yours may differ a little\n"
                 'timing = {"early": 0.87, "late": 0.18, "decides": "early"}',
        means="At high noise it is decided what the image will be; later steps only work it out, and the gradient "
              "cannot turn trousers into a sneaker any more. So the classifier must be good at high noise, and half of "
              "its calls could be saved. (Guidance in an interval of t: Kynkäänniemi et al. 2024.)",
    ),
    Exercise(
        name="times_too_small",
        grade=number(
            right=10,
            mistakes={
                0.1: "That is what is left of the gradient. Asked is by which factor it is too small.",
                1: "By a factor of 1 nothing would change, but the second row shows other classes.",
                1024: "A mean over the pixels would be as wrong for one image as for ten; the first row is right.",
                100: "Squared? Look at what is differentiated: one number for the whole batch.",
                8: "That is the scale. It is the same in both rows.",
                20: "That is the number of steps. They are the same in both rows.",
                3.1623: "No square root: a gradient is linear in what is differentiated.",
            },
            otherwise="What changes with the size of the batch? Which one number is differentiated there, and which in "
                      "section 1?",
        ),
        hints=(
            "With a batch of one nothing is wrong. So the fault has to do with what joins the rows of a batch.",
            "Section 1 differentiates the sum over the batch. What else makes one number of ten?",
            "The mean is the sum divided by the size of the batch.",
        ),
        solution="# log_prob(xt, t).mean() instead of .sum(): each row's gradient is divided by the size of the batch\n"
                 "times_too_small = 10",
        means="mean() instead of sum(): each row gets a tenth of its gradient, a scale of 0.8 in place of 8. A test "
              "with a batch of one would never have found it.",
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
