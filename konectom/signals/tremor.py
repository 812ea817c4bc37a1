"""Tremor in three-axis motion: what its spectrum tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from konectom.recording import FloatArray
from konectom.signals.spectrum import band_energy, power_spectrum, spectral_entropy_bit, spectral_norm

TREMOR_HZ = (2.0, 5.0)


@dataclass(frozen=True, slots=True, eq=False)
class Tremor:
    """What the spectra of a motion tell: one value per axis (x, y, z) and, last, for the length of the vector.

    ``energy`` is half the frequency-weighted power from 2 to 5 Hz; ``peak_frequency_hz`` is NaN where there is no
    power; ``spectral_norm`` is the largest singular value of the motion (n, 3), which grows with its duration.
    """

    energy: FloatArray
    peak_frequency_hz: FloatArray
    entropy_bit: FloatArray
    peak_power: FloatArray
    spectral_norm: float


def tremor(motion: FloatArray, rate_hz: float) -> Tremor:
    """Return the tremor in an evenly sampled motion (n, 3), n at least 1."""
    with_norm = np.column_stack([motion, np.linalg.norm(motion, axis=1)])
    frequency_hz, power = power_spectrum(with_norm, rate_hz)
    strongest = power.argmax(axis=0)
    peak_power = power[strongest, np.arange(power.shape[1])]
    return Tremor(
        energy=band_energy(frequency_hz, power, *TREMOR_HZ),
        peak_frequency_hz=np.where(peak_power > 0, frequency_hz[strongest], np.nan),
        entropy_bit=spectral_entropy_bit(power),
        peak_power=peak_power,
        spectral_norm=spectral_norm(motion),
    )
