"""The cells "At full scale" run offline: a tiny pipeline of the same class, with random weights, replaces the real one.

A cell with the tag `full-scale` defines a function or calls it; here it is taken from the notebook as it stands there.
"""

from types import SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiTPipeline, DiTTransformer2DModel

from course_utils import runtime
from course_utils.authoring import notebook_file
from course_utils.runtime import generator
from tests.conftest import ROOT


def cells(name: str) -> list[str]:
    """The code cells of a notebook that have the tag."""
    content = notebook_file.read(ROOT / "notebooks" / f"{name}.ipynb")
    return [cell["source"] for cell in content["cells"] if "full-scale" in cell["metadata"].get("tags", [])]


class Shown(list):
    """Stands for `show` and keeps what `images` was given."""

    def images(self, pictures, **options) -> None:
        self.append((pictures, options))


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
    vae = AutoencoderKL(block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4, layers_per_block=1,
                        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2)
    names = {"207": "golden retriever", "967": "espresso", "980": "volcano"}
    return DiTPipeline(transformer.eval(), vae.eval(), DDIMScheduler(), id2label=names)


@pytest.fixture
def scope(dit, monkeypatch) -> dict:
    """What the cells of notebook 06 find in the notebook, on the CPU and with a hub that holds the small pipeline."""
    asked = []
    monkeypatch.setattr(runtime, "need_hub", asked.append)
    monkeypatch.setattr(DiTPipeline, "from_pretrained", lambda repository, **options: asked.append(repository) or dit)
    return {"torch": torch, "runtime": runtime, "generator": generator, "where": torch.device("cpu"), "show": Shown(),
            "asked": asked}


def test_dit_sweep(scope, dit):
    define, _ = cells("06_classifier_free_guidance")
    exec(define, scope)
    sizes = []
    dit.transformer.register_forward_hook(lambda module, given, answer: sizes.append(len(given[0])))
    scope["dit_sweep"](scales=(1.0, 4.0), steps=2)
    hub, repository = scope["asked"]
    assert "CC BY-NC 4.0" in hub and repository == "facebook/DiT-XL-2-256"
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


@pytest.mark.parametrize("kind,missing,says", [
    ("cpu", None, "needs an NVIDIA GPU"), ("cuda", RuntimeError("the hub does not answer"), "the hub does not answer"),
    ("cuda", None, "drawn")])
def test_without_gpu_or_hub_there_is_a_sentence(kind, missing, says, capsys):
    def sweep():
        if missing:
            raise missing
        print("drawn")

    exec(cells("06_classifier_free_guidance")[1], {"where": SimpleNamespace(type=kind), "dit_sweep": sweep})
    assert says in capsys.readouterr().out
