"""Classifier guidance: the unconditional model, and a classifier of noisy pictures (Dhariwal and Nichol 2021)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from course_utils.diffusion import ddim, ddpm
from course_utils.diffusion.guidance import LogProb, classifier_guidance, classifier_push
from course_utils.networks import load_network
from course_utils.runtime import autocast, device
from course_utils.systems import ddpm as unconditional
from course_utils.systems.cfg import checked_labels


class ClassifierGuided:
    """An unconditional model and a classifier (xt, t) -> logits: `sample(label, scale)`."""

    def __init__(self, model: unconditional.DDPM, classifier: nn.Module):
        self.model, self.classifier = model, classifier

    def log_prob(self, label: Tensor) -> LogProb:
        """log p(label | xt) as a function of (xt, t), for batches of the size of label (B,)."""
        label = checked_labels(label, len(self.classifier.names))
        return lambda xt, t: class_log_prob(self.classifier, xt, t, label.to(xt.device))

    def sample(self, label: Tensor, scale: float = 1.0, steps: int = 20, seed: int = 0, size: int = 32,
               stochastic: bool = True) -> Tensor:
        """A picture for each label (B,): by algorithm 1 (ddpm's mean is pushed) or 2 (ddim's noise is bent)."""
        denoiser, log_prob = self.model.denoiser(), self.log_prob(label)
        if stochastic:
            sampler, options = ddpm, {"push": classifier_push(log_prob, scale)}
        else:
            denoiser, sampler, options = classifier_guidance(denoiser, log_prob, scale, clip=True), ddim, {}
        return unconditional.sampled(denoiser, self.model, len(label), steps, seed, size, sampler, **options)


def class_log_prob(classifier: nn.Module, xt: Tensor, t, label: Tensor) -> Tensor:
    """log p(label | xt) (B,) by the classifier, in the device's fast precision."""
    with autocast(xt.device):
        logits = classifier(xt, t)
    return log_softmax(logits.float(), dim=1).gather(1, label[:, None])[:, 0]


def load(name: str = "classifier-garments", model: str = "ddpm-garments") -> ClassifierGuided:
    """The system with the weights that ship with the course, on this computer's fastest device."""
    return ClassifierGuided(unconditional.load(model), load_network(name).to(device()))


def loss(network, batch: dict[str, Tensor]) -> Tensor:
    """How surprised the classifier is by each label of a batch (B,)."""
    return cross_entropy(network(batch["xt"], batch["t"]).float(), batch["label"], reduction="none")
