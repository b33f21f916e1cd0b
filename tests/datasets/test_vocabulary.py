"""The words of the captions, and the familiar concepts."""

import pytest

from course_utils.datasets.heldout import GROUND_PAIRS, RELATION_TRIPLES, STYLE_PAIRS
from course_utils.datasets.scenes import Scenes
from course_utils.datasets.sprites import STYLES, concepts
from course_utils.datasets.vocabulary import COLOUR_NAMES, FAMILIAR
from course_utils.networks.text import Tokenizer
from course_utils.training.recipes.glide import LENGTH
from tests.tiny import VOCABULARY


def test_the_vocabulary_holds_every_word_of_every_caption():
    tokenizer, seen = Tokenizer(VOCABULARY, LENGTH), set()
    for split in ("train", "unseen-style", "unseen-ground", "unseen-relation"):
        for scene in map(Scenes(split, among=FAMILIAR).scene, range(1500)):
            parts = tokenizer.split(scene.caption)
            assert tokenizer.unknown(scene.caption) == [] and len(parts) <= LENGTH
            seen.update(parts)
    assert seen == set(VOCABULARY)


def test_the_familiar_concepts_hold_something_of_every_sort_that_is_never_shown():
    assert len(set(FAMILIAR)) == 48 and set(FAMILIAR) <= set(concepts())
    for pairs, kinds in ((STYLE_PAIRS, STYLES), (GROUND_PAIRS, COLOUR_NAMES)):
        assert {kind for name, kind in pairs if name in FAMILIAR} == set(kinds)
    assert {word for a, word, b in RELATION_TRIPLES if a in FAMILIAR and b in FAMILIAR} == {
        "left of", "above", "in front of"}


def test_too_few_concepts_and_bad_shares_are_sentences():
    with pytest.raises(ValueError, match="no concept 'catt'; did you mean 'cat'"):
        Scenes(among=["catt"])
    with pytest.raises(ValueError, match="too few concepts for the split unseen-relation"):
        Scenes("unseen-relation", among=["cat", "owl", "house", "castle", "rocket", "dog"][:5] + ["panda", "bus"])
    with pytest.raises(ValueError, match="shares must be 3 non-negative numbers that sum to 1"):
        Scenes(shares=(0.5, 0.5, 0.5))
