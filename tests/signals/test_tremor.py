"""Tremor against closed forms and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import welch

from konectom.signals.tremor import tremor

RATE_HZ = 20.0


def test_a_sine_has_its_frequency_and_power() -> None:
    t_s = np.arange(1024) / RATE_HZ
    hz = 52 * RATE_HZ / 256  # in the middle of a bin
    told = tremor(np.column_stack([3.0 * np.sin(2 * np.pi * hz * t_s), np.zeros(1024), np.zeros(1024)]), RATE_HZ)
    assert told.peak_frequency_hz[0] == pytest.approx(hz)
    assert told.peak_power[0] == pytest.approx(4.5, rel=1e-6)
    assert np.isnan(told.peak_frequency_hz[1])
    assert told.spectral_norm == pytest.approx(3.0 * np.sqrt(512), rel=1e-3)


def test_noise_has_the_spectrum_that_scipy_finds() -> None:
    motion = np.random.default_rng(2).normal(size=(700, 3))
    told = tremor(motion, RATE_HZ)
    four = np.column_stack([motion, np.linalg.norm(motion, axis=1)])
    hz, power = welch(four, RATE_HZ, nperseg=256, scaling="spectrum", axis=0)
    band = (hz >= 2) & (hz <= 5)
    share = power / power.sum(axis=0)
    np.testing.assert_allclose(told.energy, 0.5 * (hz[band, None] * power[band]).sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(told.entropy_bit, -(share * np.log2(share)).sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(told.peak_power, power.max(axis=0), rtol=1e-9)
    assert told.spectral_norm == pytest.approx(np.linalg.svd(motion, compute_uv=False)[0])
