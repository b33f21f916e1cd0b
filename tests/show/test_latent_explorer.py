"""The explorer of latents: what is decoded, what its pictures show, and its static twin."""

import pytest
import torch

from course_utils import show
from course_utils.diffusion import slerp
from course_utils.runtime import seeded
from tests.show.conftest import picture_of
from tests.show.test_photographs import pixels, same

IMAGES = {name: torch.rand(3, 16, 16, generator=seeded(i)) * 2 - 1 for i, name in enumerate(("cat", "dog", "pig"))}


class Halves:
    """Latents are half of the image, in three channels; `fail` makes its decoder fail."""

    def __init__(self):
        self.decoded, self.fail = [], None

    def encode(self, images):
        return images / 2

    def decode(self, latents):
        if self.fail:
            raise self.fail
        self.decoded.append(latents)
        return 2 * latents


def explorer(**options):
    system = Halves()
    return show.latent_explorer(system, IMAGES, **options), system


def test_halfway_is_the_mean_of_the_latents_and_beside_it_that_of_the_pixels():
    made, _ = explorer(second="dog")
    assert same(made.decoded, (IMAGES["cat"] + IMAGES["dog"]) / 2) and made.mixed == made.decoded
    made.share, made.first = 0.25, "pig"
    assert same(made.decoded, 0.75 * IMAGES["pig"] + 0.25 * IMAGES["dog"])
    assert made.note.startswith("25% of the way from pig to dog, lerp. Standard deviation of the latents: 0.29 and")
    assert repr(made) == "LatentExplorer(pig to dog)"


def test_slerp_keeps_what_lerp_makes_smaller():
    made, system = explorer(second="dog", path="slerp")
    expected = slerp(IMAGES["cat"], IMAGES["dog"], 0.5)
    assert same(made.decoded, expected) and expected.std() > 1.2 * pixels(made.mixed).std()
    made.second = "cat"
    assert same(made.decoded, IMAGES["cat"])


def test_a_channel_comes_from_one_end_or_is_zero():
    made, system = explorer(second="dog", share=1)
    made.channels = ["first", "mix", "zero"]
    cat, dog = IMAGES["cat"], IMAGES["dog"]
    assert same(made.decoded, torch.stack([cat[0], dog[1], 0 * dog[2]]))
    made.share = 0
    made.channels = ["mix", "second", "first"]
    assert same(made.decoded, torch.stack([cat[0], dog[1], cat[2]]))
    count = len(system.decoded)
    made.share = 1
    made.share = 0
    assert len(system.decoded) == count + 1, "what was decoded once is kept"


def test_the_pictures_are_the_channels_of_both_ends_and_of_what_is_decoded():
    made, _ = explorer(second="dog", share=1)
    assert [len(row) for row in made.pictures] == [3, 3, 3] and made.pictures[1] == made.pictures[2]
    low, high = [pixels(made.pictures[0][0]).flatten(1)[:, i] for i in (IMAGES["cat"][0].argmin(),
                                                                        IMAGES["cat"][0].argmax())]
    assert high.sum() > low.sum() + 0.5, "viridis is brighter where the latent is larger"
    made.channels = ["mix", "mix", "zero"]
    middle = pixels(made.pictures[2][2])
    assert middle.flatten(1).std(dim=1).max() == 0 and made.pictures[1][2] != made.pictures[2][2]


@pytest.mark.parametrize("error, sentence", [(ValueError("no such latents."), "No such latents."),
                                             (KeyError("x"), "KeyError: 'x'")])
def test_an_error_is_a_sentence_and_no_image(error, sentence):
    made, system = explorer()
    system.fail = error
    made.share = 0.3
    assert made.problem == sentence and made.decoded == made.mixed == made.note == ""
    system.fail = None
    made.share = 0.4
    assert made.problem == "" and made.decoded


def test_the_twin_is_the_whole_walk_and_the_channels(shown):
    made, system = explorer(second="dog", share=0.25)
    made.channels = ["mix", "zero", "mix"]
    system.decoded.clear()
    made.twin()
    assert [latents[0, 1].abs().max() for latents in system.decoded] == [0, 0, 0]
    for latents, share in zip(system.decoded, (0, 0.5, 1)):
        assert torch.allclose(2 * latents[0, 0], torch.lerp(IMAGES["cat"][0], IMAGES["dog"][0], share))
    assert picture_of(shown[0]).width <= 901
    caption = "From cat to dog in the latents (lerp, channel 2 zero), decoded; below, the channels at 25%"
    assert shown[1][0].data == f"*{caption}*"


@pytest.mark.parametrize("wrong, sentence", [
    ({"images": {}}, "at least one and all of the same size; got none"),
    ({"images": {"a": torch.zeros(3, 8, 8), "b": torch.zeros(3, 9, 9)}}, "all of the same size"),
    ({"images": {"a": torch.zeros(1, 8, 8)}}, "all of the same size"), ({"images": {"a": torch.zeros(3, 8)}}, "size"),
    ({"first": "cow"}, "no image 'cow'; choose from cat, dog, pig"), ({"path": "straight"}, "path must be lerp or"),
])
def test_what_cannot_be_shown_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        show.latent_explorer(Halves(), **{"images": IMAGES} | wrong)


def test_the_scripts_are_shipped():
    code = str(explorer()[0]._esm)
    for part in ("function element(", "function problemText(", "export default { render }"):
        assert code.count(part) == 1
