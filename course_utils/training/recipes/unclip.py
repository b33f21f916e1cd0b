"""DALL-E 2 on emoji scenes: the CLIP, prior and decoder of notebook 11."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from course_utils.datasets.captions import LENGTHS, caption
from course_utils.datasets.heldout import contains_held_out
from course_utils.datasets.scene import GRID, corner, place
from course_utils.datasets.scenes import Scene, Scenes
from course_utils.datasets.sprites import STYLES, concept
from course_utils.datasets.vocabulary import FAMILIAR, truths
from course_utils.evaluation.scenes import evaluation_scenes, render
from course_utils.evaluation.zero_shot import zero_shot
from course_utils.networks import CLIP, UnCLIPDecoder, UnCLIPPrior, load_network
from course_utils.networks.captions import CaptionTokenizer
from course_utils.networks.clip import contrastive_loss
from course_utils.runtime import seeded
from course_utils.systems import unclip
from course_utils.systems.model import noised
from course_utils.training.recipes.glide import SceneRecipe, data_of, truth


class CLIPRecipe(SceneRecipe):
    """Which caption belongs to which image: the CLIP of notebooks 11 to 13, trained from nothing.

    Equal captions in a batch count as each other's; one that is true of another image by chance counts as wrong, as in
    the pairs from the web that CLIP was trained on. Things and backgrounds soon tell the right caption from the others,
    and the style would be learned far later. So every second batch shows `few` things from `easy` images on, and each
    scene also in another style from `twins` on: hard negatives.
    """

    name = "clip"
    easy, few, twins = 120_000, 12, 220_000
    data = (f"{data_of(SceneRecipe.shares)}; half drawn at 32 x 32 and enlarged, half at 64 x 64; after {easy:,} "
            f"images every second batch of {few} random concepts, after {twins:,} images these in pairs of two styles")
    images, batch_size, lr, weight_decay, warmup, p_uncond = 400_000, 128, 1e-3, 0.05, 200, 0.0

    def network(self) -> CLIP:
        return CLIP()

    @property
    def tokenizer(self) -> CaptionTokenizer:
        return CaptionTokenizer()

    def scenes(self, n: int, generator: torch.Generator, split: str = "train", images_seen: int = 0) -> list[Scene]:
        if split != "train" or images_seen < self.easy or images_seen // self.batch_size % 2:
            return super().scenes(n, generator, split, images_seen)
        chosen = torch.randperm(len(FAMILIAR), generator=generator, device=generator.device)[: self.few].tolist()
        world = Scenes(split, length=2**40, among=[FAMILIAR[i] for i in chosen], shares=self.shares, coarse=True)
        draw = partial(torch.randint, generator=generator, device=generator.device)
        scenes = [world.scene(number) for number in draw(2**40, (n,)).tolist()]
        if images_seen >= self.twins:
            choices = draw(2**20, (n // 2, 4)).tolist()
            scenes[1::2] = [in_another_style(scene, *some) for scene, some in zip(scenes[::2], choices)]
        return scenes

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0,
              split: str = "train") -> dict[str, Tensor]:
        scenes = self.scenes(n, generator, split, images_seen)
        tokens = self.tokenizer([scene.caption for scene in scenes]).to(generator.device)
        return {"images": both_sizes(scenes, generator.device), "tokens": tokens}

    def loss(self, network: CLIP, batch: dict[str, Tensor]) -> Tensor:
        tokens = batch["tokens"]
        same = (tokens[:, None] == tokens[None]).all(2)
        return contrastive_loss(network(batch["images"], tokens), same)

    def preview(self, network: CLIP) -> None:
        """CLIP makes no images."""

    def measures(self, network: CLIP) -> dict[str, float]:
        """The loss, how often an image's caption is found among 64, and zero-shot accuracies for each split."""
        found, batches = super().measures(network), self.held_out(network)
        logits = [network(batch["images"], batch["tokens"]).cpu() for batch in batches]
        right = [each.argmax(1) == torch.arange(len(each)) for each in logits]
        found["accuracy_of_64"] = round(torch.cat(right).float().mean().item(), 4)
        for split in ("test", "unseen-style", "unseen-ground"):
            scenes = [scene for scene in evaluation_scenes(split, 512) if len(scene.objects) == 1]
            for name, hits in zero_shot(network, render(scenes, 64), truths(scenes)).items():
                found[f"{name}_{split}"] = round(hits.float().mean().item(), 4)
        return found


def in_another_style(scene: Scene, style: int, length: int, variant: int, first: int) -> Scene:
    """The same scene in another style, with a caption of its own: the next one in order whose combinations are in
    training and can be seen. The integers choose."""
    for step in range(len(STYLES)):
        name = STYLES[(style + step) % len(STYLES)]
        objects = tuple(place(placed.concept, name, *corner(placed, GRID), placed.flipped) for placed in scene.objects)
        twin = replace(scene, style=name, objects=objects)
        hidden = any(scene.ground.colour in concept(placed.concept).blends_into.get(name, ()) for placed in objects)
        if name != scene.style and not hidden and not contains_held_out(twin):
            return replace(twin, caption=caption(twin, LENGTHS[length % 3], variant, first % len(objects)))
    return scene


def both_sizes(scenes: list[Scene], device) -> Tensor:
    """Scenes as images (B, 3, 64, 64): the first half drawn at 32 x 32 and enlarged, as what the decoder makes."""
    half = len(scenes) // 2
    small, large = render(scenes[:half], 32, device), render(scenes[half:], 64, device)
    return torch.cat([interpolate(small, scale_factor=2, mode="bilinear"), large])


class UnCLIPDecoderRecipe(SceneRecipe):
    """09's base goes on, told the embedding of each image: what enters of it starts at zero."""

    name = "unclip-decoder"
    images, lr, slow = 200_000, 1e-3, ("text.blocks",)
    # Of captions and of embeddings, each by itself (the paper's section 2.1)
    p_uncond, p_no_embedding = 0.5, 0.1

    def network(self) -> UnCLIPDecoder:
        return UnCLIPDecoder.continuing(load_network("glide-base")).train()

    def examples(self, scenes: list[Scene], generator: torch.Generator) -> dict[str, Tensor]:
        where = generator.device
        embedding = unclip.embed_images(clip(where), both_sizes(scenes, where))
        dropped = torch.rand(len(scenes), 1, generator=generator, device=where) < self.p_no_embedding
        # What an embedding decides is decided under much noise
        return noised(render(scenes, 32, where), generator, late=True, embedding=embedding.masked_fill(dropped, 0))

    def preview(self, network: UnCLIPDecoder) -> Tensor:
        """Rows of eight: images, and what is made of their embeddings alone."""
        images = render(evaluation_scenes("test", 32)[::2], 32)
        made = self.answers(network, images)
        return torch.cat([images[:8], made[:8], images[8:], made[8:]])

    def measures(self, network: UnCLIPDecoder) -> dict[str, float]:
        """The loss, and how true images that are made of embeddings alone are to the images that these stand for."""
        return super().measures(network) | truth(lambda scenes: self.answers(network, render(scenes, 64)))

    def answers(self, network: UnCLIPDecoder, images: Tensor) -> Tensor:
        """What the decoder makes of the embeddings of images."""
        decoder = unclip.Decoder(network)
        embedding = unclip.embed_images(clip(decoder.model.device), images)
        return torch.cat([decoder.sample(some, seed=i) for i, some in enumerate(embedding.split(64))]).cpu()


class UnCLIPPriorRecipe(SceneRecipe):
    """From captions to image embeddings; each pair is used for several noise levels, for making it takes longest."""

    name = "unclip-prior"
    times = 4
    images, batch_size, lr = 400_000, 256, 1e-3
    weight = "x0"  # the plain squared error, as in the paper
    data = f"{SceneRecipe.data}; {times} noise levels of each"

    def network(self) -> UnCLIPPrior:
        return UnCLIPPrior()

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0,
              split: str = "train") -> dict[str, Tensor]:
        scenes, where = self.scenes(-(-n // self.times), generator, split), generator.device
        embedding = unclip.embed_images(clip(where), both_sizes(scenes, where)).repeat_interleave(self.times, 0)[:n]
        dropped = torch.rand(len(scenes), generator=generator, device=where) < self.p_uncond
        captions = ["" if none else scene.caption for scene, none in zip(scenes, dropped.tolist())]
        told = {name: value.repeat_interleave(self.times, 0)[:n]
                for name, value in unclip.read(clip(where), captions).items()}
        return noised(embedding * embedding.shape[1] ** 0.5, generator, **told)

    def preview(self, network: UnCLIPPrior) -> None:
        """It makes vectors, not images."""

    def measures(self, network: UnCLIPPrior) -> dict[str, float]:
        """The loss, and the cosine of what it predicts with the embedding of the image that a caption came from."""
        found, where = super().measures(network), seeded(0).device
        scenes = evaluation_scenes("test", 256)
        made = unclip.Prior(network, clip(where)).sample([scene.caption for scene in scenes])
        wanted = unclip.embed_images(clip(where), render(scenes, 64))
        return found | {"cosine_test": round((made * wanted).sum(1).mean().item(), 4)}


@cache
def clip(where: torch.device) -> CLIP:
    """The trained CLIP, on a device."""
    return load_network("clip").to(where)
