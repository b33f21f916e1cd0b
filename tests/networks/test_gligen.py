"""The network of GLIGEN: at first the base, bit for bit; then what it is told counts. What is new is stored alone."""

import copy

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import GatedSelfAttentionDense
from diffusers.models.embeddings import get_fourier_embeds_from_boundingbox

from course_utils.networks import GroundedUNet, LatentUNet
from course_utils.networks.gligen import GROUNDINGS, MAPS, Together, fourier
from course_utils.networks.weights import as_stored, packed
from course_utils.runtime import seeded
from tests.networks.test_autoencoder import alive

pytestmark = pytest.mark.usefixtures("plain_precision")
SMALL = {"channels": 3, "widths": [32, 64], "heads": 2, "text_dim": 16}


def told(kind: str, count: int = 2) -> dict[str, torch.Tensor]:
    """Some grounding."""
    draw = seeded(5)
    if kind == "boxes":
        return {"boxes": torch.rand(count, 3, 4, generator=draw), "masks": torch.ones(count, 3),
                "positive_embeddings": torch.randn(count, 3, 16, generator=draw)}
    if kind == "keypoints":
        return {"points": torch.rand(count, 15, 2, generator=draw), "masks": torch.ones(count, 15)}
    image = torch.rand(count, MAPS[kind][0], 64, 64, generator=draw)
    return {"image": (98 * image).long() if kind == "semantic" else image, "masks": torch.ones(count, 1)}


def grown(kind: str, **options) -> GroundedUNet:
    """A network whose new layers count, as after training."""
    return lively(GroundedUNet(kind, base=None, unet=SMALL | options))


def lively(network: GroundedUNet) -> GroundedUNet:
    """Random weights whose size hands on what comes in."""
    alive(network)
    for i, (name, weight) in enumerate(network.named_parameters()):
        if name in network.new and weight.ndim > 1 and "null" not in name:
            torch.nn.init.normal_(weight, std=2 / weight[0].numel() ** 0.5, generator=seeded(i))
        if name.endswith(("norm1.weight", "norm2.weight")) or "alpha_" in name:
            torch.nn.init.ones_(weight)
    return network


@pytest.fixture
def asked():
    return torch.randn(2, 3, 16, 16, generator=seeded(0)), torch.tensor([3, 900]), torch.randn(2, 5, 16)


@pytest.fixture
def base(monkeypatch):
    made = alive(LatentUNet(**SMALL))
    monkeypatch.setattr("course_utils.networks.frozen_base.load_network", lambda name: made)
    return made


@pytest.mark.parametrize("kind", GROUNDINGS)
def test_with_closed_gates_it_is_the_base_to_the_bit(kind, base, asked):
    network, (xt, t, text) = GroundedUNet(kind), asked
    with torch.no_grad():
        wanted = base(xt, t, text=text)
        assert torch.equal(network(xt, t, text=text), wanted) and wanted.any()
        assert torch.equal(network(xt, t, text=text, **told(kind)), wanted)
        for fuser in network.modules():
            if isinstance(fuser, GatedSelfAttentionDense):
                fuser.alpha_attn.fill_(0.5)
        changed = network(xt, t, text=text, **told(kind))
        assert not torch.allclose(changed, wanted, atol=1e-3)
        assert torch.equal(network(xt, t, text=text), wanted), "without grounding it stays the base"


@pytest.mark.parametrize("kind", GROUNDINGS)
def test_only_what_is_new_learns_and_all_of_it(kind, base, asked):
    network, (xt, t, text) = GroundedUNet(kind), asked
    before = copy.deepcopy(network.unet.state_dict())
    learning = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
    assert set(learning) == set(network.new) and not set(base.state_dict()) & set(learning)
    optimiser = torch.optim.AdamW(network.parameters(), 0.1, weight_decay=0.1)
    masks = {"masks": told(kind)["masks"] * torch.tensor([[1.0], [0.0]])}
    for _ in range(3):
        optimiser.zero_grad()
        (network(xt, t, text=text, **told(kind) | masks) - xt).square().mean().backward()
        optimiser.step()
    assert not [name for name, weight in learning.items() if weight.grad is None or not weight.grad.any()]
    after = network.unet.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items() if f"unet.{name}" not in network.new)


def test_attention_can_be_watched(asked):
    network, (xt, t, text) = grown("boxes"), asked
    with network.watched() as seen:
        made = network(xt, t, text=text, **told("boxes"))
    assert len(seen) == len(network.fusers()) > 1
    assert all(each.shape == (2, 2, 64, 67) and torch.allclose(each.sum(3), torch.ones(2, 2, 64)) for each in seen)
    assert torch.equal(network(xt, t, text=text, **told("boxes")), made) and len(seen) == len(network.fusers())
    parts = []
    fuser = network.fusers()[0]
    hook = fuser.attn.register_forward_pre_hook(lambda attention, given: parts.append(given[0]))
    network(xt, t, text=text, **told("boxes"))
    hook.remove()
    scores = fuser.attn.get_attention_scores(*(fuser.attn.head_to_batch_dim(layer(parts[0])) for layer in
                                               (fuser.attn.to_q, fuser.attn.to_k)))
    assert torch.allclose(scores.unflatten(0, (2, 2))[:, :, :64], seen[0], atol=1e-5)


def test_open_gates_before_empty_layers_are_nothing_too(base, asked):
    network, (xt, t, text) = GroundedUNet("boxes"), asked
    network.open_gates()
    with torch.no_grad():
        assert torch.equal(network(xt, t, text=text, **told("boxes")), base(xt, t, text=text))
    (network(xt, t, text=text, **told("boxes")) - xt).square().mean().backward()
    for fuser in network.fusers():
        assert fuser.attn.to_out[0].weight.grad.any() and fuser.alpha_attn == 1


@pytest.mark.parametrize("kind", ["boxes", "edges"])
def test_a_checkpoint_holds_the_new_weights_alone(kind, base, asked):
    network, (xt, t, text) = GroundedUNet(kind), asked
    for name, weight in network.named_parameters():
        if name in network.new:
            torch.nn.init.normal_(weight.data, std=0.2, generator=seeded(len(name)))
    weights = network.state_dict()
    assert set(weights) == set(network.new)
    other = GroundedUNet(kind)
    other.load_state_dict(packed(weights))
    stored = as_stored(network)
    with torch.no_grad():
        one, two = (each(xt, t, text=text, **told(kind)) for each in (other, stored))
    assert torch.equal(one, two)
    name = next(iter(weights))
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict({key: value for key, value in weights.items() if key != name})


def test_for_boxes_it_is_diffusers_gated_unet(asked):
    network, (xt, t, text) = grown("boxes"), asked
    unet = network.plain()
    assert type(unet) is UNet2DConditionModel and unet.config.attention_type == "gated"
    theirs = unet(xt, t, text, cross_attention_kwargs={"gligen": told("boxes")}).sample
    assert torch.allclose(theirs, network(xt, t, text=text, **told("boxes")), rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="boxes alone; this network's grounding is edges"):
        grown("edges").plain()


@pytest.mark.parametrize("kind", GROUNDINGS)
def test_null_is_the_same_whatever_was_there(kind, asked):
    network, (xt, t, text), given = grown(kind), asked, told(kind)
    nothing = given | {"masks": torch.zeros_like(given["masks"])}
    other = {name: value if name == "masks" else value.flip(0) for name, value in nothing.items()}
    made = [network(xt, t, text=text, **some) for some in (nothing, other, given)]
    assert torch.allclose(made[0], made[1], atol=1e-5) and not torch.allclose(made[0], made[2], atol=1e-3)


def test_places_are_waves():
    boxes = torch.rand(1, 2, 4, generator=seeded(0))
    ours, theirs = fourier(boxes), get_fourier_embeds_from_boundingbox(8, boxes)
    assert ours.shape == theirs.shape == (1, 2, 64)
    assert torch.allclose(ours.sort().values, theirs.sort().values, atol=1e-6)


def test_two_groundings_follow_each_other(asked):
    xt, t, text = asked
    networks = [grown("boxes"), grown("edges")]
    both = Together(networks)
    given = {f"{kind}_{name}": value for kind in ("boxes", "edges") for name, value in told(kind).items()}
    with torch.no_grad():
        made = both(xt, t, text=text, **given)
        assert torch.allclose(both(xt, t, text=text), networks[0](xt, t, text=text))
        for kind in ("boxes", "edges"):
            other = {name: value if name.endswith("masks") else value.flip(0) for name, value in given.items()
                     if name.startswith(kind)}
            assert not torch.allclose(both(xt, t, text=text, **given | other), made, atol=1e-3)
        # One whose gates are closed changes nothing
        closed = grown("edges")
        closed.load_state_dict({name: torch.zeros_like(value) for name, value in closed.state_dict().items()})
        one = Together([networks[0], closed])(xt, t, text=text, **given)
        assert torch.allclose(one, networks[0](xt, t, text=text, **told("boxes")), atol=1e-4)
    with pytest.raises(ValueError, match="each grounding can be there once"):
        Together([networks[0], networks[0]])


def test_other_groundings_are_a_sentence():
    with pytest.raises(ValueError, match="grounding must be one of boxes, keypoints, depth"):
        GroundedUNet("sounds", base=None, unet=SMALL)
