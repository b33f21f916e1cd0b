"""Stable Diffusion's autoencoder: images to latents and back, on diffusers' AutoencoderKL."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import leaky_relu, pixel_unshuffle

from course_utils.networks.weights import Network

# Of the two constant channels of each group, beside which the others hardly change the group's standard deviation
CONSTANT = 4.0
LOG_VARIANCE = -6.0  # of the latents' noise, at the start


class Autoencoder(Network):
    """Images (B, 3, H, W) in [-1, 1] <-> latents (B, latent_channels, H / f, W / f), f = 2 ** (len(widths) - 1).

    `network(images, noise)`, with noise in the shape of the latents, is for training: the decoded images, and mean and
    log variance of the latents. `network.vae` is a diffusers.AutoencoderKL. `encode` gives the mean, times
    `network.scale`, with which latents have a standard deviation of 1. widths: channels at each resolution. critic:
    width of a discriminator of patches, for training only, 0 for none. ValueError when H or W is no multiple of f.
    Source: Rombach et al. 2022, section 3.1 and appendix G.
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 64, 128), latent_channels: int = 8, groups: int = 8,
                 critic: int = 0):
        from diffusers import AutoencoderKL

        from course_utils.networks.diffusers_blocks import quickened

        super().__init__()
        self.channels, self.factor = latent_channels, 2 ** (len(widths) - 1)
        self.vae = quickened(AutoencoderKL(
            block_out_channels=list(widths), down_block_types=["DownEncoderBlock2D"] * len(widths),
            up_block_types=["UpDecoderBlock2D"] * len(widths), latent_channels=latent_channels,
            norm_num_groups=groups, mid_block_add_attention=False))
        self.register_buffer("scale", torch.ones(()))
        self.discriminator = PatchDiscriminator(critic) if critic else None

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self._encode(images)
        latents = mean + (0.5 * log_variance).exp() * noise
        return self.vae.decode(latents, return_dict=False)[0].float(), mean, log_variance

    def judged(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The decoded images, and of patches the logits that they are real: of real ones, of decoded ones for the
        discriminator to learn from, and the same for the decoder, from which the discriminator does not learn."""
        made = self.forward(images, noise)[0]
        fixed = {name: value.detach() for name, value in self.discriminator.named_parameters()}
        return (made, self.discriminator(images), self.discriminator(made.detach()),
                functional_call(self.discriminator, fixed, made))

    def encode(self, images: Tensor) -> Tensor:
        """Images as latents, without noise."""
        return self.scale * self._encode(images)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """Latents as images, which may reach a little beyond [-1, 1]."""
        latents = (latents / self.scale).contiguous(memory_format=torch.channels_last)
        return self.vae.decode(latents, return_dict=False)[0].float()

    def plain(self):
        """The diffusers.AutoencoderKL with these weights and its blocks as diffusers has them, on the CPU."""
        from course_utils.networks.diffusers_blocks import as_published

        vae = as_published(self.vae)
        vae.register_to_config(scaling_factor=self.scale.item())
        return vae

    @torch.no_grad()
    def start_from_pca(self, images: Tensor) -> None:
        """Set the weights so that training starts where linear algebra ends: the encoder is PCA of patches of f x f.

        images (N, 3, H, W) in [-1, 1] to find the principal components of. Each level keeps as many components of
        2 x 2 of the one before as it has channels. Norm and SiLU at the encoder's end are passed as good as unchanged:
        silu(x) - silu(-x) = x, and two large constants in a group keep its standard deviation from depending on x.
        All residual branches, those of the decoder too, start at zero. ValueError when the last two widths are equal,
        or groups have fewer than four channels.
        """
        encoder, used = self.vae.encoder, images.shape[1]
        shortcut, groups = encoder.down_blocks[-1].resnets[0].conv_shortcut, encoder.conv_norm_out.num_groups
        width = encoder.conv_norm_out.num_channels
        each = width // groups
        if shortcut is None or each < 4:
            raise ValueError("starting from PCA needs a last width unlike the one before, and four channels a group.")
        for name, weight in self.vae.named_parameters():
            if ".conv2." in name:
                weight.zero_()
        _set(encoder.conv_in, torch.eye(used))
        for block in encoder.down_blocks[:-1]:
            if block.resnets[0].conv_shortcut is not None:
                _set(block.resnets[0].conv_shortcut, torch.eye(used))
            patches = pixel_unshuffle(images, 2).movedim(1, -1)
            axes, size = _principal_axes(patches.flatten(0, 2))
            conv = block.downsamplers[0].conv
            axes = axes[:, : len(conv.weight)]
            _set(conv, torch.zeros(0, 0))
            conv.weight[: axes.shape[1], :used, :2, :2] = axes.mT.reshape(-1, used, 2, 2)
            images, used = (patches @ axes).movedim(-1, 1), axes.shape[1]
        # One component to each group, then the next to each, as +x and -x; the last two channels are the constants
        plus = torch.arange(0, width, each).repeat(each // 2 - 1)[:used] + (
            2 * torch.arange(each // 2 - 1).repeat_interleave(groups)[:used])
        # Halfway to equal sizes: with equal ones the small details would count as much as the large shapes
        rows, into = torch.zeros(width, used), (size[:used] * size[0]).rsqrt()[: len(plus)]
        rows[plus, torch.arange(len(plus))], rows[plus + 1, torch.arange(len(plus))] = into, -into
        _set(shortcut, rows)
        shortcut.bias.view(groups, each)[:, -2:] = torch.tensor([CONSTANT, -CONSTANT])
        kept, out = plus[: self.channels], torch.zeros(2 * self.channels, width)
        std = CONSTANT * (2 / each) ** 0.5
        out[range(len(kept)), kept], out[range(len(kept)), kept + 1] = std, -std
        _set(encoder.conv_out, out)
        encoder.conv_out.bias[self.channels :] = LOG_VARIANCE
        _set(self.vae.quant_conv, torch.eye(2 * self.channels))

    def _encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] % self.factor or images.shape[3] % self.factor:
            raise ValueError(f"images must be (B, 3, H, W) with H and W multiples of {self.factor}; got "
                             f"{tuple(images.shape)}.")
        images = images.contiguous(memory_format=torch.channels_last)
        both = self.vae.encode(images, return_dict=False)[0].parameters.float()
        mean, log_variance = both.chunk(2, dim=1)
        return mean, log_variance.clamp(-30, 20)


class PatchDiscriminator(nn.Module):
    """Images (B, 3, H, W) -> logits (B, H / 8, W / 8), high where a patch looks real (Isola et al. 2017, section 3.2).
    """

    def __init__(self, width: int):
        super().__init__()
        widths = (3, width, 2 * width, 4 * width)
        self.layers = nn.ModuleList(nn.Conv2d(into, out, 4, stride=2, padding=1) for into, out in
                                    zip(widths, widths[1:]))
        self.last = nn.Conv2d(widths[-1], 1, 3, padding=1)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        x = images.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = leaky_relu(layer(x), 0.2)
        return self.last(x)[:, 0].float()


def _set(conv: nn.Conv2d, matrix: Tensor) -> None:
    """Make a convolution the linear map `matrix` of each pixel, for as many channels as that has."""
    conv.weight.zero_(), conv.bias.zero_()
    middle, (rows, columns) = conv.weight.shape[-1] // 2, matrix.shape
    conv.weight[:rows, :columns, middle, middle] = matrix


def _principal_axes(x: Tensor) -> tuple[Tensor, Tensor]:
    """The orthonormal axes of x (N, d) as columns (d, d), the largest first, and the root mean square along each."""
    power, axes = torch.linalg.eigh(x.mT @ x / len(x))
    return axes.flip(1), power.flip(0).clamp(min=0).sqrt()
