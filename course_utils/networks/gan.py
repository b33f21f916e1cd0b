"""The opponent: a generator that makes a picture in one step, and a discriminator that tells it from real ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu, pixel_shuffle, pixel_unshuffle, silu, softplus

from course_utils.networks.blocks import GroupNormSiLU, ResidualBlock
from course_utils.networks.weights import Network


class GAN(Network):
    """`gan(z, label)` -> pictures (B, channels, 32, 32) in [-1, 1]; the discriminator beside it (width `critic`, 0 for
    none) is for training only.

    z (B, latent) normal numbers; label (B,) in 0..classes-1. ValueError for others.
    With real `pictures` (B, channels, 32, 32) of these labels it answers what training needs, so that one optimiser can
    train both networks: the losses (B,) of the discriminator and of the generator, each about pairs of a real and a
    made picture of one label, and the squared slopes (n,) of the discriminator at some pictures of both kinds.
    Source: Goodfellow et al. 2014; class-conditional norms from Brock et al. 2019 (BigGAN), the loss of pairs from
    Jolicoeur-Martineau 2019, the penalties on the slope (R1, R2) from Mescheder et al. 2018, all together from Huang
    et al. 2024 (R3GAN).
    """

    def __init__(self, classes: int, channels: int = 1, latent: int = 64, width: int = 128, critic: int = 64):
        super().__init__()
        self.classes, self.channels, self.latent = classes, channels, latent
        self.generator = Generator(classes, channels, latent, width)
        self.discriminator = Discriminator(classes, channels, critic) if critic else None
        self.to(memory_format=torch.channels_last)

    def forward(self, z: Tensor, label: Tensor, pictures: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
        if z.shape != (len(label), self.latent) or bool((label < 0).any()) or bool((label >= self.classes).any()):
            raise ValueError(f"z must be (B, {self.latent}) and label (B,) in 0..{self.classes - 1}; got "
                             f"{tuple(z.shape)}, and labels {label.min().item()}..{label.max().item()}.")
        made = self.generator(z, label)
        return made if pictures is None else self._contest(made, label, pictures)

    def _contest(self, made: Tensor, label: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        judge = self.discriminator
        real, fake = judge(pictures, label), judge(made.detach(), label)
        # The generator is judged by the same discriminator, which must not learn from that
        frozen = {name: value.detach() for name, value in judge.named_parameters()}
        fooled = functional_call(judge, frozen, (made, label))
        some = max(1, len(pictures) // 8)
        slopes = [_slope(judge, part[:some].detach(), label[:some]) for part in (pictures, made)]
        return softplus(fake - real), softplus(real.detach() - fooled), sum(slopes)


def _slope(judge: nn.Module, pictures: Tensor, label: Tensor) -> Tensor:
    """The squared slope of the discriminator (n,) at some pictures."""
    with torch.autocast(pictures.device.type, enabled=False), torch.enable_grad():
        free = pictures.float().requires_grad_()
        (slope,) = torch.autograd.grad(judge(free, label).sum(), free, create_graph=True)
    return slope.square().flatten(1).sum(1)


class Generator(nn.Module):
    """4 x 4 places of 3 * width channels, twice as large twice, then each place becomes 2 x 2 pixels."""

    def __init__(self, classes: int, channels: int, latent: int, width: int):
        super().__init__()
        self.label = nn.Embedding(classes, latent)
        self.first = nn.Linear(2 * latent, 3 * width * 16)
        self.blocks = nn.ModuleList(
            ResidualBlock(into * width, out * width, 2 * latent) for into, out in ((3, 2), (2, 2), (2, 1)))
        self.norm = GroupNormSiLU(min(32, width // 4), width)
        self.last = nn.Conv2d(width, channels * 4, 3, padding=1)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        # Every block hears of both, through its second norm
        condition = torch.cat([z, self.label(label)], dim=1)
        x = self.first(condition).unflatten(1, (-1, 4, 4)).contiguous(memory_format=torch.channels_last)
        x = self.blocks[0](x, silu(condition))
        for block in self.blocks[1:]:
            x = block(interpolate(x, scale_factor=2, mode="nearest"), silu(condition))
        return pixel_shuffle(self.last(self.norm(x)), 2).tanh()


class Discriminator(nn.Module):
    """A score (B,), high for real: a look at the picture, and how well it fits the label (projection)."""

    def __init__(self, classes: int, channels: int, width: int):
        super().__init__()
        widths = (width, 2 * width, 4 * width)
        self.first = nn.Conv2d(channels * 4, width, 3, padding=1)
        self.blocks = nn.ModuleList(_Layer(into, out) for into, out in zip((width, *widths), widths))
        self.variety = nn.Conv2d(widths[-1] + 1, widths[-1], 3, padding=1)
        self.label, self.last = nn.Embedding(classes, widths[-1]), nn.Linear(widths[-1], 1)

    def forward(self, pictures: Tensor, label: Tensor) -> Tensor:
        x = self.first(pixel_unshuffle(pictures, 2).contiguous(memory_format=torch.channels_last))
        for i, block in enumerate(self.blocks):
            x = block(avg_pool2d(x, 2) if i else x)
        # How much the pictures of the batch differ (Karras et al. 2018): repeating itself gives a generator away
        spread = x.float().var(0, correction=0).add(1e-8).sqrt().mean().to(x.dtype).expand_as(x[:, :1])
        h = leaky_relu(self.variety(torch.cat([x, spread], dim=1)), 0.2).mean((2, 3))
        return (self.last(h)[:, 0] + (self.label(label) * h).sum(1)).float()


class _Layer(nn.Module):
    """Two convolutions beside a skip, without norms: a norm would let the pictures of a batch speak to each other."""

    def __init__(self, channels: int, out: int):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(channels, out, 3, padding=1), nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv2(leaky_relu(self.conv1(leaky_relu(x, 0.2)), 0.2))
        return (self.skip(x) + h) / 2**0.5
