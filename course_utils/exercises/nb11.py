"""The exercises of notebook 11, DALL-E 2."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from course_utils.exercises.base import Exercise, Faults, named, number, tensors
from course_utils.runtime import seeded


def _cases():
    generator = seeded(4)
    for share in (0.3, 0.7):
        yield *normalize(torch.randn(3, 6, generator=generator), dim=1), share


def _slerp(one: Tensor, other: Tensor, share: float) -> Tensor:
    angle = (one @ other / (one.norm() * other.norm())).acos()
    return (((1 - share) * angle).sin() * one + (share * angle).sin() * other) / angle.sin()


def _direction(old: Tensor, new: Tensor) -> Tensor:
    return normalize(new - old, dim=0)


def _decided(answer: dict) -> str | None:
    for part in ("thing", "background"):
        if answer[part] != "embedding":
            return f"Look down a column: the embedding is the same, the noise is not. Does the {part} change there?"
    if answer["pattern"] != "noise":
        return "Look along a row: the noise is the same, the embedding is not. Which pattern do its backgrounds have?"
    return None


FAULTS = Faults("cbda", {
    "a": "The mean of six embeddings is the embedding of none of them: a mixture, in which no thing is whole.",
    "b": "A guidance scale of 15 draws the right thing in glaring colours.",
    "c": "After the whole angle only the direction from panda to lion is left of the embedding: something in the "
         "lion's colours, which falls apart.",
    "d": "The embedding of another image is a perfectly good one: a clean image, but of another thing.",
})
# Of exercise 4
shuffled = FAULTS.runs


EXERCISES = [
    Exercise(
        name="midpoint_cosine",
        grade=number(
            right=0.7746,
            mistakes={
                0.6: "That is the cosine of the *mean* of the two times its length: (1 + 0.2)/2. Divide by its length.",
                0.1: "Half of the angle does not have half of the cosine.",
                0.2: "That is the cosine of the two ends with each other.",
                0.5: "That would be an angle of 60 degrees; half of arccos(0.2) = 78.5 degrees is 39 degrees.",
                39.23: "That is the angle in degrees. Take its cosine.",
                0.6847: "That is the angle in radians. Take its cosine.",
            },
            otherwise="The midpoint halves the angle. What is arccos(0.2), half of it, and the cosine of that?",
            tolerance=0.005,
        ),
        hints=("The angle between the two is arccos(0.2).",
               "The midpoint lies at half of the angle from either.",
               "cos(arccos(c) / 2) = sqrt((1 + c) / 2)"),
        solution="midpoint_cosine = ((1 + 0.2) / 2) ** 0.5",
        means="Two images that have little in common still have a middle that is near to both: 0.77. In 128 dimensions "
              "there is much room between two points.",
    ),
    Exercise(
        name="turned",
        grade=tensors(
            _cases,
            lambda z, old, new, share: _slerp(z, _direction(old, new), share),
            {
                "You turn towards `new` itself. Turn towards the direction of `new - old`.":
                    lambda z, old, new, share: _slerp(z, new, share),
                "You turn towards old - new: that takes away what should be added.":
                    lambda z, old, new, share: _slerp(z, _direction(new, old), share),
                "The difference has not length 1. Normalise it before you turn towards it.":
                    lambda z, old, new, share: _slerp(z, new - old, share),
                "That is a straight line: the result is shorter than 1. Use slerp.":
                    lambda z, old, new, share: (1 - share) * z + share * _direction(old, new),
                "You add the direction and normalise. It is near, but the pace along the angle is not even: use slerp.":
                    lambda z, old, new, share: normalize(z + share * _direction(old, new), dim=0),
                "The length is 1, but a straight line that is normalised walks the angle unevenly: use slerp.":
                    lambda z, old, new, share: normalize((1 - share) * z + share * _direction(old, new), dim=0),
                "You go the other way: at share 0 the result must be z.":
                    lambda z, old, new, share: _slerp(_direction(old, new), z, share),
                "That is (new - old) added to z and normalised; the share is missing.":
                    lambda z, old, new, share: normalize(z + new - old, dim=0),
            },
            "d = (new - old) / its norm; then slerp(z, d, share).",
        ),
        hints=("d = normalize(new - old, dim=0)", "slerp from section 5 does the rest."),
        solution="def turned(z, old, new, share):\n"
                 "    d = (new - old) / (new - old).norm()\n"
                 "    omega = (z @ d).acos()\n"
                 "    return (((1 - share) * omega).sin() * z + (share * omega).sin() * d) / omega.sin()",
        means="An image's vector and the difference of two captions are nearly at a right angle: the direction says "
              "what changes, and nothing of what stays. A third of the angle keeps most of the image.",
    ),
    Exercise(
        name="decided_by",
        grade=named(("thing", "background", "pattern"), ("embedding", "noise"), _decided),
        hints=("Down a column the embedding is the same; along a row the noise is.",
               "Compare the backgrounds of a row: their colours differ. What do they have in common?"),
        solution='decided_by = {"thing": "embedding", "background": "embedding", "pattern": "noise"}',
        means="Captions seldom name patterns, so CLIP had no reason to keep them (the linear classifier of \"Going "
              "deeper\" finds hardly any of them in the vector). What one half does not hold, the other must.",
    ),
    Exercise(
        name="faults",
        grade=FAULTS,
        hints=("One run shows the panda, in glaring colours. Another one is a clean image.",
               "Two runs show nothing whole: one has the colours of a lion, the other those of several things."),
        solution=f'faults = "{FAULTS.order}"',
        means="A clean image of the wrong thing is a mistake in the batch, not in the decoder. A broken one asks where "
              "its vector lies: a mean or a whole angle leads away from all embeddings of images.",
    ),
]
