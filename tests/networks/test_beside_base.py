"""What learns beside a frozen base: additions of low rank, and a ControlNet. At first both are the base."""

import pytest
import torch

from course_utils.networks import ControlledUNet, LatentUNet, LowRankUNet
from course_utils.networks.weights import as_stored
from course_utils.runtime import seeded
from tests.networks.test_autoencoder import alive
from tests.networks.test_gligen import SMALL

pytestmark = pytest.mark.usefixtures("plain_precision")


@pytest.fixture
def asked():
    return torch.randn(2, 3, 16, 16, generator=seeded(0)), torch.tensor([3, 900]), torch.randn(
        2, 5, 16, generator=seeded(1))


@pytest.fixture
def base(monkeypatch):
    made = alive(LatentUNet(**SMALL))
    monkeypatch.setattr("course_utils.networks.frozen_base.load_network", lambda name: made)
    return made


def moved(network):
    """With all that is new away from its start."""
    for i, (name, weight) in enumerate(network.named_parameters()):
        if name in network.new and weight.ndim > 1:
            torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5, generator=seeded(i))
    return network


@torch.no_grad()
def test_additions_of_low_rank_begin_as_nothing_and_merge(base, asked):
    network, (xt, t, text) = LowRankUNet(rank=2), asked
    wanted = base(xt, t, text=text)
    assert torch.equal(network(xt, t, text=text), wanted) and wanted.any()
    changed = moved(network)(xt, t, text=text)
    assert not torch.allclose(changed, wanted, atol=1e-2)
    assert torch.allclose(network.merged()(xt, t, text=text), changed, atol=1e-5)
    assert torch.allclose(network.plain()(xt, t, text)[0], changed, atol=1e-4)


def test_a_map_counts_where_there_is_one(base, asked):
    network, (xt, t, text) = ControlledUNet("edges"), asked
    told = {"image": torch.rand(2, 1, 64, 64, generator=seeded(2)), "masks": torch.ones(2, 1)}
    with torch.no_grad():
        wanted = base(xt, t, text=text)
        assert torch.equal(network(xt, t, text=text, **told), wanted)
        changed = moved(network)(xt, t, text=text, **told)
        assert not torch.allclose(changed, wanted, atol=1e-2)
        half = network(xt, t, text=text, image=told["image"], masks=torch.tensor([[1.0], [0.0]]))
        assert torch.allclose(half[0], changed[0], atol=1e-5) and torch.allclose(half[1], wanted[1], atol=1e-5)
    with pytest.raises(ValueError, match="grounding must be depth or edges; got 'normals'"):
        ControlledUNet("normals", base=None)


@pytest.mark.parametrize("kind", [LowRankUNet, ControlledUNet])
def test_only_what_is_new_learns_and_is_stored(kind, base, asked):
    network, (xt, t, text) = moved(kind()), asked
    told = {} if kind is LowRankUNet else {"image": torch.rand(2, 1, 64, 64), "masks": torch.ones(2, 1)}
    network(xt, t, text=text, **told).square().mean().backward()
    learning = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert learning == network.new == set(network.state_dict())
    assert all(weight.grad is not None for name, weight in network.named_parameters() if name in learning)
    fresh = kind()
    fresh.load_state_dict(as_stored(network).state_dict())
    with torch.no_grad():
        assert torch.allclose(fresh(xt, t, text=text, **told), network(xt, t, text=text, **told), atol=0.2)
