"""GLIGEN on emoji scenes: new layers in the frozen U-Net of notebook 12, one recipe for each grounding."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from course_utils.datasets.layouts import OVERLAPPING, relaid, told
from course_utils.datasets.scenes import Scene
from course_utils.datasets.vocabulary import FAMILIAR
from course_utils.evaluation.grounding import agreement, box_table, layout_scenes, right_in_front
from course_utils.evaluation.scenes import mean_and_error, render
from course_utils.networks import GroundedUNet, device_of
from course_utils.systems import gligen
from course_utils.training.recipes.autoencoder import SIZE, parts
from course_utils.training.recipes.glide import SceneRecipe, data_of, recogniser_of_scenes
from course_utils.training.recipes.stable_diffusion import SDBase, inside, misled, places

# Never the phrase of a box in training: what an open set can do beyond it
NEVER_GROUNDED = ("strawberry", "doughnut", "dog", "owl", "cactus", "snowman", "bus", "guitar")


class GroundedRecipe(SDBase):
    """The gated layers of one grounding, beside the frozen base, on scenes whose things stand anywhere."""

    grounding: str
    data = f"{SceneRecipe.data}; laid out anew, in any places and several sizes; half the captions left out"
    images, lr, plain, weight_decay, ema, warmup = 10_000, 1.2e-3, 0, 0.0, 0.995, 50
    # Of captions, and of groundings, each by itself
    p_uncond, p_null = 0.5, 0.1
    # Of the loss of attention
    look = 0.1
    # Of scenes of several things, in which they may overlap
    overlapping = OVERLAPPING
    # Scenes that are drawn to be measured
    measured = 128

    def network(self) -> GroundedUNet:
        network = GroundedUNet(self.grounding)
        network.open_gates()
        return network

    def system(self, network: GroundedUNet) -> gligen.GLIGEN:
        where = device_of(network)
        return gligen.GLIGEN(network, self.autoencoder.to(where), self.clip.to(where))

    def scenes(self, n: int, generator: torch.Generator, split: str = "train", images_seen: int = 0) -> list[Scene]:
        scenes = super().scenes(n, generator, split)
        seeds = torch.randint(2**40, (n,), generator=generator, device=generator.device).tolist()
        return [relaid(scene, seed, self.overlapping) for scene, seed in zip(scenes, seeds)]

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0,
              split: str = "train") -> dict[str, Tensor]:
        scenes = self.scenes(n, generator, split)
        text, given = self.read(scenes, generator), self.tensors(scenes)
        null = torch.rand(n, generator=generator, device=generator.device) < self.p_null
        given["masks"] = given["masks"].to(null.device) * ~null[:, None]
        return self.examples(scenes, generator) | text | {
            name: value.to(generator.device) for name, value in given.items()}

    def tensors(self, scenes: list[Scene]) -> dict[str, Tensor]:
        """The grounding of scenes, as the network takes it."""
        value = told(scenes, self.grounding, gligen.MAP_SIZE)
        return gligen.keypoint_tensors(value) if self.grounding == "keypoints" else gligen.map_tensors(
            self.grounding, value)

    def covers(self, batch: dict[str, Tensor], places: Tensor) -> Tensor | None:
        """Which token stands for which place, (B, places, tokens) bool, for places (places, 2) in [0, 1].

        None where the grounding enters beside the latents, and attention need not be taught.
        """
        return None

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        """And to attend to the token of a thing where it stands, and to none elsewhere.

        The paper's long training finds that by itself; here that part of the loss shows what to look at.
        """
        whole = getattr(network, "module", network)
        where = places(whole.size // 2).to(batch["xt"].device)
        covers = self.covers(batch, where)
        if covers is None:
            return super().loss(network, batch)
        with whole.watched() as seen:
            loss = super().loss(network, batch)
        tokens = [attention[..., len(where) :] for attention in seen]
        return loss + self.look * misled(tokens, covers, batch["masks"][:, None].bool())

    def answers(self, network: GroundedUNet, scenes: list[Scene], grounded: bool = True, **options) -> Tensor:
        """Samples for captions and groundings of scenes, or for captions alone, (B, 3, 128, 128), on the CPU."""
        system, made = self.system(network), []
        for i, part in enumerate(parts(scenes, 32)):
            given = {self.grounding: told(part, self.grounding, gligen.MAP_SIZE)} if grounded else {}
            made.append(system.sample([scene.caption for scene in part], seed=i, **given, **options).cpu())
        return torch.cat(made)

    def preview(self, network: GroundedUNet) -> Tensor:
        """Rows of eight: originals, what is made of their captions and groundings."""
        scenes = layout_scenes(8) + layout_scenes(8, apart=False)
        made = self.answers(network, scenes)
        return torch.cat([render(scenes[:8], SIZE), made[:8], render(scenes[8:], SIZE), made[8:]])

    def measures(self, network: GroundedUNet) -> dict[str, float]:
        """The loss, and agreement with the grounding: of samples, of the base's that are not told it, of originals."""
        found = SceneRecipe.measures(self, network)
        scenes = layout_scenes(self.measured, apart=self.grounding != "depth")
        kinds = (self.answers(network, scenes), self.answers(network, scenes, grounded=False), render(scenes, SIZE))
        for suffix, images in zip(("", "_ungrounded", "_originals"), kinds):
            for name, values in self.judged(images, scenes).items():
                found |= mean_and_error(values, name + suffix)
        return found | {"trainable_share": round(trainable_share(network), 4)}

    def judged(self, images: Tensor, scenes: list[Scene]) -> dict[str, Tensor]:
        """By name, a value for each image or thing."""
        return {"agreement": agreement(self.grounding, images, scenes, recogniser_of_scenes())}


class GLIGENBoxes(GroundedRecipe):
    """Phrases and their boxes. Eight concepts are never grounded: a box of theirs is left out."""

    name, grounding = "gligen-boxes", "boxes"
    images = 128_000

    @cached_property
    def features(self) -> dict[str, Tensor]:
        """Of each phrase."""
        return dict(zip(FAMILIAR, gligen.phrase_features(self.clip, FAMILIAR)))

    def tensors(self, scenes: list[Scene]) -> dict[str, Tensor]:
        boxes = [[thing for thing in objects if thing[0] not in NEVER_GROUNDED] for objects in told(scenes, "boxes")]
        return gligen.box_tensors(self.clip, boxes, self.features)

    def covers(self, batch: dict[str, Tensor], places: Tensor) -> Tensor:
        return inside(batch["boxes"], places) & batch["masks"][:, None].bool()

    def judged(self, images: Tensor, scenes: list[Scene]) -> dict[str, Tensor]:
        """IoU and names of things; those that were never grounded by themselves."""
        table = box_table(images, scenes, recogniser_of_scenes())
        never = torch.tensor([placed.concept in NEVER_GROUNDED for scene in scenes for placed in scene.objects])
        return table | {f"{name}_never_grounded": values[never] for name, values in table.items()}


class GLIGENKeypoints(GroundedRecipe):
    """Five keypoints of each thing, which say neither its name nor its kind."""

    name, grounding = "gligen-keypoints", "keypoints"
    images = 44_000

    def covers(self, batch: dict[str, Tensor], places: Tensor) -> Tensor:
        near = (batch["points"][:, None] - places[None, :, None]).abs().amax(3) <= 0.5 / len(places) ** 0.5
        return near & batch["masks"][:, None].bool()


class GLIGENDepth(GroundedRecipe):
    """What is nearer, as grey levels: most scenes show two things, for one alone is in front of nothing."""

    name, grounding = "gligen-depth", "depth"
    shares, overlapping = (0.2, 0.75, 0.05), 0.8
    images = 26_000
    data = (f"{data_of(shares)}; laid out anew, in any places and several sizes, {overlapping:.0%} of them free to "
            "overlap; half the captions left out")

    def judged(self, images: Tensor, scenes: list[Scene]) -> dict[str, Tensor]:
        return super().judged(images, scenes) | {"order": right_in_front(images, scenes)}


class GLIGENEdges(GroundedRecipe):
    """Contours and lines inside things."""

    name, grounding = "gligen-edges", "edges"
    images = 24_000


class GLIGENNormals(GroundedRecipe):
    """The direction in which each point of a surface looks."""

    name, grounding = "gligen-normals", "normals"
    images = 48_000


class GLIGENSemantic(GroundedRecipe):
    """What each pixel belongs to."""

    name, grounding = "gligen-semantic", "semantic"
    images = 44_000


def trainable_share(network: GroundedUNet) -> float:
    """The share of the numbers of a network that are not the base's."""
    weights = dict(network.named_parameters())
    return sum(weights[name].numel() for name in network.new) / sum(value.numel() for value in weights.values())
