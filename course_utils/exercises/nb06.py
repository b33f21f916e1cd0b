"""The exercises of notebook 06, Classifier-free guidance."""

from __future__ import annotations

import torch

from course_utils.diffusion import Denoiser
from course_utils.diffusion.guidance import classifier_free_guidance
from course_utils.exercises.base import Exercise, number, tensors
from course_utils.runtime import seeded

_SIZE = (3, 1, 6, 6)
_THIRDS = ("high", "middle", "low")


def mystery(unconditional: Denoiser, conditional: Denoiser, scale: float) -> Denoiser:
    """The function with a mistake that exercise 4 asks about; reading on gives it away."""
    return classifier_free_guidance(unconditional, conditional, scale)


def _steer_cases():
    generator = seeded(4)
    for scale, away in ((3.0, 0.0), (3.0, 1.0), (1.5, 2.0)):
        yield *torch.randn(3, *_SIZE, generator=generator), scale, away


def _grade_thirds(answer) -> str | None:
    """The reasons are what the experiment shows: the accuracies with the label in one third only."""
    if not (isinstance(answer, (tuple, list)) and len(answer) == 2 and all(part in _THIRDS for part in answer)):
        return f'Answer with a pair of words out of {_THIRDS}, such as ("middle", "high").'
    decides, late = answer
    if decides == late:
        return "The third that decides cannot be the one where the label comes too late. Compare the three accuracies."
    if decides == "low":
        return ("At low noise xt already shows what it is: with the label in that third alone the accuracy is hardly "
                "above that of no label. Run told_in(0, 333).")
    if decides == "middle":
        return ("Compare told_in(333, 667) with told_in(667, 1000): one of them alone brings the accuracy nearly to "
                "that of a label at all times.")
    if late == "middle":
        return ("In the middle the label still changes the class of some images: compare told_in(333, 667) with "
                "told_in(0, 333).")
    return None


def _grade_diagnosis(answer) -> str | None:
    reasons = {
        "a": "With w for s the scales would be shifted by one: scale 0 shows bags then, but so do 1, 2 and 3.",
        "c": "Then all four rows would be alike, and scale 0 would show no row of bags.",
        "d": "With a class as the null label, scale 0 would show that class in every column, and scale 1 bags.",
    }
    if answer == "b":
        return None
    return reasons.get(answer, 'Answer with one letter: "a", "b", "c" or "d".')


EXERCISES = [
    Exercise(
        name="predictions",
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
                20: "That is the number of calls: both predictions share one batch. Count the predictions in it.",
                2048: "20 steps in all, 8 of them guided: 12 are left for the plain ones, not 16.",
            },
            otherwise="Count predictions for one image first: two in each of 8 steps, one in each of the 12 others.",
            tolerance=0.001,
        ),
        hints=("How many predictions does one image need, over its 20 steps?",
               "8 steps of two predictions, 12 of one: 28."),
        solution="predictions = 64 * (8 * 2 + 12 * 1)",
        means="30% less work than with guidance everywhere. At low noise both predictions agree, so nothing is lost; "
              "at high noise strong guidance does harm. That is guidance in an interval, the last row of the "
              "figure about saturation.",
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
    Exercise(
        name="thirds",
        grade=_grade_thirds,
        hints=("told_in(667, 1000), told_in(333, 667), told_in(0, 333): which one alone gives the highest accuracy?",
               "Without a label one image in ten is right by chance. Which third hardly does better?"),
        solution='thirds = ("high", "low")',
        means="The class is decided while xt is still almost noise; at low noise xt shows what it is, and the label "
              "hardly changes it. So there the second prediction can be left out. (With a hundred images, differences "
              "of a few hundredths mean nothing; these are larger.)",
    ),
    Exercise(
        name="diagnosis",
        grade=_grade_diagnosis,
        hints=("Which row is the prediction with the label, and which the one without?",
               "At scale 0 the formula returns its first prediction, at scale 1 its second one."),
        solution='diagnosis = "b"',
        means="At scale 0 the conditional prediction, at scale 1 the unconditional one, and beyond it away from bags. "
              "The order of the two arguments differs between libraries; a test at scales 0 and 1 finds this at once.",
    ),
]
