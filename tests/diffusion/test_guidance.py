"""Guidance: exact on a mixture, the same lines on a network, and both published ways to count the scale."""

import math

import pytest
import torch

from course_utils.diffusion import GaussianMixture, NoiseSchedule, Prediction, ddim, ddpm, exact_denoiser
from course_utils.diffusion.guidance import (
    checked_scale,
    classifier_free_guidance,
    classifier_guidance,
    classifier_push,
    dynamic_threshold,
    gradient,
    scale_from_w,
    static_threshold,
    w_from_scale,
)
from course_utils.measure import energy_distance, two_sample_p
from course_utils.networks import NoisyClassifier
from course_utils.runtime import seeded
from course_utils.systems import cfg
from course_utils.systems.classifier import ClassifierGuided
from course_utils.systems.model import Model, noised
from course_utils.systems.unconditional import Unconditional
from tests.tiny import alive

SCHEDULE = NoiseSchedule.cosine()

MIXTURE = GaussianMixture(means=torch.tensor([[-0.9, 0.5], [-0.3, -0.6], [0.2, 0.5], [0.9, -0.1], [0.1, -0.1]]),
                          stds=torch.full((5,), 0.22))

WANTED = [0, 1]

ALL, ONE = exact_denoiser(MIXTURE, SCHEDULE), exact_denoiser(MIXTURE.part(WANTED), SCHEDULE)

START = torch.randn(1000, 2, generator=seeded(1))


def log_prob(xt, t):
    return MIXTURE.noised(SCHEDULE.abar[t]).class_log_prob(xt, WANTED)


def test_the_class_probability_is_bayes_rule():
    x = 0.6 * torch.randn(50, 2, generator=seeded(0))
    share = MIXTURE.weights[WANTED].sum()
    by_hand = MIXTURE.part(WANTED).log_prob(x).exp() * share / MIXTURE.log_prob(x).exp()
    assert torch.allclose(MIXTURE.class_log_prob(x, WANTED).exp(), by_hand, atol=1e-5)
    everyone = MIXTURE.class_log_prob(x, list(range(5)))
    assert everyone.abs().max() < 1e-5


def test_the_slope_against_finite_differences():
    x, step = torch.randn(20, 2, generator=seeded(0)), torch.tensor([1e-2, 0])
    by_hand = (log_prob(x + step, 300) - log_prob(x - step, 300)) / 2e-2
    assert torch.allclose(gradient(log_prob, x, 300)[:, 0], by_hand, atol=2e-3)


@pytest.mark.parametrize("t", [50, 500, 950])
@pytest.mark.parametrize("scale", [0, 1, 3])
def test_with_exact_denoisers_both_ways_are_one(t, scale):
    """Bayes' rule: the slope of the classifier is the difference of the two scores."""
    by_classifier = classifier_guidance(ALL, log_prob, scale)(START, t)
    free = classifier_free_guidance(ONE, ALL, scale)(START, t)
    assert torch.allclose(by_classifier.eps, free.eps, atol=2e-3)
    if scale < 2:
        assert torch.allclose(free.eps, (ONE if scale else ALL)(START, t).eps, atol=1e-4)


def test_at_scale_1_the_samples_are_those_of_the_class():
    truth = MIXTURE.part(WANTED).sample(1000, seeded(9))
    pushed = ddpm(ALL, SCHEDULE, START, 500, push=classifier_push(log_prob, 1), generator=seeded(2))
    bent = ddim(classifier_guidance(ALL, log_prob, 1), SCHEDULE, START, 100)
    assert two_sample_p(pushed, truth) > 0.01 and two_sample_p(bent, truth) > 0.01
    assert two_sample_p(ddpm(ALL, SCHEDULE, START, 500, generator=seeded(2)), truth) < 0.01


def test_above_1_the_samples_are_not_those_of_the_tilted_density():
    x = MIXTURE.sample(200_000, seeded(5))
    draws = torch.multinomial((4 * MIXTURE.class_log_prob(x, WANTED)).exp(), 3000, generator=seeded(6))
    tilted, again = x[draws].chunk(2)
    guided = ddim(classifier_guidance(ALL, log_prob, 4), SCHEDULE, START, 100)
    assert energy_distance(guided, tilted) > 20 * abs(energy_distance(again, tilted)) + 0.05


def test_both_ways_to_count():
    assert scale_from_w(0) == 1 and w_from_scale(scale_from_w(2.5)) == 2.5
    given, free = ONE(START, 400).eps, ALL(START, 400).eps
    w = 1.5
    assert torch.allclose(classifier_free_guidance(ONE, ALL, scale_from_w(w))(START, 400).eps,
                          (1 + w) * given - w * free, atol=1e-5)


@pytest.mark.parametrize("scale", [-1, math.nan, math.inf, 1e6])
def test_a_wrong_scale_is_a_sentence(scale):
    for made in (lambda: checked_scale(scale), lambda: classifier_guidance(ALL, log_prob, scale),
                 lambda: classifier_push(log_prob, scale), lambda: classifier_free_guidance(ONE, ALL, scale),
                 lambda: tiny().denoiser(torch.tensor([1]), scale)):
        with pytest.raises(ValueError, match="the guidance scale must be a number from 0"):
            made()


# --- networks


def tiny(**options):
    """A class-conditional system whose answers depend on the class."""
    return cfg.ClassConditional(alive(num_classes=3, **options))


@pytest.mark.parametrize("predicts", ["x0", "eps", "v"])
@pytest.mark.parametrize("scale", [0.0, 1.0, 2.5])
def test_one_batch_of_both_is_the_wrapper_around_two_denoisers(predicts, scale, monkeypatch):
    monkeypatch.setenv("COURSE_PRECISION", "no")
    model, xt = tiny(predicts=predicts), torch.randn(4, 1, 8, 8, generator=seeded(0))
    label = torch.tensor([0, 1, 2, 3])
    given, free = model.denoiser(label), model.denoiser(torch.full((4,), 3))
    with torch.no_grad():
        together = model.denoiser(label, scale)(xt, 300)
        apart = classifier_free_guidance(given, free, scale)(xt, 300)
    assert torch.allclose(together.x0, apart.x0, atol=1e-3) and torch.allclose(together.eps, apart.eps, atol=1e-3)


def test_the_condition_matters_and_the_picture_depends_on_seed_label_and_scale():
    model, label = tiny(), torch.tensor([0, 1])
    one = model.sample(label, 3.0, steps=3, size=8)
    assert torch.equal(one, model.sample(label, 3.0, steps=3, size=8)) and one.abs().max() <= 1.001
    for other in (model.sample(label.flip(0), 3.0, steps=3, size=8), model.sample(label, 1.0, steps=3, size=8),
                  model.sample(label, 3.0, steps=3, size=8, seed=1)):
        assert not torch.equal(one, other)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_thresholds_are_wrappers_around_any_denoiser(scale):
    label, xt = torch.tensor([0, 1]), torch.randn(2, 1, 8, 8, generator=seeded(0))
    of_network = Model(lambda xt, t, label: 5 * xt).denoiser({"label": label}, {"label": label}, scale)
    plain = lambda xt, t: Prediction.of(xt, SCHEDULE.at(t, xt), x0=5 * xt)  # noqa: E731
    for limit, within in ((lambda denoiser: denoiser, False), (static_threshold, True), (dynamic_threshold, True)):
        one, other = (limit(denoiser)(xt, 500) for denoiser in (of_network, plain))
        assert (one.x0.abs().max() <= 1) == within
        for name in ("x0", "eps", "v"):
            assert torch.allclose(getattr(one, name), getattr(other, name), atol=1e-5)
        assert torch.allclose(one.towards(SCHEDULE.at(300, xt)), other.towards(SCHEDULE.at(300, xt)), atol=1e-5)
    for wrong in (0, 1, 99.5):
        with pytest.raises(ValueError, match="percentile must lie between 0 and 1"):
            dynamic_threshold(plain, wrong)


@pytest.mark.parametrize("label", [torch.tensor([0, 4]), torch.tensor([-1]), torch.tensor([0.5]), torch.tensor(1),
                                   torch.zeros(2, 2, dtype=torch.long)])
def test_a_wrong_label_is_a_sentence(label):
    with pytest.raises(ValueError, match="labels must be integers in 0..2 .or 3: none."):
        tiny().sample(label)


def test_labels_are_forgotten_at_the_rate_that_was_asked_for():
    x0, label = torch.zeros(4000, 1, 2, 2), torch.arange(4000) % 10
    batch = noised(x0, seeded(0), label=cfg.drop_labels(label, seeded(0), 0.2, 10))
    assert abs((batch["label"] == 10).float().mean() - 0.2) < 0.03
    kept = batch["label"] < 10
    assert torch.equal(batch["label"][kept], label[kept])


def test_a_classifier_guides_a_network():
    model = Unconditional(alive())
    classifier = NoisyClassifier(["a", "b"], widths=(8, 16)).eval()
    guided = ClassifierGuided(model, classifier)
    xt = torch.randn(2, 1, 8, 8, generator=seeded(0))
    both = [guided.log_prob(torch.full((2,), label))(xt, 100).exp() for label in (0, 1)]
    assert torch.allclose(sum(both), torch.ones(2), atol=1e-4)
    label = torch.tensor([0, 1])
    for sampler in (ddpm, ddim):
        free, far = (guided.sample(label, scale, steps=3, size=8, sampler=sampler) for scale in (0.0, 50.0))
        assert far.isfinite().all() and not torch.equal(free, far)
        assert sampler is ddpm or far.abs().max() <= 1.001
    with pytest.raises(ValueError, match="labels must be integers"):
        guided.sample(torch.tensor([7]))
    with pytest.raises(ValueError, match="must be multiples of 4; got .1, 1, 6, 8."):
        classifier(torch.zeros(1, 1, 6, 8), 0)
