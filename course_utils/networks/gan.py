"""A GAN: a generator that makes an image in one step, and a discriminator that tells it from real ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu, pixel_shuffle, pixel_unshuffle, silu, softplus

from course_utils.networks.blocks import GroupNormSiLU, ResidualBlock
from course_utils.networks.weights import Network


class GAN(Network):
    """`gan(z, label)` -> images (B, channels, 32, 32) in [-1, 1]; the discriminator (width `critic`, 0 for none) is for
    training only.

    z (B, latent_dim) normal numbers; label (B,) in 0..num_classes-1. ValueError for others.
    With real `images` (B, channels, 32, 32) of these labels it returns what training needs, so that one optimiser can
    train both networks: the losses (B,) of the discriminator and of the generator, each about pairs of a real and a
    generated image of one label, and the gradient penalty (n,) of the discriminator at some images of both kinds.
    Source: Goodfellow et al. 2014; class-conditional norms from Brock et al. 2019 (BigGAN), the relativistic loss
    from Jolicoeur-Martineau 2019, the gradient penalties (R1, R2) from Mescheder et al. 2018, all together from Huang
    et al. 2024 (R3GAN).
    """

    def __init__(self, num_classes: int, channels: int = 1, latent_dim: int = 64, width: int = 128, critic: int = 64):
        super().__init__()
        self.num_classes, self.channels, self.latent_dim = num_classes, channels, latent_dim
        self.generator = Generator(num_classes, channels, latent_dim, width)
        self.discriminator = Discriminator(num_classes, channels, critic) if critic else None
        self.to(memory_format=torch.channels_last)

    def forward(self, z: Tensor, label: Tensor, images: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
        inside = bool(((label >= 0) & (label < self.num_classes)).all())
        if z.shape != (len(label), self.latent_dim) or not inside:
            raise ValueError(f"z must be (B, {self.latent_dim}) and label (B,) in 0..{self.num_classes - 1}; got "
                             f"{tuple(z.shape)}, and labels {label.min().item()}..{label.max().item()}.")
        made = self.generator(z, label)
        return made if images is None else self._losses(made, label, images)

    def _losses(self, made: Tensor, label: Tensor, real_images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        discriminator = self.discriminator
        real, fake = discriminator(real_images, label), discriminator(made.detach(), label)
        # The generator's loss comes from the same discriminator, which must not learn from it
        frozen = {name: value.detach() for name, value in discriminator.named_parameters()}
        fooled = functional_call(discriminator, frozen, (made, label))
        some = max(1, len(real_images) // 8)
        penalties = [_gradient_penalty(discriminator, part[:some].detach(), label[:some])
                     for part in (real_images, made)]
        return softplus(fake - real), softplus(real.detach() - fooled), sum(penalties)


def _gradient_penalty(discriminator: nn.Module, images: Tensor, label: Tensor) -> Tensor:
    """The squared norm of the discriminator's gradient (n,) at some images."""
    with torch.autocast(images.device.type, enabled=False), torch.enable_grad():
        free = images.float().requires_grad_()
        (gradient,) = torch.autograd.grad(discriminator(free, label).sum(), free, create_graph=True)
    return gradient.square().flatten(1).sum(1)


class Generator(nn.Module):
    """A 4 x 4 map of 3 * width channels, upsampled twice, then each place becomes 2 x 2 pixels."""

    def __init__(self, num_classes: int, channels: int, latent_dim: int, width: int):
        super().__init__()
        self.label = nn.Embedding(num_classes, latent_dim)
        self.first = nn.Linear(2 * latent_dim, 3 * width * 16)
        self.blocks = nn.ModuleList(
            ResidualBlock(into * width, out * width, 2 * latent_dim) for into, out in ((3, 2), (2, 2), (2, 1)))
        self.norm = GroupNormSiLU(min(32, width // 4), width)
        self.last = nn.Conv2d(width, channels * 4, 3, padding=1)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        # Every block is conditioned on both, through its second norm
        condition = torch.cat([z, self.label(label)], dim=1)
        x = self.first(condition).unflatten(1, (-1, 4, 4)).contiguous(memory_format=torch.channels_last)
        x = self.blocks[0](x, silu(condition))
        for block in self.blocks[1:]:
            x = block(interpolate(x, scale_factor=2, mode="nearest"), silu(condition))
        return pixel_shuffle(self.last(self.norm(x)), 2).tanh()


class Discriminator(nn.Module):
    """A logit (B,), high for real: from the image alone, plus its projection on the label's embedding."""

    def __init__(self, num_classes: int, channels: int, width: int):
        super().__init__()
        widths = (width, 2 * width, 4 * width)
        self.first = nn.Conv2d(channels * 4, width, 3, padding=1)
        self.blocks = nn.ModuleList(_Layer(into, out) for into, out in zip((width, *widths), widths))
        self.variety = nn.Conv2d(widths[-1] + 1, widths[-1], 3, padding=1)
        self.label, self.last = nn.Embedding(num_classes, widths[-1]), nn.Linear(widths[-1], 1)

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        x = self.first(pixel_unshuffle(images, 2).contiguous(memory_format=torch.channels_last))
        for i, block in enumerate(self.blocks):
            x = block(avg_pool2d(x, 2) if i else x)
        # Minibatch standard deviation (Karras et al. 2018): repeating itself gives a generator away
        spread = x.float().var(0, correction=0).add(1e-8).sqrt().mean().to(x.dtype).expand_as(x[:, :1])
        h = leaky_relu(self.variety(torch.cat([x, spread], dim=1)), 0.2).mean((2, 3))
        return (self.last(h)[:, 0] + (self.label(label) * h).sum(1)).float()


class _Layer(nn.Module):
    """Two convolutions beside a skip, without norms: they would let the images of a batch influence each other."""

    def __init__(self, channels: int, out: int):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(channels, out, 3, padding=1), nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv2(leaky_relu(self.conv1(leaky_relu(x, 0.2)), 0.2))
        return (self.skip(x) + h) / 2**0.5
