"""What is measured of each step and stride, from the contacts of the feet and the acceleration of the lower trunk.

Times of the phases follow from the contacts; lengths from the rise and fall of the trunk as that of an inverted
pendulum (Zijlstra & Hof 2003, doi 10.1016/S0966-6362(02)00190-X), without a correction factor; asymmetries are the
differences between a step or stride and the next, since the phone cannot tell the left foot from the right.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from konectom.recording import FloatArray
from konectom.signals.contacts import SMOOTHED_FROM_HZ, SMOOTHED_TO_HZ, Contacts, IntArray
from konectom.signals.stretches import centred, detrended, gather, low_passed

PENDULUM_PER_HEIGHT = 0.53
"""Length of the pendulum, from the ground to the belt, relative to a person's height."""

FEWEST_RISE_S = 0.3

RATIO_ASYMMETRIES = ("stride_duration", "step_duration", "step_length", "stride_length")
NO_ASYMMETRY = ("cadence", "gait_speed")


def gait_cycles(
    contacts: Contacts, vertical_mps2: FloatArray, rate_hz: float, height_m: float
) -> dict[str, FloatArray]:
    """Return what is measured of each contact that begins a gait cycle, NaN for the others: columns of length n.

    Durations in s, lengths in m, ``cadence`` per minute, ``gait_speed`` in m/s; ``<name>_asymmetry`` in the unit of
    ``<name>``, ``<name>_asymmetry_ln`` as the logarithm of the ratio.
    """
    cycle = contacts.cycles(rate_hz)
    initial, final, opposite = (
        np.where(cycle, samples, np.nan) for samples in (contacts.initial, contacts.final, contacts.opposite)
    )
    following, after_next = (_later(contacts, contacts.initial, steps) for steps in (1, 2))
    samples = {
        "stride_duration": after_next - initial,
        "step_duration": following - initial,
        "initial_double_support": opposite - initial,
        "terminal_double_support": final - following,
        "single_support": np.where(cycle, following - _earlier(contacts, contacts.final), np.nan),
        "stance": final - initial,
        "swing": after_next - final,
    }
    columns = {name: lasting / rate_hz for name, lasting in samples.items()}
    columns["cadence"] = 60.0 / columns["step_duration"]
    columns["double_support"] = columns["initial_double_support"] + columns["terminal_double_support"]
    rise_m = _rise(contacts, cycle, vertical_mps2, rate_hz)
    pendulum_m = PENDULUM_PER_HEIGHT * height_m
    with np.errstate(invalid="ignore"):
        columns["step_length"] = 2 * np.sqrt(2 * pendulum_m * rise_m - rise_m**2)
    columns["stride_length"] = columns["step_length"] + _later(contacts, columns["step_length"])
    columns["gait_speed"] = columns["stride_length"] / columns["stride_duration"]
    return columns | _asymmetries(contacts, columns)


def _asymmetries(contacts: Contacts, columns: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return by how much each value differs from the next in the same bout."""
    found: dict[str, FloatArray] = {}
    for name, values in columns.items():
        if name in NO_ASYMMETRY:
            continue
        following = _later(contacts, values)
        found[f"{name}_asymmetry"] = np.abs(following - values)
        if name in RATIO_ASYMMETRIES:
            # A value that nothing follows is compared with itself, as in the published definition.
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = np.log(np.fmin(following, values) / np.fmax(following, values))
            found[f"{name}_asymmetry_ln"] = np.where(np.isfinite(values), ratio, np.nan)
    return found


def step_vigour(
    contacts: Contacts, norm_mps2: FloatArray, rate_hz: float, *, to_the_end: bool = False
) -> dict[str, FloatArray]:
    """Return what is measured of the acceleration's norm (with gravity) from each contact to the next: columns (n).

    ``power`` is the integral of its squared deviation from its mean, m2/s3; ``intensity`` the root mean square of
    that deviation, m/s2; ``root_mean`` the square root of its mean. NaN where no contact follows in the bout; with
    ``to_the_end`` the very last step is taken to last until the signal's end.
    """
    counted = contacts.followed(1)
    counted[-1:] |= to_the_end
    at = np.flatnonzero(counted)
    size = np.append(contacts.initial, norm_mps2.size - 1)[at + 1] - contacts.initial[at] + 1
    rows, meant = gather(norm_mps2, contacts.initial[at], size)
    deviation = centred(rows, meant, size) ** 2
    ends = (deviation[:, 0] + np.take_along_axis(deviation, size[:, None] - 1, axis=1)[:, 0]) / 2 if at.size else 0.0
    power = (deviation.sum(axis=1) - ends) / rate_hz
    told = {
        "power": power,
        "intensity": np.sqrt(deviation.sum(axis=1) / np.maximum(size, 1)),
        "root_mean": np.sqrt(rows.sum(axis=1) / np.maximum(size, 1)),
    }
    columns = {name: np.full(len(contacts), np.nan) for name in told}
    for name, values in told.items():
        columns[name][at] = values
    return columns


def _rise(
    contacts: Contacts, cycle: np.ndarray[tuple[int], np.dtype[np.bool_]], vertical_mps2: FloatArray, rate_hz: float
) -> FloatArray:
    """Return by how much the trunk rose and fell from each contact to the next, in m."""
    rise_m = np.full(len(contacts), np.nan)
    at = np.flatnonzero(cycle)
    size = contacts.initial[at + 1] - contacts.initial[at] + 1
    at, size = at[long := size > FEWEST_RISE_S * rate_hz], size[long]
    if not at.size:
        return rise_m
    rows, meant = gather(vertical_mps2, contacts.initial[at], size)
    steady = detrended(rows, meant, size)
    if rate_hz >= SMOOTHED_FROM_HZ:
        steady = low_passed(steady, size, SMOOTHED_TO_HZ, 4, rate_hz)
    height_m = _integral(_integral(steady) / rate_hz) / rate_hz
    outside = ~meant[:, 2:]
    lowest = np.where(outside, np.inf, height_m).min(axis=1)
    rise_m[at] = np.where(outside, -np.inf, height_m).max(axis=1) - lowest
    return rise_m


def _integral(rows: FloatArray) -> FloatArray:
    """Return the running integral of each row by trapezia, per sample; one column fewer."""
    running: FloatArray = np.cumsum((rows[:, 1:] + rows[:, :-1]) / 2, axis=1)
    return running


def _later(contacts: Contacts, values: FloatArray | IntArray, steps: int = 1) -> FloatArray:
    """Return the value so many contacts later in the same bout, NaN where there is none."""
    later = np.full(values.size, np.nan)
    at = np.flatnonzero(contacts.followed(steps))
    later[at] = values[at + steps]
    return later


def _earlier(contacts: Contacts, values: FloatArray | IntArray) -> FloatArray:
    """Return the value one contact earlier in the same bout, NaN where there is none."""
    earlier = np.full(values.size, np.nan)
    at = np.flatnonzero(contacts.followed(1))
    earlier[at + 1] = values[at]
    return earlier
