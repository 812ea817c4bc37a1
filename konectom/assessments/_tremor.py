"""What the tests share in which the hand's tremor shows in the phone's motion: measures, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from konectom.assessments.base import Condition, Measure, Outcome, motion
from konectom.recording import STANDARD_GRAVITY_MPS2, FloatArray, Stream
from konectom.signals.filters import detrend
from konectom.signals.inertial import motion as motion_of
from konectom.signals.resample import bin_means, grid_rate_hz
from konectom.signals.timebase import first_seconds, median_rate_hz, samples, tidy
from konectom.signals.tremor import tremor

USER_ACCELERATION = motion(
    "user_acceleration", "m/s2", optional=True, means="Acceleration of the phone, without gravity."
)
ACCELEROMETER = motion(
    "accelerometer", "m/s2", optional=True, means="Total acceleration, where the phone does not take gravity out."
)
GYROSCOPE = motion("gyroscope", "rad/s", optional=True, means="Rotation of the phone.")
MOTION_INPUTS = (USER_ACCELERATION, ACCELEROMETER, GYROSCOPE)

AXIS = Condition(
    "axis",
    ("x", "y", "z", "norm"),
    aliases={"dispel": ("x", "y", "z", "xyz")},
    means="Axis of the phone, or the length of the vector.",
)
SENSORS = (("acceleration", "[g]", "[g]2", "acc"), ("rotation", "rad/s", "rad2/s2", "gyr"))
"""Each with its unit, the unit of its power, and the library's abbreviation."""
WITHIN_HZ = 10.0
"""How far a phone's rate may be from the usual one at which its tremor is analysed, as published for typing."""

MOVING = ("user_acceleration", "accelerometer", "gravity", "gyroscope")
LONGEST_S = 600.0
"""What a forgotten phone goes on recording, or a clock that leapt puts far off, is left aside."""

Samples = tuple[FloatArray, FloatArray]
Better = Literal["higher", "lower"]


def tremor_measures(prefix: str, by: tuple[Condition, ...] = (), *, norm: bool = True) -> tuple[Measure, ...]:
    """Declare the tremor measures of both sensors; ``prefix`` is that of the library's names, such as ``tt``.

    Without ``norm`` the length of the vector is left out.
    """
    axes = AXIS if norm else AXIS.only("x", "y", "z")
    found: list[Measure] = []
    for sensor, unit, power, short in SENSORS:
        told: tuple[tuple[str, str, str, Better | None, tuple[float, float], str], ...] = (
            ("tremor_energy", f"{power}.Hz", "Power from 2 to 5 Hz, weighted by frequency", "lower", (0, 100), "ene"),
            ("peak_frequency", "Hz", "Frequency of the strongest movement", None, (0, 64), "peak"),
            ("spectral_entropy", "bit", "How evenly the movement spreads over all frequencies", None, (0, 8), "ent"),
            ("peak_power", power, "Power at the frequency of the strongest movement", "lower", (0, 100), "amp"),
        )
        found.append(
            Measure(
                f"{sensor}_spectral_norm",
                unit,
                f"Largest singular value of the phone's {sensor}.",
                better="lower",
                plausible=(0, 1000),
                by=by,
                aliases={"dispel": f"{prefix}-{short}_sig_ene"},
            )
        )
        found += [
            Measure(
                f"{sensor}_{name}",
                of_unit,
                f"{means}, of the phone's {sensor}.",
                better=better,
                plausible=plausible,
                by=(*by, axes),
                aliases={"dispel": f"{prefix}-{short}_ps_{alias}_{{axis}}"},
            )
            for name, of_unit, means, better, plausible, alias in told
        ]
    return tuple(found)


def write_tremor(
    streams: Mapping[str, Stream],
    out: Outcome,
    *,
    rate_hz: float | None,
    norm: bool = True,
    last: bool = True,
    within: Callable[[FloatArray, FloatArray], Samples] | None = None,
    longest_s: float = LONGEST_S,
) -> None:
    """Write the tremor measures of both sensors.

    The motion is taken at ``rate_hz``; without one at the usual rate next to its own, and freed of its straight line.
    Of samples at one time the ``last`` recorded counts, or else the first. ``within`` picks the samples that count.
    What was recorded more than ``longest_s`` after the beginning is left aside.
    """
    streams = {name: first_seconds(stream, longest_s) for name, stream in streams.items() if name in MOVING}
    moved = _tidy(streams["user_acceleration"], last) if "user_acceleration" in streams else None
    if moved is None and "accelerometer" in streams:
        found = motion_of(streams)
        moved = found.t_s, found.user_g * STANDARD_GRAVITY_MPS2
    turned = _tidy(streams["gyroscope"], last) if "gyroscope" in streams else None
    axes = AXIS.levels if norm else AXIS.levels[:3]
    for sensor, told, unit in (("acceleration", moved, STANDARD_GRAVITY_MPS2), ("rotation", turned, 1.0)):
        if told is not None and within is not None:
            told = within(*told)
        if told is None or told[0].size < 2:
            _absent(sensor, "input_missing" if told is None else "too_few_values", axes, out)
            continue
        even = bin_means(*told, rate_hz or grid_rate_hz(median_rate_hz(told[0]), WITHIN_HZ))
        trembling = tremor((even.values if rate_hz else detrend(even.values)) / unit, even.rate_hz)
        out(f"{sensor}_spectral_norm", trembling.spectral_norm)
        for number, axis in enumerate(axes):
            out(f"{sensor}_tremor_energy", trembling.energy[number], axis=axis)
            out(f"{sensor}_peak_frequency", trembling.peak_frequency_hz[number], axis=axis)
            out(f"{sensor}_spectral_entropy", trembling.entropy_bit[number], axis=axis)
            out(f"{sensor}_peak_power", trembling.peak_power[number], axis=axis)


def _tidy(stream: Stream, last: bool) -> Samples:
    if not last or (np.diff(stream.t_s) > 0).all():
        return samples(stream)
    return tidy(stream.t_s[::-1], stream.matrix()[::-1])


def _absent(sensor: str, reason: str, axes: tuple[str, ...], out: Outcome) -> None:
    out.absent(f"{sensor}_spectral_norm", reason)
    for quantity in ("tremor_energy", "peak_frequency", "spectral_entropy", "peak_power"):
        for axis in axes:
            out.absent(f"{sensor}_{quantity}", reason, axis=axis)
