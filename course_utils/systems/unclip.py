"""DALL-E 2, or unCLIP: a caption becomes an image embedding of CLIP, and that an image (Ramesh et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from course_utils.diffusion import Denoiser, NoiseSchedule, ddim, ddim_inversion, slerp, static_threshold
from course_utils.networks import CLIP, UnCLIPDecoder, UnCLIPPrior, device_of, load_network
from course_utils.networks.text import PAD
from course_utils.runtime import autocast, device
from course_utils.systems import imagen
from course_utils.systems.checks import check_images, check_prompts
from course_utils.systems.glide import SMALL, Prompts
from course_utils.systems.model import SCHEDULE, Condition, Model


class Prior:
    """Captions -> image embeddings: diffusion over the vectors of CLIP."""

    def __init__(self, network: UnCLIPPrior, clip: CLIP, schedule: NoiseSchedule = SCHEDULE):
        self.network, self.clip, self.model = network, clip, Model(network, schedule)

    def denoiser(self, prompts: Prompts, guidance_scale: float = 1.0) -> Denoiser:
        """Guided towards prompts, for batches of that size, away from the empty prompt."""
        prompts = check_prompts(prompts)
        return self.model.denoiser(*(read(self.clip, texts) for texts in (prompts, [""] * len(prompts))),
                                   guidance_scale)

    def sample(self, prompts: Prompts, guidance_scale: float = 1.0, steps: int = 20, seed: int = 0,
               candidates: int = 2, **options) -> Tensor:
        """A unit vector for each prompt, (B, dim): of several candidates the one that is nearest to the caption's."""
        prompts = check_prompts(prompts)
        many = [prompt for prompt in prompts for _ in range(candidates)]
        made = self.model.sample(self.denoiser(many, guidance_scale), (len(many), self.network.dim), steps=steps,
                                 seed=seed, stage="prior", **options)
        made = normalize(made.float(), dim=1).unflatten(0, (len(prompts), candidates))
        nearest = (made * embed_text(self.clip, prompts)[:, None]).sum(2).argmax(1)
        return made[torch.arange(len(made), device=made.device), nearest]


class Decoder:
    """Image embeddings, and captions if given, -> images of 32 x 32."""

    def __init__(self, network: UnCLIPDecoder, schedule: NoiseSchedule = SCHEDULE):
        self.network, self.model = network, Model(network.unet, schedule)

    def denoiser(self, embedding: Tensor, prompts: Prompts | None = None, guidance_scale: float = 1.0) -> Denoiser:
        """Guided towards embeddings (B, dim), away from no embedding and no caption, for batches of that size.

        ValueError for embeddings of another kind, for as many prompts as there are none, and for a wrong scale.
        """
        embedding = self._checked(embedding)
        prompts = [""] * len(embedding) if prompts is None else check_prompts(prompts)
        if len(prompts) != len(embedding):
            raise ValueError(f"each embedding needs its prompt; got {len(embedding)} and {len(prompts)}.")
        tokens = self.network.tokenizer(prompts).to(self.model.device)
        with torch.no_grad(), autocast(self.model.device):
            given = self.network.encode(tokens, embedding)
            none = self.network.encode(torch.full_like(tokens, PAD), torch.zeros_like(embedding))
        return self.model.denoiser(given, none, guidance_scale)

    def sample(self, embedding: Tensor, prompts: Prompts | None = None, guidance_scale: float = 2.0, steps: int = 20,
               seed: int = 0, **options) -> Tensor:
        """An image for each embedding, (B, 3, 32, 32); options as `Model.sample` takes them."""
        denoiser = static_threshold(self.denoiser(embedding, prompts, guidance_scale))
        return self.model.sample(denoiser, (len(embedding), 3, SMALL, SMALL), steps=steps, seed=seed, **options)

    def invert(self, images: Tensor, embedding: Tensor, steps: int = 20, corrections: int = 0) -> Tensor:
        """The noise xT from which `reconstruct` makes images (B, 3, 32, 32) again, in as many steps.

        With corrections, as `ddim_inversion` takes them, or more steps the images are nearer to the given ones, but the
        noise is far from normal, for it holds what an embedding should decide. ValueError for other images.
        """
        images = check_images(images, self.model.device)
        if images.shape[1:] != (3, SMALL, SMALL) or len(images) != len(embedding):
            raise ValueError(f"images must be (B, 3, {SMALL}, {SMALL}), one for each embedding; got "
                             f"{tuple(images.shape)} and {len(embedding)} embeddings.")
        return ddim_inversion(self.denoiser(embedding), self.model.schedule, images, steps,
                              corrections=corrections)

    def reconstruct(self, xT: Tensor, embedding: Tensor, steps: int = 20, guidance_scale: float = 1.0) -> Tensor:
        """Images (B, 3, 32, 32) from a given noise xT, by `ddim`."""
        return ddim(self.denoiser(embedding, guidance_scale=guidance_scale), self.model.schedule, xT, steps)

    def _checked(self, embedding: Tensor) -> Tensor:
        embedding = torch.as_tensor(embedding)
        if embedding.ndim != 2 or embedding.shape[1] != self.network.embedding_dim:
            raise ValueError(f"embeddings must be (B, {self.network.embedding_dim}), unit vectors of CLIP; got "
                             f"{tuple(embedding.shape)}.")
        return embedding.to(self.model.device, torch.float32)


class UnCLIP:
    """CLIP, prior and decoder, with notebook 10's upsamplers: from captions to images, and from images to images."""

    def __init__(self, clip: CLIP, prior: Prior, decoder: Decoder, upsampler: imagen.Upsampler | None = None,
                 last: imagen.LastUpsampler | None = None):
        self.clip, self.prior, self.decoder, self.upsampler, self.last = clip, prior, decoder, upsampler, last

    def embed(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [-1, 1] as unit vectors (B, dim)."""
        return embed_images(self.clip, images)

    def embed_text(self, prompts: Prompts) -> Tensor:
        """Captions as unit vectors (B, dim)."""
        return embed_text(self.clip, prompts)

    def sample(self, prompts: Prompts, guidance_scale: float = 2.0, steps: int = 20, seed: int = 0,
               **options) -> Tensor:
        """An image for each prompt, (B, 3, 32, 32): the prior's embedding, decoded with the caption beside it."""
        embedding = self.prior.sample(prompts, steps=steps, seed=seed)
        return self.decoder.sample(embedding, prompts, guidance_scale, steps, seed, **options)

    def variations(self, image: Tensor, count: int = 8, guidance_scale: float = 2.0, steps: int = 20,
                   seed: int = 0) -> Tensor:
        """Images (count, 3, 32, 32) with the embedding of one image (3, H, W), each from noise of its own."""
        return self.decoder.sample(self.embed(image[None]).expand(count, -1), None, guidance_scale, steps, seed)

    def interpolate(self, one: Tensor, other: Tensor, frames: int = 11, steps: int = 20,
                    guidance_scale: float = 1.0) -> Tensor:
        """Images (frames, 3, 32, 32) from one image (3, 32, 32) to another.

        Both embeddings, and both noises that DDIM inversion finds, are interpolated on their spheres.
        """
        both = torch.stack([one, other])
        embedding = self.embed(both)
        xT = self.decoder.invert(both, embedding, steps)
        share = torch.linspace(0, 1, frames).tolist()
        path, noise = (torch.stack([slerp(*ends, s) for s in share]) for ends in (embedding, xT))
        return self.decoder.reconstruct(noise, path, steps, guidance_scale)

    def text_difference(self, image: Tensor, before: str, after: str, shares: Sequence[float], steps: int = 20,
                        guidance_scale: float = 1.0) -> Tensor:
        """One image (3, 32, 32), moved from one caption towards another: (len(shares), 3, 32, 32).

        Its embedding is turned towards the difference of the captions' by a share of the angle between them; the noise
        that DDIM inversion finds stays. Source: section 3.3 of the paper.
        """
        embedding = self.embed(image[None])
        old, new = self.embed_text([before, after])
        direction = normalize(new - old, dim=0)
        xT = self.decoder.invert(image[None], embedding, steps)
        path = torch.stack([slerp(embedding[0], direction, share) for share in shares])
        return self.decoder.reconstruct(xT.expand(len(path), -1, -1, -1), path, steps, guidance_scale)

    def enlarge(self, images: Tensor, seed: int = 0, **options) -> Tensor:
        """Images (B, 3, 32, 32) at 128 x 128, by upsamplers that are told no caption."""
        if self.upsampler is None or self.last is None:
            raise ValueError('this system has no upsamplers; unclip.load("cascade") has.')
        larger = self.upsampler.sample([""] * len(images), images.clamp(-1, 1), seed=seed, **options).clamp(-1, 1)
        return self.last.sample(larger, seed=seed, **options)


@torch.no_grad()
def read(clip: CLIP, prompts: Prompts) -> Condition:
    """What the prior is told of captions: the states of their tokens, and their embeddings."""
    where = device_of(clip)
    with autocast(where):
        states, embedding = clip.text(clip.tokenizer(prompts).to(where))
    return {"states": states.float(), "text_embedding": embedding}


def embed_text(clip: CLIP, prompts: Prompts) -> Tensor:
    """Captions as unit vectors (B, dim)."""
    return read(clip, check_prompts(prompts))["text_embedding"]


@torch.no_grad()
def embed_images(clip: CLIP, images: Tensor, at_once: int = 256) -> Tensor:
    """Images (B, 3, H, W) in [-1, 1] as unit vectors (B, dim). ValueError for others."""
    where = device_of(clip)
    with autocast(where):
        return torch.cat([clip.image_embedding(some) for some in check_images(images, where).split(at_once)])


def load(part: str = "whole") -> UnCLIP | CLIP | Prior | Decoder:
    """The "whole", with upsamplers the "cascade", or its "clip", "prior" or "decoder", with the weights that ship with
    the course, on this computer's fastest device."""
    if part in ("whole", "cascade"):
        prior = load("prior")
        more = (imagen.load("upsampler"), imagen.load("upsampler-128")) if part == "cascade" else ()
        return UnCLIP(prior.clip, prior, load("decoder"), *more)
    if part == "clip":
        return load_network("clip").to(device())
    if part == "prior":
        return Prior(load_network("unclip-prior").to(device()), load("clip"))
    if part == "decoder":
        return Decoder(load_network("unclip-decoder").to(device()))
    raise ValueError(f"part must be one of whole, cascade, clip, prior, decoder; got {part!r}.")
