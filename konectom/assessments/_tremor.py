"""The block of tremor measures that tests share in which the phone is held or trembles along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from konectom.assessments._outcome import Outcome
from konectom.assessments.base import Condition, Measure
from konectom.recording import FloatArray
from konectom.signals.tremor import tremor

AXIS = Condition("axis", ("x", "y", "z", "norm"), {"dispel": ("x", "y", "z", "xyz")}, "Axis of the phone.")

FEWEST = 2
QUANTITIES = ("tremor_energy", "peak_frequency", "spectral_entropy", "peak_power")


def tremor_measures(
    sensor: str, unit: str, by: tuple[Condition, ...], aliases: Mapping[str, str]
) -> tuple[Measure, ...]:
    """Declare the block for a sensor; ``aliases`` are templates of all that stands before the measure's own name."""
    told: tuple[tuple[str, str, str, Literal["lower"] | None, tuple[float, float], str], ...] = (
        ("tremor_energy", f"{unit}2.Hz", "Power from 2 to 5 Hz, weighted by frequency", "lower", (0, 1e3), "ene"),
        ("peak_frequency", "Hz", "Frequency of the strongest movement", None, (0, 100), "peak"),
        ("spectral_entropy", "bit", "How evenly the movement spreads over all frequencies", None, (0, 8), "ent"),
        ("peak_power", f"{unit}2", "Power at the frequency of the strongest movement", "lower", (0, 1e3), "amp"),
    )
    size = f"Largest singular value of the phone's {sensor}: grows with its size and duration."
    return (
        Measure(
            *(f"{sensor}_spectral_norm", unit, size, "lower", (0, 1e4), (), by),
            aliases={library: f"{stem}_sig_ene" for library, stem in aliases.items()},
        ),
        *(
            Measure(
                *(f"{sensor}_{name}", of_unit, f"{means}, of the phone's {sensor}."),
                better=better,
                plausible=plausible,
                by=(*by, AXIS),
                aliases={library: f"{stem}_ps_{short}_{{axis}}" for library, stem in aliases.items()},
            )
            for name, of_unit, means, better, plausible, short in told
        ),
    )


def write_tremor_of(sensor: str, motion: FloatArray, rate_hz: float, out: Outcome) -> None:
    """Write the block for an evenly sampled motion (n, 3)."""
    if len(motion) < FEWEST:
        no_tremor(sensor, "too_few_values", out)
        return
    told = tremor(motion, rate_hz)
    out(f"{sensor}_spectral_norm", told.spectral_norm)
    columns = (told.energy, told.peak_frequency_hz, told.entropy_bit, told.peak_power)
    for quantity, values in zip(QUANTITIES, columns, strict=True):
        for number, axis in enumerate(AXIS.levels):
            out(f"{sensor}_{quantity}", values[number], axis=axis)


def no_tremor(sensor: str, reason: str, out: Outcome) -> None:
    """Say why the block for a sensor is absent."""
    out.absent(f"{sensor}_spectral_norm", reason)
    for quantity in QUANTITIES:
        for axis in AXIS.levels:
            out.absent(f"{sensor}_{quantity}", reason, axis=axis)
