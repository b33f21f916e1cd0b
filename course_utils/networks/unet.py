"""The course's one U-Net: from (xt, t, condition) to an output in the shape of xt, fast enough to train on a laptop."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle, silu

from course_utils.networks.blocks import GroupNormSiLU, ResidualBlock, TimeEmbedding, TransformerBlock, sinusoid, zeros
from course_utils.networks.weights import Network

PREDICTS = ("eps", "x0", "v")


class UNet(Network):
    """Down, middle, up, with a skip at each resolution: `unet(xt, t, ...)` -> (B, channels, H, W).

    xt (B, channels, H, W), t (B,) or a number, in 0..T-1. H and W must be multiples of `unet.stride`. ValueError when
    the input is not what the network was made for.

    channels: of xt. widths: channels at each resolution, each half the one before; the last is the bottleneck's.
    blocks: residual blocks at each resolution, on the way down and again on the way up. middle: transformer blocks.
    stem: the pixels of a `stem` x `stem` square become channels, so that all work happens at a lower resolution.
    predicts: the name of the output, "eps", "x0" or "v"; the network does the same for all three.

    Every condition is off by default and then costs nothing; one that is on must be given, except `grounding`:
    num_classes=n: `label` (B,) in 0..n, where n is the null class; it is added to the time embedding.
    image_channels=n: `image` (B, n, H, W), concatenated to xt.
    text_dim=d: `text` (B, M, d), concatenated to the attention's keys and values.
    vector_dim=d: `vector` (B, d), projected, added to the time embedding. grounding_dim=d: `grounding` (B, M, d).
    noise_level=True: a level in [0, 1] in place of t, as in SR3. qk_norm=True: see Attention.
    """

    def __init__(self, channels: int = 1, widths: Sequence[int] = (64, 128, 192), blocks: int = 1, middle: int = 4,
                 stem: int = 2, predicts: str = "x0", num_classes: int = 0, image_channels: int = 0, text_dim: int = 0,
                 vector_dim: int = 0, grounding_dim: int = 0, noise_level: bool = False, head: int = 64,
                 qk_norm: bool = False):
        super().__init__()
        if predicts not in PREDICTS:
            raise ValueError(f"predicts must be one of {', '.join(PREDICTS)}; got {predicts!r}.")
        self.channels, self.stem, self.predicts, self.noise_level = channels, stem, predicts, noise_level
        self.stride = stem * 2 ** (len(widths) - 1)
        self.takes = {"label": ("num_classes", num_classes), "image": ("image_channels", image_channels),
                      "text": ("text_dim", text_dim), "vector": ("vector_dim", vector_dim),
                      "grounding": ("grounding_dim", grounding_dim)}
        *outer, inner = widths
        condition = inner

        self.time = TimeEmbedding(condition)
        # One row more than classes: the last one is the null class
        self.label = nn.Embedding(num_classes + 1, condition) if num_classes else None
        self.pooled = nn.Linear(vector_dim, condition) if vector_dim else None

        self.first = nn.Conv2d((channels + image_channels) * stem**2, widths[0], 3, padding=1)
        self.downs, self.ups, before = nn.ModuleList(), nn.ModuleList(), widths[0]
        for width, smaller in zip(outer, widths[1:]):
            stack = [ResidualBlock(before if i == 0 else width, width, condition) for i in range(blocks)]
            self.downs.append(Down(stack, nn.Conv2d(width, smaller, 3, stride=2, padding=1)))
            stack = [ResidualBlock(2 * width if i == 0 else width, width, condition) for i in range(blocks)]
            self.ups.insert(0, Up(nn.Conv2d(smaller, width, 3, padding=1), stack))
            before = smaller
        self.middle = nn.ModuleList(
            TransformerBlock(inner, max(1, inner // head), condition, text_dim, grounding_dim, qk_norm)
            for _ in range(middle))
        self.last_norm = GroupNormSiLU(min(32, widths[0] // 4), widths[0])
        self.last = zeros(nn.Conv2d(widths[0], channels * stem**2, 3, padding=1))
        self.to(memory_format=torch.channels_last)

    def forward(self, xt: Tensor, t: Tensor | float, *, label: Tensor = None, image: Tensor = None,
                text: Tensor = None, vector: Tensor = None, grounding: Tensor = None) -> Tensor:
        self.check(xt, label=label, image=image, text=text, vector=vector, grounding=grounding)
        condition = silu(self.embed(xt, t, label, vector))
        x = xt if image is None else torch.cat([xt, image], dim=1)
        x = self.first(pixel_unshuffle(x, self.stem).contiguous(memory_format=torch.channels_last))
        skips = []
        for down in self.downs:
            x, skip = down(x, condition)
            skips.append(skip)

        height, width = x.shape[-2:]
        tokens = x.flatten(2).transpose(1, 2) + positions(height, width, x.shape[1], x)
        for block in self.middle:
            tokens = block(tokens, condition, text, grounding)
        x = tokens.transpose(1, 2).unflatten(2, (height, width))

        for up in self.ups:
            x = up(x, skips.pop(), condition)
        return pixel_shuffle(self.last(self.last_norm(x)), self.stem)

    def embed(self, xt: Tensor, t: Tensor | float, label: Tensor | None, vector: Tensor | None) -> Tensor:
        """All conditions that are neither an image nor tokens, as one vector (B, condition)."""
        t = torch.as_tensor(t, device=xt.device).expand(len(xt))
        condition = self.time(1000 * t if self.noise_level else t)
        if label is not None:
            condition = condition + self.label(label)
        if vector is not None:
            condition = condition + self.pooled(vector)
        return condition

    def check(self, xt: Tensor, **given: Tensor | None) -> None:
        """ValueError when the input is not what the network was made for."""
        if xt.shape[1] != self.channels or xt.shape[2] % self.stride or xt.shape[3] % self.stride:
            raise ValueError(f"xt must be (B, {self.channels}, H, W), height and width multiples of {self.stride}; got "
                             f"{tuple(xt.shape)}. Pad the images, or crop them.")
        for name, value in given.items():
            option, size = self.takes[name]
            if value is None:
                fits = not size or name == "grounding"
            else:
                fits = size and (name == "label" or value.shape[1 if name == "image" else -1] == size)
            if not fits:
                got = "is missing" if value is None else f"has the shape {tuple(value.shape)}"
                raise ValueError(f"the network was made with {option}={size}, but `{name}` {got}. "
                                 f"{'Give one of that size' if size else 'Leave it out'}, or make another network.")


class Down(nn.Module):
    """Residual blocks at one resolution, then half of it: x -> (smaller x, skip)."""

    def __init__(self, blocks: list[nn.Module], smaller: nn.Module):
        super().__init__()
        self.blocks, self.smaller = nn.ModuleList(blocks), smaller

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        for block in self.blocks:
            x = block(x, condition)
        return self.smaller(x), x


class Up(nn.Module):
    """Twice the resolution, the skip concatenated, then residual blocks: (x, skip) -> larger x."""

    def __init__(self, larger: nn.Module, blocks: list[nn.Module]):
        super().__init__()
        self.larger, self.blocks = larger, nn.ModuleList(blocks)

    def forward(self, x: Tensor, skip: Tensor, condition: Tensor) -> Tensor:
        x = torch.cat([interpolate(self.larger(x), scale_factor=2, mode="nearest"), skip], dim=1)
        for block in self.blocks:
            x = block(x, condition)
        return x


def positions(height: int, width: int, channels: int, like: Tensor) -> Tensor:
    """Sinusoidal embeddings of the positions of tokens, (height * width, channels)."""
    rows = sinusoid(torch.arange(height, device=like.device), channels // 2, longest=100.0)
    columns = sinusoid(torch.arange(width, device=like.device), channels // 2, longest=100.0)
    both = torch.cat([rows[:, None].expand(-1, width, -1), columns.expand(height, -1, -1)], dim=-1)
    return both.flatten(0, 1).to(like.dtype)


def widened(network: UNet, image_channels: int) -> UNet:
    """A network for training that takes a conditioning image of `image_channels`, and at first ignores it.

    All weights are those of `network`, and zero where the new channels enter. Source: Nichol et al. 2022 (GLIDE),
    section 4.3. ValueError when `network` takes a conditioning image already.
    """
    if network.takes["image"][1]:
        raise ValueError(f"the network has image_channels={network.takes['image'][1]} already; widen the one that it "
                         "was made of.")
    wide = UNet(**network.options | {"image_channels": image_channels})
    weights = network.state_dict()
    # Each channel becomes stem * stem neighbours by pixel_unshuffle, so that the new ones come after all old ones
    old, new = weights["first.weight"], torch.zeros_like(wide.first.weight)
    new[:, : old.shape[1]] = old
    wide.load_state_dict(weights | {"first.weight": new})
    return wide
