"""The loss: its weights by hand, and one error under three names."""

import pytest
import torch

from course_utils.diffusion import NoiseSchedule, Prediction
from course_utils.diffusion.losses import TARGETS, WEIGHTS, seeded_error, weighted_error
from course_utils.kernels import noise as noise_of
from course_utils.runtime import seeded

SCHEDULES = {"linear": NoiseSchedule.linear(1000), "cosine": NoiseSchedule.cosine(1000)}


@pytest.mark.parametrize("abar,expected", [
    (0.2, {"x0": 1, "eps": 0.25, "v": 1.25, "min-snr": 0.25, "soft-v": 1.25}),
    (0.8, {"x0": 1, "eps": 4, "v": 5, "min-snr": 4, "soft-v": 5}),
    (0.9, {"x0": 1, "eps": 9, "v": 10, "min-snr": 5, "soft-v": 10}),
    (0.99, {"x0": 1, "eps": 99, "v": 100, "min-snr": 5, "soft-v": 20}),
])
def test_the_weights_by_hand(abar, expected):
    assert set(expected) == set(WEIGHTS)
    x0, eps, abar = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2), torch.full((1, 1, 1, 1), abar)
    for weight, value in expected.items():
        error = weighted_error(torch.full_like(x0, 0.1), "x0", x0, eps, abar, weight)
        assert error.shape == (1,) and torch.allclose(error, torch.tensor([0.01 * value]), rtol=1e-4)


def example(t: torch.Tensor, schedule: NoiseSchedule) -> dict[str, torch.Tensor]:
    """A guess of noised pictures under its three names, and what it should have been."""
    x0, eps, wrong = torch.randn(3, len(t), 3, 4, 4, generator=seeded(0), dtype=torch.float64)
    abar = schedule.at(t, x0)
    guess = Prediction.of(schedule.jump(x0, t, eps), abar, x0=x0 + 0.1 * wrong)
    return {"x0": x0, "eps": eps, "abar": abar, "guess": guess}


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("predicts", ["eps", "v"])
def test_the_same_guess_has_the_same_error_under_each_name(predicts, weight):
    made = example(torch.arange(100, 900, 50), SCHEDULES["cosine"])
    true = made["x0"], made["eps"], made["abar"]
    as_x0 = weighted_error(made["guess"].x0, "x0", *true, weight)
    assert torch.allclose(weighted_error(getattr(made["guess"], predicts), predicts, *true, weight), as_x0, rtol=1e-3)


@pytest.mark.parametrize("name", TARGETS)
def test_the_weight_of_its_own_name_is_the_plain_error(name):
    made = example(torch.arange(0, 1000, 50), SCHEDULES["linear"])
    x0, eps, abar = made["x0"], made["eps"], made["abar"]
    truth = Prediction.of(abar.sqrt() * x0 + (1 - abar).sqrt() * eps, abar, x0=x0)
    plain = (getattr(made["guess"], name) - getattr(truth, name)).square().flatten(1).mean(1)
    mine = weighted_error(getattr(made["guess"], name), name, x0, eps, abar, name)
    assert torch.allclose(mine, plain, rtol=1e-3)


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("predicts", TARGETS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_the_ends_of_the_schedule_are_numbers(name, predicts, weight):
    schedule, t = SCHEDULES[name], torch.tensor([0, 999])
    x0, eps, output = torch.randn(3, 2, 1, 4, 4, generator=seeded(1)).unbind()
    picture, noise = TARGETS[predicts](schedule.at(t, x0))
    for answer in (output, (picture * x0 + noise * eps).bfloat16()):
        answer = answer.clone().requires_grad_()
        error = weighted_error(answer, predicts, x0, eps, schedule.at(t, x0), weight)
        error.sum().backward()
        assert error.dtype == torch.float32 and error.isfinite().all() and answer.grad.isfinite().all()


@pytest.mark.parametrize("weight", ["v", "soft-v"])
@pytest.mark.parametrize("predicts", TARGETS)
def test_noise_drawn_anew_makes_the_same_error(predicts, weight):
    x0, output = torch.randn(2, 3, 1, 5, 5, generator=seeded(2)).unbind()
    seed, abar = torch.tensor([0, 7, 2**62]), torch.tensor([0.1, 0.5, 0.9])
    stored = weighted_error(output, predicts, x0, noise_of(seed, x0.shape[1:]), abar.view(3, 1, 1, 1), weight)
    assert torch.allclose(seeded_error(output, predicts, x0, seed, abar, weight), stored, rtol=1e-5)


def test_unknown_names_are_sentences():
    x = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ValueError, match="weight must be one of x0, eps, v, min-snr, soft-v; got 'snr'"):
        weighted_error(x, "x0", x, x, x + 0.5, "snr")
    with pytest.raises(ValueError, match="predicts must be one of x0, eps, v; got 'score'"):
        weighted_error(x, "score", x, x, x + 0.5, "x0")
