from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import welch

from konectom.signals.spectrum import band_energy, power_spectrum, spectral_entropy_bit

RATE_HZ = 50.0


def test_a_sine_shows_half_its_amplitude_squared_at_its_frequency() -> None:
    frequency_hz = 20 * RATE_HZ / 256
    signal = 0.3 * np.sin(2 * np.pi * frequency_hz * np.arange(2000) / RATE_HZ)
    frequencies_hz, power = power_spectrum(signal[:, None], RATE_HZ)
    assert frequencies_hz[power[:, 0].argmax()] == pytest.approx(frequency_hz)
    assert power.max() == pytest.approx(0.3**2 / 2, rel=1e-6)


@pytest.mark.parametrize("n", [1, 2, 7, 100, 255, 256, 257, 1000, 1501])
def test_it_is_welchs_spectrum(n: int) -> None:
    signal = np.random.default_rng(n).normal(size=(n, 2)) + 4
    frequencies_hz, power = power_spectrum(signal, RATE_HZ)
    theirs_hz, theirs = welch(signal, RATE_HZ, nperseg=min(256, n), scaling="spectrum", axis=0)
    np.testing.assert_allclose(frequencies_hz, theirs_hz)
    np.testing.assert_allclose(power, theirs, atol=1e-15)


def test_nothing_has_no_spectrum() -> None:
    frequencies_hz, power = power_spectrum(np.empty((0, 3)), RATE_HZ)
    assert frequencies_hz.size == 0
    assert power.shape == (0, 3)


def test_the_band_includes_both_its_ends() -> None:
    frequencies_hz, power = np.array([1.0, 2.0, 3.0, 5.0, 6.0]), np.ones((5, 1))
    assert band_energy(frequencies_hz, power, 2.0, 5.0) == pytest.approx([0.5 * (2 + 3 + 5)])


def test_entropy_of_even_and_of_single_power() -> None:
    power = np.column_stack([np.ones(8), np.eye(8)[3], np.zeros(8)])
    even, single, none = spectral_entropy_bit(power)
    assert even == pytest.approx(3)
    assert single == 0
    assert np.isnan(none)
