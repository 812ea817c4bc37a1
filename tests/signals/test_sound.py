"""Sound on an even grid, whatever the clock did; and at a workable rate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import resample

from konectom.signals.sound import at_fine_rate, evenly, rate_of

T_S = np.arange(1000) / 8000.0
X = np.sin(np.arange(1000.0))


def test_even_samples_come_back_as_they_are() -> None:
    assert rate_of(T_S) == pytest.approx(8000.0)
    np.testing.assert_array_equal(evenly(T_S, X, 8000.0, 10_000), X)
    np.testing.assert_array_equal(evenly(T_S, X, 8000.0, 10), X[:10])


def test_jitter_moves_no_sample() -> None:
    t_s = T_S + np.random.default_rng(1).uniform(-0.2, 0.2, 1000) / 8000
    assert rate_of(t_s) == pytest.approx(8000.0, rel=1e-3)
    np.testing.assert_array_equal(evenly(t_s, X, rate_of(t_s), 10_000), X)


def test_what_was_not_recorded_is_missing_in_its_place() -> None:
    keep = np.ones(1000, dtype=bool)
    keep[[3, 4, 500]] = False
    found = evenly(T_S[keep], X[keep], 8000.0, 10_000)
    np.testing.assert_array_equal(found, np.where(keep, X, np.nan))
    assert rate_of(T_S[keep]) == pytest.approx(8000.0)
    assert evenly(T_S[keep], X[keep], 8000.0, 100).size == 100


def test_fewer_than_two_samples_have_no_rate() -> None:
    assert np.isnan(rate_of(T_S[:1]))
    assert evenly(T_S[:1], X[:1], 8000.0, 10).tolist() == [0.0]


@pytest.mark.parametrize(
    ("rate_hz", "fine_hz"), [(8000.0, 32_000.0), (11_025.0, 33_075.0), (44_100.0, 44_100.0), (96_000.0, 32_000.0)]
)
def test_the_rate_becomes_fine_in_a_whole_proportion(rate_hz: float, fine_hz: float) -> None:
    assert at_fine_rate(X, rate_hz).rate_hz == fine_hz


def test_between_the_samples_lies_what_scipys_fourier_interpolation_gives() -> None:
    x = np.sin(2 * np.pi * 40 * np.arange(1000) / 1000) * np.hanning(1000)
    sound = at_fine_rate(x, 8000.0)
    theirs = resample(x - x.mean(), 4000)
    np.testing.assert_allclose(sound.x, theirs / np.abs(x - x.mean()).max(), atol=2e-3)


def test_the_mean_is_taken_out_and_the_largest_sample_is_one() -> None:
    sound = at_fine_rate(np.array([5.0, 7.0, 5.0, 7.0, np.nan, 1e300]), 40_000.0)
    assert np.isfinite(sound.x).all()
    assert np.abs(sound.x).max() == pytest.approx(1.0)
    assert not at_fine_rate(np.full(10, 3.0), 40_000.0).x.any()
    assert at_fine_rate(np.full(10, np.nan), 40_000.0).x.size == 0
