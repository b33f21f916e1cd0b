"""The exercises of notebook 06, Classifier-free guidance."""

from __future__ import annotations

import torch

from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded

_SIZE = (3, 1, 6, 6)


def _label_cases():
    generator = seeded(0)
    for p, none in ((0.1, 10), (0.5, 4), (0.9, 7)):
        yield torch.randint(none, (60,), generator=generator), torch.rand(60, generator=generator), p, none


def _w_cases():
    generator = seeded(1)
    for w in (0.0, 0.3, 1.0, 4.0):
        yield *torch.randn(2, *_SIZE, generator=generator), w


def _by_scale(given, free, scale):
    return free + scale * (given - free)


def _gradient_cases():
    generator = seeded(2)
    for abar in (0.9, 0.4, 0.1):
        yield *torch.randn(2, *_SIZE, generator=generator), torch.tensor(abar)


def _threshold_cases():
    generator = seeded(3)
    tame, wild = 0.4 * torch.randn(_SIZE, generator=generator).clamp(-2, 2), 3 * torch.randn(_SIZE, generator=generator)
    for share in (0.8, 0.95):
        yield torch.cat([tame, wild, 5 + wild]), share


def _limit(x0, share):
    return x0.abs().flatten(1).quantile(share, dim=1).view(-1, 1, 1, 1)


def _cut(x0, limit):
    return torch.maximum(torch.minimum(x0, limit), -limit)


def _dynamic(x0, share):
    limit = _limit(x0, share).clamp(min=1)
    return _cut(x0, limit) / limit


def _one_limit(x0, share):
    limit = x0.abs().quantile(share).clamp(min=1)
    return _cut(x0, limit) / limit


def _signed_limit(x0, share):
    limit = x0.flatten(1).quantile(share, dim=1).view(-1, 1, 1, 1).clamp(min=1)
    return _cut(x0, limit) / limit


def _steer_cases():
    generator = seeded(4)
    for scale, away in ((3.0, 0.0), (3.0, 1.0), (1.5, 2.0)):
        yield *torch.randn(3, *_SIZE, generator=generator), scale, away


EXERCISES = [
    Exercise(
        name="images_seen",
        grade=number(
            right=1792,
            mistakes={
                1280: "That is without guidance: 64 images, 20 steps, one prediction each. In 8 of the steps there are "
                      "two predictions.",
                2560: "That is with guidance in every step. Outside the interval one prediction, the conditional one, "
                      "is enough.",
                28: "That is for one image (or a whole batch at a time). There are 64 images.",
                1024: "Those are the 8 guided steps alone. The 12 others need a prediction as well.",
                512: "The guided steps need two predictions for each image; and the 12 others need one.",
                768: "Those are the 12 steps without guidance alone.",
                20: "That is the number of calls: both predictions share one batch. Count the images in the batches.",
                2048: "20 steps in all, 8 of them guided: 12 are left for the plain ones, not 16.",
            },
            otherwise="Count predictions for one image first: two in each of 8 steps, one in each of the 12 others.",
            tolerance=0.001,
        ),
        hints=("How many predictions does one image need, over its 20 steps?",
               "8 steps of two predictions, 12 of one: 28."),
        solution="images_seen = 64 * (8 * 2 + 12 * 1)",
        means="30% less work than with guidance everywhere. At low noise both predictions agree, so nothing is lost; "
              "at high noise strong guidance does harm (section 4). Kynkaanniemi et al. (2024) found that the images "
              "even become better.",
    ),
    Exercise(
        name="forget_some",
        grade=tensors(
            _label_cases,
            lambda label, u, p, none: torch.where(u < p, none, label),
            {
                "The condition is reversed: a label is dropped with probability p_uncond, that is where u < p_uncond.":
                    lambda label, u, p, none: torch.where(u < p, label, none),
                "A dropped label must become `none`. Zero is the first class: those images would all be labelled "
                "t-shirt.": lambda label, u, p, none: torch.where(u < p, 0, label),
                "No label is dropped. Without examples labelled `none`, its row in the embedding is never trained.":
                    lambda label, u, p, none: label,
                "All labels are dropped, and the network never learns about classes.":
                    lambda label, u, p, none: torch.full_like(label, none),
                "You drop a fixed half. Compare u with p_uncond.":
                    lambda label, u, p, none: torch.where(u < 0.5, none, label),
                "-1 is no row of the embedding. The label for 'no class' is `none` here.":
                    lambda label, u, p, none: torch.where(u < p, -1, label),
            },
            "Return `none` where u is below p_uncond, elsewhere the label as it was.",
        ),
        hints=(
            "u is uniform in 0..1. With which probability is it below p_uncond?",
            "torch.where(condition, value_if_true, value_if_false)",
        ),
        solution="def forget_some(label, u, p_uncond, none):\n    return torch.where(u < p_uncond, none, label)",
        means="That is all that training needs: one line in the batch, and one more row in the class embedding.",
    ),
    Exercise(
        name="guided_by_w",
        grade=tensors(
            _w_cases,
            lambda given, free, w: (1 + w) * given - w * free,
            {
                "That is the formula for the scale s. With w = 0 it ignores the class, where the paper means the "
                "conditional prediction. Put s = 1 + w.": _by_scale,
                "The two predictions have changed places: you go *away* from the class.":
                    lambda given, free, w: (1 + w) * free - w * given,
                "The weights must sum to 1: (1 + w) of the one and *minus* w of the other.":
                    lambda given, free, w: (1 + w) * given + w * free,
                "The weights must sum to 1. Add w times the difference to the conditional prediction.":
                    lambda given, free, w: w * (given - free),
                "The conversion is s = 1 + w, not 1 - w. (Or your difference has the wrong sign: it is with minus "
                "without.)":
                    lambda given, free, w: _by_scale(given, free, 1 - w),
                "The conversion is s = 1 + w, not w - 1.":
                    lambda given, free, w: _by_scale(given, free, w - 1),
                "At w = 0 nothing is added to the conditional prediction: w times the difference, not 1 + w times.":
                    lambda given, free, w: free + (2 + w) * (given - free),
            },
            "At w = 0 it is the conditional prediction; each unit of w adds the difference (with - without) once.",
        ),
        hints=(
            "At w = 0 the result is eps_with. What is added for w = 1?",
            "s = 1 + w. Put it into eps_without + s (eps_with - eps_without), and collect terms.",
        ),
        solution="def guided_by_w(eps_with, eps_without, w):\n    return (1 + w) * eps_with - w * eps_without",
        means="diffusers calls it `use_original_formulation=True`. The scale of this course is w + 1.",
    ),
    Exercise(
        name="classifier_gradient",
        grade=tensors(
            _gradient_cases,
            lambda given, free, a: -(given - free) / (1 - a).sqrt(),
            {
                "The sign is wrong: the score is *minus* eps over the root. Noise points away from the data.":
                    lambda given, free, a: (given - free) / (1 - a).sqrt(),
                "A score is eps divided by sqrt(1 - abar); the division is missing.":
                    lambda given, free, a: -(given - free),
                "The score is -eps / sqrt(1 - abar), and the root is missing.":
                    lambda given, free, a: -(given - free) / (1 - a),
                "The noise in xt has the standard deviation sqrt(1 - abar), not sqrt(abar).":
                    lambda given, free, a: -(given - free) / a.sqrt(),
                "You multiply by sqrt(1 - abar). Classifier guidance does that to convert the gradient to noise; here "
                "it is the other way: divide.": lambda given, free, a: -(given - free) * (1 - a).sqrt(),
                "That is the gradient of log p(xt | y). Bayes' rule subtracts the gradient of log p(xt) from it.":
                    lambda given, free, a: -given / (1 - a).sqrt(),
                "The sum of both scores is the gradient of a product of densities. Bayes' rule has a quotient.":
                    lambda given, free, a: -(given + free) / (1 - a).sqrt(),
            },
            "log p(y | xt) = log p(xt | y) - log p(xt) + a constant. Take the gradients; each score is -eps / sqrt(1 - "
            "abar).",
        ),
        hints=(
            "Which two scores does Bayes' rule subtract?",
            "score = -eps / sqrt(1 - abar), for the conditional prediction and for the unconditional one.",
        ),
        solution="def classifier_gradient(eps_with, eps_without, abar_t):\n"
                 "    return -(eps_with - eps_without) / (1 - abar_t).sqrt()",
        means="Nobody trained this classifier. Put the gradient into notebook 05's formula and you get "
              "eps_with + (s - 1)(...): once more classifier-free guidance.",
    ),
    Exercise(
        name="dynamic_threshold",
        grade=tensors(
            _threshold_cases,
            _dynamic,
            {
                "That is the static threshold: everything beyond 1 is clipped and lost.":
                    lambda x0, share: x0.clamp(-1, 1),
                "Clipped, but not divided: the image still leaves [-1, 1].":
                    lambda x0, share: _cut(x0, _limit(x0, share).clamp(min=1)),
                "A limit below 1 must not be used: it would raise the contrast of a dull image. Take at least 1.":
                    lambda x0, share: _cut(x0, _limit(x0, share)) / _limit(x0, share),
                "One limit for the whole batch: an extreme image makes the others grey. Each image has its own.":
                    _one_limit,
                "Divided, but not clipped: what lies beyond the quantile still leaves [-1, 1].":
                    lambda x0, share: x0 / _limit(x0, share).clamp(min=1),
                "The limit is a quantile of |x0|; without the absolute value, dark pixels are ignored.":
                    _signed_limit,
                "The limit is the largest value here. With the quantile, the few most extreme pixels are clipped.":
                    lambda x0, share: _dynamic(x0, 1.0),
            },
            "Three steps for each image: limit = the quantile of |x0|, at least 1; clip to +-limit; divide by limit.",
        ),
        hints=(
            "x0.abs().flatten(1).quantile(share, dim=1) is one number per image.",
            "Make it at least 1 with .clamp(min=1), and give it the shape (B, 1, 1, 1).",
            "torch.minimum and torch.maximum clip to a limit that is a tensor.",
        ),
        solution="def dynamic_threshold(x0, share):\n"
                 "    limit = x0.abs().flatten(1).quantile(share, dim=1).clamp(min=1).view(-1, 1, 1, 1)\n"
                 "    return torch.maximum(torch.minimum(x0, limit), -limit) / limit",
        means="Contrast is kept and brightness is given up. For photographs, whose pixels lie in the middle, that is a "
              "good trade; for clothes on black it is not (see 'Break it'). It comes back in notebook 10.",
    ),
    Exercise(
        name="steer",
        grade=tensors(
            _steer_cases,
            lambda free, wanted, unwanted, scale, away: free + scale * (wanted - free) - away * (unwanted - free),
            {
                "You go *towards* the unwanted class: its difference must be subtracted.":
                    lambda free, wanted, unwanted, scale, away:
                    free + scale * (wanted - free) + away * (unwanted - free),
                "The unwanted class is not used.":
                    lambda free, wanted, unwanted, scale, away: free + scale * (wanted - free),
                "The prediction for the unwanted class is subtracted itself. Subtract only its difference from the "
                "unconditional one: the weights must sum to 1.": lambda free, wanted, unwanted, scale, away:
                    free + scale * (wanted - free) - away * unwanted,
                "That puts the unwanted class in the place of `none`, as diffusers does with a negative prompt. Here "
                "both differences start at `none`, each with its own strength.":
                    lambda free, wanted, unwanted, scale, away: unwanted + scale * (wanted - unwanted),
                "Wanted and unwanted have changed places.": lambda free, wanted, unwanted, scale, away:
                    free + scale * (unwanted - free) - away * (wanted - free),
                "The second difference starts at the wanted class. Both start at the unconditional prediction.":
                    lambda free, wanted, unwanted, scale, away:
                    free + scale * (wanted - free) - away * (unwanted - wanted),
            },
            "Start at eps_without; add scale times (wanted - without); subtract away times (unwanted - without).",
        ),
        hints=(
            "Each condition is a vector that starts at eps_without.",
            "One vector is added `scale` times, the other subtracted `away` times.",
        ),
        solution="def steer(eps_without, eps_wanted, eps_unwanted, scale, away):\n"
                 "    return (eps_without + scale * (eps_wanted - eps_without)\n"
                 "            - away * (eps_unwanted - eps_without))",
        means="Conditions add up like vectors (Liu et al., 2022). Each costs one more prediction.",
    ),
]
