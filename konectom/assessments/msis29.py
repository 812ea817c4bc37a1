"""MSIS-29, the Multiple Sclerosis Impact Scale: 29 items on what the disease did to daily life in the last two weeks.

What the recording carries: answers to items 1 to 29, from 1 (no impact) to 4 (extreme impact): version 2, with four
answers to each item; see ``_answers.py``. The wording is licensed and not kept here.

Scoring: items 1 to 20 are the physical, 21 to 29 the psychological impact. The scores are the means stretched to 0 to
100, 100 x (sum - n) / 3n. The raw sums, 20 to 80 and 9 to 36, come beside them. The two scales should not be added up
(Ramp et al. 2009, PMC2706812: not one dimension); the raw sum of all items is kept for comparison only.

Missing items: a score needs half of its items, and the others count as the mean of those answered; a flag tells it.
This half rule is usual for summed scales; whether the scale's own paper (Hobart et al. 2001, Brain 124:962-973) has the
same one could not be read there. Raw sums need all.

Source: the published definitions of Konectom (DISPEL 0.0.3, generic/tasks/msis29), written afresh.
Deviations: 0 to 100 beside the raw sums; a rule for missing items, of which the library has none.
"""

from __future__ import annotations

from konectom.assessments._answers import ANSWERS
from konectom.assessments._care import QUALITY
from konectom.assessments._questionnaire import Questionnaire, Scale, numbered, span
from konectom.assessments.base import Outcome, assessment
from konectom.recording import Recording

PHYSICAL, PSYCHOLOGICAL = span(1, 20), span(21, 29)
HALF = 0.5
SCALES = (
    "Hobart et al. 2001, Brain 124:962-973: two scales; each of one dimension: Ramp et al. 2009,"
    " doi:10.1186/1477-7525-7-58."
)


def raw(quantity: str, means: str, items: tuple[str, ...], dispel: str) -> Scale:
    """Return the sum of the answers as they were given."""
    return Scale(quantity, means, items, form="sum", score=False, aliases={"dispel": dispel})


MSIS29 = Questionnaire(
    items=numbered(29, (1.0, 2.0, 3.0, 4.0)),
    scales=(
        Scale("physical_impact", "Physical impact of MS, 0 to 100.", PHYSICAL, least=HALF, evidence=SCALES),
        Scale(
            "psychological_impact", "Psychological impact of MS, 0 to 100.", PSYCHOLOGICAL, least=HALF, evidence=SCALES
        ),
        raw("physical_sum", "Sum of the answers to items 1 to 20.", PHYSICAL, "msis29-ans_phys"),
        raw("psychological_sum", "Sum of the answers to items 21 to 29.", PSYCHOLOGICAL, "msis29-ans_psy"),
        raw("sum", "Sum of the answers to all items.", PHYSICAL + PSYCHOLOGICAL, "msis29-ans_all"),
    ),
    better="lower",
    best=1.0,
    dispel="msis29-q_{item}",
)


@assessment(
    "msis29",
    version=1,
    title="Multiple Sclerosis Impact Scale (MSIS-29)",
    domain="patient-reported",
    inputs=(ANSWERS,),
    measures=MSIS29.measures,
    quality=QUALITY,
    source="DISPEL 0.0.3 (MIT), generic/tasks/msis29; Hobart et al. 2001, Brain 124:962-973",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Say how much MS limited and bothered one in the last two weeks: 29 items, four answers each."""
    MSIS29.extract(recording, out)
