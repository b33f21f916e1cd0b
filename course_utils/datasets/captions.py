"""English captions of scenes, from templates of three lengths; each states only what is true of the image."""

from functools import cache

from course_utils.datasets.sprites import check_choice, concept

INVERSE = {
    "left of": "right of", "above": "below", "in front of": "behind",
    "right of": "left of", "below": "above", "behind": "in front of",
}  # fmt: skip
LENGTHS = ("short", "medium", "long")
GROUND_WORDS = {
    "plain": "plain {} background",
    "gradient": "{} gradient",
    "striped": "striped {} background",
    "dotted": "dotted {} background",
    "checked": "checked {} background",
    "wavy": "wavy {} background",
}


def caption(scene, length: str = "medium", variant: int = 0, first: int = 0) -> str:
    """Describe a Scene in one English phrase that names every object.

    length: "short", "medium" (mentions the background) or "long" (also sizes, colours, positions and patterns).
    variant: index of the template, any integer >= 0. first: which object, counted from the back, is named
    first; three objects are named in reverse order when it is 3, 4 or 5.
    Raises ValueError for an unknown length.
    """
    check_choice("caption length", length, LENGTHS)
    templates = TEMPLATES[len(scene.objects), length]
    return templates[variant % len(templates)](_Phrases(scene, first))


def article(phrase: str) -> str:
    """Prefix a phrase with "a" or "an", by its first sound: "an owl", "a unicorn"."""
    return ("an " if phrase[0] in "aeiou" and not phrase.startswith("uni") else "a ") + phrase


@cache
def noun_phrase(name: str, *adjectives: str) -> str:
    """The name with its adjectives and, where it takes one, an article: "a glossy cat", "glossy cherries"."""
    phrase = " ".join(word for word in (*adjectives, name) if word)
    return article(phrase) if concept(name).number == "one" else phrase


class _Phrases:
    """The phrases that describe one scene. Objects are numbered in the order of mention, not of drawing."""

    def __init__(self, scene, first: int):
        self.scene = scene
        count = len(scene.objects)
        step = -1 if count == 3 and first >= 3 else 1
        self.objects = [scene.objects[(first + step * k) % count] for k in range(count)]
        self.style = scene.style

    def bare(self, k: int) -> str:
        """ "a cat" """
        return noun_phrase(self.objects[k].concept)

    def styled(self, k: int) -> str:
        """ "a glossy cat" """
        return noun_phrase(self.objects[k].concept, self.style)

    def coloured(self, k: int) -> str:
        """ "a yellow lemon", or "a cat" where no single colour applies"""
        name = self.objects[k].concept
        return noun_phrase(name, self._colour(name))

    def full(self, k: int, styled: bool = True) -> str:
        """ "a small glossy yellow lemon" """
        placed = self.objects[k]
        size = "small" if placed.size < 0.36 else "large" if placed.size > 0.7 else ""
        return noun_phrase(placed.concept, size, self.style if styled else "", self._colour(placed.concept))

    def _colour(self, name: str) -> str:
        colour = concept(name).colour
        return colour if colour and not name.startswith(colour) else ""

    def relation(self, a: int, b: int) -> str:
        """ "left of" """
        a, b = self.objects[a].concept, self.objects[b].concept
        for one, word, other in self.scene.relations:
            if (one, other) == (a, b):
                return word
            if (one, other) == (b, a):
                return INVERSE[word]
        raise AssertionError(f"{a} and {b} are not both in the scene")

    @property
    def pair(self) -> str:
        """ "left of a dog", about the first object"""
        return f"{self.relation(0, 1)} {self.bare(1)}"

    @property
    def third(self) -> str:
        """ "a star below the dog" """
        return f"{self.bare(2)} {self.last}"

    @property
    def last(self) -> str:
        """ "below the dog", about the third object"""
        return f"{self.relation(2, 1)} the {self.objects[1].concept}"

    @property
    def colour(self) -> str:
        """ "blue" """
        return self.scene.ground.colour

    @property
    def ground(self) -> str:
        """ "a blue background" """
        return article(f"{self.colour} background")

    @property
    def pattern(self) -> str:
        """ "a striped blue background" """
        return article(GROUND_WORDS[self.scene.ground.pattern].format(self.colour))

    @property
    def where(self) -> str:
        """ "at the top left" or "in the middle", about the first object"""
        l, t, r, b = self.objects[0].box
        x, y = (l + r) / 2, (t + b) / 2
        height = "top" if y < 0.42 else "bottom" if y > 0.58 else ""
        side = "left" if x < 0.42 else "right" if x > 0.58 else ""
        spot = f"{height} {side}".strip()
        return f"at the {spot}" if spot else "in the middle"


TEMPLATES = {
    (1, "short"): (
        lambda s: s.styled(0),
        lambda s: f"{s.bare(0)} in {s.style} style",
        lambda s: f"{s.bare(0)} on {s.colour}",
    ),
    (1, "medium"): (
        lambda s: f"{s.styled(0)} on {s.ground}",
        lambda s: f"on {s.ground}, {s.styled(0)}",
        lambda s: f"{s.bare(0)} in {s.style} style on {s.ground}",
        lambda s: f"on {s.colour}, {s.bare(0)} drawn in {s.style} style",
    ),
    (1, "long"): (
        lambda s: f"{s.full(0)} {s.where} of {s.pattern}",
        lambda s: f"on {s.pattern}, {s.full(0)} {s.where}",
        lambda s: f"{s.where}, {s.full(0, styled=False)} drawn in {s.style} style on {s.pattern}",
    ),
    (2, "short"): (
        lambda s: f"{s.bare(0)} {s.pair}",
        lambda s: f"{s.styled(0)} and {s.styled(1)}",
        lambda s: f"{s.bare(0)} {s.pair}, {s.style}",
        lambda s: f"{s.bare(0)} and {s.bare(1)} on {s.colour}",
    ),
    (2, "medium"): (
        lambda s: f"{s.styled(0)} {s.relation(0, 1)} {s.coloured(1)} on {s.ground}",
        lambda s: f"on {s.ground}, {s.styled(0)} {s.relation(0, 1)} {s.styled(1)}",
        lambda s: f"{s.bare(0)} {s.pair} in {s.style} style on {s.ground}",
        lambda s: f"on {s.colour}, {s.bare(0)} {s.pair}, drawn in {s.style} style",
    ),
    (2, "long"): (
        lambda s: f"{s.full(0)} {s.relation(0, 1)} {s.full(1)} on {s.pattern}",
        lambda s: f"on {s.pattern}, {s.full(0)} {s.relation(0, 1)} {s.full(1)}",
        lambda s: (
            f"{s.full(0, styled=False)} {s.relation(0, 1)} {s.full(1, styled=False)} "
            f"on {s.pattern}, both in {s.style} style"
        ),
    ),
    (3, "short"): (
        lambda s: f"{s.bare(0)}, {s.bare(1)} and {s.bare(2)}",
        lambda s: f"{s.styled(0)}, {s.styled(1)} and {s.styled(2)}",
        lambda s: f"{s.bare(0)}, {s.bare(1)} and {s.bare(2)} on {s.colour}",
    ),
    (3, "medium"): (
        lambda s: f"{s.styled(0)}, {s.styled(1)} and {s.styled(2)} on {s.ground}",
        lambda s: f"on {s.ground}, {s.styled(0)} {s.pair}, and {s.third}",
        lambda s: f"{s.bare(0)} {s.pair}, and {s.third}, in {s.style} style on {s.ground}",
    ),
    (3, "long"): (
        lambda s: f"{s.full(0)} {s.relation(0, 1)} {s.full(1)}, and {s.full(2)} {s.last}, on {s.pattern}",
        lambda s: (
            f"on {s.pattern}, {s.coloured(0)}, {s.coloured(1)} and {s.coloured(2)}, all in {s.style} style"
        ),
        lambda s: f"{s.coloured(0)} {s.pair}, and {s.third}, all in {s.style} style on {s.pattern}",
    ),
}
