"""The U-Net of Stable Diffusion, diffusers' UNet2DConditionModel, with the call that the course's models make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.networks.text import PAD, TextEncoder
from course_utils.networks.weights import Network

FREQUENCIES = 8
# Objects, each a class and its box (left, top, right, bottom) in [0, 1]
Layout = Sequence[tuple[int, Sequence[float]]]


class LatentUNet(Network):
    """From noisy latents, a time and the states of a text to an output like the latents: `network(xt, t, text=...)`.

    xt (B, channels, H, W), t (B,) or a number in 0..T-1, text (B, M, text_dim): each token's state, keys and values of
    cross-attention at the last `attended` resolutions, by default all but the first. `network.unet` is a
    diffusers.UNet2DConditionModel. widths: channels at each resolution. layers: transformer layers of each block. size:
    H and W of the latents that it draws. ValueError for inputs that do not fit. Source: Rombach et al. 2022, section
    3.3 and appendix E.2.
    """

    attention_type = "default"

    def __init__(self, channels: int = 8, widths: Sequence[int] = (64, 192), layers: int = 1, heads: int = 4,
                 text_dim: int = 128, size: int = 16, predicts: str = "v", attended: int | None = None):
        from diffusers import UNet2DConditionModel
        from diffusers.models.attention_processor import AttnProcessor

        from course_utils.networks.diffusers_blocks import quickened

        super().__init__()
        self.channels, self.size, self.text_dim, self.predicts = channels, size, text_dim, predicts
        deeper = len(widths) - 1 if attended is None else attended
        plain = len(widths) - deeper
        self.unet = quickened(UNet2DConditionModel(
            sample_size=size, in_channels=channels, out_channels=channels, block_out_channels=list(widths),
            down_block_types=plain * ["DownBlock2D"] + deeper * ["CrossAttnDownBlock2D"],
            up_block_types=deeper * ["CrossAttnUpBlock2D"] + plain * ["UpBlock2D"], layers_per_block=1,
            transformer_layers_per_block=layers, cross_attention_dim=text_dim, attention_head_dim=heads,
            use_linear_projection=True, attention_type=self.attention_type))
        # Attention written out: for a few dozen tokens torch's fused one takes longer on a CPU
        self.unet.set_attn_processor(AttnProcessor())
        # Every branch starts as nothing, as in the course's own U-Net
        for name, weight in self.unet.named_parameters():
            if ".conv2." in name or ".proj_out." in name or name.startswith("conv_out."):
                torch.nn.init.zeros_(weight)

    def forward(self, xt: Tensor, t: Tensor | float, *, text: Tensor) -> Tensor:
        return self.unet(self.checked(xt, text), t, text, return_dict=False)[0]

    def checked(self, xt: Tensor, text: Tensor) -> Tensor:
        """xt with its channels last in memory. ValueError when it or the text does not fit."""
        if xt.ndim != 4 or xt.shape[1] != self.channels or text.shape[::2] != (len(xt), self.text_dim):
            raise ValueError(f"the network takes xt (B, {self.channels}, H, W) and text (B, M, {self.text_dim}); got "
                             f"{tuple(xt.shape)} and {tuple(text.shape)}.")
        return xt.contiguous(memory_format=torch.channels_last)

    def plain(self):
        """The diffusers.UNet2DConditionModel with these weights and its blocks as diffusers has them, on the CPU."""
        from course_utils.networks.diffusers_blocks import as_published

        return as_published(self.unet)


class LayoutTokenizer:
    """Layouts -> tokens (B, 3 * objects): each object a triple of its class and two corners of its box.

    A layout is a list of at most `objects` objects (class, (left, top, right, bottom)), class in 0..classes-1, box in
    [0, 1]; a corner, top left or bottom right, is a place on a grid of `places` x `places`. Classes and places share
    one vocabulary. ValueError for other layouts. Source: Jahn et al. 2021, and the code of Rombach et al. 2022.
    """

    def __init__(self, classes: int, objects: int = 3, places: int = 32):
        self.classes, self.objects, self.places = classes, objects, places

    def __len__(self) -> int:
        return 1 + max(self.classes, self.places**2)

    def __call__(self, layouts: Sequence[Layout]) -> Tensor:
        return torch.tensor([self._row(layout) for layout in layouts])

    def _row(self, layout: Layout) -> list[int]:
        if len(layout) > self.objects:
            raise ValueError(f"a layout has at most {self.objects} objects; got {len(layout)}.")
        found = []
        for kind, box in layout:
            left, top, right, bottom = map(float, box) if len(box) == 4 else (1, 1, 0, 0)
            if not (0 <= kind < self.classes and 0 <= left < right <= 1 and 0 <= top < bottom <= 1):
                raise ValueError(f"an object is a class in 0..{self.classes - 1} and a box (left, top, right, bottom) "
                                 f"with 0 <= left < right <= 1 and 0 <= top < bottom <= 1; got {kind}, {tuple(box)}.")
            found += [1 + int(kind), self._place(left, top), self._place(right, bottom)]
        return found + [PAD] * (3 * self.objects - len(found))

    def _place(self, x: float, y: float) -> int:
        return 1 + round(y * (self.places - 1)) * self.places + round(x * (self.places - 1))


class LayoutUNet(Network):
    """The same for a layout in place of a text: `network(xt, t, tokens=...)`, tokens (B, 9) of `network.tokenizer`.

    A transformer that is trained with the U-Net reads the tokens; the embeddings of places begin as Fourier features,
    so that neighbours are alike. classes: how many there are. unet: options of the LatentUNet. Source: Rombach et al.
    2022, section 4.3.2.
    """

    def __init__(self, classes: int, width: int = 128, layers: int = 3, unet: dict[str, Any] | None = None):
        super().__init__()
        self.tokenizer = LayoutTokenizer(classes)
        self.layout = TextEncoder(len(self.tokenizer), 3 * self.tokenizer.objects, width, layers)
        self.unet = LatentUNet(**(unet or {}) | {"text_dim": width})
        along = torch.linspace(0, 1, self.tokenizer.places)
        waves = fourier(torch.cartesian_prod(along, along))
        with torch.no_grad():
            mixed = waves @ torch.nn.init.orthogonal_(torch.empty(width, waves.shape[1])).T
            self.layout.words.weight[1 : 1 + len(mixed)] = mixed
        self.channels, self.size, self.predicts = self.unet.channels, self.unet.size, self.unet.predicts

    def forward(self, xt: Tensor, t: Tensor | float, *, tokens: Tensor) -> Tensor:
        return self.unet(xt, t, text=self.layout(tokens)[0])

    def watched(self) -> AbstractContextManager[list[Tensor]]:
        """Within the block each call leaves here, for each transformer block, what its places attend to: (B, heads,
        places, tokens), sums of 1."""
        return watching([part.attn2 for part in self.unet.modules() if hasattr(part, "attn2")], attention_weights)


def attention_weights(attention: nn.Module, hidden: Tensor, encoder_hidden_states: Tensor,
                      attention_mask: Tensor | None = None) -> Tensor:
    """What the places of `hidden` (B, places, C) attend to in one of diffusers' layers, (B, heads, places, tokens)."""
    query, key = (layer(x).unflatten(2, (attention.heads, -1)).transpose(1, 2) for layer, x in (
        (attention.to_q, hidden), (attention.to_k, encoder_hidden_states)))
    scores = attention.scale * query @ key.mT
    if attention_mask is not None:
        scores = scores + attention_mask[:, None]
    return scores.float().softmax(-1)


@contextmanager
def watching(layers: Iterable[nn.Module], weights: Callable[..., Tensor]) -> Iterator[list[Tensor]]:
    """Within the block each call of one of these layers leaves here `weights(layer, *what it is given)`."""
    seen: list[Tensor] = []

    def watch(layer: nn.Module, given: tuple, options: dict[str, Any]) -> None:
        seen.append(weights(layer, *given, **options))

    hooks = [layer.register_forward_pre_hook(watch, with_kwargs=True) for layer in layers]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def fourier(x: Tensor, frequencies: int = FREQUENCIES) -> Tensor:
    """Numbers (..., n) in [0, 1] as sines and cosines of 100^(k/8) x, k = 0..7: (..., 2 * frequencies * n)."""
    waves = x[..., None] * 100 ** (torch.arange(frequencies, device=x.device) / frequencies)
    return torch.cat([waves.sin(), waves.cos()], dim=-1).flatten(-2)
