"""Notebook 13's model otherwise, one thing changed each, for as many images as what it is compared with."""

from __future__ import annotations

import torch
from diffusers.models.embeddings import GLIGENTextBoundingboxProjection
from torch import Tensor, nn

from course_utils.networks import ControlledUNet, GroundedUNet
from course_utils.systems.gligen import MOST
from course_utils.training.recipes.gligen import GLIGENBoxes, GLIGENEdges


class GLIGENShort(GLIGENBoxes):
    """Nothing changed: what the others are compared with."""

    name = "gligen-short"
    images = 32_000


class Numbers(GLIGENShort):
    """The corners of a box enter as numbers, through two layers, where they were waves."""

    name = "gligen-numbers"

    def network(self) -> GroundedUNet:
        network = GroundedUNet(self.grounding)
        network.unet.position_net = NumberTokens(network.text_dim, network.text_dim)
        network.new |= {f"unet.position_net.{name}" for name in network.unet.position_net.state_dict()}
        network.open_gates()
        return network


class CrossAttention(GLIGENShort):
    """A place attends to the tokens of the boxes alone, not to the other places: gated cross-attention."""

    name = "gligen-cross"

    def network(self) -> GroundedUNet:
        network = super().network()
        for fuser in network.fusers():
            fuser.attn.register_forward_pre_hook(_tokens_alone, with_kwargs=True)
        return network


class NotShown(GLIGENShort):
    """Without the loss of attention: what to look at has to be found."""

    name = "gligen-not-shown"
    look = 0.0


class Closed(NotShown):
    """As the paper trains: gates closed at first, the layers behind them at random, and no loss of attention."""

    name = "gligen-closed"

    def network(self) -> GroundedUNet:
        return GroundedUNet(self.grounding)


class ControlEdges(GLIGENEdges):
    """A ControlNet in place of gated layers, for as many images."""

    name, p_null = "controlnet-edges", 0.0
    lr = 5e-4

    def network(self) -> ControlledUNet:
        return ControlledUNet(self.grounding)


class NumberTokens(GLIGENTextBoundingboxProjection):
    """diffusers' tokens of boxes, with two layers in place of the Fourier features."""

    def __init__(self, phrase_dim: int, out_dim: int):
        super().__init__(phrase_dim, out_dim)
        self.embed = nn.Sequential(nn.Linear(4, self.position_dim), nn.SiLU(),
                                   nn.Linear(self.position_dim, self.position_dim))

    def forward(self, boxes: Tensor, masks: Tensor, positive_embeddings: Tensor) -> Tensor:
        there = masks[..., None]
        place = self.embed(boxes) * there + (1 - there) * self.null_position_feature
        phrase = positive_embeddings * there + (1 - there) * self.null_positive_feature
        return self.linears(torch.cat([phrase, place], dim=-1))


def _tokens_alone(attention: nn.Module, given: tuple[Tensor], options: dict) -> tuple[tuple[Tensor], dict]:
    """Of what a gated layer attends to, places and then tokens, the tokens alone."""
    hidden = given[0]
    mask = hidden.new_zeros(len(hidden), 1, hidden.shape[1])
    mask[..., :-MOST] = -torch.inf
    return given, options | {"attention_mask": mask}
