from __future__ import annotations

import numpy as np
import pytest

from konectom.signals.filters import detrend, high_pass, low_pass, moving_mean, smooth

RATE_HZ = 50.0
T_S = np.arange(0, 40, 1 / RATE_HZ)
MIDDLE = slice(500, 1500)


def sine(frequency_hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * T_S)


@pytest.mark.parametrize(("frequency_hz", "order"), [(0.5, 2), (1.5, 5), (2.0, 2)])
def test_butterworth_both_ways_has_its_gain_squared_and_no_delay(frequency_hz: float, order: int) -> None:
    gain = 1 / (1 + (np.tan(np.pi * frequency_hz / RATE_HZ) / np.tan(np.pi * 1.5 / RATE_HZ)) ** (2 * order))
    np.testing.assert_allclose(
        low_pass(sine(frequency_hz), 1.5, order, RATE_HZ)[MIDDLE], gain * sine(frequency_hz)[MIDDLE], atol=1e-3
    )
    np.testing.assert_allclose(
        high_pass(sine(frequency_hz), 1.5, order, RATE_HZ)[MIDDLE], (1 - gain) * sine(frequency_hz)[MIDDLE], atol=1e-3
    )


def test_columns_are_filtered_on_their_own() -> None:
    both = low_pass(np.column_stack([sine(1), sine(3)]), 2.0, 2, RATE_HZ)
    np.testing.assert_allclose(both[:, 1], low_pass(sine(3), 2.0, 2, RATE_HZ), atol=1e-12)


@pytest.mark.parametrize("n", [0, 1, 2, 5, 18, 19])
def test_short_signals_pass_through_every_filter(n: int) -> None:
    signal = np.arange(3.0 * n).reshape(n, 3)
    for filtered in (
        low_pass(signal, 1.5, 5, RATE_HZ),
        high_pass(signal, 0.3, 2, RATE_HZ),
        smooth(signal),
        detrend(signal),
    ):
        assert filtered.shape == (n, 3)
        assert np.isfinite(filtered).all()
    assert moving_mean(np.arange(float(n)), 5).shape == (n,)


def test_a_cutoff_beyond_half_the_rate_filters_nothing() -> None:
    assert low_pass(sine(1), 30.0, 2, RATE_HZ) is not None
    np.testing.assert_array_equal(low_pass(sine(1), 30.0, 2, RATE_HZ), sine(1))


def test_smoothing_leaves_a_cubic_as_it_is() -> None:
    cubic = (T_S - 20) ** 3 - 4 * T_S
    np.testing.assert_allclose(smooth(cubic), cubic, atol=1e-6)


def test_detrending_takes_away_any_line() -> None:
    line = np.column_stack([3 + 0.25 * T_S, -7 * T_S])
    np.testing.assert_allclose(detrend(line), 0, atol=1e-9)
    wave = detrend(sine(2) + 5 * T_S + 1)
    slope, offset = np.polyfit(T_S, wave, 1)
    assert (slope, offset) == pytest.approx((0, 0), abs=1e-9)


def test_the_moving_mean_is_missing_where_its_window_is_not_full() -> None:
    averaged = moving_mean(np.array([1.0, 2, 3, 4, 5, 11]), 5)
    assert np.isnan(averaged[[0, 1, 4, 5]]).all()
    assert averaged[2:4] == pytest.approx([3, 5])
