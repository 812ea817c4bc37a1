from __future__ import annotations

import numpy as np
import pytest

from konectom.signals.resample import bin_means, grid_rate_hz


@pytest.mark.parametrize(
    ("sampled", "grid"),
    [
        *[(8, 20), (20, 20), (24.9, 20), (30, 20), (44, 20)],
        *[(45, 50), (50, 50), (54, 50), (60, 50), (75, 50), (114, 50), (200, 50), (500, 50)],
        *[(96, 100), (104, 100), (125, 128), (128, 128)],
    ],
)
def test_rates_near_a_usual_one_keep_it_and_others_go_to_the_reference(sampled: float, grid: float) -> None:
    assert grid_rate_hz(sampled) == grid


def test_a_rate_that_is_not_known_has_a_grid_all_the_same() -> None:
    assert grid_rate_hz(float("nan")) == 20


def test_each_interval_has_the_mean_of_its_samples_and_an_empty_one_that_before() -> None:
    even = bin_means(np.array([0.061, 0.064, 0.089, 0.121]), np.array([[1.0], [3.0], [7.0], [9.0]]), 50.0)
    assert even.t_s == pytest.approx([0.06, 0.08, 0.10, 0.12])
    assert even.values.ravel().tolist() == [2, 7, 7, 9]
    assert len(even) == 4


def test_intervals_stand_on_the_clock_not_on_the_first_sample() -> None:
    t_s = np.arange(0.013, 1.0, 0.02)
    assert bin_means(t_s, t_s[:, None], 50.0).t_s[0] == 0.0


def test_a_time_on_the_border_belongs_to_the_interval_that_it_opens_whatever_the_rounding() -> None:
    t_s = np.arange(1000) / 50  # 0.58 * 50 is less than 29 as a float
    even = bin_means(t_s, np.arange(1000.0)[:, None], 50.0)
    assert even.values.ravel().tolist() == list(range(1000))


def test_nothing_stays_nothing() -> None:
    assert len(bin_means(np.empty(0), np.empty((0, 3)), 50.0)) == 0
