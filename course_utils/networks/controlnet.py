"""ControlNet beside the frozen U-Net of notebook 12: a trained copy of its encoder half (Zhang et al. 2023)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from course_utils.networks.frozen_base import FrozenBase
from course_utils.networks.gligen import MAPS


class ControlledUNet(FrozenBase):
    """A LatentUNet that is also told a map: `network(xt, t, text=..., image=..., masks=...)` -> like xt.

    grounding: one of MAPS of one channel of grey levels; image (B, 1, 64, 64), masks (B, 1), 0 where there is none, and
    the base answers. base: the checkpoint whose weights it has, frozen; None for an untrained one with the options
    `unet`. The copy is diffusers' ControlNetModel. `state_dict` holds the copy alone. ValueError for another grounding.
    """

    def __init__(self, grounding: str = "edges", base: str | None = "sd-base", unet: dict[str, Any] | None = None):
        from diffusers import ControlNetModel
        from diffusers.models.attention_processor import AttnProcessor

        from course_utils.networks.diffusers_blocks import quickened

        if MAPS.get(grounding) != (1, 0):
            raise ValueError(f"grounding must be depth or edges; got {grounding!r}.")
        super().__init__(base, unet)
        self.grounding, self.groundings = grounding, (grounding,)
        # Two of three levels halve the map, from 64 to the latents' 16
        self.control = quickened(ControlNetModel.from_unet(
            self.unet, conditioning_channels=1, conditioning_embedding_out_channels=(16, 32, 64)))
        self.control.set_attn_processor(AttnProcessor())
        self.keep([name for name in self.state_dict() if name.startswith("control.")])

    def forward(self, xt: Tensor, t: Tensor | float, *, text: Tensor, image: Tensor | None = None,
                masks: Tensor | None = None) -> Tensor:
        xt = self.checked(xt, text)
        if image is None:
            return self.unet(xt, t, text, return_dict=False)[0]
        down, middle = self.control(xt, t, text, image, return_dict=False)
        there = masks[..., None, None]
        return self.unet(xt, t, text, down_block_additional_residuals=[there * each for each in down],
                         mid_block_additional_residual=there * middle, return_dict=False)[0]
