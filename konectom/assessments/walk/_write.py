"""Writing what is measured of a walk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from konectom.assessments._outcome import Outcome
from konectom.assessments.walk._recorded import ALL_BOUTS, FIRST_2_MIN, LONGEST_BOUT, WHOLE, Walk, selection
from konectom.recording import FloatArray, Stream
from konectom.signals.contacts import Contacts
from konectom.signals.filters import detrend
from konectom.signals.gait import gait_cycles, step_vigour
from konectom.signals.path import path_of
from konectom.signals.regularity import regularity
from konectom.signals.resample import Even
from konectom.signals.spectrum import band_energy, power_spectrum, spectral_entropy_bit, spectral_norm
from konectom.signals.turns import rotation_between

STEP_PER_HEIGHT = 0.41
TREMOR_HZ = (2.0, 5.0)
GOOD_POSITION_M = 20.0
PERCENT = 100.0
IN_BOUTS = (FIRST_2_MIN, LONGEST_BOUT, ALL_BOUTS)
VIGOUR = {"power": "step_power", "root_mean": "step_root_mean", "intensity": "step_intensity"}


def write_gait(walk: Walk, cycle_columns: Sequence[str], height_m: float, out: Outcome) -> None:
    """Write what is measured of steps and strides, in each selection of bouts."""
    throughout = Gait(walk, walk.contacts_throughout, height_m, whole=True)
    in_bouts = Gait(walk, walk.contacts, height_m)
    for which in (*IN_BOUTS, WHOLE):
        gait = throughout if which == WHOLE else in_bouts
        here = out.at(bouts=which)
        by_final, by_initial, by_window = (
            selection(walk.walking, which if which != WHOLE else ALL_BOUTS, t_s)
            for t_s in (gait.final_s, gait.initial_s, gait.initial_s[gait.windows])
        )
        here("step_count", np.count_nonzero(by_final))
        for name in cycle_columns:
            here.of_several(name, (thousandths(gait.cycles[name][by_final]),), thousandths)
        for column, name in VIGOUR.items():
            here(name, gait.vigour[column][by_initial])
        for i, name in enumerate(("step_regularity", "stride_regularity")):
            here(name, gait.regularity[by_window, i])
    out("distance_by_steps", len(throughout.contacts) * height_m * STEP_PER_HEIGHT)
    stride_s = in_bouts.cycles["stride_duration"]
    known = stride_s[np.isfinite(stride_s)]
    out("stride_variability", PERCENT * known.std(ddof=1) / known.mean() if known.size > 1 else np.nan)
    share = in_bouts.cycles["double_support"] / stride_s
    known = share[np.isfinite(share)]
    out("double_support_share", PERCENT * known.mean() if known.size else np.nan)


class Gait:
    """What is measured of each of n contacts, and when they were."""

    def __init__(self, walk: Walk, contacts: Contacts, height_m: float, *, whole: bool = False) -> None:
        rate_hz, origin_s = walk.total.rate_hz, walk.total.t_s[0]
        self.contacts = contacts
        self.initial_s = origin_s + contacts.initial / rate_hz
        self.final_s = origin_s + contacts.final / rate_hz
        self.cycles = gait_cycles(contacts, walk.vertical_mps2, rate_hz, height_m)
        self.vigour = step_vigour(contacts, walk.norm_mps2, rate_hz, to_the_end=whole)
        self.windows, self.regularity = regularity(contacts, detrend(walk.norm_mps2), rate_hz, whole=whole)


def thousandths(values: FloatArray) -> FloatArray:
    """Return values to three decimals, as the library keeps them: ms, mm, and thousandths of a step per minute."""
    rounded: FloatArray = np.round(values, 3)
    return rounded


def write_lee_steps(walk: Walk, out: Outcome) -> None:
    """Write what is measured of the single steps found by their peaks, in each selection of bouts of movement."""
    rate_hz, origin_s = walk.user.rate_hz, walk.user.t_s[0]
    steps, bout = walk.steps
    lasting = np.diff(steps, prepend=steps[:1]) / rate_hz
    same = np.diff(bout, prepend=bout[:1] - 1) == 0
    lasting[~same] = np.nan
    rotated_rad = rotation_between(origin_s + steps / rate_hz, walk.yaw)
    # As published: what is turned from a bout's first step to its second is left out, but not that between two bouts.
    rotated_rad[~same & (np.arange(steps.size) > 0)] = np.nan
    strength = _Strength(walk)
    for which in IN_BOUTS:
        chosen = selection(walk.movement, which, origin_s + steps / rate_hz)
        power = sum(
            strength(samples[selection(walk.movement, which, origin_s + samples / rate_hz)])
            for samples in (np.arange(first, stop) for first, stop in walk.movement_samples)
        )
        _write_of_bout(out.at(bouts=which), lasting[chosen], rotated_rad[chosen], power, int(chosen.sum()))
    steps = walk.steps_throughout
    rotated_rad = rotation_between(origin_s + steps / rate_hz, walk.yaw)
    power = strength(np.arange(steps[0], steps[-1] + 1)) if steps.size else 0.0
    _write_of_bout(out.at(bouts=WHOLE), np.diff(steps) / rate_hz, rotated_rad, power, int(steps.size))


class _Strength:
    """Integrates the variation of the upward acceleration's size over a stretch of samples."""

    def __init__(self, walk: Walk) -> None:
        self._size_g = np.abs(walk.upwards_g)
        self._rate_hz = walk.user.rate_hz

    def __call__(self, samples: np.ndarray[tuple[int], np.dtype[np.intp]]) -> float:
        size_g = self._size_g[samples]
        size_g = size_g[np.isfinite(size_g)]
        return float(np.trapezoid((size_g - size_g.mean()) ** 2) / self._rate_hz) if size_g.size else 0.0


def _write_of_bout(here: Outcome, lasting_s: FloatArray, rotated_rad: FloatArray, power: float, count: int) -> None:
    here("lee_step_count", count)
    here("lee_step_power", power / count if count else 0.0)
    here("lee_step_duration", lasting_s)
    with np.errstate(invalid="ignore"):
        here("pelvis_rotation", rotated_rad[rotated_rad > 0], sense="positive")
        here("pelvis_rotation", -rotated_rad[rotated_rad <= 0], sense="negative")


def write_spectrum(sensor: str, signal: Even, out: Outcome) -> None:
    """Write what is measured of a sensor's signal (n, 3) over frequency."""
    here = out.at(sensor=sensor)
    if len(signal) < 2:
        here.rest_absent("input_missing" if sensor == "gyroscope" else "too_few_values")
        return
    frequency_hz, power = power_spectrum(signal.values, signal.rate_hz)
    energy, entropy = band_energy(frequency_hz, power, *TREMOR_HZ), spectral_entropy_bit(power)
    strongest = power.argmax(axis=0)
    here("spectral_norm", spectral_norm(signal.values))
    for i, axis in enumerate(("vertical", "mediolateral", "anteroposterior")):
        at = here.at(axis=axis)
        at("tremor_energy", energy[i])
        at("spectral_entropy", entropy[i])
        at("peak_power", power[strongest[i], i])
        at("peak_frequency", frequency_hz[strongest[i]] if power[strongest[i], i] > 0 else np.nan)


def write_path(gps: Stream | None, walk: Walk, out: Outcome) -> None:
    """Write the distance by satellite; flag where there is none, or no good one."""
    if gps is None or len(gps) < 2:
        out.flag("no_position")
        for name in ("distance", "path_length", "position_speed"):
            out.absent(name, "input_missing")
        return
    path = path_of(gps)
    speeds_mps = path.speeds_mps()
    out("path_length", path.legs_m().sum() if len(path) > 1 else np.nan)
    out("position_speed", speeds_mps.mean() if speeds_mps.size else np.nan)
    told = gps["accuracy_m"] if "accuracy_m" in gps else np.zeros(len(gps))
    with np.errstate(invalid="ignore"):
        good = (told >= 0) & (told <= GOOD_POSITION_M)
    within = (gps.t_s >= walk.moved.t_s[:1].sum()) & (gps.t_s <= walk.moved.t_s[-1:].sum())
    walked = path_of(gps.where(good & within))
    out("distance", walked.legs_m().sum() if len(walked) > 1 else np.nan)
    share = float(good[within].mean()) if within.any() else 0.0
    out.flag("poor_position", when=share < 0.9, share=round(share, 3))


def write_shares(walk: Walk, out: Outcome) -> None:
    """Write how much of the time was walking, and how often the patient turned."""
    out("time_not_walking", PERCENT * (1 - walk.walking.share_on()))
    out("time_not_moving", PERCENT * (1 - walk.movement.share_on()))
    sampled = walk.streams.get("user_acceleration", walk.streams.get("accelerometer"))
    minutes = float(np.ptp(sampled.t_s)) / 60 if sampled is not None and len(sampled) else 0.0
    if not len(walk.rotation):
        out.absent("large_turn_rate", "input_missing")
    else:
        out("large_turn_rate", len(walk.large_turns) / minutes if minutes else np.nan)
