"""`expect` and the measures on known cases."""

import re

import numpy as np
import pytest
import scipy.linalg
import torch

from course_utils.measure import energy_distance, expect, frechet_distance, precision_recall, spread, two_sample_p
from course_utils.runtime import seeded


def test_expect_prints_what_was_measured_as_rows_of_one_table(capsys):
    expect(0.99, between=(0.98, 1.02), says="same variance")
    expect(torch.tensor(3.0), below=4, says="small")
    expect(True, equals=True, says="so it is")
    expect(3, equals=3, says="calls")
    rows = [re.split(r" \.*\s+", row) for row in capsys.readouterr().out.splitlines()]
    assert rows == [["same variance", "0.99", "0.98 to 1.02"], ["small", "3", "below 4"], ["so it is", "yes"],
                    ["calls", "3"]]


@pytest.mark.parametrize("value,bound", [(1.5, {"between": (0, 1)}), (2, {"below": 2}), (2, {"above": 2}),
                                         (1, {"equals": 2}), (float("nan"), {"below": 1}),
                                         (float("nan"), {"between": (0, 1)})])
def test_expect_fails_with_both_numbers(value, bound):
    with pytest.raises(AssertionError, match=r"claim: NO\. Measured .*, expected "):
        expect(value, says="claim", **bound)


def test_expect_wants_one_bound():
    with pytest.raises(ValueError, match="exactly one of"):
        expect(1, says="nothing")
    with pytest.raises(ValueError, match="exactly one of"):
        expect(1, below=2, above=0, says="both")


def test_energy_distance_of_shifted_gaussians():
    # For N(0, 1) and N(m, 1) on a line, 2 E|X - Y| - E|X - X'| - E|Y - Y'| has a closed form
    m, n = 1.5, 4000
    m_t = torch.tensor(m)
    normal = torch.distributions.Normal(0.0, 1.0)
    mean_gap = 2 / torch.pi**0.5 * torch.exp(-m_t**2 / 4) + m * (2 * normal.cdf(m_t / 2**0.5) - 1)
    wanted = 2 * mean_gap - 2 * 2 / torch.pi**0.5
    a, b = torch.randn(n, 1, generator=seeded(0)), m + torch.randn(n, 1, generator=seeded(1))
    assert abs(energy_distance(a, b) - wanted) < 0.06


def test_energy_distance_is_the_plain_double_sum():
    a, b = torch.randn(7, 2, generator=seeded(2)), torch.randn(5, 2, generator=seeded(3))
    across = torch.cdist(a, b).mean()
    within = [torch.cdist(x, x).sum() / len(x) / (len(x) - 1) for x in (a, b)]
    assert abs(energy_distance(a, b) - float(2 * across - sum(within))) < 1e-5


def test_two_sample_p_is_even_for_equal_distributions_and_tiny_for_different_ones():
    p = [two_sample_p(torch.randn(60, 2, generator=seeded(i)), torch.randn(60, 2, generator=seeded(1000 + i)),
                      rounds=99, seed=i) for i in range(60)]
    assert 0.35 < sum(p) / 60 < 0.65 and sum(value < 0.05 for value in p) < 10
    a, b = torch.randn(200, 2, generator=seeded(4)), 0.5 + torch.randn(200, 2, generator=seeded(5))
    assert two_sample_p(a, b) < 0.01


def normal(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=seeded(seed), dtype=torch.float64)


def by_sqrtm(a: torch.Tensor, b: torch.Tensor) -> float:
    cov_a, cov_b = (np.cov(x.numpy(), rowvar=False) for x in (a, b))
    gap = ((a.mean(0) - b.mean(0)) ** 2).sum().item()
    return gap + np.trace(cov_a + cov_b - 2 * scipy.linalg.sqrtm(cov_a @ cov_b).real)


def test_frechet_distance_of_equal_sets_is_zero():
    a = normal(300, 8, 6)
    assert frechet_distance(a, a) < 1e-9 and frechet_distance(a, a.flip(0)) < 1e-9


def test_frechet_distance_of_shifted_and_scaled_gaussians():
    # For diagonal covariances: the sum of (mean_a - mean_b)^2 + (std_a - std_b)^2
    shift, scale = torch.tensor([1.0, 0.0, -0.5]), torch.tensor([1.0, 2.0, 0.3])
    wanted = float((shift**2).sum() + ((1 - scale) ** 2).sum())
    assert abs(frechet_distance(normal(40000, 3, 7), shift + scale * normal(40000, 3, 8)) - wanted) < 0.08
    assert abs(frechet_distance(normal(40000, 3, 7), shift + normal(40000, 3, 8)) - 1.25) < 0.06
    # A line, where a covariance is one number
    assert abs(frechet_distance(normal(40000, 1, 9), 3 * normal(40000, 1, 10)) - 4) < 0.1


@pytest.mark.parametrize("kind", ["diagonal", "full", "flat"])
def test_frechet_distance_equals_scipy(kind):
    mix = {"diagonal": torch.diag(torch.linspace(0.1, 3, 6)).double(), "full": normal(6, 6, 11),
           "flat": normal(6, 6, 11) * torch.tensor([1, 1, 1, 1, 1, 1e-7])}[kind]
    a, b = normal(200, 6, 12) @ mix, 0.3 + normal(150, 6, 13) @ normal(6, 6, 14)
    assert abs(frechet_distance(a, b) - by_sqrtm(a, b)) < 1e-6
    assert abs(frechet_distance(a, b) - frechet_distance(b, a)) < 1e-6


def test_frechet_distance_survives_a_feature_that_never_moves():
    a, b = normal(50, 4, 15), normal(50, 4, 16)
    a[:, 2] = b[:, 2] = 7
    rest = [0, 1, 3]
    assert abs(frechet_distance(a, b) - frechet_distance(a[:, rest], b[:, rest])) < 1e-6
    # Features that follow from others, as in a table of shares that sum to 1
    a = normal(50, 5, 40) @ normal(5, 10, 41)
    assert abs(frechet_distance(a, a + 1) - 10) < 1e-6


def test_precision_and_recall_of_equal_sets_are_one():
    a = normal(500, 5, 17)
    assert precision_recall(a, a) == (1.0, 1.0)


def test_rounding_does_not_part_equal_points():
    # Each point four times and five times, far from the origin: its third neighbour is as good as itself
    for seed in range(10):
        a = 37.7 + 3 * normal(30, 64, seed)
        assert precision_recall(a.repeat(4, 1), a.repeat(5, 1)) == (1.0, 1.0)


def test_precision_and_recall_of_one_distribution_are_alike_and_high():
    precision, recall = precision_recall(normal(1200, 2, 18), normal(1100, 2, 19))
    assert precision > 0.9 and recall > 0.9 and abs(precision - recall) < 0.05


def test_a_lost_mode_costs_recall():
    left, right = normal(400, 2, 20) - 10, normal(400, 2, 21) + 10
    precision, recall = precision_recall(torch.cat([left, right]), normal(400, 2, 22) - 10)
    assert precision > 0.9 and 0.43 < recall <= 0.5


def test_outliers_cost_precision_by_their_share():
    real = normal(600, 3, 23)
    far = 1000 * torch.nn.functional.normalize(normal(200, 3, 24))
    precision, recall = precision_recall(real, torch.cat([real, far]))
    assert precision == 600 / 800 and recall == 1


def test_precision_and_recall_are_the_plain_definition():
    real, fake, k = normal(40, 2, 25), 0.5 + normal(30, 2, 26), 2

    def inside(points, members):
        hits = 0
        for x in points:
            hits += any((x - m).norm() <= sorted((m - o).norm() for o in members)[k] for m in members)
        return hits / len(points)

    assert precision_recall(real, fake, k) == (inside(fake, real), inside(real, fake))


@pytest.mark.parametrize("measure", [frechet_distance, precision_recall])
def test_features_that_are_no_table_are_refused(measure):
    good = normal(20, 3, 27)
    with pytest.raises(ValueError, match=r"same width D; got \(20, 3\) and \(20, 2\)\. Flatten"):
        measure(good, good[:, :2])
    with pytest.raises(ValueError, match=r"must be tables .*; got \(20, 3, 1\) and \(20, 3\)"):
        measure(good[..., None], good)
    for bad in (float("nan"), float("inf")):
        spoilt = good.clone()
        spoilt[4, 1] = bad
        with pytest.raises(ValueError, match="finite numbers; 1 of 60 are NaN or infinite. Look at"):
            measure(good, spoilt)


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="3 features needs at least 4 rows in each set; got 20 and 3. Draw more"):
        frechet_distance(normal(20, 3, 28), normal(3, 3, 29))
    for k, n in ((0, 10), (10, 10), (3, 3)):
        with pytest.raises(ValueError, match=f"got k = {k} with 20 real and {n} fake rows"):
            precision_recall(normal(20, 2, 30), normal(n, 2, 31), k)
    for n, rounds in ((1, 4), (10, 0)):
        with pytest.raises(ValueError, match=f"2 rows to cut in halves and 1 round; got {n} and {rounds}"):
            spread(frechet_distance, normal(n, 2, 32), normal(20, 2, 33), rounds=rounds)


def test_spread_of_a_mean_is_its_standard_error():
    def gap(a, b):
        return float(a.mean() - b.mean())

    for n in (100, 901, 6400):
        assert 0.75 < spread(gap, normal(n, 1, 34), normal(50, 1, 35), rounds=60) * n**0.5 < 1.3


def test_spread_agrees_with_fresh_draws_and_shrinks_with_them():
    b = 1 + 0.7 * normal(2000, 3, 36)
    spreads = []
    for n in (200, 3200):
        draws = [normal(n, 3, 1000 + i) for i in range(40)]
        fresh = torch.tensor([frechet_distance(a, b) for a in draws]).std()
        spreads.append(sum(spread(frechet_distance, a, b, seed=i) for i, a in enumerate(draws[:10])) / 10)
        assert 0.5 < spreads[-1] / fresh < 2
    assert 2.5 < spreads[0] / spreads[1] < 6


def test_spread_is_not_small_where_the_distributions_are_equal():
    b = normal(1000, 3, 37)
    fresh = torch.tensor([frechet_distance(normal(500, 3, 2000 + i), b) for i in range(40)]).std()
    found = sum(spread(frechet_distance, normal(500, 3, 2000 + i), b) for i in range(20)) / 20
    assert 0.8 < found / fresh < 2.5


def test_spread_repeats_itself():
    a, b = normal(50, 2, 38), normal(60, 2, 39)
    assert spread(energy_distance, a, b) == spread(energy_distance, a, b) != spread(energy_distance, a, b, seed=1)
