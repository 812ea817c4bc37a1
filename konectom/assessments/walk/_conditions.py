"""Under which conditions a walk is measured, and what the measures rest on."""

from __future__ import annotations

from dataclasses import replace

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
    aliases={"dispel": ("2min", "lb", "ab", "nb")},
    means="Which bouts of walking count: up to two minutes, the longest, all; or the whole recording as it is.",
)
SENSOR = Condition("sensor", ("accelerometer", "gyroscope"), aliases={"dispel": ("acc", "gyr")}, means="What measured.")
AXIS = Condition(
    "axis",
    ("vertical", "mediolateral", "anteroposterior"),
    aliases={"dispel": ("x", "y", "z")},
    means="Axis of the body.",
)
SENSE = Condition(
    "sense",
    ("positive", "negative"),
    aliases={"dispel": ("pos", "neg")},
    means="Positive is to the left where the phone reports gravity downwards (iOS), else to the right.",
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
