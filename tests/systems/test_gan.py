"""The opponent: what it learns from, and its truncation."""

import math

import pytest
import torch

from course_utils.networks import GAN
from course_utils.runtime import seeded
from course_utils.systems import gan


def test_the_generator_learns_from_its_own_loss_and_the_discriminator_from_its_own():
    torch.manual_seed(0)
    network = GAN(3, width=16, critic=8, latent_dim=8)
    z, label, real = torch.randn(8, 8), torch.arange(8) % 3, torch.randn(8, 1, 32, 32).tanh()
    discriminator, maker, penalty = network(z, label, real)
    assert discriminator.shape == maker.shape == (8,) and penalty.shape == (1,)
    for loss, moved, still in ((discriminator, network.discriminator, network.generator),
                               (maker, network.generator, network.discriminator),
                               (penalty, network.discriminator, network.generator)):
        network.zero_grad()
        loss.sum().backward(retain_graph=True)
        assert any(p.grad is not None and p.grad.any() for p in moved.parameters())
        assert not any(p.grad is not None and p.grad.any() for p in still.parameters())


def test_truncation_cuts_the_normal_distribution():
    whole = gan.latents(4000, 8, None, seeded(0))
    for end in (0.5, 2.0):
        cut = gan.latents(4000, 8, end, seeded(0))
        inside = whole[whole.abs() < end]
        assert cut.abs().max() <= end * 1.001 and abs(cut.std() - inside.std()) < 0.02
    for wrong in (0, -1.0, math.nan):
        with pytest.raises(ValueError, match="truncation must be above 0"):
            gan.latents(1, 1, wrong, seeded(0))


def test_wrong_labels_for_a_gan_are_a_sentence():
    network = GAN(3, width=16, critic=0, latent_dim=8)
    with pytest.raises(ValueError, match="label .B,. in 0..2; got .2, 8., and labels 0..3"):
        network(torch.zeros(2, 8), torch.tensor([0, 3]))
    assert network(torch.zeros(2, 8), torch.tensor([0, 2])).shape == (2, 1, 32, 32)
