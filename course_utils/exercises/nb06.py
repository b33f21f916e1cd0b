"""The exercises of notebook 06, Classifier-free guidance."""

from __future__ import annotations

import torch

from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded

_SIZE = (3, 1, 6, 6)


def _label_cases():
    draws = seeded(0)
    for p, none in ((0.1, 10), (0.5, 4), (0.9, 7)):
        yield torch.randint(none, (60,), generator=draws), torch.rand(60, generator=draws), p, none


def _w_cases():
    draws = seeded(1)
    for w in (0.0, 0.3, 1.0, 4.0):
        yield *torch.randn(2, *_SIZE, generator=draws), w


def _by_scale(given, free, scale):
    return free + scale * (given - free)


def _slope_cases():
    draws = seeded(2)
    for abar in (0.9, 0.4, 0.1):
        yield *torch.randn(2, *_SIZE, generator=draws), torch.tensor(abar)


def _threshold_cases():
    draws = seeded(3)
    tame, wild = 0.4 * torch.randn(_SIZE, generator=draws).clamp(-2, 2), 3 * torch.randn(_SIZE, generator=draws)
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
    draws = seeded(4)
    for scale, away in ((3.0, 0.0), (3.0, 1.0), (1.5, 2.0)):
        yield *torch.randn(3, *_SIZE, generator=draws), scale, away


EXERCISES = [
    Exercise(
        name="images_seen",
        judge=number(
            right=1792,
            answers={
                1280: "That is without guidance: 64 images, 20 steps, one answer each. In 8 of the steps there are "
                      "two answers.",
                2560: "That is with guidance in every step. Outside of the interval one answer, the one with the "
                      "class, is enough.",
                28: "That is for one image (or a whole batch at a time). There are 64 images.",
                1024: "Those are the 8 guided steps alone. The 12 others need an answer as well.",
                512: "The guided steps need two answers for each image; and the 12 others need one.",
                768: "Those are the 12 steps without guidance alone.",
                20: "That is the number of calls: both answers travel in one batch. Count the images in the batches.",
                2048: "20 steps in all, 8 of them guided: 12 are left for the plain ones, not 16.",
            },
            otherwise="Count answers for one image first: two in each of 8 steps, one in each of the 12 others.",
            tolerance=0.001,
        ),
        hints=("How many answers does one image need, over its 20 steps?", "8 steps of two answers, 12 of one: 28."),
        solution="images_seen = 64 * (8 * 2 + 12 * 1)",
        means="30% less work than with guidance everywhere. At little noise both answers agree, so nothing is lost; "
              "at much noise strong guidance does harm (section 4). Kynkaanniemi et al. (2024) found that the images "
              "even become better.",
    ),
    Exercise(
        name="forget_some",
        judge=tensors(
            _label_cases,
            lambda label, u, p, none: torch.where(u < p, none, label),
            {
                "The share is turned round: a label is forgotten with probability p_uncond, so where u < p_uncond.":
                    lambda label, u, p, none: torch.where(u < p, label, none),
                "A forgotten label must become `none`. Zero is the first class: those images would all be called "
                "t-shirts.": lambda label, u, p, none: torch.where(u < p, 0, label),
                "Nothing is forgotten. Without an example that says `none`, its row in the table is never trained.":
                    lambda label, u, p, none: label,
                "Everything is forgotten, and the network never hears of a class.":
                    lambda label, u, p, none: torch.full_like(label, none),
                "You forget a fixed half. Compare u with p_uncond.":
                    lambda label, u, p, none: torch.where(u < 0.5, none, label),
                "-1 is no row of the table. The label that says nothing is called `none` here.":
                    lambda label, u, p, none: torch.where(u < p, -1, label),
            },
            "Where u is below p_uncond stands `none`, elsewhere the label as it was.",
        ),
        hints=(
            "u is evenly spread in 0..1. With which probability is it below p_uncond?",
            "torch.where(condition, value_if_true, value_if_false)",
        ),
        solution="def forget_some(label, u, p_uncond, none):\n    return torch.where(u < p_uncond, none, label)",
        means="That is all that training needs: one line in the batch, and one more row in the table of classes.",
    ),
    Exercise(
        name="guided_by_w",
        judge=tensors(
            _w_cases,
            lambda given, free, w: (1 + w) * given - w * free,
            {
                "That is the formula for the scale s. With w = 0 it forgets the class, where the paper means: as "
                "learned. Put s = 1 + w.": _by_scale,
                "The two guesses have changed places: you go *away* from the class.":
                    lambda given, free, w: (1 + w) * free - w * given,
                "The weights must sum to 1: (1 + w) of the one and *minus* w of the other.":
                    lambda given, free, w: (1 + w) * given + w * free,
                "The weights must sum to 1. With w of the difference goes the guess with the class itself.":
                    lambda given, free, w: w * (given - free),
                "You converted the wrong way: s = 1 + w, not 1 - w. (Or your difference points the wrong way: with "
                "minus without.)":
                    lambda given, free, w: _by_scale(given, free, 1 - w),
                "You converted the wrong way: s = 1 + w, not w - 1.":
                    lambda given, free, w: _by_scale(given, free, w - 1),
                "At w = 0 nothing is added to the guess with the class: w times the difference, not 1 + w times.":
                    lambda given, free, w: free + (2 + w) * (given - free),
            },
            "At w = 0 it is the guess with the class; each unit of w adds the difference (with - without) once.",
        ),
        hints=(
            "At w = 0 the result is eps_with. What is added for w = 1?",
            "s = 1 + w. Put it into eps_without + s (eps_with - eps_without), and collect.",
        ),
        solution="def guided_by_w(eps_with, eps_without, w):\n    return (1 + w) * eps_with - w * eps_without",
        means="diffusers calls it `use_original_formulation=True`. The scale of this course is w + 1.",
    ),
    Exercise(
        name="classifier_slope",
        judge=tensors(
            _slope_cases,
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
                "You multiply by sqrt(1 - abar). Classifier guidance does that with the slope, to get noise from it; "
                "here it goes back.": lambda given, free, a: -(given - free) * (1 - a).sqrt(),
                "That is the slope of log p(xt | y). Bayes' rule takes the slope of log p(xt) away from it.":
                    lambda given, free, a: -given / (1 - a).sqrt(),
                "The sum of both scores is the slope of a product of densities. Bayes' rule has a quotient.":
                    lambda given, free, a: -(given + free) / (1 - a).sqrt(),
            },
            "log p(y | xt) = log p(xt | y) - log p(xt) + a constant. Take the slopes; each score is -eps / sqrt(1 - "
            "abar).",
        ),
        hints=(
            "Which two scores does Bayes' rule subtract?",
            "score = -eps / sqrt(1 - abar), for the guess with the class and for the one without.",
        ),
        solution="def classifier_slope(eps_with, eps_without, abar_t):\n"
                 "    return -(eps_with - eps_without) / (1 - abar_t).sqrt()",
        means="Nobody trained this classifier. Put the slope into notebook 05's formula and you get "
              "eps_with + (s - 1)(...): once more classifier-free guidance.",
    ),
    Exercise(
        name="dynamic_threshold",
        judge=tensors(
            _threshold_cases,
            _dynamic,
            {
                "That is the static threshold: everything beyond 1 is cut off and lost.":
                    lambda x0, share: x0.clamp(-1, 1),
                "Cut, but not divided: the image still leaves [-1, 1].":
                    lambda x0, share: _cut(x0, _limit(x0, share).clamp(min=1)),
                "A limit below 1 must not be used: like this a dull image is blown up. Take at least 1.":
                    lambda x0, share: _cut(x0, _limit(x0, share)) / _limit(x0, share),
                "One limit for the whole batch: a wild image makes its neighbours grey. Each image has its own.":
                    _one_limit,
                "Divided, but not cut: what lies beyond the quantile still leaves [-1, 1].":
                    lambda x0, share: x0 / _limit(x0, share).clamp(min=1),
                "The limit is a quantile of the sizes |x0|; without the absolute value, black counts for nothing.":
                    _signed_limit,
                "The largest value decides here. The quantile lets the few most extreme pixels be cut.":
                    lambda x0, share: _dynamic(x0, 1.0),
            },
            "Three steps for each image: limit = the quantile of |x0|, at least 1; cut to +-limit; divide by limit.",
        ),
        hints=(
            "x0.abs().flatten(1).quantile(share, dim=1) is one number an image.",
            "Make it at least 1 with .clamp(min=1), and give it the shape (B, 1, 1, 1).",
            "torch.minimum and torch.maximum cut to a limit that is a tensor.",
        ),
        solution="def dynamic_threshold(x0, share):\n"
                 "    limit = x0.abs().flatten(1).quantile(share, dim=1).clamp(min=1).view(-1, 1, 1, 1)\n"
                 "    return torch.maximum(torch.minimum(x0, limit), -limit) / limit",
        means="Contrast is kept and brightness is given up. For photographs, whose pixels lie in the middle, that is a "
              "good bargain; for clothes on black it is not (see 'Break it'). It comes back in notebook 10.",
    ),
    Exercise(
        name="steer",
        judge=tensors(
            _steer_cases,
            lambda free, wanted, unwanted, scale, away: free + scale * (wanted - free) - away * (unwanted - free),
            {
                "You go *towards* the unwanted class: its difference must be taken away.":
                    lambda free, wanted, unwanted, scale, away:
                    free + scale * (wanted - free) + away * (unwanted - free),
                "The unwanted class is not used.":
                    lambda free, wanted, unwanted, scale, away: free + scale * (wanted - free),
                "The guess of the unwanted class is taken away whole. Only its difference from the guess without a "
                "class may be: the weights must sum to 1.": lambda free, wanted, unwanted, scale, away:
                    free + scale * (wanted - free) - away * unwanted,
                "That puts the unwanted class in the place of `none`, as diffusers does with a negative prompt. Here "
                "both differences start at `none`, each with its own strength.":
                    lambda free, wanted, unwanted, scale, away: unwanted + scale * (wanted - unwanted),
                "Wanted and unwanted have changed places.": lambda free, wanted, unwanted, scale, away:
                    free + scale * (unwanted - free) - away * (wanted - free),
                "The second difference starts at the wanted guess. Both start at the guess without a class.":
                    lambda free, wanted, unwanted, scale, away:
                    free + scale * (wanted - free) - away * (unwanted - wanted),
            },
            "Start at eps_without; add scale times (wanted - without); take away times (unwanted - without) off.",
        ),
        hints=(
            "Each condition is an arrow that starts at eps_without.",
            "One arrow is added `scale` times, the other taken away `away` times.",
        ),
        solution="def steer(eps_without, eps_wanted, eps_unwanted, scale, away):\n"
                 "    return (eps_without + scale * (eps_wanted - eps_without)\n"
                 "            - away * (eps_unwanted - eps_without))",
        means="Conditions add up like arrows (Liu et al., 2022). It costs one more answer each.",
    ),
]
