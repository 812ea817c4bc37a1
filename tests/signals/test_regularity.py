"""Regularity of steps and strides: known signals, and a plain reading of the definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import find_peaks

from konectom.recording import FloatArray
from konectom.signals.contacts import Contacts
from konectom.signals.filters import low_pass
from konectom.signals.regularity import regularity

RATE_HZ = 50.0


def contacts(steps: int, bouts: int = 1) -> Contacts:
    none = np.zeros(steps, dtype=np.intp)
    return Contacts(26 * np.arange(steps), none, none, np.arange(steps) * bouts // steps)


def signal(steps: int, odd: float = 1.0, noise: float = 0.0) -> FloatArray:
    """Return an acceleration of period 26 samples in which every other step is ``odd`` times as strong."""
    t = np.arange(26 * steps + 1)
    strength = np.where(t // 26 % 2, odd, 1.0)
    return strength * np.cos(2 * np.pi * t / 26) + np.random.default_rng(0).normal(0, noise, t.size)


def plainly(window: FloatArray) -> tuple[float, float]:
    """Return what the definition says of one window, sample by sample."""

    def covariance(x: FloatArray) -> FloatArray:
        full = np.correlate(x - x.mean(), x - x.mean(), "full")
        lags = np.abs(np.arange(1 - x.size, x.size))
        return (full / (x.size - lags))[x.size - 200 : x.size + 199]

    raw, guide = covariance(window), covariance(low_pass(window, 3.0, 2, RATE_HZ))
    peaks, _ = find_peaks(guide, height=np.percentile(guide, 80), distance=15)
    heights = [raw[peak - 5 : peak + 5].max() for peak in peaks]
    middle = len(heights) // 2
    return heights[middle + 1] / raw[199], heights[middle + 2] / raw[199]


def test_equal_steps_are_fully_regular() -> None:
    _, found = regularity(contacts(60), signal(60), RATE_HZ, whole=True)
    np.testing.assert_allclose(found, 1.0, atol=0.06)


def test_a_limp_makes_strides_more_alike_than_steps() -> None:
    _, found = regularity(contacts(60), signal(60, odd=0.4), RATE_HZ, whole=True)
    assert (found[:, 1] > found[:, 0] + 0.1).all()


@pytest.mark.parametrize(("odd", "noise"), [(1.0, 0.1), (0.6, 0.3), (0.3, 0.8), (1.0, 3.0)])
def test_each_window_is_what_a_plain_reading_gives(odd: float, noise: float) -> None:
    norm = signal(60, odd, noise)
    at, found = regularity(contacts(60), norm, RATE_HZ, whole=True)
    assert at.tolist() == [0, 7, 14, 21, 28, 35, 42]
    for first, (step, stride) in zip(26 * at, found, strict=True):
        if np.isfinite(step):
            np.testing.assert_allclose([step, stride], plainly(norm[first : first + 14 * 26 + 1]), atol=1e-9)


def test_windows_stay_in_their_bout_and_the_last_bout_ends_early() -> None:
    at, _ = regularity(contacts(90, bouts=2), signal(90), RATE_HZ)
    assert at.tolist() == [0, 7, 14, 21, 28, 45, 52, 59]


@pytest.mark.parametrize("steps", [0, 1, 14])
def test_too_few_steps_have_no_window(steps: int) -> None:
    at, found = regularity(contacts(steps), signal(15), RATE_HZ)
    assert at.size == 0
    assert found.shape == (0, 2)


def test_no_motion_is_not_regular() -> None:
    _, found = regularity(contacts(60), np.zeros(26 * 60 + 1), RATE_HZ, whole=True)
    assert np.isnan(found).all()
