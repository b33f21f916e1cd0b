"""`expect` and the two-sample measures on known cases."""

import pytest
import torch

from course_utils.measure import energy_distance, expect, two_sample_p
from course_utils.runtime import generator


def test_expect_says_yes(capsys):
    expect(0.99, between=(0.98, 1.02), says="same variance")
    expect(torch.tensor(3.0), below=4, says="small")
    expect(True, equals=True, says="so it is")
    assert capsys.readouterr().out.splitlines() == [
        "same variance: yes (within 0.98..1.02)", "small: yes (below 4)", "so it is: yes"]


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
    a, b = torch.randn(n, 1, generator=generator(0)), m + torch.randn(n, 1, generator=generator(1))
    assert abs(energy_distance(a, b) - wanted) < 0.06


def test_energy_distance_is_the_plain_double_sum():
    a, b = torch.randn(7, 2, generator=generator(2)), torch.randn(5, 2, generator=generator(3))
    across = torch.cdist(a, b).mean()
    within = [torch.cdist(x, x).sum() / len(x) / (len(x) - 1) for x in (a, b)]
    assert abs(energy_distance(a, b) - float(2 * across - sum(within))) < 1e-5


def test_two_sample_p_is_even_for_equal_distributions_and_tiny_for_different_ones():
    p = [two_sample_p(torch.randn(60, 2, generator=generator(i)), torch.randn(60, 2, generator=generator(1000 + i)),
                      rounds=99, seed=i) for i in range(60)]
    assert 0.35 < sum(p) / 60 < 0.65 and sum(value < 0.05 for value in p) < 10
    a, b = torch.randn(200, 2, generator=generator(4)), 0.5 + torch.randn(200, 2, generator=generator(5))
    assert two_sample_p(a, b) < 0.01
