"""Classifier guidance: the unconditional model, and a classifier of noisy images (Dhariwal and Nichol 2021)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from course_utils.diffusion import Denoiser, ddpm, static_threshold
from course_utils.diffusion.guidance import LogProb, classifier_guidance, classifier_push
from course_utils.networks import load_network
from course_utils.runtime import autocast, device
from course_utils.systems.checks import check_labels
from course_utils.systems.unconditional import Unconditional
from course_utils.systems.unconditional import load as load_unconditional


class ClassifierGuided:
    """An unconditional system and a classifier (xt, t) -> logits."""

    def __init__(self, unconditional: Unconditional, classifier: nn.Module):
        self.unconditional, self.classifier = unconditional, classifier

    def log_prob(self, label: Tensor) -> LogProb:
        """log p(label | xt) as a function of (xt, t), for batches of the size of label (B,)."""
        label = check_labels(label, len(self.classifier.names))
        return lambda xt, t: class_log_prob(self.classifier, xt, t, label.to(xt.device))

    def sample(self, label: Tensor, guidance_scale: float = 1.0, steps: int = 20, seed: int = 0, size: int = 32,
               sampler=ddpm, **options) -> Tensor:
        """An image for each label (B,), guided as `guided_by` says; options as `Model.sample` takes them."""
        plain = self.unconditional
        denoiser, push = guided_by(plain.denoiser(), self.log_prob(label), guidance_scale, sampler)
        shape = (len(label), plain.network.channels, size, size)
        return plain.model.sample(denoiser, shape, steps=steps, seed=seed, sampler=sampler, **push, **options)


def guided_by(denoiser: Denoiser, log_prob: LogProb, guidance_scale: float, sampler) -> tuple[Denoiser, dict]:
    """A denoiser and options with which `sampler` is guided by log_prob, with the predicted image in [-1, 1].

    Algorithm 1 for `ddpm`, whose mean is pushed; algorithm 2 for all others: the predicted noise is moved.
    """
    denoiser = static_threshold(denoiser)
    if sampler is ddpm:
        return denoiser, {"push": classifier_push(log_prob, guidance_scale)}
    return static_threshold(classifier_guidance(denoiser, log_prob, guidance_scale)), {}


def class_log_prob(classifier: nn.Module, xt: Tensor, t, label: Tensor) -> Tensor:
    """log p(label | xt) (B,) by the classifier, in the device's fast precision."""
    with autocast(xt.device):
        logits = classifier(xt, t)
    return log_softmax(logits.float(), dim=1).gather(1, label[:, None])[:, 0]


def load(name: str = "classifier-garments", model: str = "ddpm-garments") -> ClassifierGuided:
    """The system with the weights that ship with the course, on this computer's fastest device."""
    return ClassifierGuided(load_unconditional(model), load_network(name).to(device()))


def loss(network, batch: dict[str, Tensor]) -> Tensor:
    """The classifier's cross-entropy for each label of a batch (B,)."""
    return cross_entropy(network(batch["xt"], batch["t"]).float(), batch["label"], reduction="none")
