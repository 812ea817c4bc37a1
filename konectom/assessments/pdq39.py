"""PDQ-39, the Parkinson's Disease Questionnaire: 39 items on eight parts of life in the last month.

What the recording carries: answers to items 1 to 39, from 1 (never) to 5 (always or cannot do); item 28 has a first
answer of its own for people without a spouse or partner, then the same five: 1 to 6; see ``_answers.py``. The wording
is licensed and not kept here.

Scoring: answers count 0 to 4; a domain is the mean of its items x 25, 0 (best) to 100; the total is the mean of the
eight domains. "No spouse or partner" counts 0, as in the published library.

Missing items: a domain needs all of its items, the total all domains. The published imputation (Jenkinson et al. 2006,
Age and Ageing 35:497-502) estimates whole domains from other people's answers, which one recording does not have.

Source: the published definitions of Konectom (DISPEL 0.0.3, bdh/tasks/pdq39), written afresh.
Deviations: items are found by number, not by place.
"""

from __future__ import annotations

from konectom.assessments._answers import ANSWERS
from konectom.assessments._care import QUALITY
from konectom.assessments._questionnaire import Item, Questionnaire, Scale, numbered, span
from konectom.assessments.base import Outcome, assessment
from konectom.recording import Recording

DOMAINS_AND_INDEX = (
    "Jenkinson et al. 1997, Age Ageing 26:353-357 (Parkinson's disease: eight domains, and one index of them all)."
)
HOW_OFTEN = (0.0, 1.0, 2.0, 3.0, 4.0)
PARTNER = Item("28", "item_28", (0.0, *HOW_OFTEN), alias="28")
DISPEL_ALIASES = {
    "activities_of_daily_living": "activities_of_daily_living _score",  # the blank stands in the published name
}


def domain(quantity: str, title: str, first: int, last: int) -> Scale:
    """Return the score of a domain over consecutive items."""
    alias = f"pdq39-{DISPEL_ALIASES.get(quantity, quantity + '_score')}"
    means = f"Trouble with {title}, 0 to 100."
    return Scale(quantity, means, span(first, last), aliases={"dispel": alias}, evidence=DOMAINS_AND_INDEX)


DOMAINS = (
    domain("mobility", "moving about", 1, 10),
    domain("activities_of_daily_living", "activities of daily living", 11, 16),
    domain("emotional_well_being", "emotional well-being", 17, 22),
    domain("stigma", "stigma", 23, 26),
    domain("social_support", "social support", 27, 29),
    domain("cognition", "cognition", 30, 33),
    domain("communication", "communication", 34, 36),
    domain("bodily_discomfort", "bodily discomfort", 37, 39),
)
TOTAL = Scale(
    "total",
    "Mean of the eight domains, 0 to 100.",
    mean_of=tuple(scale.quantity for scale in DOMAINS),
    aliases={"dispel": "pdq39-total_score"},
    evidence=DOMAINS_AND_INDEX,
)

PDQ39 = Questionnaire(
    items=tuple(PARTNER if item.number == PARTNER.number else item for item in numbered(39, HOW_OFTEN)),
    scales=(*DOMAINS, TOTAL),
    better="lower",
    best=0.0,
)


@assessment(
    "pdq39",
    version=1,
    title="Parkinson's Disease Questionnaire (PDQ-39)",
    domain="patient-reported",
    inputs=(ANSWERS,),
    measures=PDQ39.measures,
    quality=QUALITY,
    source="DISPEL 0.0.3 (MIT), bdh/tasks/pdq39; Jenkinson et al. 2006, Age and Ageing 35:497-502",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Say how often Parkinson's disease made trouble in the last month: 39 items in eight domains."""
    PDQ39.extract(recording, out)
