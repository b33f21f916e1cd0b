"""How checkpoints store weights: the large ones in eight bits, a scale for each row; the rest in half precision."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

LARGE = 4096  # numbers; below that eight bits save nothing worth having
# Half precision holds smaller scales too coarsely for the error to stay below half a step
SMALLEST_SCALE = 2**-17


class Network(nn.Module, PyTorchModelHubMixin):
    """A network of the course: it saves itself with the hub's mixin, and loads stored weights of either kind.

    Each subclass enters itself in `Network.kinds`, by its name; `options` are what a network was made with.
    """

    kinds: ClassVar[dict[str, type[Network]]] = {}
    options: dict[str, Any]

    def __init_subclass__(cls, **given):
        super().__init_subclass__(**given)
        Network.kinds[cls.__name__] = cls

    def __new__(cls, *args, **given):
        network = super().__new__(cls, *args, **given)
        # Partial, because copy.deepcopy makes a network without arguments and fills it afterwards
        bound = inspect.signature(cls.__init__).bind_partial(network, *args, **given)
        bound.apply_defaults()
        # Module.__setattr__ works only after Module.__init__
        network.__dict__["options"] = {name: bound.arguments[name] for name in list(bound.arguments)[1:]}
        return network

    def load_state_dict(self, state_dict: Mapping[str, Tensor], *args, **options):
        """As torch's, also for weights as `packed` makes them. ValueError when a scale is missing or damaged."""
        return super().load_state_dict(unpacked(state_dict), *args, **options)


def device_of(network: nn.Module) -> torch.device:
    """Where the parameters of a network are."""
    return next(network.parameters()).device


def packed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict as checkpoints store it, about a quarter of its size in float32.

    A matrix or convolution of 4096 numbers or more becomes int8 in -127..127; NAME.scale (rows,), in half precision,
    is the step between two neighbours in each row of it. No number moves by more than half a step.
    """
    stored = {}
    for name, value in weights.items():
        if value.is_floating_point() and value.ndim > 1 and value.numel() >= LARGE:
            largest = value.float().flatten(1).abs().amax(1)
            scale = (largest / 127).clamp_min(SMALLEST_SCALE).half()
            stored[name] = (value.float() / _beside(scale, value)).round().to(torch.int8)
            stored[f"{name}.scale"] = scale
        else:
            stored[name] = value.half() if value.is_floating_point() else value
    return stored


def unpacked(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `packed`; what is not in eight bits stays as it is. ValueError for missing or damaged scales."""
    weights = dict(stored)
    for name, value in stored.items():
        if value.dtype == torch.int8:
            scale = weights.pop(f"{name}.scale", None)
            if scale is None or scale.shape != value.shape[:1] or not (scale.isfinite() & (scale > 0)).all():
                raise ValueError(f"{name} is stored in eight bits, but {name}.scale, which must hold a number above 0 "
                                 "for each row of it, is missing or damaged")
            weights[name] = value.float() * _beside(scale, value)
    return weights


def as_stored(network: nn.Module) -> nn.Module:
    """A copy with the weights that a checkpoint of the network will give back, to be measured (eval mode)."""
    copied = copy.deepcopy(network)
    copied.load_state_dict(unpacked(packed(network.state_dict())))
    return copied.eval().requires_grad_(False)


def _beside(scale: Tensor, value: Tensor) -> Tensor:
    """One number for each row (rows,), in a shape that multiplies the rows."""
    return scale.float().view(-1, *[1] * (value.ndim - 1))
