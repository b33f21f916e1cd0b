"""The combinations held out of the training split, so that "never seen in training" can be tested.

Every concept, style, background colour and relation named here occurs in training in other combinations.
"""

# fmt: off
# Style: the concepts that never appear in it in training
HELD_OUT_STYLE = {
    "glossy": (
        "cat", "rabbit", "bear", "crescent moon", "rainbow", "volcano", "airplane", "key", "jack-o-lantern",
        "grinning face",
    ),
    "flat": (
        "eggplant", "hot pepper", "doughnut", "tropical fish", "snowflake", "fire engine", "violin",
        "top hat", "gift", "alien",
    ),
    "shaded": (
        "banana", "pineapple", "tangerine", "cherries", "birthday cake", "cherry blossom", "bus", "taxi",
        "guitar", "robot",
    ),
    "vintage": (
        "watermelon", "hamburger", "pig", "sunflower", "sun", "steam train", "house", "umbrella",
        "light bulb", "book",
    ),
    "sticker": (
        "pizza", "tiger", "frog", "mouse", "chick", "octopus", "palm tree", "rocket", "diamond",
        "Christmas tree",
    ),
    "outlined": (
        "red apple", "green apple", "cookie", "fox", "penguin", "butterfly", "ladybug", "turtle",
        "sailboat", "helicopter",
    ),
}

# Background colour: the concepts that never appear on it in training
HELD_OUT_GROUND = {
    "red": (
        "green apple", "lemon", "hot dog", "hot drink", "pig", "crescent moon", "snowflake", "water drop",
        "robot",
    ),
    "orange": (
        "red apple", "watermelon", "eggplant", "bear", "panda", "owl", "unicorn", "cactus", "sailboat",
    ),
    "yellow": (
        "cherries", "carrot", "hamburger", "octopus", "rainbow", "airplane", "rocket", "castle", "umbrella",
    ),
    "green": (
        "doughnut", "ice cream", "dog", "rabbit", "lion", "chick", "taxi", "key", "jack-o-lantern",
    ),
    "teal": (
        "grapes", "pineapple", "tomato", "hot pepper", "tiger", "cow", "guitar", "balloon", "book",
    ),
    "blue": (
        "banana", "tangerine", "cat", "monkey", "rose", "snowman", "fire engine", "violin", "ghost",
    ),
    "navy": (
        "turtle", "snail", "cherry blossom", "maple leaf", "volcano", "helicopter", "house", "crown",
        "soccer ball",
    ),
    "purple": (
        "strawberry", "tropical fish", "butterfly", "spider", "cloud", "bus", "light bulb", "gift", "alien",
    ),
    "pink": (
        "mushroom", "birthday cake", "penguin", "crab", "four-leaf clover", "sun", "star", "diamond",
        "sunglasses face",
    ),
    "grey": (
        "fox", "ladybug", "sunflower", "palm tree", "fire", "car", "steam train", "top hat",
        "Christmas tree",
    ),
}

# Relation: pairs (A, B) such that A never stands in this relation to B in training, whichever is named first.
# "A left of B" is also "B right of A"; the mirrored "B left of A" does occur in training
HELD_OUT_RELATIONS = {
    "left of": (
        ("cat", "dog"),
        ("penguin", "snowman"),
        ("book", "mouse"),
        ("unicorn", "helicopter"),
        ("strawberry", "volcano"),
        ("monkey", "pineapple"),
        ("ice cream", "mushroom"),
        ("sunflower", "car"),
        ("grinning face", "cherry blossom"),
        ("key", "hot pepper"),
        ("crown", "green apple"),
        ("tiger", "maple leaf"),
    ),
    "above": (
        ("sun", "house"),
        ("rocket", "crescent moon"),
        ("chick", "rabbit"),
        ("cactus", "tomato"),
        ("violin", "four-leaf clover"),
        ("grapes", "tangerine"),
        ("butterfly", "fire"),
        ("pig", "water drop"),
        ("rainbow", "red apple"),
        ("airplane", "light bulb"),
        ("fire engine", "palm tree"),
        ("taxi", "diamond"),
    ),
    "in front of": (
        ("ghost", "castle"),
        ("bear", "pine tree"),
        ("cookie", "soccer ball"),
        ("eggplant", "owl"),
        ("ladybug", "bus"),
        ("carrot", "snail"),
        ("panda", "doughnut"),
        ("umbrella", "steam train"),
        ("lion", "rose"),
        ("cherries", "cloud"),
        ("banana", "sunglasses face"),
        ("guitar", "elephant"),
    ),
}
# fmt: on

STYLE_PAIRS = frozenset((concept, style) for style, names in HELD_OUT_STYLE.items() for concept in names)
GROUND_PAIRS = frozenset((concept, colour) for colour, names in HELD_OUT_GROUND.items() for concept in names)
RELATION_TRIPLES = frozenset((a, word, b) for word, pairs in HELD_OUT_RELATIONS.items() for a, b in pairs)


def contains_held_out(scene) -> list[tuple[str, ...]]:
    """Every held-out combination in a Scene; an empty list for every training scene.

    Rows are ("style", concept, style), ("ground", concept, colour) or ("relation", A, word, B), with word one
    of "left of", "above", "in front of". They describe the image, whatever its caption mentions.
    """
    names = [placed.concept for placed in scene.objects]
    colour = scene.ground.colour
    found = [("style", name, scene.style) for name in names if (name, scene.style) in STYLE_PAIRS]
    found += [("ground", name, colour) for name in names if (name, colour) in GROUND_PAIRS]
    found += [("relation", *triple) for triple in scene.relations if triple in RELATION_TRIPLES]
    return found
