"""Stable Diffusion on tiny networks: latents, guidance, layouts, and the same image from diffusers' own pipeline."""

import json

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from course_utils.networks import Autoencoder, LatentUNet, LayoutUNet
from course_utils.runtime import seeded
from course_utils.systems import stable_diffusion
from course_utils.systems.stable_diffusion import SCHEDULE, LayoutToImage, StableDiffusion
from tests.networks.test_autoencoder import alive

pytestmark = pytest.mark.usefixtures("plain_precision")
PROMPTS = ["a cat", "dog"]


class Tokenizer:
    """Letters, between the two marks."""

    def __init__(self, folder):
        letters = "abcdefghijklmnopqrstuvwxyz"
        words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
        (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
        (folder / "merges.txt").write_text("#version: 0.2\n")
        self.clip = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=8)

    def __call__(self, prompts):
        return self.clip(prompts, padding="max_length", max_length=8, truncation=True, return_tensors="pt")["input_ids"]


class TinyCLIP(torch.nn.Module):
    """What the system asks of a CLIP."""

    def __init__(self, folder):
        super().__init__()
        self.tokenizer, self.clip = Tokenizer(folder), torch.nn.Module()
        self.clip.text_model = CLIPTextModel(CLIPTextConfig(
            vocab_size=54, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=8, projection_dim=16, bos_token_id=0, eos_token_id=1, pad_token_id=1))

    def text(self, tokens):
        return self.clip.text_model(input_ids=tokens).last_hidden_state, None


def autoencoder() -> Autoencoder:
    made = alive(Autoencoder((8, 8, 8, 16), latent_channels=3, groups=4))
    made.scale.fill_(0.25)
    return made


@pytest.fixture
def system(tmp_path) -> StableDiffusion:
    network = alive(LatentUNet(channels=3, widths=[32, 64], heads=2, text_dim=16, size=4))
    return StableDiffusion(network, autoencoder(), alive(TinyCLIP(tmp_path)))


def test_the_folder_opens_in_diffusers_and_draws_the_same(system, tmp_path):
    folder = system.export(tmp_path / "pipeline")
    opened = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    opened.set_progress_bar_config(disable=True)
    assert (type(opened.vae), type(opened.unet), type(opened.text_encoder)) == (AutoencoderKL, UNet2DConditionModel,
                                                                                CLIPTextModel)
    for seed, scale, steps in ((0, 3.0, 4), (1, 1.0, 2)):
        theirs = opened(PROMPTS, num_inference_steps=steps, guidance_scale=scale, output_type="pt",
                        generator=torch.Generator().manual_seed(seed)).images
        ours = system.sample(PROMPTS, scale, steps, seed)
        assert theirs.shape == ours.shape == (2, 3, 32, 32) and (ours.abs() < 1).float().mean() > 0.5
        assert (theirs - (ours + 1) / 2).abs().max() < 1e-3


def test_latents_are_denoised_between_encoder_and_decoder(system):
    latents = system.sample_latents(PROMPTS, 2.0, steps=2, seed=3)
    assert latents.shape == (2, 3, 4, 4)
    assert torch.equal(system.sample(PROMPTS, 2.0, steps=2, seed=3), system.decode(latents))
    images = torch.rand(1, 3, 32, 48, generator=seeded(0)) * 2 - 1
    assert system.encode(images).shape == (1, 3, 4, 6)
    assert torch.allclose(system.encode(images), 0.25 * system.autoencoder.plain().encode(images).latent_dist.mean,
                          atol=1e-4)
    with pytest.raises(ValueError, match=r"in \[-1, 1\]"):
        system.encode(2 * images)


def test_guidance_is_the_formula(system):
    xt = torch.randn(2, 3, 4, 4, generator=seeded(0))
    with torch.no_grad():
        given, free = (system.network(xt, 400, text=system.states(texts)) for texts in (PROMPTS, ["", ""]))
        guess = system.denoiser(PROMPTS, 4.0)(xt, 400)
    assert torch.allclose(guess.v, free + 4 * (given - free), rtol=1e-3, atol=1e-3)
    assert not torch.allclose(given, free, atol=1e-3)


def test_steps_are_of_equal_length():
    assert SCHEDULE.timesteps(4) == [999, 749, 499, 249] and SCHEDULE.timesteps(1) == [999]
    for steps in (0, 30, 1001):
        with pytest.raises(ValueError, match="steps must divide 1000"):
            SCHEDULE.timesteps(steps)


def test_boxes_decide_what_is_drawn():
    network = alive(LayoutUNet(4, width=32, layers=1, unet={"channels": 3, "widths": [32, 64], "heads": 2, "size": 4}))
    system, box = LayoutToImage(network, autoencoder()), (0, 0, 0.5, 0.5)
    made = system.sample([[(1, box)], [(1, (0.5, 0.5, 1, 1))], [(1, box), (2, box)]], steps=2)
    same = system.sample([[(1, box)]] * 3, steps=2)
    assert made.shape == (3, 3, 32, 32) and torch.allclose(made[0], same[0], atol=1e-4)
    assert (made[1] - same[1]).abs().max() > 0.01 and (made[2] - same[2]).abs().max() > 0.01
    with pytest.raises(ValueError, match="class in 0..3"):
        system.sample([[(4, box)]])


def test_an_unknown_part_is_a_sentence():
    with pytest.raises(ValueError, match="part must be text or layout; got 'boxes'"):
        stable_diffusion.load("boxes")
