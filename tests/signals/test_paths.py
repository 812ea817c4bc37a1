"""Curves: length, even spacing, crossings and smoothness, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.signals.figures import infinity, rectangle, spiral
from konectom.signals.paths import crossings, evenly, length, share_reached, spectral_arc_length, steps

BESIDE = np.array([0.0, 5.0])
QUARTERS = np.linspace(0.0, 2 * np.pi, 41)
CIRCLE = np.column_stack([np.cos(QUARTERS), np.sin(QUARTERS)])


def test_the_length_of_a_circle() -> None:
    assert length(CIRCLE) == pytest.approx(2 * np.pi, rel=2e-3)


def test_a_circle_made_denser_stays_a_circle() -> None:
    dense = evenly(CIRCLE, 400, smooth=True)
    np.testing.assert_allclose(np.hypot(*dense.T), 1.0, atol=2e-5)
    assert steps(dense).std() < 1e-3 * steps(dense).mean()
    np.testing.assert_allclose(dense[[0, -1]], CIRCLE[[0, -1]], atol=1e-12)


def test_straight_sides_stay_straight_and_few_points_are_joined_by_chords() -> None:
    corners = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]])
    np.testing.assert_allclose(evenly(corners, 5, smooth=False), [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1]])
    np.testing.assert_allclose(evenly(corners, 5, smooth=True), evenly(corners, 5, smooth=False))


@pytest.mark.parametrize("cycles", [1, 4, 9])
def test_a_wave_crosses_a_line_twice_a_cycle(cycles: int) -> None:
    x = np.linspace(0.0, 100.0, 400)
    line = np.column_stack([x, np.zeros(400)])
    wave = np.column_stack([x, 0.5 * np.cos(2 * np.pi * cycles * x / 100)])
    found = crossings(wave, line)
    assert len(found) == 2 * cycles
    expected = 100 * (np.arange(2 * cycles) + 0.5) / (2 * cycles)
    np.testing.assert_allclose(x[found], expected, atol=0.3)


def test_curves_that_run_together_or_apart_do_not_cross() -> None:
    line = np.column_stack([np.linspace(0.0, 100.0, 50), np.zeros(50)])
    assert not crossings(line, line).size
    assert not crossings(line + 0.2 * BESIDE, line).size
    assert not crossings(line[:1], line).size


def test_the_share_of_a_line_that_was_reached() -> None:
    line = np.column_stack([np.arange(100.0), np.zeros(100)])
    assert share_reached(line, line[:50] + BESIDE, 8.0) == pytest.approx((50 + 6) / 100)
    assert share_reached(line, line[:50] + BESIDE, 8.0, np.arange(40)) == pytest.approx((50 + 6) / 100)
    assert share_reached(line, line + 1.6 * BESIDE, 8.0) == 0.0


def test_a_smooth_movement_is_nearer_to_0_than_a_jerky_one() -> None:
    t_s = np.arange(0.0, 2.0, 1 / 60)
    bell = np.sin(np.pi * t_s / 2) ** 2
    jerky = bell * (1 + 0.5 * np.sin(2 * np.pi * 5 * t_s))
    assert spectral_arc_length(jerky, 60.0) < spectral_arc_length(bell, 60.0) < 0
    assert np.isnan(spectral_arc_length(np.zeros(10), 60.0))


def test_the_arc_length_of_a_spectrum_known_in_closed_form() -> None:
    """Two equal samples one apart: the amplitude falls as |cos(pi f / rate)|, and does so up to 10 of 60 Hz."""
    frequency = np.linspace(0.0, 10.0, 10_001)
    amplitude = np.cos(np.pi * frequency / 60)
    expected = -np.hypot(np.diff(frequency) / 10, np.diff(amplitude)).sum()
    assert spectral_arc_length(np.ones(2), 60.0) == pytest.approx(expected, rel=0.02)


def test_figures_begin_end_and_measure_as_published() -> None:
    for figure, count in ((infinity(), 1000), (spiral(), 779), (rectangle(clockwise=True), 1038)):
        assert figure.shape == (count, 2)
    # A lemniscate's length is that of its half axis times 2.62205755 times 2 (Gauss).
    assert length(infinity()) == pytest.approx(280 * 2 * 2.62205755, rel=1e-4)
    assert length(rectangle(clockwise=False)) == pytest.approx(213 + 516 + 263 + 566)
    np.testing.assert_allclose(rectangle(clockwise=True)[[0, -1]], [[106, 173], [56, 123]])
    np.testing.assert_allclose(rectangle(clockwise=False)[[0, -1]], [[269, 173], [319, 123]])
    assert steps(spiral()).max() < 8


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("at", [0, 2, 6])
def test_beside_a_leap_beyond_measure_short_steps_come_to_nothing(at: int, smooth: bool) -> None:
    points = np.column_stack([np.arange(7.0), np.zeros(7)])
    points[at, 1] = 1e20
    laid = evenly(points, 50, smooth=smooth)
    assert laid.shape == (50, 2)
    assert np.isfinite(laid).all()
