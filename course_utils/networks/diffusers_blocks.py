"""The residual blocks of diffusers' networks with the course's norm: the same weights and answers in less time."""

from __future__ import annotations

import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn
from torch.nn.functional import silu

from course_utils.kernels import group_norm_silu


class NormSiLU(nn.GroupNorm):
    """GroupNorm and SiLU as one operation."""

    def forward(self, x: Tensor) -> Tensor:
        return group_norm_silu(x, self.weight, self.bias, self.num_groups, eps=self.eps)


class ResidualBlock(ResnetBlock2D):
    """diffusers' block, written out for the options that the course uses."""

    def forward(self, x: Tensor, temb: Tensor | None, *unused, **also_unused) -> Tensor:
        h = self.conv1(self.norm1(x))
        if temb is not None:
            h = h + self.time_emb_proj(silu(temb))[:, :, None, None]
        h = self.conv2(self.norm2(h))
        # diffusers makes x contiguous in training, which takes it out of the channels-last layout
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x))


def quickened(network: nn.Module) -> nn.Module:
    """A network of diffusers, an AutoencoderKL or a UNet2DConditionModel, with its blocks exchanged in place.

    Names and shapes of its weights stay, so a state dict fits both. ValueError for a block with other options.
    """
    for part in network.modules():
        if isinstance(part, ResnetBlock2D):
            plain = not (part.up or part.down) and part.output_scale_factor == 1
            if not plain or part.time_embedding_norm not in ("default", "group"):
                raise ValueError("only residual blocks of the default kind can be exchanged.")
            part.__class__ = ResidualBlock
            part.norm1.__class__ = part.norm2.__class__ = NormSiLU
        if hasattr(part, "conv_norm_out"):
            part.conv_norm_out.__class__, part.conv_act = NormSiLU, nn.Identity()
    return network.to(memory_format=torch.channels_last)


def as_published(network: nn.Module) -> nn.Module:
    """A new network of the same class and weights with its blocks as diffusers has them, on the CPU (eval mode)."""
    options = {name: value for name, value in network.config.items() if not name.startswith("_")}
    plain = type(network)(**options)
    plain.load_state_dict(network.state_dict())
    return plain.eval().requires_grad_(False)
