"""GLIDE: from a sentence to a picture (Nichol et al. 2022). The condition is a text, read by a network of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from course_utils.diffusion import Denoiser, NoiseSchedule, ddim, ddpm
from course_utils.diffusion.guidance import LogProb, classifier_push, guided_network_denoiser
from course_utils.networks import NoisyScorer, TextUNet, load_network
from course_utils.networks.text import PAD, UNKNOWN
from course_utils.runtime import autocast, device, seeded
from course_utils.systems import ddpm as unconditional
from course_utils.systems.inpainting import MaskedImage, kept, placed
from course_utils.systems.sr3 import augmented

SMALL, LARGE = 32, 64
# How noisy the small picture may be that the upsampler is shown, in training and as a rule in sampling
MOST_AUGMENTATION, AUGMENTATION = 0.5, 0.1
# Share of words hidden in training, so that an unknown word says "something" and nothing at random
P_UNKNOWN = 0.02


class TextConditional:
    """A network that reads, with its schedule: `denoiser(captions)` for the samplers, `sample(captions)` for pictures.

    Captions are any texts, several or one; `network.tokenizer.remarks(caption)` says what is not understood of one.
    """

    size = SMALL

    def __init__(self, network: TextUNet, schedule: NoiseSchedule = unconditional.SCHEDULE):
        self.network, self.schedule = network, schedule

    def denoiser(self, captions: str | Sequence[str], scale: float = 1.0, threshold: str | float | None = "static",
                 image: Tensor | None = None, vector: Tensor | None = None) -> Denoiser:
        """Guided towards captions, for batches of that size, away from the empty caption.

        The network's `image` and `vector` are the same with and without caption. Captions are read once, not at every
        step. ValueError for captions that are no texts, or not as many as images, and for a wrong scale.
        """
        where = next(self.network.parameters()).device
        tokens = self.network.tokenizer(captions).to(where)
        if image is not None and len(image) != len(tokens):
            raise ValueError(f"each picture needs its caption; got {len(image)} pictures and {len(tokens)} captions.")
        beside = {} if image is None else {"image": image}
        with torch.no_grad(), autocast(where):
            given, empty = (self.network.read(words, vector) | beside
                            for words in (tokens, torch.full_like(tokens, PAD)))
        return guided_network_denoiser(self.network.unet, self.schedule, self.network.predicts, given, empty, scale,
                                       threshold)

    def sample(self, captions: str | Sequence[str], scale: float = 2.0, steps: int = 20, seed: int = 0,
               threshold: str | float | None = "static", **options) -> Tensor:
        """A picture for each caption, (B, 3, size, size); equal seeds give equal noise."""
        return self._drawn(self.denoiser(captions, scale, threshold), captions, steps, seed, **options)

    def _drawn(self, denoiser: Denoiser, captions: str | Sequence[str], steps: int, seed: int, sampler=ddim,
               **options) -> Tensor:
        count = 1 if isinstance(captions, str) else len(captions)
        return unconditional.sampled(denoiser, self, count, steps, seed, self.size, sampler, **options)

    def _small(self, pictures: Tensor) -> Tensor:
        """Given pictures (B, 3, 32, 32) in [-1, 1], on the network's device. ValueError for others."""
        pictures = unconditional.placed(pictures, self.network)
        if pictures.shape[1:] != (3, SMALL, SMALL):
            raise ValueError(f"pictures must be (B, 3, {SMALL}, {SMALL}), as the base draws them; got "
                             f"{tuple(pictures.shape)}.")
        return pictures


class Upsampler(TextConditional):
    """The same at 64 x 64, with a picture of 32 x 32 to start from; it reads the caption too.

    Unlike in SR3 the network says the whole picture, not what is missing in the enlarged one, for that one is noisy.
    """

    size = LARGE

    def sample(self, captions: str | Sequence[str], low: Tensor, scale: float = 1.0, steps: int = 10, seed: int = 0,
               augmentation: float = AUGMENTATION, **options) -> Tensor:
        """Each picture low (B, 3, 32, 32) in [-1, 1] at twice its size, after noise of `augmentation` in [0, 0.5]."""
        if not 0 <= augmentation <= MOST_AUGMENTATION:
            raise ValueError(f"augmentation must be a number in 0..{MOST_AUGMENTATION}, as in training; got "
                             f"{augmentation}.")
        low = self._small(low)
        level = torch.full((len(low),), float(augmentation), device=low.device)
        beside = shown(low, level, seeded(seed + 2, low.device))
        return self._drawn(self.denoiser(captions, scale, **beside), captions, steps, seed, **options)


class Inpainter(TextConditional):
    """The base, fine-tuned to see which part of the picture is kept; mask 1 is kept, 0 is the hole, as in GLIDE."""

    def sample(self, captions: str | Sequence[str], known: Tensor, mask: Tensor, scale: float = 2.0, steps: int = 20,
               seed: int = 0, **options) -> Tensor:
        """The pictures known (B, 3, 32, 32) in [-1, 1], what a caption says drawn where mask (B, 1, 32, 32) is 0."""
        known, mask = placed(self.network, self._small(known), mask)
        image = MaskedImage.image(known, mask, seeded(seed + 2, known.device))
        denoiser = kept(self.denoiser(captions, scale, image=image), known, mask)
        return self._drawn(denoiser, captions, steps, seed, **options)


class GLIDE:
    """The cascade: the base draws 32 x 32, the upsampler makes 64 x 64 of it."""

    def __init__(self, base: TextConditional, upsampler: Upsampler):
        self.base, self.upsampler = base, upsampler

    def sample(self, captions: str | Sequence[str], scale: float = 2.0, steps: int = 20, seed: int = 0,
               augmentation: float = AUGMENTATION, **options) -> Tensor:
        """A picture for each caption, (B, 3, 64, 64); only the base is guided, as in the paper."""
        low = self.base.sample(captions, scale, steps, seed, **options)
        return self.upsampler.sample(captions, low.clamp(-1, 1), seed=seed, augmentation=augmentation)


class ClipGuided:
    """CLIP guidance: the base at its plain scale, pushed to where the scorer finds that picture and caption fit."""

    def __init__(self, base: TextConditional, scorer: NoisyScorer):
        self.base, self.scorer = base, scorer

    def score(self, captions: str | Sequence[str]) -> LogProb:
        """exp(log_scale) f(xt, t).g(caption) as a function of (xt, t), for batches of the size of captions.

        Up to a constant it is log p(caption | xt), as a softmax of CLIP has it (section 2.4 and the authors' code).
        """
        where = next(self.scorer.parameters()).device
        with torch.no_grad(), autocast(where):
            words = self.scorer.read(self.scorer.tokenizer(captions).to(where))

        def log_prob(xt: Tensor, t) -> Tensor:
            with autocast(where):
                return self.scorer.scale * (self.scorer.see(xt, t) * words).sum(1)

        return log_prob

    def sample(self, captions: str | Sequence[str], scale: float = 10.0, steps: int = 50, seed: int = 0,
               text_scale: float = 1.0) -> Tensor:
        """A picture for each caption, (B, 3, 32, 32); at text_scale 0 only the scorer knows the caption."""
        push = classifier_push(self.score(captions), scale)
        return self.base.sample(captions, text_scale, steps, seed, sampler=ddpm, push=push)


def load(part: str = "cascade") -> GLIDE | TextConditional | ClipGuided:
    """The "cascade", its "base" or "upsampler", the base that inpaints ("inpaint") or that CLIP guides ("clip"), with
    the weights that ship with the course, on this computer's fastest device."""
    if part == "cascade":
        return GLIDE(load("base"), load("upsampler"))
    if part == "clip":
        return ClipGuided(load("base"), load_network("glide-scorer").to(device()))
    kinds = {"base": TextConditional, "upsampler": Upsampler, "inpaint": Inpainter}
    if part not in kinds:
        raise ValueError(f"part must be one of cascade, {', '.join(kinds)}, clip; got {part!r}.")
    return kinds[part](load_network(f"glide-{part}").to(device()))


def shown(low: Tensor, level: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """What the upsampler sees of small pictures (B, C, H, W): twice as large, with noise of a level (B,) that it knows.

    Bilinear as in GLIDE; the noise, as in Imagen, lets the network forgive what the base gets wrong.
    """
    return augmented(interpolate(low, scale_factor=LARGE // SMALL, mode="bilinear"), level, generator)


def forgotten(tokens: Tensor, generator: torch.Generator, p_uncond: float) -> Tensor:
    """Captions (B, M) for training: a share p_uncond of them empty, and here and there a word hidden."""
    hidden = torch.rand(tokens.shape, generator=generator, device=tokens.device) < P_UNKNOWN
    empty = torch.rand(len(tokens), 1, generator=generator, device=tokens.device) < p_uncond
    return torch.where(hidden & (tokens != PAD), UNKNOWN, tokens).masked_fill(empty, PAD)
