"""Captions in words that no training caption holds: what a text encoder must know from elsewhere (notebook 10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from course_utils.datasets.captions import article, noun_phrase
from course_utils.datasets.random_scenes import usual
from course_utils.datasets.scene import Scene, make_scene
from course_utils.datasets.sprites import STYLES, check_choice, concepts
from course_utils.datasets.vocabulary import COLOUR_NAMES, FAMILIAR, said, truths

# No word of a synonym is a word of `vocabulary.words()`
SYNONYMS = {
    "car": ("automobile", "sedan", "motorcar"), "dog": ("puppy", "hound", "doggy"), "pig": ("hog", "swine", "piglet"),
    "frog": ("toad", "bullfrog"), "airplane": ("aircraft", "plane", "jet", "airliner"), "sailboat": ("yacht", "dinghy"),
    "house": ("home", "cottage", "bungalow"), "castle": ("fortress", "palace", "citadel"),
    "fire": ("flame", "blaze", "bonfire"), "doughnut": ("donut",), "hamburger": ("burger", "cheeseburger"),
    "pine tree": ("conifer", "spruce", "fir"), "soccer ball": ("football",), "sun": ("sunshine",),
    "monkey": ("ape", "chimpanzee"), "lion": ("lioness",), "cat": ("feline", "kitten", "kitty"),
    "steam train": ("locomotive",), "umbrella": ("parasol", "brolly"), "ghost": ("phantom", "spook", "spectre"),
    "rocket": ("spaceship", "spacecraft"), "mushroom": ("toadstool", "fungus"), "turtle": ("tortoise",),
    "bus": ("coach", "omnibus"), "fire engine": ("firetruck",), "ladybug": ("ladybird",),
}  # fmt: skip
COLOURS = {
    "red": ("scarlet", "crimson", "ruby"), "blue": ("azure", "cobalt"), "green": ("emerald",), "yellow": ("golden",),
    "purple": ("violet", "lilac"), "grey": ("gray", "silver"), "teal": ("turquoise",), "orange": ("tangerine",),
}  # fmt: skip
PARAPHRASES = (
    "please paint {a_thing} against a {colour} wall",
    "there is {a_thing}, and everything around it is {colour}",
    "{colour} is the colour of this picture, and {a_thing} its subject",
    "an illustration of {a_styled_thing} whose backdrop is {colour}",
)
LONGER = (
    "once upon a time there was {a_styled_thing} that lived alone and happily before a wall that somebody had painted "
    "{colour}",
    "for my sister's birthday card I would like to have {a_styled_thing}, and please make everything else {colour}",
)
KOREAN = {"red": "빨간", "orange": "주황색", "yellow": "노란", "green": "초록", "blue": "파란", "pink": "분홍"}
KINDS = "synonyms", "colours", "paraphrases", "longer", "misspelt", "korean"


def unseen_words(kind: str) -> list[Scene]:
    """Scenes of one object whose captions are of a kind in `KINDS`; always the same ones. ValueError for other kinds.

    Styles and background colours take turns, among those that training combines with the thing and on which one sees
    it. Every caption says the thing and the ground, with colours in another word; for `labels`.
    """
    check_choice("kind", kind, KINDS)
    return list(MAKERS[kind](Turns()))


def labels(scenes: list[Scene]) -> dict[str, Tensor]:
    """`vocabulary.said` for these scenes: their captions say the ground in other words, and of styles only their names.
    """
    return said(scenes) | {"ground": truths(scenes)["ground"]}


def korean_name(name: str) -> str:
    """The Korean name of a concept as one says it: the emoji of a cat is a "cat's face", the thing a cat."""
    return concepts()[name].ko.removesuffix(" 얼굴")


def misspelt(name: str) -> str:
    """A name with the two letters in the middle of its longest word exchanged, or dropped to one if they are equal."""
    word = max(name.split(), key=len)
    at = len(word) // 2
    pair = word[at - 1 : at + 1]
    other = pair[0] if pair[0] == pair[1] else pair[::-1]
    return name.replace(word, word[: at - 1] + other + word[at + 1 :])


class Turns:
    """Styles and background colours in turn: `turns(thing)` is the next pair that suits a thing, or None."""

    PAIRS = [(STYLES[i % 6], COLOUR_NAMES[(i + i // 30) % 10]) for i in range(60)]

    def __init__(self):
        self.next = 0

    def __call__(self, thing: str, colours: Sequence[str] = COLOUR_NAMES) -> tuple[str, str] | None:
        for i in range(len(self.PAIRS)):
            style, colour = self.PAIRS[(self.next + i) % len(self.PAIRS)]
            if colour in colours and thing in usual(style, colour):
                self.next += i + 1
                return style, colour
        return None


def _scene(thing: str, style: str, colour: str, caption: str) -> Scene:
    return replace(make_scene(thing, style, colour), caption=caption)


def _named(names: dict[str, tuple[str, ...]], turns: Turns) -> Iterator[Scene]:
    for thing, others in names.items():
        for other in others:
            for _ in range(4):
                style, colour = turns(thing)
                named = article(f"{style} {other}")
                yield _scene(thing, style, colour, f"{named} on {article(colour)} background")


def _coloured(turns: Turns) -> Iterator[Scene]:
    for colour, others in COLOURS.items():
        for other in others:
            for thing in FAMILIAR[::6]:
                found = turns(thing, (colour,))
                if found:
                    style = found[0]
                    yield _scene(thing, style, colour, f"{noun_phrase(thing, style)} on {article(other)} background")


def _framed(frames: tuple[str, ...], turns: Turns) -> Iterator[Scene]:
    for thing in FAMILIAR:
        for frame in frames:
            style, colour = turns(thing)
            yield _scene(thing, style, colour, frame.format(
                a_thing=noun_phrase(thing), a_styled_thing=noun_phrase(thing, style), colour=colour))


def _korean(turns: Turns) -> Iterator[Scene]:
    for thing in FAMILIAR:
        for _ in KOREAN:
            style, colour = turns(thing, tuple(KOREAN))
            yield _scene(thing, style, colour, f"{KOREAN[colour]} 배경의 {korean_name(thing)}")


MAKERS: dict[str, Callable[[Turns], Iterator[Scene]]] = {
    "synonyms": lambda turns: _named(SYNONYMS, turns),
    "colours": _coloured,
    "paraphrases": lambda turns: _framed(PARAPHRASES, turns),
    "longer": lambda turns: _framed(LONGER, turns),
    "misspelt": lambda turns: _named({thing: (misspelt(thing),) for thing in FAMILIAR}, turns),
    "korean": _korean,
}
