"""What is measured of a walk: 26 quantities of the gait cycle in four selections of bouts, steps, spectra, distance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from konectom.assessments.base import CENTRE_AND_RANGE, Condition, Measure
from konectom.assessments.walk._recorded import ALL_BOUTS, FIRST_2_MIN, LONGEST_BOUT, WHOLE

SIX, TWO, FREE = "6mwt", "2mwt", "free"
PROTOCOL = Condition(
    "protocol", (SIX, TWO, FREE), means="How the walk was done: for six or two minutes, or without a set time."
)
OTHERS = (FIRST_2_MIN, LONGEST_BOUT, WHOLE)
BOUTS = Condition(
    "bouts",
    (FIRST_2_MIN, LONGEST_BOUT, ALL_BOUTS, WHOLE),
    {"dispel": ("2min", "lb", "ab", "nb")},
    "Which bouts of walking count: up to two minutes, the longest, all; or the whole recording as it is.",
)
SENSOR = Condition("sensor", ("accelerometer", "gyroscope"), {"dispel": ("acc", "gyr")}, "What measured.")
AXIS = Condition(
    *("axis", ("vertical", "mediolateral", "anteroposterior"), {"dispel": ("x", "y", "z")}), "Axis of the body."
)
SENSE = Condition(
    *("sense", ("positive", "negative"), {"dispel": ("pos", "neg")}),
    "Positive is to the left where the phone reports gravity downwards (iOS), else to the right.",
)

WITH_P95 = (*CENTRE_AND_RANGE, "p95")
ALL_STATISTICS = (*WITH_P95, "cv")

DEL_DIN = "Del Din et al. 2016, doi 10.1109/JBHI.2015.2419317; McCamley et al. 2012, doi 10.1016/j.gaitpost.2012.02.019"
BOURKE = "Bourke et al. 2020, doi 10.3390/s20205906 (smartphone two-minute walk, multiple sclerosis)"
ZIJLSTRA = "Zijlstra & Hof 2003, doi 10.1016/S0966-6362(02)00190-X"
MOE_NILSSEN = "Moe-Nilssen & Helbostad 2004, doi 10.1016/S0021-9290(03)00233-1"
ANGELINI = "Angelini et al. 2020, doi 10.3390/s20010079"
CHENG = "Cheng et al. 2018, doi 10.1007/978-3-319-98551-0_2"
LEE = "Lee et al. 2015, doi 10.3390/s151027230; power of a step: Cheng et al. 2018, doi 10.1007/978-3-319-98551-0_2"
WALKED = "ATS 2002, doi 10.1164/ajrccm.166.1.at1102; Goldman et al. 2008, doi 10.1177/1352458507082607"


def named(measure: Measure, dispel: str = "", within: tuple[str, ...] = (SIX, TWO)) -> tuple[Measure, ...]:
    """Return the measure of each protocol, with the library's name where the library has it (``within``)."""
    if not dispel:
        return (replace(measure, by=(PROTOCOL, *measure.by)),)
    without = tuple(level for level in PROTOCOL.levels if level not in within)
    return (
        replace(measure, by=(PROTOCOL.only(*within), *measure.by), aliases={"dispel": f"{{protocol}}-{dispel}"}),
        replace(measure, by=(PROTOCOL.only(*without), *measure.by)),
    )


def in_bouts(
    measure: Measure, dispel: str = "", within: tuple[str, ...] = (SIX, TWO), score: str = ""
) -> tuple[Measure, ...]:
    """Return the measure in each selection of bouts; one statistic over all bouts may be a score."""
    followed = replace(measure, by=(BOUTS.only(ALL_BOUTS), *measure.by), score=(score,) if score else False)
    others = replace(measure, by=(BOUTS.only(*OTHERS), *measure.by))
    return (*named(followed, dispel, within), *named(others, dispel, within))


def by_lee(
    quantity: str,
    unit: str,
    means: str,
    plausible: tuple[float, float],
    dispel: str,
    statistics: tuple[str, ...] = (),
    by: tuple[Condition, ...] = (),
) -> Measure:
    """Declare a measure, of the six-minute walk only, of the steps that are found by the method of Lee et al."""
    by = (PROTOCOL.only(SIX), BOUTS, *by)
    aliases = {"dispel": f"{{protocol}}-lee_{{bouts}}-{dispel}"}
    return Measure(quantity, unit, means, None, plausible, statistics, by, aliases=aliases, evidence=LEE)


@dataclass(frozen=True, slots=True)
class Cycle:
    """A quantity of each gait cycle, with the library's name of it.

    ``asymmetry`` is the largest plausible difference from one to the next, None where none is measured; ``ratio`` asks
    for its logarithm as well; ``score`` is the statistic that clinicians follow.
    """

    quantity: str
    dispel: str
    unit: str
    better: Literal["higher", "lower"] | None
    plausible: tuple[float, float]
    means: str
    asymmetry: float | None = None
    ratio: bool = False
    score: str = ""

    def measures(self) -> tuple[Measure, ...]:
        """Return the quantity, its asymmetry and the logarithm of that, in each selection of bouts."""
        evidence = f"{DEL_DIN}; {ZIJLSTRA if self.unit in ('m', 'm/s') else BOURKE}"
        base = Measure(
            *(self.quantity, self.unit, self.means, self.better, self.plausible, ALL_STATISTICS), evidence=evidence
        )
        found = in_bouts(base, self._alias(""), score=self.score)
        what = self.quantity.replace("_", " ")
        if self.asymmetry is not None:
            means = f"By how much the {what} differs from one to the next."
            found += in_bouts(
                replace(
                    *(base,),
                    quantity=f"{self.quantity}_asymmetry",
                    means=means,
                    better="lower",
                    plausible=(0, self.asymmetry),
                ),
                self._alias("_asym"),
            )
        if self.ratio:
            means = f"Logarithm of the smaller {what} over the larger of two in a row: 0 where they are equal."
            found += in_bouts(
                replace(
                    *(base,),
                    quantity=f"{self.quantity}_asymmetry_ln",
                    unit="1",
                    means=means,
                    better="higher",
                    plausible=(-4, 0),
                ),
                self._alias("_asym_ln"),
            )
        return found

    def _alias(self, ending: str) -> str:
        return f"gp_{{bouts}}-{self.dispel}{ending}-{{statistic}}"


CYCLES = (
    Cycle(
        *("stride_duration", "stride_dur", "s", "lower", (0.4, 2.25)),
        *("Time from a foot's contact with the ground to its next.", 2.25, True),
    ),
    Cycle(
        *("step_duration", "step_dur", "s", "lower", (0.1, 2.25)),
        *("Time from one foot's contact with the ground to the other's.", 2.25, True),
    ),
    Cycle("cadence", "cadence", "/min", "higher", (25, 600), "Steps per minute while walking.", score="mean"),
    Cycle(
        *("initial_double_support", "init_double_supp", "s", "lower", (0, 0.45)),
        *("Time with both feet on the ground, the leading one just set down.", 0.5),
    ),
    Cycle(
        *("terminal_double_support", "term_double_supp", "s", "lower", (-2.25, 1.6)),
        *("Time with both feet on the ground, the trailing one about to leave.", 4),
    ),
    Cycle(
        *("double_support", "double_supp", "s", "lower", (-2.25, 2.1)),
        *("Time with both feet on the ground during a stride.", 4.5),
    ),
    Cycle(
        *("single_support", "single_limb_supp", "s", None, (-1.6, 400)),
        *("Time with one foot on the ground, the other swinging.", 400),
    ),
    Cycle("stance", "stance", "s", "lower", (0, 1.6), "Time for which a foot stays on the ground.", 1.6),
    Cycle("swing", "swing", "s", None, (-1.6, 2.25), "Time for which a foot is in the air.", 4),
    Cycle(
        *("step_length", "step_len", "m", "higher", (0, 2.7)),
        *("Way from one foot's contact to the other's, from the rise of the trunk.", 2.7, True),
    ),
    Cycle(
        *("stride_length", "stride_len", "m", "higher", (0, 5.4)),
        *("Way from a foot's contact to its next, from the rise of the trunk.", 5.4, True),
    ),
    Cycle(
        *("gait_speed", "gait_speed", "m/s", "higher", (0, 8)),
        *("Length of a stride over its duration.",),
        score="mean",
    ),
)
GAIT = tuple(measure for cycle in CYCLES for measure in cycle.measures())
CYCLE_COLUMNS = tuple(dict.fromkeys(measure.quantity for measure in GAIT))

STEPS = (
    *in_bouts(
        Measure(
            "step_count", "1", "How many steps were seen as part of a regular gait.", None, (0, 20000), evidence=DEL_DIN
        ),
        "gp_{bouts}-sc",
    ),
    *in_bouts(
        Measure(
            *("step_power", "m2/s3", "Variation of the acceleration's size that goes into a step.", None, (0, 1e3)),
            *(WITH_P95,),
            evidence=CHENG,
        ),
        "gp_{bouts}-sp-{statistic}",
    ),
    *in_bouts(
        Measure(
            *("step_root_mean", "1", "Square root of the acceleration's mean size in m/s2, gravity included.", None),
            *((0, 20), CENTRE_AND_RANGE),
        ),
        "gp_{bouts}-si-{statistic}",
    ),
    *in_bouts(
        Measure(
            *("step_intensity", "m/s2", "Root mean square of the acceleration's size about its mean.", None, (0, 50)),
            *(CENTRE_AND_RANGE,),
            evidence=ANGELINI,
        )
    ),
    *in_bouts(
        Measure(
            *("step_regularity", "1", "How alike a step is to the next: 1 where they are equal.", "higher", (-1, 1)),
            *(CENTRE_AND_RANGE,),
            evidence=f"{MOE_NILSSEN}; {ANGELINI}",
        ),
        "gp_{bouts}-step_regularity-{statistic}",
    ),
    *in_bouts(
        Measure(
            *("stride_regularity", "1", "How alike a stride is to the next: 1 where they are equal.", "higher"),
            *((-1, 1), CENTRE_AND_RANGE),
            evidence=f"{MOE_NILSSEN}; {ANGELINI}",
        ),
        "gp_{bouts}-stride_regularity-{statistic}",
    ),
    # Steps by the method of Lee et al., which may take two for one: for comparison with others, who have them for this.
    by_lee("lee_step_count", "1", "Steps found by the method of Lee.", (0, 20000), "sc"),
    by_lee("lee_step_power", "[g]2.s", "Variation of the upward acceleration for each step found.", (0, 5), "sp"),
    by_lee(
        *("lee_step_duration", "s", "Time between steps found by the method of Lee.", (0.02, 400)),
        *("step_dur-{statistic}", CENTRE_AND_RANGE),
    ),
    by_lee(
        *("pelvis_rotation", "rad", "Rotation of the pelvis between steps found by the method of Lee.", (0, 200)),
        *("hr_{sense}-{statistic}", CENTRE_AND_RANGE, (SENSE,)),
    ),
)


def spectrum(sensor: str, unit: str, squared: str) -> tuple[Measure, ...]:
    """Return what is measured of a sensor's signal over frequency; ``unit`` is the signal's, ``squared`` its square."""
    axes = (SENSOR.only(sensor), AXIS)
    on_axes = {
        "ene": Measure(
            "tremor_energy", f"{squared}.Hz", "Power from 2 to 5 Hz, weighted by frequency.", None, (0, 1e3)
        ),
        "peak": Measure("peak_frequency", "Hz", "Frequency of the strongest movement.", None, (0, 25)),
        "ent": Measure("spectral_entropy", "bit", "How evenly the movement spreads over frequency.", None, (0, 8)),
        "amp": Measure("peak_power", squared, "Power at the frequency of the strongest movement.", None, (0, 1e3)),
    }
    norm = Measure(
        *("spectral_norm", unit, "Largest singular value of the signal: grows with its size and duration.", None),
        plausible=(0, 1e4),
        by=(SENSOR.only(sensor),),
    )
    return (
        *named(norm, "{sensor}_sig_ene"),
        *(
            each
            for name, one in on_axes.items()
            for each in named(replace(one, by=axes), f"{{sensor}}_ps_{name}_{{axis}}")
        ),
    )


SPECTRUM = (*spectrum("accelerometer", "[g]", "[g]2"), *spectrum("gyroscope", "rad/s", "rad2/s2"))

DISTANCE = Measure(
    *("distance", "m", "Distance walked in the test, by satellite, poor positions left out.", "higher", (0, 5000)),
    evidence=WALKED,
)
OVERALL = (
    replace(DISTANCE, by=(PROTOCOL.only(SIX, TWO),), score=True),
    replace(DISTANCE, by=(PROTOCOL.only(FREE),), plausible=(0, 1e5)),
    *named(
        Measure(
            *("stride_variability", "%", "By how much strides differ in duration, relative to it.", "lower", (0, 60)),
            score=True,
            evidence=BOURKE,
        )
    ),
    *named(
        Measure(
            *("double_support_share", "%", "Part of a stride with both feet on the ground.", "lower", (0, 70)),
            score=True,
            evidence=f"{DEL_DIN}; {BOURKE}",
        )
    ),
    *named(
        Measure("path_length", "m", "Length of the way through all positions recorded.", "higher", (0, 1e5)),
        *("distance_walked", (SIX,)),
    ),
    *named(
        Measure("position_speed", "m/s", "Mean of the speeds from each position to the next.", "higher", (0, 10)),
        *("walking_speed_non_stop-mean", (SIX,)),
    ),
    *named(
        Measure("distance_by_steps", "m", "Steps times a usual length of step for the height.", "higher", (0, 20000)),
        "distance_walked_sc_hbsl",
    ),
    *named(
        Measure("time_not_walking", "%", "Part of the time without straight walking.", "lower", (0, 100)),
        "perc_not_walking",
    ),
    *named(Measure("time_not_moving", "%", "Part of the time without movement.", "lower", (0, 100)), "perc_not_moving"),
    *named(
        Measure("large_turn_rate", "/min", "Turns of more than 60 degrees a minute.", None, (0, 60)),
        "large_turns_per_min",
    ),
)

MEASURES = (*OVERALL, *GAIT, *STEPS, *SPECTRUM)
