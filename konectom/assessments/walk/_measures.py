"""What is measured of a walk: its gait cycles, steps, spectra, and the distance."""

from __future__ import annotations

from dataclasses import replace

from konectom.assessments.base import CENTRE_AND_RANGE, Condition, Measure
from konectom.assessments.walk._conditions import (
    ANGELINI,
    AXIS,
    BOURKE,
    BOUTS,
    CHENG,
    DEL_DIN,
    FREE,
    LEE,
    MOE_NILSSEN,
    PROTOCOL,
    SENSE,
    SENSOR,
    SIX,
    TWO,
    WALKED,
    WITH_P95,
    in_bouts,
    named,
)
from konectom.assessments.walk._cycles import GAIT


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
    return Measure(
        quantity, unit, means, plausible=plausible, statistics=statistics, by=by, aliases=aliases, evidence=LEE
    )


STEPS = (
    *in_bouts(
        Measure(
            "step_count",
            "1",
            "How many steps were seen as part of a regular gait.",
            plausible=(0, 20000),
            evidence=DEL_DIN,
        ),
        "gp_{bouts}-sc",
    ),
    *in_bouts(
        Measure(
            "step_power",
            "m2/s3",
            "Variation of the acceleration's size that goes into a step.",
            plausible=(0, 1e3),
            statistics=WITH_P95,
            evidence=CHENG,
        ),
        "gp_{bouts}-sp-{statistic}",
    ),
    *in_bouts(
        Measure(
            "step_root_mean",
            "1",
            "Square root of the acceleration's mean size in m/s2, gravity included.",
            plausible=(0, 20),
            statistics=CENTRE_AND_RANGE,
        ),
        "gp_{bouts}-si-{statistic}",
    ),
    *in_bouts(
        Measure(
            "step_intensity",
            "m/s2",
            "Root mean square of the acceleration's size about its mean.",
            plausible=(0, 50),
            statistics=CENTRE_AND_RANGE,
            evidence=ANGELINI,
        )
    ),
    *in_bouts(
        Measure(
            "step_regularity",
            "1",
            "How alike a step is to the next: 1 where they are equal.",
            better="higher",
            plausible=(-1, 1),
            statistics=CENTRE_AND_RANGE,
            evidence=f"{MOE_NILSSEN}; {ANGELINI}",
        ),
        "gp_{bouts}-step_regularity-{statistic}",
    ),
    *in_bouts(
        Measure(
            "stride_regularity",
            "1",
            "How alike a stride is to the next: 1 where they are equal.",
            better="higher",
            plausible=(-1, 1),
            statistics=CENTRE_AND_RANGE,
            evidence=f"{MOE_NILSSEN}; {ANGELINI}",
        ),
        "gp_{bouts}-stride_regularity-{statistic}",
    ),
    # Steps by the method of Lee et al., which may take two for one: for comparison with others, who have them for this.
    by_lee("lee_step_count", "1", "Steps found by the method of Lee.", plausible=(0, 20000), dispel="sc"),
    by_lee(
        "lee_step_power",
        "[g]2.s",
        "Variation of the upward acceleration for each step found.",
        plausible=(0, 5),
        dispel="sp",
    ),
    by_lee(
        "lee_step_duration",
        "s",
        "Time between steps found by the method of Lee.",
        plausible=(0.02, 400),
        dispel="step_dur-{statistic}",
        statistics=CENTRE_AND_RANGE,
    ),
    by_lee(
        "pelvis_rotation",
        "rad",
        "Rotation of the pelvis between steps found by the method of Lee.",
        plausible=(0, 200),
        dispel="hr_{sense}-{statistic}",
        statistics=CENTRE_AND_RANGE,
        by=(SENSE,),
    ),
)


def spectrum(sensor: str, unit: str, squared: str) -> tuple[Measure, ...]:
    """Return what is measured of a sensor's signal over frequency; ``unit`` is the signal's, ``squared`` its square."""
    axes = (SENSOR.only(sensor), AXIS)
    on_axes = {
        "ene": Measure(
            "tremor_energy", f"{squared}.Hz", "Power from 2 to 5 Hz, weighted by frequency.", plausible=(0, 1e3)
        ),
        "peak": Measure("peak_frequency", "Hz", "Frequency of the strongest movement.", plausible=(0, 25)),
        "ent": Measure("spectral_entropy", "bit", "How evenly the movement spreads over frequency.", plausible=(0, 8)),
        "amp": Measure("peak_power", squared, "Power at the frequency of the strongest movement.", plausible=(0, 1e3)),
    }
    norm = Measure(
        "spectral_norm",
        unit,
        "Largest singular value of the signal: grows with its size and duration.",
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
    "distance",
    "m",
    "Distance walked in the test, by satellite, poor positions left out.",
    better="higher",
    plausible=(0, 5000),
    evidence=WALKED,
    stream="gps",
)
OVERALL = (
    replace(DISTANCE, by=(PROTOCOL.only(SIX, TWO),), score=True),
    replace(DISTANCE, by=(PROTOCOL.only(FREE),), plausible=(0, 1e5)),
    *named(
        Measure(
            "stride_variability",
            "%",
            "By how much strides differ in duration, relative to it.",
            better="lower",
            plausible=(0, 60),
            score=True,
            evidence=BOURKE,
        )
    ),
    *named(
        Measure(
            "double_support_share",
            "%",
            "Part of a stride with both feet on the ground.",
            better="lower",
            plausible=(0, 70),
            score=True,
            evidence=f"{DEL_DIN}; {BOURKE}",
        )
    ),
    *named(
        Measure(
            "path_length",
            "m",
            "Length of the way through all positions recorded.",
            better="higher",
            plausible=(0, 1e5),
            stream="gps",
        ),
        "distance_walked",
        (SIX,),
    ),
    *named(
        Measure(
            "position_speed",
            "m/s",
            "Mean of the speeds from each position to the next.",
            better="higher",
            plausible=(0, 10),
            stream="gps",
        ),
        "walking_speed_non_stop-mean",
        (SIX,),
    ),
    *named(
        Measure(
            "distance_by_steps",
            "m",
            "Steps times a usual length of step for the height.",
            better="higher",
            plausible=(0, 20000),
        ),
        "distance_walked_sc_hbsl",
    ),
    *named(
        Measure(
            "time_not_walking", "%", "Part of the time without straight walking.", better="lower", plausible=(0, 100)
        ),
        "perc_not_walking",
    ),
    *named(
        Measure("time_not_moving", "%", "Part of the time without movement.", better="lower", plausible=(0, 100)),
        "perc_not_moving",
    ),
    *named(
        Measure("large_turn_rate", "/min", "Turns of more than 60 degrees a minute.", plausible=(0, 60)),
        "large_turns_per_min",
    ),
)

MEASURES = (*OVERALL, *GAIT, *STEPS, *SPECTRUM)
