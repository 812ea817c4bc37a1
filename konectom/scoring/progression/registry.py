"""The definitions that konectom knows, by name and version.

Stored events carry the name and version of theirs. A definition is never changed: a better one gets the next version.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from konectom.errors import FieldInvalid
from konectom.scoring.progression.definition import (
    FIXED,
    Confirmation,
    Definition,
    Distance,
    Reference,
    Relapses,
    Span,
)
from konectom.scoring.thresholds import (
    Absolute,
    Both,
    ByDirection,
    Important,
    Noise,
    Share,
    Threshold,
    edss_steps,
)

WEEKS = (12, 24)
TWO_YEARS = 730.0
ROVING = Reference(after_worsening="confirmation", after_improvement="confirmation")

EDSS = ("obs.edss.step",)
NHPT = ("obs.nhpt.dominant", "obs.nhpt.non_dominant", "obs.nhpt.mean")

AT_VISITS = (
    " Confirmed at every visit from the onset to the first one late enough, at most two years after it is due (the"
    " window that msprog uses; trials leave it open)."
)
EDSS_SOURCE = "EDSS steps: Müller et al. 2023, doi:10.1001/jamaneurol.2023.3331; also PMC8058428." + AT_VISITS
STEPS_5_5 = (
    "One point from 5.5 too, as in trials that ask for half a point only above 5.5, in Kappos et al. 2020, JAMA Neurol"
    " 77:1132-1140, and in msclinical." + AT_VISITS
)


def _visits(weeks: int) -> Confirmation:
    return Confirmation(7.0 * weeks, later_days=TWO_YEARS)


def _windows(weeks: int) -> Confirmation:
    """Half a window of 14 days too early is still in time; a gap as long as the confirmation itself is too long."""
    return Confirmation(7.0 * weeks, earlier_days=7.0, later_days=7.0 * weeks)


def _edss(weeks: int) -> tuple[Definition, ...]:
    return (
        Definition(
            name=f"edss-cdw-{weeks}w",
            version=1,
            title=f"EDSS: first worsening and first improvement from baseline, confirmed at {weeks} weeks",
            source=EDSS_SOURCE,
            scores=EDSS,
            threshold=edss_steps(one_point_to=5.0),
            confirmation=_visits(weeks),
        ),
        Definition(
            name=f"edss-5.5-cdw-{weeks}w",
            version=1,
            title=f"EDSS: as edss-cdw-{weeks}w, with a whole point needed from 5.5 too",
            source=STEPS_5_5,
            scores=EDSS,
            threshold=edss_steps(one_point_to=5.5),
            confirmation=_visits(weeks),
        ),
        Definition(
            name=f"edss-roving-cdw-{weeks}w",
            version=1,
            title=f"EDSS: every worsening and improvement confirmed at {weeks} weeks, each from the last confirmed one",
            source=EDSS_SOURCE + " The reference moves to the confirming visit of each change.",
            scores=EDSS,
            threshold=edss_steps(one_point_to=5.0),
            confirmation=_visits(weeks),
            reference=ROVING,
            repeats=True,
        ),
    )


RAW_90 = (Span("onset", 90.0, "onset", 0.0),)
"""A worsening is relapse-associated if a relapse began in the 90 days before it."""

PIRA_SPANS: dict[str, tuple[str, float, tuple[Span, ...]]] = {
    "kappos-2020": (
        "Kappos et al. 2020, JAMA Neurol 77:1132-1140: no relapse between the reference and 30 days after the onset,"
        " nor within 30 days of the confirmation.",
        5.5,
        (Span("reference", 0.0, "onset", 30.0), Span("confirmation", 30.0, "confirmation", 30.0)),
    ),
    "cagol-2022": (
        "Cagol et al. 2022, JAMA Neurol 79:682-692: no relapse from 90 days before the onset to the confirmation.",
        5.0,
        (Span("onset", 90.0, "confirmation", 0.0),),
    ),
    "mueller-2023": (
        "Müller et al. 2023, doi:10.1001/jamaneurol.2023.3331: no relapse from 90 days before to 30 days after the"
        " onset, nor from 90 days before to 30 days after the confirmation.",
        5.0,
        (Span("onset", 90.0, "onset", 30.0), Span("confirmation", 90.0, "confirmation", 30.0)),
    ),
    "mueller-2023-specific": (
        "Müller et al. 2023, doi:10.1001/jamaneurol.2023.3331, where high specificity is wanted: no relapse between the"
        " reference and the confirmation.",
        5.0,
        (Span("reference", 0.0, "confirmation", 0.0),),
    ),
    "mueller-2025": (
        "Müller et al. 2025, doi:10.1001/jamaneurol.2025.0495: no relapse since the visit before the onset, nor in the"
        " 30 days before the confirmation.",
        5.0,
        (Span("previous", 0.0, "onset", 0.0), Span("confirmation", 30.0, "confirmation", 0.0)),
    ),
}


def _pira(weeks: int) -> tuple[Definition, ...]:
    return tuple(
        Definition(
            name=f"edss-pira-{name}-{weeks}w",
            version=1,
            title=f"EDSS: every worsening confirmed at {weeks} weeks, told apart as RAW or PIRA ({name})",
            source=f"{source} Spans as msprog's documentation gives them. Roving reference: Portaccio et al. 2025 found"
            " it to predict best. Visits less than 30 days after a relapse neither confirm nor serve as reference."
            + AT_VISITS,
            scores=EDSS,
            threshold=edss_steps(one_point_to),
            confirmation=_visits(weeks),
            reference=ROVING,
            repeats=True,
            relapses=Relapses(
                reference=Distance(after_days=30.0), confirmation=Distance(after_days=30.0), raw=RAW_90, pira=spans
            ),
        )
        for name, (source, one_point_to, spans) in PIRA_SPANS.items()
    )


TIMED_SOURCE = "20 % as in EDSS-plus (over 24 weeks): Cadavid et al. 2017, Mult Scler 23:94-105." + AT_VISITS
REVIEW_SOURCE = "Pardo et al. 2021, PMC8857110, table 1; the confirmation is ours, as for the EDSS." + AT_VISITS
SDMT_SOURCE = "doi:10.1177/13524585211049397; the confirmation is ours, as for the EDSS." + AT_VISITS

RULES: tuple[tuple[str, str, str, tuple[str, ...], Threshold], ...] = (
    ("t25fw-20", "T25FW: 20 %", TIMED_SOURCE, ("obs.t25fw.time",), Share(0.20)),
    ("nhpt-20", "9HPT: 20 %", TIMED_SOURCE, NHPT, Share(0.20)),
    ("sdmt-4", "SDMT: 4 points, the important change", SDMT_SOURCE, ("obs.sdmt.correct",), Absolute(4.0)),
    ("sdmt-8", "SDMT: 8 points, the reliable change", SDMT_SOURCE, ("obs.sdmt.correct",), Absolute(8.0)),
    ("sixmwt-20", "6MWT: 20 %", REVIEW_SOURCE, ("obs.sixmwt.distance",), Share(0.20)),
    ("tug", "TUG: 31 % slower or 24 % faster", REVIEW_SOURCE, ("obs.tug.time",), ByDirection(Share(0.31), Share(0.24))),
)
DIGITAL_SOURCE = (
    "More than the score's measurement error (MDC95) and, where one is published, its important change; confirmed in"
    " every window of 14 days from the onset on, at most as many days late as the confirmation takes. Ours, after the"
    " rules for visits."
)


RISING = Reference(
    after_worsening="confirmation",
    after_improvement="confirmation",
    after_any_improvement="confirmation",
    confirmation=Confirmation(7.0 * 24, earlier_days=7.0, later_days=7.0 * 24),
)
"""For tests that are practised: the reference rises with every gain, however small, that was kept for 24 weeks."""


def _others(weeks: int) -> tuple[Definition, ...]:
    clinical = tuple(
        Definition(
            name=f"{name}-{weeks}w",
            version=1,
            title=f"{title}; first worsening and first improvement from baseline, confirmed at {weeks} weeks",
            source=source,
            scores=scores,
            threshold=threshold,
            confirmation=_visits(weeks),
        )
        for name, title, source, scores, threshold in RULES
    )
    clinical += tuple(
        Definition(
            name=f"{name}-roving-{weeks}w",
            version=1,
            title=f"{title}; every worsening and improvement, each from the last confirmed one, at {weeks} weeks",
            source=source,
            scores=scores,
            threshold=threshold,
            confirmation=_visits(weeks),
            reference=ROVING,
            repeats=True,
        )
        for name, title, source, scores, threshold in RULES
    )
    digital = tuple(
        Definition(
            name=f"digital-{name}{weeks}w",
            version=1,
            title=f"Any digital score: {title}, confirmed at {weeks} weeks",
            source=DIGITAL_SOURCE,
            threshold=Both((Noise(), Important())),
            confirmation=_windows(weeks),
            reference=reference,
            repeats=reference.roving,
        )
        for name, title, reference in (
            ("", "first worsening and first improvement from baseline", FIXED),
            ("roving-", "every worsening and improvement, each from the last confirmed one", ROVING),
            ("rising-", "as roving, and any gain kept for 24 weeks counts as practice: it moves the reference", RISING),
        )
    )
    return clinical + digital


def _every() -> dict[str, Definition]:
    found = [one for weeks in WEEKS for one in (*_edss(weeks), *_pira(weeks), *_others(weeks))]
    return {one.key: one for one in found}


DEFINITIONS: Mapping[str, Definition] = MappingProxyType(_every())


USUAL = frozenset(
    {
        "edss-roving-cdw-12w",
        "sdmt-8-roving-12w",
        "t25fw-20-roving-12w",
        "nhpt-20-roving-12w",
        "sixmwt-20-roving-12w",
        "tug-roving-12w",
    }
)
"""Names of the definitions that a score of visits is followed by unless its study chooses."""


def get_definition(key: str) -> Definition:
    """Return the definition of that name and version.

    Raises:
        FieldInvalid: there is none.
    """
    if key not in DEFINITIONS:
        raise FieldInvalid(f"There is no definition {key!r}; there are {', '.join(DEFINITIONS)}.", at="/definition")
    return DEFINITIONS[key]


def definitions_for(key: str) -> tuple[Definition, ...]:
    """Return the definitions made for this score, the usual one first; those for any digital score where none was.

    The usual one follows a patient through life: a loss after a recovery is told again (roving reference). It is
    confirmed over 12 weeks, and asks for a reliable change where one is published: with 4 points of the SDMT a quarter
    of steady people would be told a worsening within three years.
    """
    own = [one for one in DEFINITIONS.values() if key in one.scores]
    own.sort(key=lambda one: one.name not in USUAL)
    return tuple(own) or tuple(one for one in DEFINITIONS.values() if not one.scores)
