"""The network of GLIGEN: a frozen U-Net of Stable Diffusion, and new layers that begin as nothing (Li et al. 2023)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from course_utils.networks.frozen_base import FrozenBase
from course_utils.networks.latent_unet import FREQUENCIES, attention_weights, fourier, watching

# Each map: its channels, and how many labels it has if its one channel holds labels
MAPS = {"depth": (1, 0), "edges": (1, 0), "normals": (3, 0), "semantic": (1, 99)}
GROUNDINGS = ("boxes", "keypoints", *MAPS)
# Things of a scene at most, and keypoints of each: top, bottom, left and right end, centre
THINGS, POINTS = 3, 5
# Of a map beside the latents
BESIDE = 8


class GroundedUNet(FrozenBase):
    """A LatentUNet that is also told what stands where: `network(xt, t, text=..., **grounding)` -> like xt.

    grounding: one of GROUNDINGS; it says which tensors a call takes. Without any the network is the base.
        boxes: boxes (B, N, 4) left, top, right, bottom in [0, 1], positive_embeddings (B, N, text_dim) of their
            phrases, masks (B, N)
        keypoints: points (B, 15, 2) in [0, 1], five of each thing, masks (B, 15)
        depth, edges, normals, semantic: image (B, C, 64, 64), C 3 for normals and else 1, labels if semantic; masks
            (B, 1)
    masks are 1 where there is something, and 0 for null: there a learned vector stands in.
    base: the checkpoint whose weights it has, frozen; None for an untrained one with the options `unet`.
    Of each transformer block, diffusers' GatedSelfAttentionDense is new, and starts with its gates at zero; so are the
    maps' channels beside the latents. `state_dict` holds the new weights alone. ValueError for another grounding.
    Source: Li et al. 2023 (GLIGEN), equation 8, and its published code for the channels beside the latents.
    """

    attention_type = "gated"

    def __init__(self, grounding: str = "boxes", base: str | None = "sd-base", unet: dict[str, Any] | None = None):
        if grounding not in GROUNDINGS:
            raise ValueError(f"grounding must be one of {', '.join(GROUNDINGS)}; got {grounding!r}.")
        super().__init__(base, unet)
        self.grounding, self.beside = grounding, None
        if grounding == "keypoints":
            self.unet.position_net = KeypointTokens(self.text_dim)
        elif grounding in MAPS:
            self.unet.position_net = MapTokens(self.text_dim, *MAPS[grounding])
            self.beside = MapBeside(*MAPS[grounding])
            self.unet.conv_in = Widened(self.unet.conv_in, BESIDE)
        self.keep(frozenset(self.state_dict()) - self.base_names)

    def forward(self, xt: Tensor, t: Tensor | float, *, text: Tensor, **grounding: Tensor) -> Tensor:
        xt = self.checked(xt, text)
        if not grounding:
            return self.unet(xt, t, text, return_dict=False)[0]
        if self.beside is not None:
            xt = torch.cat([xt, self.beside(**grounding).to(xt)], dim=1)
        return self.unet(xt, t, text, cross_attention_kwargs={"gligen": grounding}, return_dict=False)[0]

    @torch.no_grad()
    def open_gates(self) -> None:
        """Begin as nothing in another way, for a short training: gates open, the layers behind them zero.

        Behind a closed gate nothing but the gate itself has a gradient, and random layers give it no reason to open: it
        takes the paper's training tens of thousands of steps. Tokens begin as large as what they stand beside.
        """
        for fuser in self.fusers():
            fuser.alpha_attn.fill_(1), fuser.alpha_dense.fill_(1)
            for layer in (fuser.attn.to_out[0], fuser.ff.net[2]):
                layer.weight.zero_(), layer.bias.zero_()
            nn.init.xavier_normal_(fuser.linear.weight)
        for name, weight in self.unet.position_net.named_parameters():
            if name.startswith("null"):
                nn.init.normal_(weight)
            elif weight.ndim == 2 and name.endswith(".weight"):
                nn.init.kaiming_normal_(weight, nonlinearity="relu")

    def fusers(self) -> list[nn.Module]:
        """The new layer of each transformer block."""
        return [part.fuser for part in self.unet.modules() if hasattr(part, "fuser")]

    def watched(self) -> AbstractContextManager[list[Tensor]]:
        """Within the block each call leaves here, for each transformer block, what its places attend to: (B, heads,
        places, places + tokens), sums of 1."""
        places = (self.size // 2) ** 2
        return watching([fuser.attn for fuser in self.fusers()], lambda attention, hidden, attention_mask=None:
                        attention_weights(attention, hidden[:, :places], hidden, attention_mask))

    @property
    def groundings(self) -> tuple[str, ...]:
        """What a system gives it, by name."""
        return (self.grounding,)

    def plain(self):
        """The diffusers.UNet2DConditionModel with these weights, for boxes, the grounding that diffusers has.

        ValueError for others.
        """
        if self.grounding != "boxes":
            raise ValueError(f"diffusers grounds in boxes alone; this network's grounding is {self.grounding}.")
        return super().plain()


class Widened(nn.Conv2d):
    """A convolution that takes more channels after its own; the weights for these start at zero."""

    def __init__(self, conv: nn.Conv2d, more: int):
        super().__init__(conv.in_channels, conv.out_channels, conv.kernel_size, padding=conv.padding)
        self.load_state_dict({name: getattr(conv, name) for name in ("weight", "bias")})
        self.more = nn.Conv2d(more, conv.out_channels, conv.kernel_size, padding=conv.padding, bias=False)
        nn.init.zeros_(self.more.weight)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        own = super().forward(x[:, : self.in_channels])
        return own + self.more(x[:, self.in_channels :]) if x.shape[1] > self.in_channels else own


class Together(nn.Module):
    """Several groundings of one base at once: `network(xt, t, text=..., boxes_masks=..., edges_image=..., ...)`.

    In each transformer block the gated layers of the networks follow each other; each sees its own tokens. Nothing is
    trained for that. ValueError for two networks with the same grounding.
    """

    def __init__(self, networks: Sequence[GroundedUNet]):
        super().__init__()
        self.groundings = tuple(network.grounding for network in networks)
        if len(set(self.groundings)) < len(networks):
            raise ValueError(f"each grounding can be there once; got {', '.join(self.groundings)}.")
        first = networks[0]
        self.channels, self.size, self.text_dim, self.predicts = (
            first.channels, first.size, first.text_dim, first.predicts)
        self.networks = nn.ModuleList(networks)
        self.unet = copy.deepcopy(first.unet)
        parts = [dict(network.unet.named_modules()) for network in networks]
        for name, block in list(self.unet.named_modules()):
            if hasattr(block, "fuser"):
                block.fuser = InTurn(part[f"{name}.fuser"] for part in parts)
        self.unet.position_net = Given()
        maps = [network.unet.conv_in for network in networks if network.beside is not None]
        if maps:
            self.unet.conv_in = Widened(maps[0], BESIDE * len(maps))
            self.unet.conv_in.more.weight.data = torch.cat([conv.more.weight for conv in maps], dim=1)
        self.requires_grad_(False).eval()

    def forward(self, xt: Tensor, t: Tensor | float, *, text: Tensor, **grounding: Tensor) -> Tensor:
        xt = self.networks[0].checked(xt, text)
        if not grounding:
            return self.unet(xt, t, text, return_dict=False)[0]
        tokens, beside = [], []
        for name, network in zip(self.groundings, self.networks):
            given = {key.removeprefix(f"{name}_"): value for key, value in grounding.items()
                     if key.startswith(f"{name}_")}
            tokens.append(network.unet.position_net(**given))
            if network.beside is not None:
                beside.append(network.beside(**given).to(xt))
        told = {"gligen": {"tokens": tokens}}
        return self.unet(torch.cat([xt, *beside], dim=1), t, text, cross_attention_kwargs=told, return_dict=False)[0]


class InTurn(nn.ModuleList):
    """The gated layers of several networks, one after the other."""

    def forward(self, x: Tensor, objs: list[Tensor]) -> Tensor:
        for fuser, tokens in zip(self, objs):
            x = fuser(x, tokens)
        return x


class Given(nn.Module):
    """In place of a network for tokens: they are there already."""

    def forward(self, tokens: list[Tensor]) -> list[Tensor]:
        return tokens


class KeypointTokens(nn.Module):
    """A token for each keypoint: which thing it belongs to, which of five it is, and where it lies."""

    def __init__(self, out_dim: int, width: int = 64, hidden: int = 256):
        super().__init__()
        self.thing = nn.Parameter(0.5 * torch.randn(THINGS, 1, width))
        self.kind = nn.Parameter(0.5 * torch.randn(1, POINTS, width))
        self.null_thing, self.null_point = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(4 * FREQUENCIES))
        self.layers = mlp(width + 4 * FREQUENCIES, hidden, out_dim)

    def forward(self, points: Tensor, masks: Tensor) -> Tensor:
        """points (B, 15, 2), masks (B, 15) -> tokens (B, 15, out_dim)."""
        there, which = masks[..., None], (self.thing + self.kind).flatten(0, 1)
        return self.layers(torch.cat([torch.lerp(self.null_thing.expand_as(which), which, there),
                                      torch.lerp(self.null_point.expand(1, 1, -1), fourier(points), there)], dim=-1))


class MapTokens(nn.Module):
    """Maps (B, C, 64, 64) -> tokens (B, 64, out_dim), one for each place of 8 x 8, by a small convolutional encoder.

    labels: how many there are, for a map of labels; then C is 1.
    """

    def __init__(self, out_dim: int, channels: int, labels: int = 0, width: int = 64, hidden: int = 256):
        super().__init__()
        self.enter = Enter(labels) if labels else nn.Identity()
        channels = Enter.width if labels else channels
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, width // 2, 4, 2, 1), nn.SiLU(), nn.Conv2d(width // 2, width, 4, 2, 1), nn.SiLU(),
            nn.Conv2d(width, 2 * width, 4, 2, 1)).to(memory_format=torch.channels_last)
        self.places = nn.Parameter(0.5 * torch.randn(64, 2 * width))
        self.null = nn.Parameter(torch.zeros(2 * width))
        self.layers = mlp(2 * width, hidden, out_dim)

    def forward(self, image: Tensor, masks: Tensor) -> Tensor:
        seen = self.convolutions(self.enter(image)).flatten(2).mT
        null, there = self.null.expand_as(seen).to(seen), masks[..., None].to(seen)
        return self.layers(torch.lerp(null, seen, there.expand_as(seen)) + self.places)


class MapBeside(nn.Module):
    """Maps (B, C, 64, 64) -> channels (B, 8, 16, 16) that stand beside the latents; zero where there is no map."""

    def __init__(self, channels: int, labels: int = 0, width: int = 32):
        super().__init__()
        self.enter = Enter(labels) if labels else nn.Identity()
        channels = Enter.width if labels else channels
        self.first = nn.Conv2d(channels, width, 4, 2, 1)
        self.second = nn.Conv2d(width, BESIDE, 4, 2, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor, masks: Tensor) -> Tensor:
        return self.second(silu(self.first(self.enter(image)))) * masks[..., None, None]


class Enter(nn.Module):
    """A map of labels (B, 1, H, W) as a learned colour for each label, (B, 8, H, W)."""

    width = 8

    def __init__(self, labels: int):
        super().__init__()
        self.colours = nn.Embedding(labels, self.width)

    def forward(self, image: Tensor) -> Tensor:
        return self.colours(image[:, 0].long()).movedim(-1, 1)


def mlp(into: int, hidden: int, out: int) -> nn.Sequential:
    """GLIGEN's three layers from what is known of a token to the token."""
    return nn.Sequential(nn.Linear(into, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(),
                         nn.Linear(hidden, out))
