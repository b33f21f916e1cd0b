"""Variants of `ddpm-garments` with one thing changed, for as many images as what they are compared with (03 and 04)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.networks import UNet
from course_utils.training.recipes.ddpm_garments import DDPMGarments


class Short(DDPMGarments):
    """Nothing changed: what the others are compared with."""

    name = "short"
    images, samples = 25_600, 1000


class Whole(Short):
    """Nothing taken away either: what the next three are compared with, three times as long, until they differ."""

    name = "whole"
    images = 76_800


class NoSkips(Whole):
    """The way up sees zeros where the skips were."""

    name = "no-skips"

    def network(self) -> UNet:
        unet = super().network()
        for up in unet.ups:
            up.register_forward_pre_hook(lambda module, inputs: (inputs[0], torch.zeros_like(inputs[1]), inputs[2]))
        return unet


class NoTime(Whole):
    """The time is always given as t = 0."""

    name = "no-time"

    def network(self) -> UNet:
        unet = super().network()
        unet.time.register_forward_pre_hook(lambda module, inputs: (torch.zeros_like(inputs[0]),))
        return unet


class NoAttention(Whole):
    """Without attention between tokens; the feed-forward layers stay."""

    name = "no-attention"

    def network(self) -> UNet:
        unet = super().network()
        for block in unet.middle:
            block.attention = Nothing()
        return unet


class PredictsEps(Short):
    """The network predicts the noise, trained with its unweighted error, as in DDPM."""

    name = "predicts-eps"
    predicts, weight = "eps", "eps"


class PredictsV(Short):
    """The network predicts v, trained with its unweighted error."""

    name = "predicts-v"
    predicts, weight = "v", "v"


class PredictsVSoft(PredictsV):
    """The network predicts v; the weight on the error of x0 is that of `short`, so only the name differs."""

    name = "predicts-v-soft"
    weight = "soft-v"


class Unweighted(Short):
    """The unweighted error of x0: large noise levels count as much as small ones."""

    name = "unweighted"
    weight = "x0"


class Nothing(nn.Module):
    """In place of attention: adds zero."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return torch.zeros_like(x)
