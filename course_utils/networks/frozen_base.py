"""A frozen LatentUNet that something new learns beside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from course_utils.networks.checkpoints import load_network
from course_utils.networks.latent_unet import LatentUNet


class FrozenBase(LatentUNet):
    """A LatentUNet with the weights of a checkpoint, frozen; for networks that add to it.

    base: the name of the checkpoint; None for untrained weights with the options `unet`. `base_options` are those of
    the network there. After `keep` only what it names learns and is stored.
    """

    def __init__(self, base: str | None = "sd-base", unet: dict[str, Any] | None = None):
        frozen = load_network(base) if base else LatentUNet(**unet or {})
        super().__init__(**frozen.options)
        self.base_options = frozen.options
        # Gated layers, where a network has them, are not the base's
        self.unet.load_state_dict(frozen.unet.state_dict(), strict=self.attention_type != "gated")
        self.base_names = frozenset(frozen.state_dict())
        self.requires_grad_(False)

    def keep(self, new: Iterable[str]) -> None:
        """Train and store the weights named here alone, which `new` then holds; the others are the base's."""
        self.new = frozenset(new)
        for name, weight in self.named_parameters():
            weight.requires_grad_(name in self.new)
        self.register_state_dict_post_hook(_without_base)
        self.register_load_state_dict_post_hook(_base_is_there)


def _without_base(network: FrozenBase, weights: dict[str, Tensor], prefix: str, metadata) -> None:
    for name in [name for name in weights if name.startswith(prefix)]:
        if name.removeprefix(prefix) not in network.new:
            del weights[name]


def _base_is_there(network: nn.Module, found) -> None:
    wanted = tuple(f".{name}" for name in network.new)
    found.missing_keys[:] = [name for name in found.missing_keys if f".{name}".endswith(wanted)]
