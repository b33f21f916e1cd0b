"""The exercises of notebook 08, Inpainting."""

from __future__ import annotations

import torch

from course_utils.exercises.base import Exercise, choice, number, tensors
from course_utils.runtime import seeded

_SIZE = (3, 2, 6, 6)


def _masks(generator):
    """Masks (3, 1, 6, 6) with non-empty holes of three sizes."""
    mask = torch.ones(3, 1, 6, 6)
    for one, (top, left, height, width) in zip(mask, ((1, 1, 2, 2), (0, 3, 6, 3), (2, 0, 1, 5))):
        one[:, top : top + height, left : left + width] = 0
    return mask[torch.randperm(3, generator=generator)]


def _error_cases():
    generator = seeded(2)
    for _ in range(2):
        guess, x0 = torch.rand(2, *_SIZE, generator=generator) * 2 - 1
        yield guess, x0, _masks(generator)


def _even(guess, x0, mask, inside=lambda m: 1 - m, power=2, channels=True):
    here = inside(mask).expand_as(x0) if channels else inside(mask)
    return ((guess - x0).abs() ** power * inside(mask)).flatten(1).sum(1) / here.flatten(1).sum(1)


def _sd_cases():
    generator = seeded(3)
    for _ in range(2):
        yield *torch.randn(2, 3, 4, 6, 6, generator=generator), _masks(generator)


EXERCISES = [
    Exercise(
        name="network_calls",
        grade=number(
            right=240,
            mistakes={
                1920: "That is the number of images the network sees. All eight are in one batch: one call for all.",
                40: "That is without going back. Each stretch is walked 6 times.",
                400: "You multiplied the steps by the length of a stretch. What counts is how often each is walked.",
                2400: "The length of a stretch does not matter: however it is cut, each step is made 6 times.",
                200: "Those are the repetitions alone; the first walk of each stretch counts as well.",
                280: "Walked 6 times in all, not 6 times more.",
                24: "That is 4 stretches, 6 times each. A stretch has 10 steps, and each of them is a call.",
                264: "Going back needs no network: noise is added, and that is all.",
                260: "Going back needs no network: noise is added, and that is all.",
            },
            otherwise="Every one of the 40 steps is made as often as its stretch is walked.",
            tolerance=0.001,
        ),
        hints=("How often is the first of the 40 steps made?", "40 steps, 6 times each. Does going back need the "
               "network?"),
        solution="network_calls = 40 * 6",
        means="The length of a stretch does not change the cost. It changes how far one goes back, and so how much of "
              "the hole is forgotten each time. The paper's setting, 250 steps walked 10 times, costs some 2,500 "
              "calls.",
    ),
    Exercise(
        name="even_error",
        grade=tensors(
            _error_cases,
            _even,
            {
                "That is the error of the known part. Our masks are 1 where the image is known; the hole is 1 - mask.":
                    lambda g, x, m: _even(g, x, m, inside=lambda mask: mask),
                "That is the error of the whole image, in which the known part dominates.":
                    lambda g, x, m: (g - x).square().flatten(1).mean(1),
                "Summed over the hole, but divided by all numbers of the image: a small hole counts less. Divide by "
                "the size of *its* hole.": lambda g, x, m: ((g - x).square() * (1 - m)).flatten(1).mean(1),
                "The sum over the hole is not divided yet: a large hole counts more.":
                    lambda g, x, m: ((g - x).square() * (1 - m)).flatten(1).sum(1),
                "You count the pixels of the hole once; each of them has C numbers. The mask has one channel: expand "
                "it before you sum it.": lambda g, x, m: _even(g, x, m, channels=False),
                "That is the absolute error; take the squared one.": lambda g, x, m: _even(g, x, m, power=1),
                "One number for the whole batch: the average over all holes. Each image has its own.":
                    lambda g, x, m: (((g - x).square() * (1 - m)).sum() / (1 - m).expand_as(x).sum()).expand(len(x)),
            },
            "Sum the squared error over the hole, for each image, and divide by the number of elements in its hole.",
        ),
        hints=(
            "hole = (1 - mask).expand_as(x0) is 1 for each number in the hole, and 0 elsewhere.",
            "Sum over .flatten(1) along dimension 1, in numerator and denominator.",
        ),
        solution="def even_error(guess, x0, mask):\n"
                 "    hole = (1 - mask).expand_as(x0)\n"
                 "    return ((guess - x0).square() * hole).flatten(1).sum(1) / hole.flatten(1).sum(1)",
        means="10 log10(4 / error) is the PSNR of the hole in 'Measure it'.",
    ),
    Exercise(
        name="sd_input",
        grade=tensors(
            _sd_cases,
            lambda noisy, latents, m: torch.cat([noisy, 1 - m, latents * m], 1),
            {
                "The mask is not inverted: 1 means 'paint' to this network, where you mean 'keep'. Give it 1 - mask.":
                    lambda noisy, latents, m: torch.cat([noisy, m, latents * m], 1),
                "The mask is inverted, but the image is emptied in the wrong place: the known part must stay, "
                "latents * mask.": lambda noisy, latents, m: torch.cat([noisy, 1 - m, latents * (1 - m)], 1),
                "Both are the wrong way round: the network would be shown the hole and paint the rest.":
                    lambda noisy, latents, m: torch.cat([noisy, m, latents * (1 - m)], 1),
                "The order is different: noisy latents, then the mask, then the masked latents. (GLIGEN's network "
                "takes them in your order; channels have no names.)":
                    lambda noisy, latents, m: torch.cat([noisy, latents * m, 1 - m], 1),
                "The hole is not emptied. The network would see what it has to predict, and only copy.":
                    lambda noisy, latents, m: torch.cat([noisy, 1 - m, latents], 1),
                "The noisy latents must stay noisy everywhere: only the clean latents beside them are masked.":
                    lambda noisy, latents, m: torch.cat([noisy * (1 - m), 1 - m, latents * m], 1),
            },
            "Nine channels: noisy (4), 1 - mask (1), latents * mask (4), by torch.cat along dimension 1.",
        ),
        hints=(
            "torch.cat([...], dim=1) concatenates channels: 4 + 1 + 4. In section 1 the mask was last; here it is not.",
            "Its mask is 1 - mask. The known latents are those where our mask is 1.",
        ),
        solution="def sd_input(noisy, latents, mask):\n"
                 "    return torch.cat([noisy, 1 - mask, latents * mask], dim=1)",
        means="Wrong orders and polarities have the right shape, too. Only a look at the result, or a test like this "
              "one, reveals them.",
    ),
    Exercise(
        name="where_sure",
        grade=choice("c", {
            "a": "Then all 32 means would be equal. Compare the first four columns with the last eight.",
            "b": "The other way round: print the 32 means. Did you take the columns of the right half, and the "
                 "deviation over the fillings, not over the pixels?",
            "d": "At the border the fillings agree most. Take the deviation over the eight fillings, not the "
                 "difference of neighbouring pixels.",
        }),
        hints=("known = torch.stack([crops[k] for k in range(8)]).to(where); models[\"masked image\"].sample(known, "
               "half.expand(8, -1, -1, -1), steps=20, seed=s) for each seed s, and torch.stack.",
               "fillings.std(0) is (8, 3, 64, 64): its mean over all but the last dimension, columns 32 to 63."),
        solution="# known = torch.stack([crops[k] for k in range(8)]).to(where)\n"
                 "# mask = half.expand(8, -1, -1, -1)\n"
                 "# fillings = torch.stack([models[\"masked image\"].sample(known, mask, steps=20, seed=s)\n"
                 "#                         for s in range(8)])\n"
                 "# print(fillings.std(0).mean((0, 1, 2))[32:])\n"
                 'where_sure = "c"',
        means="The posterior is narrow where the known pixels say much and wide where they say little. Next to the "
              "border a colour or an edge has to go on; far away many things are possible. The network has "
              "learned that from the data alone.",
    ),
    Exercise(
        name="cause",
        grade=choice("leak", {
            "memory": "This photograph is held out: no network was trained on it. And what does the network need to "
                      "memorise, if it is shown the cow?",
            "no mask": "Told that a grey box is known, the network copies a grey box ('Break it'). Here it copies a "
                       "cow. Where did it see one?",
            "pasting": "The known pixels are unchanged, so they were pasted. The cow is in the hole, where nothing is "
                       "pasted.",
        }),
        hints=("Where does the network get the cow from? It is not in the masked image, if that is made right.",
               "Look at masked_image(cow, 1 - cow_mask): show it. Which mask does the rest of the code use?"),
        solution="# The mask was inverted in the condition alone. masked_image(cow, 1 - cow_mask) shows the\n"
                 "# network the cow and hides the meadow; pasting with cow_mask left the known pixels unchanged\n"
                 'cause = "leak"',
        means="Section 4's bug once more: the mask was inverted, but in the condition alone, so no test of the known "
              "pixels sees it. The condition held the pixels that the network should invent. Such a leak makes every "
              "measure better. A number that is too good is a reason to look.",
    ),
]
