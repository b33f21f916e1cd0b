"""The exercises of notebook 13, GLIGEN."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.exercises.base import Exercise, Faults, named, number, tensors


def _cases():
    done = torch.arange(20) / 20
    for a, b in ((0.3, 0.4), (0.25, 0.0), (0.0, 0.5), (1.0, 0.0)):
        yield done, a, b


def _falling(done: Tensor, a: float, b: float) -> Tensor:
    after = ((a + b - done) / max(b, 1e-9)).clamp(0, 1) if b else torch.zeros_like(done)
    return torch.where(done < a, torch.ones_like(done), after)


def _divided(done: Tensor, a: float, b: float) -> Tensor:
    return torch.where(done < a, torch.ones_like(done), ((a + b - done) / torch.tensor(b)).clamp(0, 1))


def _unclamped(done: Tensor, a: float, b: float) -> Tensor:
    return torch.where(done < a, torch.ones_like(done), 1 - (done - a) / b) if b else (done < a).float()


def _decided(answer: dict) -> str | None:
    if answer["place"] != "boxes":
        return "In the first row the sentence says that the panda is on the left. Where is it?"
    if answer["thing"] != "boxes":
        return "In the second row the sentence speaks of a panda and a house. Which things are drawn?"
    if answer["background"] != "sentence":
        return "No box says a word about the background. Who says pink?"
    return None


FAULTS = Faults("bdac", {
    "a": "With x and y exchanged the layout is mirrored at the diagonal: what was one above the other now stands side "
         "by side.",
    "b": "With exchanged phrases each frame holds a thing, but the other one.",
    "c": "With all masks at 0 there are null tokens only: an image as the sentence alone would have it.",
    "d": "Half of each coordinate makes small boxes at the top left: what was drawn is there, the frames stay empty.",
})
# Of exercise 4
shuffled = FAULTS.runs


EXERCISES = [
    Exercise(
        name="pixels",
        grade=number(
            right=7.149,
            mistakes={
                14.30: "That is a whole period, 2 pi. Half of one is pi.",
                0.05585: "That is a share of the image's side. Multiply by the 128 pixels.",
                402.1: "That is half a period of the slowest wave, with the frequency 1.",
                4.021: "You took 100 as the frequency. The fastest of the eight has 100 to the power of 7/8.",
                2.276: "The wave is sin(omega x), with no 2 pi in it: half a period is where omega x = pi.",
                1.138: "The wave is sin(omega x), with no 2 pi in it: half a period is where omega x = pi.",
            },
            otherwise="The wave turns by omega times the way. How far is it to pi, as a share of the side? In pixels?",
            tolerance=0.01,
        ),
        hints=("sin(omega x) turns by omega * d when x moves by d.",
               "omega * d = pi, and d is a share of the image's side."),
        solution="pixels = 128 * 3.14159265 / 100 ** (7 / 8)",
        means="About one latent of 8 pixels. Half a turn changes the sign of sine and cosine: two boxes so far apart "
              "do not look alike. The slowest wave changes little over the whole image; it tells left from right.",
    ),
    Exercise(
        name="falling",
        grade=tensors(
            _cases,
            _falling,
            {
                "It is right while b > 0. With b = 0 you divide by zero, and where done = a that gives NaN.":
                    _divided,
                "Beta goes below 0 after a + b. It stays 0 there.": _unclamped,
                "That is section 4, a step at a. Here beta falls over a further share b.":
                    lambda done, a, b: (done < a).float(),
                "That is a step at a + b. Between a and a + b beta falls in a straight line.":
                    lambda done, a, b: (done < a + b).float(),
                "Beta falls from the start. It stays 1 for the first share a.":
                    lambda done, a, b: (1 - done / max(a + b, 1e-9)).clamp(0, 1),
                "Beta reaches 0 at the end of all steps. It must be 0 from a + b on.":
                    lambda done, a, b: torch.where(done < a, torch.ones_like(done), (1 - done) / max(1 - a, 1e-9)),
                "Between a and a + b beta rises. It must fall from 1 to 0.":
                    lambda done, a, b: torch.where(done < a, torch.ones_like(done),
                                                   ((done - a) / max(b, 1e-9)).clamp(0, 1) * (done < a + b)),
            },
            "1 while done < a; 1 - (done - a) / b between a and a + b; 0 from there on, also when b = 0.",
        ),
        hints=("torch.where(done < a, 1.0, ...) keeps the first part.",
               "In the second part: (a + b - done) / b, cut to [0, 1] by clamp.",
               "With b = 0 there is no second part; do not divide by it."),
        solution="def falling(done, a, b):\n"
                 "    if b == 0:\n"
                 "        return (done < a).float()\n"
                 "    return ((a + b - done) / b).clamp(0, 1)",
        means="GLIGEN's code suggests a = 0.3 for boxes and 0.9 for edges, both with b = 0: an edge map still helps "
              "when details are drawn, a box no longer does.",
    ),
    Exercise(
        name="decided_by",
        grade=named(("place", "thing", "background"), ("boxes", "sentence"), _decided),
        hints=("Compare each frame's name with what is in it, in both rows.",
               "Which of the two inputs mentions a background at all?"),
        solution='decided_by = {"place": "boxes", "thing": "boxes", "background": "sentence"}',
        means="In training boxes and sentence never contradict each other, and the sentence is often dropped: so the "
              "network has learned to believe the boxes about what they say, and the sentence about all else.",
    ),
    Exercise(
        name="faults",
        grade=FAULTS,
        hints=("Where are the things: in the frames, side by side, small at the top left, or anywhere?",
               "In the run whose frames are filled, compare each thing with the name of its frame."),
        solution=f'faults = "{FAULTS.order}"',
        means="Each run draws things, though not all of them well, so the network is in order. Things in wrong places "
              "point to the input: order and unit of the corners, order of the phrases, masks.",
    ),
]
