"""Molecules in a box: walls, the heat equation, entropy, and the way back."""

import torch

from course_utils.diffusion import GaussianMixture, physics
from course_utils.measure import two_sample_p
from course_utils.runtime import seeded

DROPS = GaussianMixture(torch.tensor([[0.25, 0.3], [0.7, 0.75]]), torch.tensor([0.05, 0.08]))


def test_reflect_folds_like_a_mirror():
    x = torch.tensor([-0.2, 0.3, 1.1, 2.3, -1.4])
    assert torch.allclose(physics.reflect(x), torch.tensor([0.2, 0.3, 0.9, 0.3, 0.6]), atol=1e-6)


def test_mean_squared_displacement_is_einsteins():
    n, D = 40_000, 0.7
    path = physics.diffuse(torch.zeros(n, 3), physics.clock(0.4, 20), D, seeded(0))
    msd = path[-1].square().sum(1).mean()
    assert abs(msd / (2 * 3 * D * 0.4) - 1) < 5 * (2 / 3 / n) ** 0.5


def test_heat_solution_conserves_and_matches_a_walk():
    place = (torch.arange(20) + 0.5) / 20
    n = 100_000
    start = 0.2 + 0.3 * torch.rand(n, 1, generator=seeded(1))
    for time in (0.01, 0.1):
        exact = physics.heat(place, time, 0.5, left=0.2, right=0.5)
        assert abs(exact.mean() - 1) < 1e-3
        end = physics.diffuse(start, torch.linspace(0, time, 30), 0.5, seeded(2), width=1.0)[-1]
        counted = torch.histc(end, 20, 0, 1) / n * 20
        assert (counted - exact).abs().max() < 5 * (20 * exact.max() / n) ** 0.5 + 0.02


def test_entropy_is_0_in_one_cell_and_1_when_even():
    assert physics.entropy(torch.full((100, 2), 0.05), bins=10) == 0
    line = (torch.arange(10) + 0.5) / 10
    assert abs(physics.entropy(torch.cartesian_prod(line, line), bins=10) - 1) < 1e-6


def test_the_way_back_needs_the_whole_score():
    evenly, clock = torch.rand(800, 2, generator=seeded(3)), physics.clock(1.0, 120)
    ink = DROPS.sample(800, seeded(4))
    for strength, alike in ((1.0, True), (0.5, False), (0.0, False)):
        back = physics.undiffuse(evenly, DROPS, clock, strength=strength, generator=seeded(5), width=1.0)
        assert back.shape == (121, 800, 2)
        assert (two_sample_p(back[-1], ink) > 0.01) == alike
