"""Static balance: stand still for 30 seconds, the phone in landscape on a belt.

What is followed is the sway of the trunk as horizontal acceleration, in milli-g. The first five seconds, in which the
posture settles, are told apart from the rest.

What the recording carries: ``accelerometer``, or ``user_acceleration`` and ``gravity``. Where it also carries
``instruction`` events the streams run through the spoken instructions, and the test is their last 30 seconds.

Source: the published definitions of Konectom (DISPEL 0.0.3, generic/tasks/sbt_utt), written afresh. Deviations: the
rates of sway are per second of exact duration (the library's, per whole second, stands beside them); what it calls
energy is named a spectral norm; a rate of 60 or 200 Hz is analysed at 50 Hz; motion is excessive by its distance from
the median jerk, and flagged in the window in which it was. Own additions: root mean square, 95 % prediction ellipse,
mean frequency and jerk.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from konectom.assessments._belt import (
    ACCELEROMETER,
    GRAVITY,
    INSTRUCTIONS,
    USER_ACCELERATION,
    cut,
    judge_motion,
    judge_placement,
    motion_rules,
    places,
    samples_of,
)
from konectom.assessments.base import (
    Condition,
    Effect,
    Measure,
    Outcome,
    Rule,
    assessment,
    behavioural,
    fullest_part,
    invalid,
    limited,
)
from konectom.recording import FloatArray, Part, Recording
from konectom.signals import sway
from konectom.signals.filters import detrend, high_pass, smooth
from konectom.signals.inertial import Motion, motion
from konectom.signals.spectrum import band_energy, power_spectrum, spectral_entropy_bit
from konectom.signals.timebase import first_seconds, last_seconds

PLANNED_S = 30.0
SETTLING_S = 5.0
LONGEST_S = 300.0
SHORTEST_S = 20.0
LEAST_QUIET = 0.8
BREATHING_HZ = 0.3
TREMOR_HZ = (2.0, 5.0)

SETTLING, SETTLED, WHOLE = "first_5_s", "after_5_s", "whole"
WINDOW = Condition(
    "window", (SETTLING, SETTLED, WHOLE), aliases={"dispel": ("first5s", "after5s", "full")}, means="Part of the test."
)
AXIS = Condition(
    "axis",
    ("vertical", "mediolateral", "anteroposterior"),
    aliases={"dispel": ("x", "y", "z")},
    means="Axis of the body.",
)

PRIETO = "Prieto et al. 1996, doi 10.1109/10.532130"
MANCINI = "Mancini et al. 2012, doi 10.1186/1743-0003-9-59"
SCHUBERT = "Schubert & Kirchner 2014, doi 10.1016/j.gaitpost.2013.09.001"
SPAIN = "Spain et al. 2012, Gait Posture 35:573 (sway acceleration in multiple sclerosis)"


def in_windows(measure: Measure, dispel: str = "", *, score: bool = False) -> tuple[Measure, ...]:
    """Return the measure in each window; that of the settled posture may be a score."""
    aliases = {"dispel": f"sbt-{{window}}-{dispel}"} if dispel else {}
    return tuple(
        replace(measure, by=(WINDOW.only(window),), aliases=aliases, score=score and window == SETTLED)
        for window in WINDOW.levels
    )


def on_axes(measure: Measure, dispel: str) -> Measure:
    """Return the measure on each axis of the body."""
    return replace(measure, by=(AXIS,), aliases={"dispel": f"sbt-acc_ps_{dispel}_{{axis}}"})


PATH_RATE = Measure(
    "path_rate",
    "m[g]/s",
    "How much the sway's acceleration changes in a second: unsteadiness.",
    better="lower",
    plausible=(0.05, 300),
    evidence=f"{PRIETO}; {MANCINI}",
)
RMS = Measure(
    "rms",
    "m[g]",
    "Typical size of the sway's acceleration.",
    better="lower",
    plausible=(0.02, 100),
    evidence=f"{MANCINI}; {SPAIN}",
)
PREDICTION_AREA = Measure(
    "prediction_area",
    "m[g]2",
    "Area of the ellipse in which 95 % of the sway lies.",
    better="lower",
    plausible=(0.01, 1e5),
    evidence=SCHUBERT,
)
MEAN_FREQUENCY = Measure(
    "mean_frequency",
    "Hz",
    "How often a second the sway would circle at its mean size.",
    plausible=(0, 20),
    evidence=PRIETO,
)
JERK = Measure(
    "jerk",
    "m[g]2/s",
    "Half the squared rate of change of the sway, summed over time.",
    better="lower",
    plausible=(0, 1e7),
    evidence=MANCINI,
)
PATH_LENGTH = Measure(
    "path_length",
    "m[g]",
    "Length of the way that the sway's acceleration made.",
    better="lower",
    plausible=(0, 2e4),
    evidence=PRIETO,
)
PATH_PER_WHOLE_SECOND = Measure(
    "path_per_whole_second",
    "m[g]/s",
    "Path length over the duration less its fraction of a second.",
    better="lower",
    plausible=(0, 600),
)
CIRCLE_AREA = Measure(
    "circle_area",
    "m[g]2",
    "Area of the circle in which 95 % of the sway lies.",
    better="lower",
    plausible=(0, 1e5),
    evidence=PRIETO,
)
ELLIPSE_AREA = Measure(
    "ellipse_area",
    "m[g]2",
    "Area of the ellipse over the sway's 5 % to 95 % ranges.",
    better="lower",
    plausible=(0, 1e5),
)
QUIET_SHARE = Measure(
    "quiet_share",
    "1",
    "Share of the time without sudden large movement, in hundredths.",
    better="higher",
    plausible=(0, 1),
    aliases={"dispel": "sbt-coverage_valid"},
)
SPECTRAL_NORM = Measure(
    "spectral_norm",
    "[g]",
    "Largest singular value of the acceleration: grows with its size and duration.",
    better="lower",
    plausible=(0, 100),
    aliases={"dispel": "sbt-acc_sig_ene"},
)
TREMOR_ENERGY = Measure(
    "tremor_energy", "[g]2.Hz", "Power from 2 to 5 Hz, weighted by frequency.", better="lower", plausible=(0, 1)
)
PEAK_FREQUENCY = Measure("peak_frequency", "Hz", "Frequency of the strongest movement.", plausible=(0, 64))
ENTROPY = Measure("spectral_entropy", "bit", "How evenly the movement spreads over all frequencies.", plausible=(0, 8))
PEAK_POWER = Measure(
    "peak_power", "[g]2", "Power at the frequency of the strongest movement.", better="lower", plausible=(0, 1)
)

MEASURES = (
    *in_windows(PATH_RATE, score=True),
    *in_windows(RMS, score=True),
    *in_windows(PREDICTION_AREA, score=True),
    *in_windows(MEAN_FREQUENCY),
    *in_windows(JERK),
    *in_windows(PATH_LENGTH, "totex"),
    *in_windows(PATH_PER_WHOLE_SECOND, "jerk"),
    *in_windows(CIRCLE_AREA, "ca"),
    *in_windows(ELLIPSE_AREA, "ea"),
    QUIET_SHARE,
    SPECTRAL_NORM,
    on_axes(TREMOR_ENERGY, "ene"),
    on_axes(PEAK_FREQUENCY, "peak"),
    on_axes(ENTROPY, "ent"),
    on_axes(PEAK_POWER, "amp"),
)


def deviation(code: str, effect: Effect, message: str, dispel: str = "") -> Rule:
    """Declare a rule on what the patient did, with the library's name of it."""
    return Rule(code, behavioural, effect, message, aliases={"dispel": f"sbt-behavioral-{dispel}"} if dispel else {})


QUALITY = (
    *motion_rules("sbt", slow=invalid),
    deviation("too_short", limited, "The test was too short. Please stand still until the phone tells you to stop."),
    deviation(
        "off_belt",
        limited,
        "The phone was not on your belt all the time. Please fasten it before you start.",
        "deviation-non_belt_greater_than_0_perc",
    ),
    deviation(
        "off_belt_after_5_s",
        invalid,
        "The phone was not sideways on your belt. Please wear it there and repeat.",
        "invalidation-non_belt_post_adjustment_greater_than_0_perc",
    ),
    deviation(
        "excessive_motion",
        limited,
        "There was a large movement. Please repeat the test and stand still.",
        "deviation-excessive_motion",
    ),
    deviation(
        "excessive_motion_after_5_s",
        limited,
        "You moved a lot after the start. Please repeat and stand still.",
        "deviation-excessive_post_adjustment_motion",
    ),
    deviation(
        "sway_too_short",
        limited,
        "You stood still for too little of the time. Please repeat, next to a wall.",
        "deviation-sway_too_short",
    ),
)


@assessment(
    "balance",
    version=1,
    title="Static balance",
    domain="balance",
    inputs=(ACCELEROMETER, USER_ACCELERATION, GRAVITY, INSTRUCTIONS),
    measures=MEASURES,
    quality=QUALITY,
    source="Konectom static balance test (SBT)",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Stand still for 30 seconds with the phone in landscape on a belt: how much the trunk sways."""
    moved = test_of(fullest_part(recording, out, samples_of))
    judge_motion(moved, out)
    upright = moved.upright()
    if len(upright) < 2:
        out.rest_absent("too_few_values" if len(upright) else "no_data")
        return
    duration_s = len(upright) / upright.rate_hz
    out.flag("too_short", when=duration_s < SHORTEST_S, duration_s=round(duration_s, 1))
    judge_where_worn(moved, out)
    steady_g = detrend(upright.values)
    write_spectrum(steady_g, upright.rate_hz, out)
    # Smoothed against the sensor's noise, freed of breathing (Martinez-Mendez et al. 2012).
    sway_g = high_pass(smooth(steady_g), BREATHING_HZ, 2, upright.rate_hz)
    plane_g = sway_g[:, 1:]
    judge_stillness(plane_g, upright.rate_hz, out)
    settled = round(SETTLING_S * upright.rate_hz)
    for window, part in ((SETTLING, plane_g[:settled]), (SETTLED, plane_g[settled:]), (WHOLE, plane_g)):
        write_sway(window, part, upright.rate_hz, out)
    out.rest_absent("too_few_values")


def test_of(part: Part) -> Motion:
    """Return the motion of the test itself."""
    if len(part.events.get("instruction", ())):
        return motion(cut(part, lambda stream: last_seconds(stream, PLANNED_S)))
    return motion(cut(part, lambda stream: first_seconds(stream, LONGEST_S)))


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
    out("spectral_norm", np.linalg.norm(steady_g, ord=2))
    frequency_hz, power = power_spectrum(steady_g, rate_hz)
    energy, entropy = band_energy(frequency_hz, power, *TREMOR_HZ), spectral_entropy_bit(power)
    strongest = power.argmax(axis=0)
    for i, axis in enumerate(AXIS.levels):
        here = out.at(axis=axis)
        here("tremor_energy", energy[i])
        here("spectral_entropy", entropy[i])
        here("peak_power", power[strongest[i], i])
        here("peak_frequency", frequency_hz[strongest[i]] if power[strongest[i], i] > 0 else np.nan)


def judge_where_worn(moved: Motion, out: Outcome) -> None:
    """Flag a phone off the belt."""
    where = places(moved)
    judge_placement("off_belt", where, out)
    judge_placement("off_belt_after_5_s", where, out, from_s=SETTLING_S)


def judge_stillness(plane_g: FloatArray, rate_hz: float, out: Outcome) -> None:
    """Write the share of quiet stance, and flag movement that is none."""
    restless = sway.restless(plane_g, rate_hz)
    quiet = round(1.0 - float(restless.mean()), 2)
    out("quiet_share", quiet)
    out.flag("excessive_motion", when=restless.any(), share=round(float(restless.mean()), 3))
    later = restless[round(SETTLING_S * rate_hz) :]
    if later.any():
        out.flag("excessive_motion_after_5_s", share=round(float(later.mean()), 3))
    out.flag("sway_too_short", when=quiet < LEAST_QUIET, share=quiet)
