"""The U-Net: shapes, conditions that cost nothing when off, sentences for wrong input, numbers that do not move."""

import pytest
import torch
from torch.nn.functional import mse_loss

from course_utils.networks import UNet, load_network
from course_utils.networks.blocks import GELU, Attention
from course_utils.runtime import seeded
from course_utils.training.run import Run
from tests.conftest import ROOT

SMALL = {"widths": (16, 32), "middle": 1}
# How each condition is switched on, and a value for two pictures of 8 x 8
CONDITIONS = {
    "label": ({"num_classes": 3}, torch.tensor([0, 3])),
    "image": ({"image_channels": 2}, torch.randn(2, 2, 8, 8, generator=seeded(0))),
    "text": ({"text_dim": 6}, torch.randn(2, 5, 6, generator=seeded(1))),
    "vector": ({"vector_dim": 4}, torch.randn(2, 4, generator=seeded(2))),
    "grounding": ({"grounding_dim": 7}, torch.randn(2, 3, 7, generator=seeded(3))),
}


def small(**options) -> UNet:
    """A small network, the same for the same options."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return UNet(**SMALL | options)


def shaken(network: UNet) -> UNet:
    """The network with no parameter at zero, but for GLIGEN's gates: none of its parts is silent."""
    generator = seeded(4)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if not name.endswith("gates"):
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network


def noise(*shape: int, seed: int = 5) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed))


def trained(network: UNet, steps: int = 12, **condition) -> UNet:
    """After a few steps towards a target that has nothing to do with the input."""
    optimiser, target = torch.optim.Adam(network.parameters(), 1e-2), noise(2, network.channels, 8, 8, seed=6)
    for _ in range(steps):
        optimiser.zero_grad()
        mse_loss(network(noise(2, network.channels, 8, 8), torch.tensor([100, 700]), **condition), target).backward()
        optimiser.step()
    return network


@pytest.mark.parametrize("options,shape", [
    ({}, (2, 1, 32, 32)),
    ({"widths": (32,)}, (1, 1, 6, 10)),
    ({"widths": (16, 32, 48), "channels": 3}, (2, 3, 16, 40)),
    ({"stem": 1, "channels": 3}, (1, 3, 10, 6)),
    ({"stem": 4, "blocks": 2}, (3, 1, 16, 8)),
    ({"widths": (16, 24, 32), "blocks": 2, "middle": 2}, (1, 1, 8, 8)),
    ({"middle": 0}, (1, 1, 4, 4)),
])
def test_the_answer_has_the_shape_of_the_picture(options, shape):
    network = shaken(small(**options))
    out = network(noise(*shape), torch.arange(shape[0]))
    assert out.shape == shape and out.isfinite().all() and out.std() > 0


def test_the_standard_network_is_small():
    assert 3e6 < sum(p.numel() for p in UNet().parameters()) < 6e6


@pytest.mark.parametrize("shape", [(1, 1, 30, 32), (1, 1, 32, 31), (1, 3, 32, 32)])
def test_other_pictures_are_a_sentence(shape):
    with pytest.raises(ValueError, match=r"xt must be \(B, 1, H, W\), height and width multiples of 4; got .* Pad"):
        small()(noise(*shape), 0)


def test_unknown_predicts_is_a_sentence():
    with pytest.raises(ValueError, match="predicts must be one of eps, x0, v; got 'score'"):
        UNet(predicts="score")


def test_gelu_is_one_function_in_both_formats():
    x = torch.linspace(-6, 6, 2001)
    assert torch.equal(GELU(approximate="tanh")(x), torch.nn.functional.gelu(x, approximate="tanh"))
    rough = x.bfloat16()
    exact = torch.nn.functional.gelu(rough.double(), approximate="tanh")
    # 8 binary digits, and what is between the two formulas
    assert ((GELU(approximate="tanh")(rough).double() - exact).abs() < 2**-8 * exact.abs() + 0.0005).all()


@pytest.mark.parametrize("options", [{}, *(options for options, _ in CONDITIONS.values())])
def test_a_new_network_answers_zero(options):
    network = small(**options)
    given = {name: value for name, (option, value) in CONDITIONS.items() if option == options}
    assert torch.equal(network(noise(2, 1, 8, 8), 500, **given), torch.zeros(2, 1, 8, 8))


def test_t_is_a_number_or_one_for_each_picture():
    network, xt = shaken(small()), noise(2, 1, 8, 8)
    assert torch.equal(network(xt, 300), network(xt, torch.tensor([300, 300])))
    assert torch.allclose(network(xt, torch.tensor([300, 7]))[1:], network(xt[1:], 7), atol=1e-5)


def test_t_matters_after_a_little_training():
    network, xt = trained(small()), noise(2, 1, 8, 8)
    assert (network(xt, 100) - network(xt, 700)).abs().max() > 1e-3


def test_a_noise_level_stands_in_for_t():
    network, xt = shaken(small(noise_level=True)), noise(2, 1, 8, 8)
    assert torch.allclose(network(xt, 0.25), shaken(small())(xt, 250), atol=1e-5)
    assert (network(xt, torch.tensor([0.1, 0.9])) - network(xt, 0.1)).abs().max() > 1e-3


def test_where_things_stand_matters():
    network, xt = shaken(small(middle=2)), torch.zeros(1, 1, 32, 32)
    xt[..., :8, :8] = 1
    there, back = network(xt.roll((16, 16), (-2, -1)), 0).roll((-16, -16), (-2, -1)), network(xt, 0)
    assert (there - back)[..., 4:8, 4:8].abs().max() > 1e-3


# Conditions


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_that_is_off_has_no_parameters(name):
    options, _ = CONDITIONS[name]
    plain, more = ({key: value.shape for key, value in small(**o).state_dict().items()} for o in ({}, options))
    if name == "image":
        assert plain.keys() == more.keys() and plain["first.weight"] != more["first.weight"]
    else:
        assert plain.items() < more.items()


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_that_is_on_matters_after_a_little_training(name):
    options, value = CONDITIONS[name]
    network, xt = trained(small(**options), **{name: value}), noise(2, 1, 8, 8)
    outs = [network(xt, 500, **{name: other}) for other in (value, value.flip(0))]
    assert outs[0].shape == xt.shape and (outs[0] - outs[1]).abs().max() > 1e-3


def test_the_last_label_says_none():
    network, xt = shaken(small(num_classes=3)), noise(1, 1, 8, 8)
    outs = [network(xt, 500, label=torch.tensor([label])) for label in range(4)]
    assert all((outs[3] - out).abs().max() > 1e-3 for out in outs[:3])
    with pytest.raises(IndexError):
        network(xt, 500, label=torch.tensor([4]))


def test_all_conditions_go_together():
    options = {key: value for option, _ in CONDITIONS.values() for key, value in option.items()}
    given = {name: value for name, (_, value) in CONDITIONS.items()}
    assert shaken(small(**options))(noise(2, 1, 8, 8), 500, **given).shape == (2, 1, 8, 8)


def test_new_grounding_changes_nothing_at_all():
    plain = shaken(small())
    more = small(grounding_dim=7)
    missing, unexpected = more.load_state_dict(plain.state_dict(), strict=False)
    assert unexpected == [] and missing and all(".grounding." in key for key in missing)
    xt, grounding = noise(2, 1, 8, 8), CONDITIONS["grounding"][1]
    assert torch.equal(more(xt, 500, grounding=grounding), plain(xt, 500))
    assert torch.equal(more(xt, 500), plain(xt, 500))  # It may be left out


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_the_network_was_not_made_for_is_a_sentence(name):
    options, value = CONDITIONS[name]
    (option,) = options
    with pytest.raises(ValueError, match=f"made with {option}=0, but `{name}` has the shape .* Leave it out"):
        small()(noise(2, 1, 8, 8), 0, **{name: value})


@pytest.mark.parametrize("name", [name for name in CONDITIONS if name != "grounding"])
def test_a_missing_condition_is_a_sentence(name):
    options, _ = CONDITIONS[name]
    ((option, size),) = options.items()
    with pytest.raises(ValueError, match=f"made with {option}={size}, but `{name}` is missing. Give one of that size"):
        small(**options)(noise(2, 1, 8, 8), 0)


@pytest.mark.parametrize("name", [name for name in CONDITIONS if name != "label"])
def test_a_condition_of_another_size_is_a_sentence(name):
    options, value = CONDITIONS[name]
    wrong = value[:, :1] if name == "image" else value[..., :1]
    with pytest.raises(ValueError, match=f"but `{name}` has the shape .* Give one of that size"):
        small(**options)(noise(2, 1, 8, 8), 0, **{name: wrong})


# Numbers


def test_with_qk_norm_only_directions_of_queries_and_keys_count():
    for qk_norm in (True, False):
        torch.manual_seed(0)
        attention = Attention(16, 2, context_dim=8, qk_norm=qk_norm)
        x, words = noise(2, 5, 16), noise(2, 3, 8, seed=7)
        before = attention(x, words)
        with torch.no_grad():
            for layer, keys in ((attention.qkv, slice(0, 32)), (attention.context_kv, slice(0, 16))):
                layer.weight[keys] *= 50
                layer.bias[keys] *= 50
        assert torch.allclose(attention(x, words), before, atol=1e-5) == qk_norm


def test_the_order_in_memory_does_not_matter():
    network, xt = shaken(small()), noise(2, 1, 32, 32)
    last = network(xt.contiguous(memory_format=torch.channels_last), 500)
    first = network.to(memory_format=torch.contiguous_format)(xt, 500)
    assert torch.allclose(first, last, rtol=1e-3, atol=1e-4)


def test_bf16_is_close_to_float32():
    network, xt = shaken(small()), noise(8, 1, 32, 32)
    exact = network(xt, 500)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(xt, 500)
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).std() < 0.03 * exact.std()


@pytest.mark.parametrize("options", [{}, *(options for options, _ in CONDITIONS.values()),
                                     {"widths": [16, 24, 32], "predicts": "v", "noise_level": True, "stem": 1}])
def test_the_library_saves_and_loads_it(tmp_path, options):
    network = shaken(small(**options))
    network.save_pretrained(tmp_path)
    again = UNet.from_pretrained(tmp_path)
    assert again.predicts == network.predicts and again.noise_level == network.noise_level
    assert again.state_dict().keys() == network.state_dict().keys()
    assert all(torch.equal(again.state_dict()[key], value) for key, value in network.state_dict().items())


def test_a_checkpoint_holds_it_rounded(tmp_path):
    network, xt = shaken(small(predicts="eps")), noise(4, 1, 32, 32)
    Run(tmp_path).write_checkpoint(network, {"network": "UNet"})
    again = load_network(tmp_path / "checkpoint")
    assert again.predicts == "eps" and not again.training and not any(p.requires_grad for p in again.parameters())
    assert all(p.dtype == torch.float32 for p in again.parameters())
    exact = network(xt, 500)
    assert (again(xt, 500) - exact).std() < 0.01 * exact.std()
    size, whole = ((tmp_path / "checkpoint" / "model.safetensors").stat().st_size,
                   4 * sum(p.numel() for p in network.parameters()))
    assert size < 0.6 * whole


def test_it_is_short_enough_to_be_read():
    text = "".join((ROOT / "course_utils" / "networks" / name).read_text() for name in ("unet.py", "blocks.py"))
    assert len([line for line in text.splitlines() if line.strip()]) < 250
