"""The exercises of notebook 10, Imagen."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.exercises.base import Exercise, Faults, choice, number, tensors
from course_utils.runtime import seeded


def _cases():
    generator = seeded(4)
    for lengths in ((3, 5, 1), (5, 0, 2)):
        mask = torch.arange(5) < torch.tensor(lengths)[:, None]
        # Whoever forgets the mask meets numbers in the padding
        yield torch.randn(3, 5, 4, generator=generator), mask


def _mean(states: Tensor, mask: Tensor, least: float = 1.0) -> Tensor:
    there = mask[..., None]
    return (states * there).sum(1) / there.sum(1).clamp(min=least)


FAULTS = Faults("bdac", {
    "a": "At scale 16 without thresholding colours glare and the drawing breaks into specks.",
    "b": "Dynamic thresholding keeps the drawing whole at scale 16, but dull: the division pulls colours to grey.",
    "c": "A mask that is False everywhere is the empty prompt: an image of anything, without glare.",
    "d": "The states of another prompt give a clean image of what *that* prompt asks for: a lion on pink.",
})
# Of exercise 4
shuffled = FAULTS.runs


EXERCISES = [
    Exercise(
        name="terabytes",
        grade=number(
            right=542.48,
            mistakes={
                271.24: "That is one byte for each number. Half precision takes two.",
                7.045: "That is one token for each caption. There are 77.",
                0.1324: "That is one number for each token. There are 4,096.",
                542.48e12: "That is in bytes. Divide by 10 to the power 12.",
                542480.0: "That is in gigabytes. Divide by 1,000 once more.",
                1084.96: "That is four bytes for each number (float32). Half precision takes two.",
                493.4: "You divided by 1024 to the power 4: that gives tebibytes. A terabyte is 10 to the power 12.",
            },
            otherwise="Multiply captions, tokens, numbers for each token and bytes for each number; divide by 10**12.",
            tolerance=0.005,
        ),
        hints=("860 million captions x 77 tokens x 4,096 numbers x 2 bytes.", "860e6 * 77 * 4096 * 2 / 1e12"),
        solution="terabytes = 860e6 * 77 * 4096 * 2 / 1e12",
        means="Half a petabyte, read once in every epoch. For a small data set one stores the states; for a large one "
              "it is cheaper to run the encoder again, without gradient.",
    ),
    Exercise(
        name="masked_mean",
        grade=tensors(
            _cases,
            _mean,
            {
                "That is the mean over all M positions: padding counts, too. Use the mask.":
                    lambda states, mask: states.mean(1),
                "The sum is right, but it is divided by M. Divide by how many tokens are there.":
                    lambda states, mask: (states * mask[..., None]).mean(1),
                "That is the sum. Divide it by how many tokens are there.":
                    lambda states, mask: (states * mask[..., None]).sum(1),
                "An empty prompt divides by zero. Divide by at least 1: mask.sum(1).clamp(min=1).":
                    lambda states, mask: _mean(states, mask, 0.0),
                "You divide by the number of tokens plus 1. Only an empty prompt needs help: clamp(min=1).":
                    lambda states, mask: (states * mask[..., None]).sum(1) / (mask.sum(1, keepdim=True) + 1),
                "The mask is the wrong way round: that is the mean of the padding.":
                    lambda states, mask: _mean(states, ~mask),
            },
            "Multiply the states by the mask as (B, M, 1), sum over the tokens, divide by their number, at least 1.",
        ),
        hints=("mask[..., None] has the shape (B, M, 1); states * mask[..., None] is zero where there is no token.",
               "mask.sum(1, keepdim=True).clamp(min=1) is (B, 1), and never zero."),
        solution="def masked_mean(states, mask):\n"
                 "    there = mask[..., None]\n"
                 "    return (states * there).sum(1) / there.sum(1).clamp(min=1)",
        means="The same few lines stand in every model that pools a text of changing length. With padding in the mean, "
              "short prompts would be pulled to the padding's state.",
    ),
    Exercise(
        name="changes",
        grade=choice(
            right="b",
            mistakes={
                "a": "Compare the second image with the first, and the fourth with the sixth. Are differences equal?",
                "c": "Look at what stands in the middle: another animal, or a mixture of the two?",
            },
        ),
        hints=("Count the images that are clearly a cat, and those that are clearly a dog.",
               "Around which of the nine does most of the change happen?"),
        solution='changes = "b"',
        means="The network has learned regions, not points: all that lies near 'cat' is drawn as a cat. That is why "
              "'kitten' works, and why a thing between two others becomes one of them, or neither. The noise on the "
              "states in training makes these regions wide.",
    ),
    Exercise(
        name="faults",
        grade=FAULTS,
        hints=("Two runs are clean images, of something else. One of them is what another prompt asks for.",
               "Scale 16: which of the two is dull and whole, which glares?"),
        solution=f'faults = "{FAULTS.order}"',
        means="A clean image of the wrong thing points to the condition; a damaged image of the right thing to the "
              "sampler.",
    ),
]
