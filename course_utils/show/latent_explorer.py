"""The widget of notebook 12: what lies between two images in an autoencoder's latents, and what each channel holds."""

from __future__ import annotations

from functools import lru_cache

import torch
import traitlets
from matplotlib import colormaps
from torch import Tensor

from course_utils.diffusion import slerp
from course_utils.show.figures import images as show_images
from course_utils.show.live import Live, data_url
from course_utils.show.widgets import script

PATHS = {"lerp": lambda one, other, share: torch.lerp(one, other, share), "slerp": slerp}
TAKES = ("mix", "first", "second", "zero")
LIMIT = 3  # standard deviations from the darkest to the middle, and to the brightest, of a channel's picture


def latent_explorer(system, images: dict[str, Tensor], first: str | None = None, second: str | None = None,
                    share: float = 0.5, path: str = "lerp") -> LatentExplorer:
    """Click two images, walk between their latents, take single channels from one end or set them to zero.

    system: anything with encode(images (B, 3, H, W)) -> latents (B, C, h, w), and decode, its inverse, whose errors are
    shown in the widget; images: {name: (3, H, W) in [-1, 1]}, all of one size. path: "lerp" or "slerp", from `first` at
    share 0 to `second` at share 1. Each channel's picture is in viridis, from -3 to 3 standard deviations of all
    latents. ValueError unless all images have one shape (3, H, W), and for unknown names and paths.
    """
    return LatentExplorer(system, images, first, second, share, path)


class LatentExplorer(Live):
    """See `latent_explorer`. `channels` says for each channel where it is taken from: "mix", "first", "second" or
    "zero".

    `decoded`, `mixed` (pixels instead of latents) and `pictures`, three rows of channels, hold images as data URLs.
    """

    _esm = script("controls.js", "live.js", "latent_explorer.js")
    _css = (".latent-explorer input:checked + img { outline: 3px solid #0072B2; outline-offset: 1px }"
            ".latent-explorer input:focus-visible + img { outline: 3px solid #D55E00; outline-offset: 3px }")
    names = traitlets.List().tag(sync=True)
    thumbnails = traitlets.List().tag(sync=True)
    size = traitlets.Int().tag(sync=True)
    first = traitlets.Unicode().tag(sync=True)
    second = traitlets.Unicode().tag(sync=True)
    share = traitlets.Float(min=0, max=1).tag(sync=True)
    path = traitlets.Enum(list(PATHS)).tag(sync=True)
    channels = traitlets.List(traitlets.Enum(TAKES)).tag(sync=True)
    decoded = traitlets.Unicode().tag(sync=True)
    mixed = traitlets.Unicode().tag(sync=True)
    pictures = traitlets.List().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)

    def __init__(self, system, images, first, second, share, path):
        shapes = {tuple(image.shape) for image in images.values()}
        if len(shapes) != 1 or [*shapes][0][:1] != (3,) or len([*shapes][0]) != 3:
            raise ValueError("images must be {name: tensor (3, H, W)}, at least one and all of the same size; got "
                             f"{', '.join(map(str, sorted(shapes))) or 'none'}.")
        names = list(images)
        for name in (first, second):
            if name not in (None, *names):
                raise ValueError(f"there is no image {name!r}; choose from {', '.join(names)}.")
        if path not in PATHS:
            raise ValueError(f"path must be lerp or slerp; got {path!r}.")
        self.images = {name: image.detach().float().cpu() for name, image in images.items()}
        latents = system.encode(torch.stack(list(self.images.values()))).detach().float().cpu()
        self.latents, self._system, self._std = dict(zip(names, latents)), system, latents.std().item()
        self._ends = {name: self._pictures(latent) for name, latent in self.latents.items()}
        self._cached = lru_cache(64)(self._decode)
        super().__init__(
            names=names, thumbnails=list(map(data_url, self.images.values())), size=latents.shape[1],
            first=first or names[0], second=second or names[-1], share=share, path=path,
            channels=["mix"] * latents.shape[1])
        self.observe(self._update, ["first", "second", "share", "path", "channels"])
        self._update()

    def __repr__(self) -> str:
        return f"LatentExplorer({self.first} to {self.second})"

    def between(self, share: float) -> Tensor:
        """The latents (C, h, w) at this share of the way, with the channels as they are chosen."""
        one, other = self.latents[self.first], self.latents[self.second]
        sources = {"mix": PATHS[self.path](one, other, share), "first": one, "second": other,
                   "zero": torch.zeros_like(one)}
        return torch.stack([sources[take][i] for i, take in enumerate(self.channels)])

    def twin(self) -> None:
        """Show the static figure: the whole walk, decoded, and the channels at the widget's share as pictures."""
        shares = torch.linspace(0, 1, self.size).tolist()
        here = self.between(self.share)
        changed = {f"channel {i + 1}": take for i, take in enumerate(self.channels) if take != "mix"}
        told = "".join(f", {channel} {take}" for channel, take in changed.items())
        show_images(
            [*(self._system.decode(self.between(share)[None])[0] for share in shares), *map(self._picture, here)],
            columns=self.size, labels=["decoded", "latents"],
            titles=[*(f"{share:.0%}" for share in shares), *(f"channel {i + 1}" for i in range(self.size))],
            caption=f"From {self.first} to {self.second} in the latents ({self.path}{told}), decoded; below, the "
                    f"channels at {self.share:.0%}",
            alt=f"Upper row: {self.size} decoded images, the first is {self.first}, the last {self.second}, those "
                f"between are mixtures. Lower row: the {self.size} channels of the latents at {self.share:.0%} of the "
                "way, as small coarse pictures.")

    def _update(self, _change=None) -> None:
        decoded = mixed = note = ""
        with self.report_errors():
            here, ends = self.between(self.share), [self.latents[name] for name in (self.first, self.second)]
            decoded = self._cached(self.first, self.second, self.share, self.path, tuple(self.channels))
            mixed = data_url(torch.lerp(self.images[self.first], self.images[self.second], self.share))
            note = (f"{self.share:.0%} of the way from {self.first} to {self.second}, {self.path}. Standard deviation "
                    f"of the latents: {ends[0].std():.2f} and {ends[1].std():.2f} at the ends, {here.std():.2f} here.")
            rows = [self._ends[self.first], self._ends[self.second], self._pictures(here)]
        with self.hold_sync():
            self.decoded, self.mixed, self.note = decoded, mixed, note
            if not self.problem:
                self.pictures = rows

    def _decode(self, *_) -> str:
        return data_url(self._system.decode(self.between(self.share)[None])[0])

    def _pictures(self, latents: Tensor) -> list[str]:
        return [data_url(self._picture(channel)) for channel in latents]

    def _picture(self, channel: Tensor) -> Tensor:
        """A channel (h, w) in viridis, (3, h, w) in [-1, 1]."""
        level = (channel / (2 * LIMIT * self._std) + 0.5).clamp(0, 1)
        return torch.from_numpy(colormaps["viridis"](level.numpy())[..., :3]).permute(2, 0, 1).float() * 2 - 1
