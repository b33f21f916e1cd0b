"""Rows of samples beside bars: each row has its samples, each measure its values."""

import torch

from course_utils import show
from tests.show.conftest import picture_of


def test_rows_and_bars_are_drawn(shown):
    rows = {"whole": torch.rand(8, 1, 8, 8), "no skips": torch.rand(3, 3, 8, 8)}
    show.ablation(rows, {"loss": ([0.1, 0.2], None), "distance\n(of samples)": ([5.0, 7.0], [0.5, 0.7])},
                  caption="Two variants.", alt="Two rows of samples with bars.")
    (picture, _) = shown
    assert picture_of(picture).width <= 901
    assert picture[1]["image/jpeg"]["alt"] == "Two rows of samples with bars."


def test_more_rows_make_a_higher_figure(shown):
    for count in (2, 5):
        rows = {str(i): torch.rand(6, 1, 8, 8) for i in range(count)}
        show.ablation(rows, {"loss": (range(1, count + 1), None)}, "A caption.", "An alt text.", xscale="log")
    low, high = (picture_of(picture) for picture in shown[::2])
    assert high.height > 2 * low.height
