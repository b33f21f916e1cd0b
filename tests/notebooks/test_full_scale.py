"""The cells "At full scale" run offline: a tiny pipeline of the same class, with random weights, replaces the real one.

A cell with the tag `full-scale` defines a function or calls it; here it is taken from the notebook as it stands there.
"""

import sys
from types import SimpleNamespace

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    DDPMScheduler,
    DiTPipeline,
    DiTTransformer2DModel,
    FlowMatchEulerDiscreteScheduler,
    IFPipeline,
    KandinskyV22Pipeline,
    KandinskyV22PriorPipeline,
    LDMSuperResolutionPipeline,
    PriorTransformer,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionGLIGENPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    UnCLIPScheduler,
    UNet2DConditionModel,
    UNet2DModel,
    VQModel,
)
from diffusers.pipelines.deprecated.unclip.text_proj import UnCLIPTextProjModel
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    T5Config,
    T5EncoderModel,
)

from course_utils import hub as real
from course_utils import runtime
from course_utils.authoring import notebook_file
from course_utils.datasets import photographs, to_model_range
from course_utils.diffusion import NoiseSchedule, Prediction, samplers
from course_utils.runtime import seeded
from course_utils.systems import sr3
from tests.conftest import ROOT


def cells(name: str) -> list[str]:
    """The code cells of a notebook that have the tag."""
    content = notebook_file.read(ROOT / "notebooks" / f"{name}.ipynb")
    return [cell["source"] for cell in content["cells"] if "full-scale" in cell["metadata"].get("tags", [])]


class Shown(list):
    """Stands for `show` and keeps what `images` was given."""

    def images(self, pictures, **options) -> None:
        self.append((pictures, options))


def autoencoder() -> AutoencoderKL:
    """Stable Diffusion's in small: latents of four channels, half as wide as pictures."""
    return AutoencoderKL(block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4, layers_per_block=1,
                         down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2)


@pytest.fixture
def dit() -> DiTPipeline:
    """DiT-XL/2 in small: one layer, pictures of 16 x 16; its weights are random, none of them zero."""
    torch.manual_seed(0)
    transformer = DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=1, sample_size=8,
        patch_size=2, attention_bias=True, activation_fn="gelu-approximate", num_embeds_ada_norm=1000,
        norm_type="ada_norm_zero", norm_elementwise_affine=False)
    for parameter in transformer.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    names = {"207": "golden retriever", "967": "espresso", "980": "volcano"}
    return DiTPipeline(transformer.eval(), autoencoder().eval(), DDIMScheduler(), id2label=names)


@pytest.fixture
def hub(monkeypatch):
    """Makes a hub that holds one small pipeline: what cells find in the notebook, on the CPU; `asked` is filled."""

    def holds(pipeline, **names) -> dict:
        asked = []
        monkeypatch.setattr(runtime, "need_hub", lambda what, **_: asked.append(what))
        monkeypatch.setattr(type(pipeline), "from_pretrained",
                            lambda repository, **options: asked.append(repository) or pipeline)
        return {"torch": torch, "hub": real, "seeded": seeded, "where": torch.device("cpu"),
                "show": Shown(), "asked": asked} | names

    return holds


@pytest.fixture
def scope(hub, dit) -> dict:
    """For the cells of notebook 06."""
    return hub(dit)


def test_dit_sweep(scope, dit):
    define, _ = cells("06_classifier_free_guidance")
    exec(define, scope)
    sizes = []
    dit.transformer.register_forward_hook(lambda module, given, answer: sizes.append(len(given[0])))
    scope["dit_sweep"](scales=(1.0, 4.0), steps=2)
    hub, repository = scope["asked"]
    assert "CC BY-NC 4.0" in hub and repository == real.model("dit").id
    assert sizes == [3, 3, 6, 6], "one answer at scale 1, two in one batch above"
    (pictures, options), = scope["show"]
    assert pictures.shape == (6, 3, 16, 16) and pictures.dtype == torch.float32
    assert -1 <= pictures.min() < 0 < pictures.max() <= 1, "from -1 to 1, as `show` wants it"
    assert options["columns"] == 2 and list(options["labels"]) == ["golden retriever", "volcano", "espresso"]
    assert options["alt"] and options["caption"]
    for class_row in pictures.unflatten(0, (3, 2)):
        assert not torch.equal(class_row[0], class_row[1]), "the scale makes a difference"


def test_every_column_starts_from_the_same_noise(scope):
    exec(cells("06_classifier_free_guidance")[0], scope)
    twice = scope["dit_sweep"](names=("volcano",), scales=(4.0, 4.0), steps=2)
    assert torch.equal(*twice)


def test_ldm_super_resolution(hub):
    torch.manual_seed(0)
    unet = UNet2DModel(in_channels=6, out_channels=3, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
                       down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                       up_block_types=("AttnUpBlock2D", "UpBlock2D"))
    vqvae = VQModel(block_out_channels=(8, 8, 8), norm_num_groups=4, down_block_types=("DownEncoderBlock2D",) * 3,
                    up_block_types=("UpDecoderBlock2D",) * 3, latent_channels=3, num_vq_embeddings=16)
    pipeline = LDMSuperResolutionPipeline(vqvae.eval(), unet.eval(), DDIMScheduler())
    scope = hub(pipeline, photographs=photographs, to_model_range=to_model_range, enlarge=sr3.enlarge)
    exec(cells("07_sr3")[0], scope)
    beside = []
    unet.register_forward_hook(lambda module, given, answer: beside.append(given[0][:, 3:]))
    made = scope["ldm_super_resolution"](side=16, steps=2)
    need, repository = scope["asked"]
    assert "Apache 2.0" in need and repository == real.model("ldm-super-resolution").id
    given = to_model_range(photographs.square("red_panda", 16))[None]
    assert len(beside) == 2 and all(torch.equal(low, given) for low in beside), "the small picture, in [-1, 1]"
    (pictures, options), = scope["show"]
    assert made.shape == (1, 3, 64, 64) and pictures[1].shape == pictures[2].shape == (3, 64, 64)
    assert -1 <= made.min() < 0 < made.max() <= 1 and torch.equal(pictures[2], made[0])
    assert options["alt"] and options["caption"] and len(options["titles"]) == 3


def tokenizer() -> CLIPTokenizer:
    """CLIP's, with letters in place of words."""
    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=77)


def stable_diffusion_parts(in_channels: int, **unet_options) -> tuple:
    """Stable Diffusion 1 in small, latents half as wide as pictures: autoencoder, text, words, U-Net, scheduler."""
    torch.manual_seed(0)
    words = tokenizer()
    ends = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    text = CLIPTextModel(CLIPTextConfig(vocab_size=len(words), hidden_size=32, intermediate_size=37,
                                        num_hidden_layers=2, num_attention_heads=4, **ends))
    unet = UNet2DConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=16, in_channels=in_channels, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32, attention_head_dim=8, **unet_options)
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                              steps_offset=1)
    return autoencoder().eval(), text.eval(), words, unet.eval(), scheduler


@pytest.fixture
def sd_inpainting() -> StableDiffusionInpaintPipeline:
    """Its inpainting pipeline: nine channels in."""
    return StableDiffusionInpaintPipeline(*stable_diffusion_parts(9), None, None, requires_safety_checker=False)


def test_sd_inpaint(hub, sd_inpainting):
    scope = hub(sd_inpainting, nn=nn, photographs=photographs)
    exec(cells("08_inpainting")[0], scope)
    seen = []
    sd_inpainting.unet.register_forward_hook(lambda module, given, answer: seen.append(given[0]))
    rows = scope["sd_inpaint"](steps=2, size=64)
    need, repository = scope["asked"]
    assert "OpenRAIL-M" in need and repository == real.model("sd-inpainting").id
    # Two calls of two steps, each with and without the sentence; latents, mask, masked latents
    assert [x.shape for x in seen] == [(2, 9, 32, 32)] * 4
    right, wrong = seen[0][0, 4], seen[2][0, 4]
    hole = torch.zeros(32, 32, dtype=torch.bool)
    hole[8:, 11:21] = True
    assert torch.equal(right == 1, hole) and torch.equal(right == 0, ~hole), "1 is painted: in the hole, at first"
    assert torch.equal(wrong, 1 - right), "and the second time the other way round"
    (pictures, options), = scope["show"]
    assert pictures is rows and rows.shape == (3, 3, 64, 64) and rows.dtype == torch.float32
    assert -1 <= rows.min() < 0 < rows.max() <= 1, "from -1 to 1, as `show` wants it"
    assert len(options["titles"]) == 3 and options["alt"] and options["caption"]


class Letters:
    """Stands for T5's tokenizer: a letter is a token."""

    model_max_length = 77

    def __call__(self, texts, max_length=77, **options):
        ids = torch.zeros(len(texts), max_length, dtype=torch.long)
        for row, text in zip(ids, texts):
            row[: len(text)] = torch.tensor([ord(letter) % 64 for letter in text])
        return SimpleNamespace(input_ids=ids, attention_mask=(ids > 0).long())


@pytest.fixture
def deepfloyd() -> IFPipeline:
    """DeepFloyd IF's base in small, whose U-Net also predicts a variance."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=3, out_channels=6, block_out_channels=(8, 16), layers_per_block=1,
        norm_num_groups=4, down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"), cross_attention_dim=16,
        encoder_hid_dim=16, attention_head_dim=8)
    t5 = T5EncoderModel(T5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)).eval()
    scheduler = DDPMScheduler(variance_type="learned_range", thresholding=True, sample_max_value=1.5)
    return IFPipeline(Letters(), t5, unet.eval(), scheduler, None, None, None, requires_safety_checker=False)


def test_deepfloyd_if(hub, deepfloyd, monkeypatch):
    scope, loaded = hub(deepfloyd), []
    monkeypatch.setattr(T5EncoderModel, "from_pretrained",
                        lambda name, **options: loaded.append((name, options)) or deepfloyd.text_encoder)
    exec(cells("10_imagen")[0], scope)
    one, same, other = (scope["deepfloyd_if"](wish, steps=2) for wish in ("a red panda", "a red panda", "a blue cat"))
    assert one.shape == (1, 3, 8, 8) and one.isfinite().all() and one.dtype == torch.float32
    assert torch.equal(one, same) and not torch.equal(one, other), "seed and wish decide"
    (repository, options), *_ = loaded
    assert repository == real.model("deepfloyd-if").id and options["quantization_config"].load_in_8bit
    assert "for research" in scope["asked"][0]
    (pictures, options), *_ = scope["show"]
    assert pictures.abs().max() <= 1 and options["alt"] and options["caption"]


@pytest.fixture
def rectified_flow() -> StableDiffusion3Pipeline:
    """Stable Diffusion 3 in small, without T5; its states are as wide as T5's, beside the two CLIPs' together."""
    words = tokenizer()
    ends = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    torch.manual_seed(0)
    texts = [CLIPTextModelWithProjection(CLIPTextConfig(
        vocab_size=len(words), hidden_size=32, projection_dim=32, intermediate_size=37, num_hidden_layers=2,
        num_attention_heads=4, **ends)).eval() for _ in range(2)]
    transformer = SD3Transformer2DModel(
        sample_size=16, patch_size=1, in_channels=4, out_channels=4, num_layers=1, attention_head_dim=8,
        num_attention_heads=4, joint_attention_dim=64, caption_projection_dim=32, pooled_projection_dim=64)
    latents = autoencoder().eval()
    latents.register_to_config(shift_factor=0.06)
    return StableDiffusion3Pipeline(transformer.eval(), FlowMatchEulerDiscreteScheduler(), latents, texts[0], words,
                                    texts[1], words, None, None)


def test_stable_diffusion_15_and_35(hub, rectified_flow, monkeypatch):
    small = StableDiffusionPipeline(*stable_diffusion_parts(4), None, None, requires_safety_checker=False)
    scope = hub(small, StableDiffusionPipeline=StableDiffusionPipeline)
    options = []
    monkeypatch.setattr(StableDiffusionPipeline, "from_pretrained",
                        lambda name, **given: options.append((name, given)) or small)
    monkeypatch.setattr(StableDiffusion3Pipeline, "from_pretrained",
                        lambda name, **given: options.append((name, given)) or rectified_flow)
    for cell in cells("12_stable_diffusion")[:-1]:
        exec(cell, scope)
    for draw, side in ((scope["stable_diffusion_15"], 32), (scope["stable_diffusion_35"], 32)):
        one, same, other = draw("a cat", 2), draw("a cat", 2), draw("a dog", 2)
        assert one.shape == (1, 3, side, side) and -1 <= one.min() < 0 < one.max() <= 1
        assert torch.equal(one, same) and not torch.equal(one, other), "seed and wish decide"
    assert [name for name, _ in options[::3]] == [real.model("sd").id, real.model("sd3").id]
    assert options[0][1]["variant"] == "fp16" and options[3][1]["text_encoder_3"] is None
    assert "OpenRAIL-M" in scope["asked"][0] and "Stability AI Community" in scope["asked"][3]
    (pictures, shown), *_ = scope["show"]
    assert pictures.shape == (1, 3, 32, 32) and shown["alt"] and shown["caption"]


@pytest.mark.parametrize("kind,says", [("cpu", "needs an NVIDIA GPU"), ("cuda", "the hub does not answer")])
def test_stable_diffusion_without_gpu_or_hub(kind, says, capsys):
    def large():
        raise RuntimeError("the hub does not answer")

    scope = {"where": SimpleNamespace(type=kind), "stable_diffusion_15": large, "hub": real}
    exec(cells("12_stable_diffusion")[-1], scope)
    assert says in capsys.readouterr().out


SWEEPS = {"06_classifier_free_guidance": "dit_sweep", "07_sr3": "ldm_super_resolution", "08_inpainting": "sd_inpaint",
          "10_imagen": "deepfloyd_if", "13_gligen": "gligen_boxes"}


@pytest.mark.parametrize("notebook,function", SWEEPS.items())
@pytest.mark.parametrize("kind,missing,says", [
    ("cpu", None, "needs an NVIDIA GPU"), ("cuda", RuntimeError("the hub does not answer"), "the hub does not answer"),
    ("cuda", None, "drawn")])
def test_without_gpu_or_hub_there_is_a_sentence(notebook, function, kind, missing, says, capsys):
    def sweep():
        if missing:
            raise missing
        print("drawn")

    exec(cells(notebook)[1], {"where": SimpleNamespace(type=kind), "hub": real, function: sweep})
    assert says in capsys.readouterr().out


class Glide(nn.Module):
    """Stands for a network of the package glide_text2im, which no package index has; keeps what it is given."""

    def __init__(self, part: str, given: list):
        super().__init__()
        self.part, self.given = part, given
        self.last = nn.Conv2d(6 if part == "upsample" else 3, 6, 1)

    @property
    def tokenizer(self) -> "Glide":
        return self

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def padded_tokens_and_mask(self, tokens: list[int], length: int) -> tuple[list[int], list[bool]]:
        missing = length - len(tokens)
        return tokens + [0] * missing, [True] * len(tokens) + [False] * missing

    def convert_to_fp16(self) -> None:
        """Nothing, as on a CPU."""

    def forward(self, x, timesteps, tokens, mask, low_res=None):
        assert (low_res is not None) == (self.part == "upsample") and timesteps.dtype == torch.int64
        assert tokens.shape == mask.shape == (2, 128) and mask.dtype == torch.bool
        self.given.append((self.part, timesteps.tolist()))
        if low_res is not None:
            x = torch.cat([x, nn.functional.interpolate(low_res, x.shape[-2:])], 1)
        return self.last(x) + mask.sum(1).view(2, 1, 1, 1) / 10


def test_openai_glide(monkeypatch):
    given, asked = [], []
    torch.manual_seed(0)
    parts = {part: Glide(part, given) for part in ("base", "upsample")}
    creation = SimpleNamespace(
        model_and_diffusion_defaults=lambda: {"text_ctx": 128, "part": "base"},
        model_and_diffusion_defaults_upsampler=lambda: {"text_ctx": 128, "part": "upsample"},
        create_model_and_diffusion=lambda text_ctx, part: (parts[part], None))
    download = SimpleNamespace(load_checkpoint=lambda part, where: parts[part].state_dict())
    monkeypatch.setitem(sys.modules, "glide_text2im", SimpleNamespace(model_creation=creation, download=download))
    monkeypatch.setattr(runtime, "need_hub", lambda what, host, repo: asked.append((what, host)))
    scope = {"torch": torch, "hub": real, "seeded": seeded, "where": torch.device("cpu"), "show": Shown(),
             "Prediction": Prediction, "samplers": samplers, "NoiseSchedule": NoiseSchedule,
             "schedule": NoiseSchedule.cosine(), "interpolate": nn.functional.interpolate}
    for cell in cells("09_glide")[:-1]:
        exec(cell, scope)
    small, large = scope["openai_glide"]("a corgi", steps=3)
    assert small.shape == (1, 3, 64, 64) and large.shape == (1, 3, 256, 256)
    assert [part for part, _ in given] == ["base"] * 3 + ["upsample"] * 27
    assert all(t[0] == t[1] and 0 <= t[0] < 1000 for _, t in given)
    (what, host), = asked
    assert "MIT" in what and host.endswith("windows.net")
    (pictures, options), = scope["show"]
    assert pictures[0].shape == pictures[1].shape == (3, 256, 256) and options["alt"] and options["caption"]
    # Guided: the empty sentence and the wish give different guesses, and the scale tells how far beyond
    steered = [scope["released"]("base", "a corgi", scale, scope["schedule"])(torch.zeros(1, 3, 8, 8), 0).eps.mean()
               for scale in (0.0, 1.0, 3.0)]
    assert (steered[2] - steered[0]).item() == pytest.approx(3 * (steered[1] - steered[0]).item(), rel=1e-3)


def unclip_parts(hidden: int = 32) -> dict:
    """The text encoder, tokenizer and prior that Kandinsky and Karlo share, in small."""
    torch.manual_seed(0)
    words = tokenizer()
    ends = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    text = CLIPTextModelWithProjection(CLIPTextConfig(
        vocab_size=len(words), hidden_size=hidden, projection_dim=hidden, intermediate_size=37, num_hidden_layers=2,
        num_attention_heads=4, **ends))
    prior = PriorTransformer(num_attention_heads=2, attention_head_dim=12, embedding_dim=hidden, num_layers=1)
    prior.clip_std.data.fill_(1)
    scheduler = UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="sample", num_train_timesteps=1000,
                                clip_sample_range=5.0)
    return {"tokenizer": words, "text_encoder": text.eval(), "prior": prior.eval(), "scheduler": scheduler}


def image_conditioned(**options) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"), block_out_channels=(32, 64),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"), layers_per_block=1,
        mid_block_type="UNetMidBlock2DSimpleCrossAttn", cross_attention_dim=32, attention_head_dim=4,
        resnet_time_scale_shift="scale_shift", **options).eval()


def test_kandinsky_blends(hub, monkeypatch):
    vision = CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=32, image_size=28, projection_dim=32, intermediate_size=37, num_attention_heads=4,
        num_hidden_layers=1, patch_size=14))
    prior = KandinskyV22PriorPipeline(**unclip_parts(), image_encoder=vision.eval(), image_processor=None)
    movq = VQModel(block_out_channels=(32, 64), down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
                   up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"), latent_channels=4, norm_num_groups=8,
                   norm_type="spatial", num_vq_embeddings=12, vq_embed_dim=4)
    unet = image_conditioned(in_channels=4, out_channels=8, addition_embed_type="image", encoder_hid_dim=32,
                             encoder_hid_dim_type="image_proj")
    decoder = KandinskyV22Pipeline(unet, DDIMScheduler(clip_sample=False), movq.eval())
    scope = hub(prior)
    monkeypatch.setattr(KandinskyV22Pipeline, "from_pretrained",
                        lambda name, **options: scope["asked"].append(name) or decoder)
    exec(cells("11_dalle2")[0], scope)
    weights = []
    monkeypatch.setattr(KandinskyV22PriorPipeline, "interpolate",
                        lambda self, what, given, _real=KandinskyV22PriorPipeline.interpolate, **options:
                        weights.append((what, given)) or _real(self, what, given, **options))
    made = scope["kandinsky"](side=64, steps=2)
    assert scope["asked"][2:] == [real.model(f"kandinsky-{part}").id for part in ("prior", "decoder")]
    assert all("Apache 2.0" in need for need in scope["asked"][:2])
    assert weights == [(["a panda", "an owl"], [0.5, 0.5])]
    (pictures, options), = scope["show"]
    assert torch.equal(pictures, made) and made.shape[:2] == (1, 3) and -1 <= made.min() < made.max() <= 1
    assert options["alt"] and options["caption"]
    assert not torch.equal(made, scope["kandinsky"](weights=(1.0, 0.0), side=64, steps=2)), "the weights count"


def test_karlo_is_put_together_from_its_parts(hub, monkeypatch):
    shared = unclip_parts()
    text_proj = UnCLIPTextProjModel(clip_embeddings_dim=32, time_embed_dim=128, cross_attention_dim=32)
    decoder = image_conditioned(sample_size=16, in_channels=3, out_channels=6, class_embed_type="identity")
    steps = UnCLIPScheduler(variance_type="learned_range", prediction_type="epsilon", num_train_timesteps=1000)
    finer = [UNet2DModel(sample_size=32, layers_per_block=1, in_channels=6, out_channels=3, block_out_channels=(32, 64),
                         down_block_types=("ResnetDownsampleBlock2D",) * 2,
                         up_block_types=("ResnetUpsampleBlock2D",) * 2).eval() for _ in range(2)]
    last = UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="epsilon", num_train_timesteps=1000)
    parts = {"prior": shared["prior"], "decoder": decoder, "text_proj": text_proj.eval(), "super_res_first": finer[0],
             "super_res_last": finer[1], "prior_scheduler": shared["scheduler"], "decoder_scheduler": steps,
             "super_res_scheduler": last, "text_encoder": shared["text_encoder"], "tokenizer": shared["tokenizer"]}
    scope = hub(DDIMScheduler())
    for part in parts.values():
        monkeypatch.setattr(type(part), "from_pretrained",
                            lambda name, subfolder: scope["asked"].append((name, subfolder)) or parts[subfolder])
    exec(cells("11_dalle2")[1], scope)
    made = scope["karlo"](steps=2)
    (pictures, options), = scope["show"]
    assert torch.equal(pictures, made) and options["alt"] and options["caption"]
    assert made.shape == (1, 3, 32, 32) and -1 <= made.min() < made.max() <= 1
    need, *asked = scope["asked"]
    assert "OpenRAIL" in need and asked == [(real.model("karlo").id, part) for part in parts]


def test_gligen_draws_without_and_with_its_boxes(hub):
    pipeline = StableDiffusionGLIGENPipeline(*stable_diffusion_parts(4, attention_type="gated"), None, None,
                                             requires_safety_checker=False)
    for name, weight in pipeline.unet.named_parameters():
        if "alpha" in name:
            torch.nn.init.ones_(weight)
    grounded = []
    pipeline.unet.position_net.register_forward_hook(lambda module, given, tokens: grounded.append(tokens))
    scope = hub(pipeline)
    exec(cells("13_gligen")[0], scope)
    made = scope["gligen_boxes"](taus=(0.0, 1.0), steps=2, side=32)
    need, repository = scope["asked"]
    assert "OpenRAIL-M" in need and repository == real.model("gligen").id
    (pictures, options), = scope["show"]
    assert torch.equal(pictures, made) and made.shape == (2, 3, 32, 32) and -1 <= made.min() < made.max() <= 1
    assert not torch.equal(made[0], made[1]), "the boxes count"
    assert grounded[0].shape == (2, 30, 32) and not torch.equal(*grounded[0]), "null tokens without the sentence"
    assert [len(boxes) for boxes in options["boxes"]] == [2, 2] and options["alt"] and options["caption"]


def test_controlnet_draws_along_edges(hub, monkeypatch):
    *parts, scheduler = stable_diffusion_parts(4)
    control = ControlNetModel.from_unet(parts[3], conditioning_embedding_out_channels=(16, 32))
    closed = (*control.controlnet_down_blocks, control.controlnet_mid_block, control.controlnet_cond_embedding.conv_out)
    for block in closed:
        torch.nn.init.normal_(block.weight, std=0.5)
    pipeline = StableDiffusionControlNetPipeline(*parts, control.eval(), scheduler, None, None,
                                                 requires_safety_checker=False)
    scope = hub(pipeline, nn=nn)
    monkeypatch.setattr(ControlNetModel, "from_pretrained",
                        lambda name, **options: scope["asked"].append(name) or control)
    exec(cells("13_gligen")[0].partition("\n\n")[0], scope)
    exec(cells("13_gligen")[2], scope)
    blank, lines = torch.full((3, 16, 16), -1.0), torch.full((3, 16, 16), -1.0)
    lines[:, 8] = 1
    one, same, other = (scope["controlnet_edges"](edges, steps=2, side=32) for edges in (blank, blank, lines))
    assert one.shape == (1, 3, 32, 32) and -1 <= one.min() < one.max() <= 1
    assert torch.equal(one, same) and not torch.equal(one, other), "the edges count"
    assert scope["asked"][1] == real.model("controlnet-edges").id and scope["asked"][3] == real.model("sd").id
    (pictures, options), *_ = scope["show"]
    assert pictures[0].shape == (3, 32, 32) and torch.equal(pictures[1], one[0]) and options["alt"]
