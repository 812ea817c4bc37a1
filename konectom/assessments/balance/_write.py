"""Writing what is measured of standing still: the sway in each window, and its spectrum."""

from __future__ import annotations

import numpy as np

from konectom.assessments.balance._measures import AXIS
from konectom.assessments.base import Outcome
from konectom.recording import FloatArray
from konectom.signals import sway
from konectom.signals.spectrum import band_energy, power_spectrum, spectral_entropy_bit, spectral_norm

TREMOR_HZ = (2.0, 5.0)


def write_sway(window: str, plane_g: FloatArray, rate_hz: float, out: Outcome) -> None:
    """Write what is measured of the sway (n, 2) in a window."""
    if len(plane_g) < 2:
        return
    plane = plane_g * 1e3  # milli-g
    here = out.at(window=window)
    path, duration_s = sway.path_length(plane), (len(plane) - 1) / rate_hz
    here("path_length", path)
    here("path_rate", path / duration_s)
    here("path_per_whole_second", path / whole if (whole := int(duration_s)) else np.nan)
    here("rms", sway.rms(plane))
    here("jerk", sway.jerk(plane, rate_hz))
    here("mean_frequency", sway.mean_frequency_hz(plane, rate_hz))
    here("circle_area", sway.circle_area(plane))
    here("ellipse_area", sway.ellipse_area(plane))
    here("prediction_area", sway.prediction_area(plane))


def write_spectrum(steady_g: FloatArray, rate_hz: float, out: Outcome) -> None:
    """Write what is measured of the acceleration (n, 3) over frequency."""
    out("spectral_norm", spectral_norm(steady_g))
    frequency_hz, power = power_spectrum(steady_g, rate_hz)
    energy, entropy = band_energy(frequency_hz, power, *TREMOR_HZ), spectral_entropy_bit(power)
    strongest = power.argmax(axis=0)
    for i, axis in enumerate(AXIS.levels):
        here = out.at(axis=axis)
        here("tremor_energy", energy[i])
        here("spectral_entropy", entropy[i])
        here("peak_power", power[strongest[i], i])
        here("peak_frequency", frequency_hz[strongest[i]] if power[strongest[i], i] > 0 else np.nan)
