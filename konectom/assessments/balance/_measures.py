"""What is measured of standing still, and under which conditions."""

from __future__ import annotations

from dataclasses import replace

from konectom.assessments.base import Condition, Measure

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
