"""GLIGEN: Stable Diffusion that is also told what stands where (Li et al. 2023)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from course_utils.diffusion import Denoiser, repaint
from course_utils.networks import GroundedUNet, load_network
from course_utils.networks.gligen import GROUNDINGS, MAPS, POINTS, THINGS, Together
from course_utils.runtime import device
from course_utils.systems.checks import check_images, check_prompts
from course_utils.systems.glide import Prompts
from course_utils.systems.model import Condition
from course_utils.systems.stable_diffusion import StableDiffusion

# Of one image: phrases and their boxes, (left, top, right, bottom) in [0, 1]
Boxes = Sequence[tuple[str, Sequence[float]]]
# Of an image at most; where there are fewer, the rest are null. In diffusers' pipeline there are 30
MOST = 6
MAP_SIZE = 64


class GLIGEN(StableDiffusion):
    """From sentences and a grounding to 128 x 128: `sample(prompts, guidance_scale, steps, seed, tau=1.0, boxes=...)`.

    The network says which grounding it takes, by name:
        boxes: for each prompt a list of (phrase, (left, top, right, bottom)), in [0, 1]
        keypoints (B, N, 5, 3): for each of at most three things x and y in [0, 1], and 1 if visible
        depth (B, H, H): from 0, the background, to 1, the nearest; edges (B, H, H) in [0, 1]
        normals (B, 3, H, H): unit vectors; semantic (B, H, H): labels, 0 for the background
    """

    network: GroundedUNet | Together

    def denoiser(self, asked: Prompts, guidance_scale: float = 1.0, *, steps: int = 25, tau: float = 1.0,
                 **grounding) -> Denoiser:
        """On latents, guided towards prompts and grounding, away from the empty prompt and null grounding.

        For the share `tau` of the steps; after them the network is the base, as it is without a grounding (scheduled
        sampling, equation 10 of the paper). ValueError for what does not fit.
        """
        if not 0 <= tau <= 1:
            raise ValueError(f"tau, the share of the steps that are grounded, must lie in [0, 1]; got {tau}.")
        given, null = self.condition(asked)
        base = self.model.denoiser(given, null, guidance_scale)
        count = int(tau * steps)
        if not count or not grounding:
            return base
        there, nothing = self.grounding(len(given["text"]), **grounding)
        grounded = self.model.denoiser(given | there, null | nothing, guidance_scale)
        last = self.model.schedule.timesteps(steps)[count - 1]
        return lambda xt, t: (grounded if t >= last else base)(xt, t)

    def sample_latents(self, asked: Prompts, guidance_scale: float = 3.0, steps: int = 25, seed: int = 0,
                       tau: float = 1.0, callback=None, **grounding) -> Tensor:
        prompts = check_prompts(asked)
        size = self.network.size
        denoiser = self.denoiser(prompts, guidance_scale, steps=steps, tau=tau, **grounding)
        return self.model.sample(denoiser, (len(prompts), self.network.channels, size, size), steps=steps, seed=seed,
                                 callback=callback)

    def inpaint(self, images: Tensor, asked: Prompts, boxes: Sequence[Boxes], guidance_scale: float = 3.0,
                steps: int = 25, seed: int = 0, resample: int = 1) -> Tensor:
        """Images (B, 3, 128, 128) in [-1, 1] with what is asked for painted into the boxes, like them.

        In each step the latents outside of the boxes are the image's, with noise: `repaint`.
        """
        known = self.encode(check_images(images, self.model.device))
        mask = torch.ones_like(known[:, :1])
        for row, objects in zip(mask, boxes):
            for _, (left, top, right, bottom) in objects:
                scale = row.shape[-1]
                row[:, int(top * scale) : ceil(bottom * scale), int(left * scale) : ceil(right * scale)] = 0
        denoiser = self.denoiser(asked, guidance_scale, steps=steps, boxes=boxes)
        made = self.model.sample(denoiser, known.shape, steps=steps, seed=seed, sampler=repaint, known=known,
                                 mask=mask, resample=resample)
        return self.decode(made)

    @torch.no_grad()
    def grounding(self, count: int, **given) -> tuple[Condition, Condition]:
        """What the network takes for a grounding of `count` images, and for none. ValueError for another kind."""
        wanted = self.network.groundings
        if set(given) != set(wanted):
            raise ValueError(f"the network is grounded in {' and '.join(wanted)}; got {', '.join(given) or 'nothing'}.")
        there = {}
        for name, value in given.items():
            if len(value) != count:
                raise ValueError(f"each prompt needs its {name}; got {count} prompts and {len(value)} of them.")
            each = (box_tensors(self.clip, value) if name == "boxes" else keypoint_tensors(value)
                    if name == "keypoints" else map_tensors(name, value))
            prefix = f"{name}_" if len(wanted) > 1 else ""
            there |= {prefix + key: tensor.to(self.model.device) for key, tensor in each.items()}
        return there, {key: torch.zeros_like(value) if key.endswith("masks") else value for key, value in there.items()}

    def attention_kwargs(self, count: int, boxes: Sequence[Boxes], guidance_scale: float = 3.0) -> dict:
        """What makes `pipeline()` draw them: its argument `cross_attention_kwargs`, for `count` prompts."""
        there, nothing = self.grounding(count, boxes=boxes)
        both = (nothing, there) if guidance_scale > 1 else (there,)
        return {"gligen": {name: torch.cat([part[name] for part in both]).cpu() for name in there}}


def box_tensors(clip: nn.Module, boxes: Sequence[Boxes], known: Mapping[str, Tensor] | None = None) -> Condition:
    """Phrases with their boxes as tensors of `GroundedUNet`. known: features of phrases that need not be read again.

    ValueError for too many boxes, or for other ones.
    """
    if max(map(len, boxes)) > MOST:
        raise ValueError(f"an image has at most {MOST} boxes; got {max(map(len, boxes))}.")
    features = dict(known or {})
    phrases = list(dict.fromkeys(phrase for objects in boxes for phrase, _ in objects if phrase not in features))
    features |= zip(phrases, phrase_features(clip, phrases)) if phrases else ()
    width = clip.clip.text_model.config.hidden_size
    places, told = torch.zeros(len(boxes), MOST, 4), torch.zeros(len(boxes), MOST, width)
    masks = torch.zeros(len(boxes), MOST)
    for i, objects in enumerate(boxes):
        for k, (phrase, box) in enumerate(objects):
            left, top, right, bottom = map(float, box) if len(box) == 4 else (1, 1, 0, 0)
            if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
                raise ValueError("a box is (left, top, right, bottom) with 0 <= left < right <= 1 and 0 <= top < "
                                 f"bottom <= 1; got {tuple(box)} for {phrase!r}.")
            places[i, k], told[i, k], masks[i, k] = torch.tensor([left, top, right, bottom]), features[phrase], 1
    return {"boxes": places, "positive_embeddings": told, "masks": masks}


@torch.no_grad()
def phrase_features(clip: nn.Module, phrases: Sequence[str]) -> Tensor:
    """What the text encoder makes of phrases, at their last token and before the projection: (n, width), on the CPU."""
    where = next(clip.parameters()).device
    return clip.clip.text_model(input_ids=clip.tokenizer(phrases).to(where)).pooler_output.float().cpu()


def keypoint_tensors(keypoints: Tensor) -> Condition:
    """Keypoints (B, N, 5, 3), N at most 3, as tensors of `GroundedUNet`; what is not visible is null."""
    keypoints = torch.as_tensor(keypoints).float()
    if keypoints.ndim != 4 or keypoints.shape[1] > THINGS or keypoints.shape[2:] != (POINTS, 3):
        raise ValueError(f"keypoints must be (B, N, {POINTS}, 3) with N at most {THINGS}; got "
                         f"{tuple(keypoints.shape)}.")
    whole = keypoints.new_zeros(len(keypoints), THINGS, POINTS, 3)
    whole[:, : keypoints.shape[1]] = keypoints
    points = whole.flatten(1, 2)
    return {"points": points[..., :2], "masks": points[..., 2]}


def map_tensors(name: str, image: Tensor) -> Condition:
    """A map (B, H, H), or (B, 3, H, H) for normals, as tensors of `GroundedUNet`."""
    channels, labels = MAPS[name]
    image = torch.as_tensor(image)
    image = image[:, None] if image.ndim == 3 else image
    if image.ndim != 4 or image.shape[1] != channels:
        shape = "(B, 3, H, H)" if channels == 3 else "(B, H, H)"
        raise ValueError(f"{name} must be {shape}; got {tuple(image.shape)}.")
    if image.shape[-1] != MAP_SIZE:
        image = interpolate(image.float(), (MAP_SIZE, MAP_SIZE), mode="nearest-exact" if labels else "area")
    return {"image": image.long() if labels else image.float(), "masks": torch.ones(len(image), 1)}


def load(*groundings: str) -> GLIGEN:
    """Grounded in one of boxes, keypoints, depth, edges, normals, semantic (default: boxes), or in several at once,
    with the weights that ship with the course, on this computer's fastest device."""
    groundings = groundings or ("boxes",)
    for name in groundings:
        if name not in GROUNDINGS:
            raise ValueError(f"a grounding is one of {', '.join(GROUNDINGS)}; got {name!r}.")
    networks = [load_network(f"gligen-{name}") for name in groundings]
    network = networks[0] if len(networks) == 1 else Together(networks)
    return GLIGEN(network.to(device()), load_network("sd-decoder").to(device()), load_network("clip").to(device()))
