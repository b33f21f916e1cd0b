"""GLIGEN on tiny networks: grounding, guidance, scheduled sampling, and the same image from diffusers' pipelines."""

import pytest
import torch
from diffusers import StableDiffusionGLIGENPipeline, StableDiffusionPipeline

from course_utils.networks import Autoencoder
from course_utils.networks.gligen import Together
from course_utils.runtime import seeded
from course_utils.systems import gligen
from course_utils.systems.gligen import GLIGEN, phrase_features
from tests.networks.test_autoencoder import alive
from tests.networks.test_gligen import grown
from tests.systems.test_stable_diffusion import TinyCLIP

pytestmark = pytest.mark.usefixtures("plain_precision")
PROMPTS = ["a cat", "dog"]
BOXES = [[("cat", (0.0, 0.1, 0.5, 0.6)), ("owl", (0.5, 0.5, 1.0, 0.9))]] * 2
OTHERS = [BOXES[0], [("cat", (0.5, 0.1, 0.9, 0.6))]]


def autoencoder(channels: int) -> Autoencoder:
    made = alive(Autoencoder((8, 8, 8, 16), latent_channels=channels, groups=4))
    made.scale.fill_(0.25)
    return made


def system(folder, *kinds: str, channels: int = 3, size: int = 8) -> GLIGEN:
    small = {"channels": channels, "widths": [32, 64], "heads": 2, "text_dim": 16, "size": size}
    networks = [grown(kind, **small) for kind in kinds]
    return GLIGEN(networks[0] if len(networks) == 1 else Together(networks), autoencoder(channels),
                  alive(TinyCLIP(folder)))


@pytest.mark.parametrize("channels, scale, tau", [(4, 3.0, 1.0), (4, 3.0, 0.5), (4, 1.0, 0.5)])
def test_diffusers_own_gligen_draws_the_same(tmp_path, monkeypatch, channels, scale, tau):
    """Its loop is written for latents of four channels, and for thirty boxes."""
    monkeypatch.setattr(gligen, "MOST", 30)
    ours = system(tmp_path, "boxes", channels=channels, size=4)
    parts = ours.pipeline().components
    del parts["image_encoder"]
    pipe = StableDiffusionGLIGENPipeline(**parts, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    phrases, boxes = zip(*BOXES[0])
    theirs = pipe(PROMPTS, num_inference_steps=4, guidance_scale=scale, gligen_scheduled_sampling_beta=tau,
                  gligen_phrases=list(phrases), gligen_boxes=list(boxes), output_type="pt",
                  generator=torch.Generator().manual_seed(0)).images
    made = ours.sample(PROMPTS, scale, 4, 0, tau=tau, boxes=BOXES)
    assert (theirs - (made + 1) / 2).abs().max() < 1e-3
    assert (made - ours.sample(PROMPTS, scale, 4, 0)).abs().max() > 0.01


def test_the_folder_opens_in_diffusers_and_draws_the_same(tmp_path):
    """With latents of any number of channels, through the pipeline of Stable Diffusion."""
    ours = system(tmp_path, "boxes")
    pipe = StableDiffusionPipeline.from_pretrained(ours.export(tmp_path / "pipeline"), local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    theirs = pipe(PROMPTS, num_inference_steps=2, guidance_scale=3.0, output_type="pt",
                  generator=torch.Generator().manual_seed(1),
                  cross_attention_kwargs=ours.attention_kwargs(2, OTHERS, 3.0)).images
    assert (theirs - (ours.sample(PROMPTS, 3.0, 2, 1, boxes=OTHERS) + 1) / 2).abs().max() < 1e-3


def test_after_tau_it_is_the_base(tmp_path):
    ours, seen = system(tmp_path, "boxes"), []
    xt = torch.randn(2, 3, 8, 8, generator=seeded(0))
    denoiser = ours.denoiser(PROMPTS, 2.0, steps=4, tau=0.5, boxes=BOXES)
    free, told = ours.denoiser(PROMPTS, 2.0), ours.denoiser(PROMPTS, 2.0, boxes=BOXES)
    for t in (999, 749, 499, 249):
        guess = denoiser(xt, t).v
        seen.append([torch.equal(guess, other(xt, t).v) for other in (told, free)])
    assert seen == [[True, False], [True, False], [False, True], [False, True]]
    assert torch.equal(ours.sample(PROMPTS, steps=2, tau=0, boxes=BOXES), ours.sample(PROMPTS, steps=2))
    with pytest.raises(ValueError, match=r"tau, the share of the steps that are grounded, must lie in \[0, 1\]"):
        ours.sample(PROMPTS, tau=1.5, boxes=BOXES)


def test_guidance_leads_away_from_null_text_and_null_grounding(tmp_path):
    ours, xt = system(tmp_path, "boxes"), torch.randn(2, 3, 8, 8, generator=seeded(0))
    there, nothing = ours.grounding(2, boxes=BOXES)
    given, free = (ours.network(xt, 400, text=ours.states(texts), **some)
                   for texts, some in ((PROMPTS, there), (["", ""], nothing)))
    guess = ours.denoiser(PROMPTS, 4.0, boxes=BOXES)(xt, 400)
    assert torch.allclose(guess.v, free + 4 * (given - free), rtol=1e-3, atol=1e-3)
    assert there["masks"].sum(1).tolist() == [2, 2] and not nothing["masks"].any()


def test_each_image_obeys_its_own_boxes(tmp_path):
    ours = system(tmp_path, "boxes")
    one, other = (ours.sample(PROMPTS, steps=2, boxes=boxes) for boxes in (BOXES, OTHERS))
    assert torch.allclose(one[0], other[0], atol=1e-4) and (one[1] - other[1]).abs().max() > 0.01


@pytest.mark.parametrize("kind, shape", [("keypoints", (2, 1, 5, 3)), ("depth", (2, 64, 64)), ("edges", (2, 128, 128)),
                                         ("normals", (2, 3, 64, 64)), ("semantic", (2, 64, 64))])
def test_other_groundings(tmp_path, kind, shape):
    ours, value = system(tmp_path, kind, size=16), torch.rand(shape, generator=seeded(0))
    value = (90 * value).long() if kind == "semantic" else value
    made = ours.sample(PROMPTS, steps=1, **{kind: value})
    assert made.shape == (2, 3, 128, 128)
    assert (made - ours.sample(PROMPTS, steps=1, **{kind: value.flip(0)})).abs().max() > 0.01
    for wrong, complaint in (({kind: value[:, None, None]}, f"{kind} must be"),
                             ({kind: value[:1]}, f"needs its {kind}"),
                             ({"boxes": BOXES}, f"grounded in {kind}; got boxes")):
        with pytest.raises(ValueError, match=complaint):
            ours.sample(PROMPTS, steps=1, **wrong)


def test_two_groundings_at_once(tmp_path):
    ours = system(tmp_path, "boxes", "edges", size=16)
    edges = torch.rand(2, 64, 64, generator=seeded(0))
    made = ours.sample(PROMPTS, steps=1, boxes=BOXES, edges=edges)
    for other in ({"boxes": BOXES[::-1], "edges": edges.flip(0)}, {"boxes": [[], []], "edges": edges}):
        assert (made - ours.sample(PROMPTS, steps=1, **other)).abs().max() > 0.01
    with pytest.raises(ValueError, match="grounded in boxes and edges; got boxes"):
        ours.sample(PROMPTS, boxes=BOXES)


def test_a_box_is_painted_and_the_rest_stays(tmp_path):
    ours, image = system(tmp_path, "boxes"), torch.rand(1, 3, 64, 64, generator=seeded(0)) * 2 - 1
    boxes = [[("cat", (0.25, 0.25, 0.6, 0.75))]]
    kept = []
    decode = ours.decode
    ours.decode = lambda latents: kept.append(latents) or decode(latents)
    made = ours.inpaint(image, ["a cat"], boxes, steps=4)
    same = (kept[0] == ours.encode(image)).all(1)[0]
    hole = ~same
    rows, columns = hole.nonzero(as_tuple=True)
    assert made.shape == image.shape and (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 5, 2, 4)
    assert not same[2:6, 2:5].any()


def test_wrong_boxes_are_sentences(tmp_path):
    ours = system(tmp_path, "boxes")
    for objects, complaint in (([("cat", (0.5, 0, 0.5, 1))], "0 <= left < right <= 1"), ([("cat", (0, 1))], "a box is"),
                               (7 * [("cat", (0, 0, 1, 1))], "at most 6 boxes; got 7")):
        with pytest.raises(ValueError, match=complaint):
            ours.sample("a cat", boxes=[objects])
    with pytest.raises(ValueError, match="a grounding is one of boxes, keypoints"):
        gligen.load("sounds")


def test_a_phrase_is_its_last_token_before_the_projection(tmp_path):
    clip = alive(TinyCLIP(tmp_path))
    features = phrase_features(clip, ["cat", "owl"])
    read = clip.clip.text_model(input_ids=clip.tokenizer(["cat"]))
    assert features.shape == (2, 16) and torch.allclose(features[:1], read.last_hidden_state[:, 4], atol=1e-5)
