"""Captions in words that no training caption holds."""

import pytest

from course_utils.datasets.scenes import Scenes
from course_utils.datasets.sprites import STYLES, concepts
from course_utils.datasets.unseen_words import (
    COLOURS,
    KINDS,
    KOREAN,
    LONGER,
    PARAPHRASES,
    SYNONYMS,
    korean_name,
    labels,
    misspelt,
    unseen_words,
)
from course_utils.datasets.vocabulary import COLOUR_NAMES, FAMILIAR, words

KNOWN = set(words())
SYNONYM_LIST = [synonym for known in (SYNONYMS, COLOURS) for others in known.values() for synonym in others]


def test_no_synonym_stands_in_the_vocabulary():
    assert len({name for others in SYNONYMS.values() for name in others}) == 55
    assert not KNOWN & {word for synonym in SYNONYM_LIST for word in synonym.split()}
    assert set(SYNONYMS) <= set(FAMILIAR) and set(COLOURS) <= set(COLOUR_NAMES)


def test_the_vocabulary_holds_every_word_of_training_captions():
    world = Scenes("train", among=FAMILIAR, coarse=True)
    said = {word for i in range(2000) for word in world.scene(i).caption.replace(",", "").lower().split()}
    assert said <= KNOWN and not said & set(SYNONYM_LIST)


@pytest.mark.parametrize("kind", KINDS)
def test_every_caption_is_new_and_its_labels_are_true(kind):
    scenes = unseen_words(kind)
    assert scenes == unseen_words(kind) and len(scenes) >= 90
    found = labels(scenes)
    for i, scene in enumerate(scenes):
        (placed,) = scene.objects
        assert concepts()[placed.concept].index == found["concepts"][i, 0] and found["count"][i] == 1
        assert COLOUR_NAMES[found["ground"][i]] == scene.ground.colour
        style = found["style"][i]
        assert (style < 0) == (scene.style not in scene.caption.split()) and style < len(STYLES)
    assert all(set(scene.caption.lower().replace(",", "").split()) - KNOWN for scene in scenes) or kind == "misspelt"
    assert len({scene.objects[0].concept for scene in scenes}) >= 8


def test_other_kinds_are_a_sentence():
    with pytest.raises(ValueError, match="no kind 'synonym'; did you mean 'synonyms'"):
        unseen_words("synonym")


def test_frames_are_no_templates():
    frames = [frame.format(a_thing="a cat", a_styled_thing="a flat cat", colour="blue")
              for frame in PARAPHRASES + LONGER]
    assert all(len(set(frame.lower().replace(",", "").split()) - KNOWN) >= 3 for frame in frames)


def test_korean_names_and_typing_errors():
    assert korean_name("cat") == "고양이" and korean_name("red apple") == "빨간 사과"
    assert len(KOREAN) == 6 and len(unseen_words("korean")) == 48 * 6
    assert misspelt("panda") == "pnada" and misspelt("red apple") == "red aple" and misspelt("sun") == "usn"
    assert all(misspelt(name) not in FAMILIAR for name in FAMILIAR)
