"""The judge of scenes: what is to be seen in a finished picture, whatever its caption says."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from course_utils.networks.recogniser import layer
from course_utils.networks.unet import positions
from course_utils.networks.weights import Network


class SceneRecogniser(Network):
    """Pictures (B, 3, 32, 32) or (B, 3, 64, 64) in [-1, 1] -> logits of concepts, style, ground, count and relation.

    It judges finished pictures and has seen at most a little noise; no generator is trained or guided with it.
    concepts, styles, grounds, relations: the names of what it tells apart, in order; `counts`: up to how many objects.
    """

    def __init__(self, concepts: list[str], styles: list[str], grounds: list[str], relations: list[str],
                 counts: int = 3, width: int = 48):
        super().__init__()
        self.names = {"concepts": list(concepts), "style": list(styles), "ground": list(grounds),
                      "relation": list(relations)}
        w = width
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2), *layer(12, w), *layer(w, w), nn.MaxPool2d(2),
            *layer(w, 2 * w), *layer(2 * w, 2 * w), nn.MaxPool2d(2),
            *layer(2 * w, 4 * w), *layer(4 * w, 4 * w), *layer(4 * w, 4 * w),
        )  # fmt: skip
        w = 4 * width
        self.concepts = nn.Linear(w, len(concepts))
        # Most concepts are nowhere to be seen, and it would take long to learn that from zero
        nn.init.constant_(self.concepts.bias, -8.0)
        self.style, self.ground, self.count = (nn.Linear(w, n) for n in (len(styles), len(grounds), counts))
        self.relation = nn.Sequential(nn.Linear(2 * w, w), nn.ReLU(), nn.Linear(w, len(relations)))
        self.to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor, pair: Tensor) -> dict[str, Tensor]:
        """Logits by name, (B, n) each. `pair` (B, 2): how does the first of these concepts stand to the second?"""
        if pictures.shape[1:] not in ((3, 32, 32), (3, 64, 64)):
            raise ValueError(f"pictures must be (B, 3, 32, 32) or (B, 3, 64, 64); got {tuple(pictures.shape)}.")
        if pictures.shape[-1] == 32:
            pictures = interpolate(pictures, scale_factor=2, mode="bilinear")
        places = self.body(pictures.contiguous(memory_format=torch.channels_last))
        places = places.flatten(2).transpose(1, 2)
        whole, evidence = places.mean(1), self.concepts(places).float()
        # Where the evidence for a concept is, there it stands
        look = evidence.gather(2, pair[:, None].expand(-1, evidence.shape[1], -1)).softmax(1).to(places.dtype)
        both = (look.mT @ (places + positions(8, 8, places.shape[2], places))).flatten(1)
        return {"concepts": evidence.logsumexp(1), "style": self.style(whole), "ground": self.ground(whole),
                "count": self.count(whole), "relation": self.relation(both)}

    @torch.no_grad()
    def look(self, pictures: Tensor, pair: Tensor, at_once: int = 250) -> dict[str, Tensor]:
        """The logits (N, n) for any number of pictures, on the CPU. Rows of `pair` without a pair may hold -1."""
        where = self.style.weight.device
        parts = [self(some.to(where), asked.clamp(min=0).to(where))
                 for some, asked in zip(pictures.split(at_once), pair.split(at_once))]
        return {name: torch.cat([part[name].float() for part in parts]).cpu() for name in parts[0]}

    def judge(self, pictures: Tensor, said: dict[str, Tensor]) -> dict[str, Tensor]:
        """How true pictures are to what was said of them, see `fidelity`."""
        return fidelity(self.look(pictures, said["pair"]), said)


def fidelity(seen: dict[str, Tensor], said: dict[str, Tensor]) -> dict[str, Tensor]:
    """How true pictures are to their captions: concept, style, ground, count and relation, (B,) each.

    1 is right, 0 wrong, NaN not to be judged; the mean over pictures is `nanmean()`. concept: the share of the n named
    objects among the n that are seen best. relation: only where both objects are seen.
    seen: logits by name, from SceneRecogniser.look. said: numbers by name, from datasets.vocabulary.said, -1 where a
    caption says nothing. Pictures paired with other captions give the values of chance.
    """
    right = {name: _hits(seen[name], said[name]) for name in ("style", "ground", "relation")}
    right["count"] = _hits(seen["count"], said["count"] - 1)
    rank = seen["concepts"].argsort(1, descending=True).argsort(1)
    named = said["concepts"] >= 0
    found = named & (rank.gather(1, said["concepts"].clamp(min=0)) < said["count"][:, None])
    right["concept"] = found.sum(1) / named.sum(1)
    right["relation"][right["concept"] < 1] = torch.nan
    return right


def _hits(logits: Tensor, wanted: Tensor) -> Tensor:
    """1 where the largest logit is the wanted one, 0 elsewhere, NaN where nothing (-1) is wanted: (B,)."""
    return torch.where(wanted < 0, torch.nan, (logits.argmax(1) == wanted).float())
