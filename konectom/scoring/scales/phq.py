"""PHQ-9 (depression) and GAD-7 (anxiety), entered by item or as a total.

PHQ-9: nine items of 0 to 3, sum 0 to 27; cut-offs 5, 10, 15, 20 (Kroenke et al. 2001, J Gen Intern Med 16:606-613).
With one or two items missing, these count as the mean of the others (Arrieta et al. 2017, doi:10.1002/jclp.22390). Any
answer above 0 to item 9 raises an alarm; where item 9 was not answered a notice says that nothing is known of it.

GAD-7: seven items of 0 to 3, sum 0 to 21; cut-offs 5, 10, 15 (Spitzer et al. 2006, Arch Intern Med 166:1092-1097). It
needs all items: no published rule for missing ones was found that could be confirmed.
"""

from __future__ import annotations

from konectom.assessments._questionnaire import Item, Questionnaire, span
from konectom.assessments._questionnaire import Scale as Sum
from konectom.scoring.scales._items import items_of, write_scales, write_total
from konectom.scoring.scales.base import Alarm, Band, Component, Given, Notice, Outcome, Quantity, scale

POINTS = (0.0, 1.0, 2.0, 3.0)
MINIMAL, MILD, MODERATE = Band(0, "minimal"), Band(5, "mild"), Band(10, "moderate")
LICENCE = "Free to use (Pfizer); the wording is not here."


def _sum(count: int, least: float) -> Questionnaire:
    items = tuple(Item(str(n), f"item_{n}", POINTS, first=0) for n in range(1, count + 1))
    return Questionnaire(items, (Sum("total", "Sum.", span(1, count), form="sum", least=least),), "lower", 0.0)


PHQ9, GAD7 = _sum(9, least=7 / 9), _sum(7, least=1.0)

PHQ9_LOINC = (
    "44250-9",
    "44255-8",
    "44259-0",
    "44254-1",
    "44251-7",
    "44258-2",
    "44252-5",
    "44253-3",
    "44260-8",
)
GAD7_LOINC = ("69725-0", "68509-9", "69733-4", "69734-2", "69735-9", "69689-8", "69736-7")


@scale(
    "phq9",
    title="Patient Health Questionnaire (PHQ-9)",
    domain="patient-reported",
    components=(
        *items_of(PHQ9, loinc=PHQ9_LOINC),
        Component("total", "The sum, where items are not known.", possible=(0.0, 27.0), loinc="44261-6"),
    ),
    quantities=(
        Quantity(
            "total",
            "1",
            "Depression, 0 to 27.",
            better="lower",
            plausible=(0.0, 27.0),
            bands=(MINIMAL, MILD, MODERATE, Band(15, "moderately severe"), Band(20, "severe")),
            evidence="Kroenke et al. 2001, J Gen Intern Med 16:606-613",
            loinc="44261-6",
        ),
    ),
    notices=(Notice("item_9_unanswered", "Item 9, thoughts of death or self-harm, has no answer."),),
    alarms=(
        Alarm(
            "self_harm_thoughts", "Item 9: thoughts of death or self-harm. Please assess the risk today.", "item_9", 0
        ),
    ),
    source="Kroenke et al. 2001, J Gen Intern Med 16:606-613",
    licence=LICENCE,
    loinc="44249-1",
)
def phq9(given: Given, out: Outcome) -> None:
    """Depression over the last two weeks: nine items."""
    _score(PHQ9, given, out)
    out.flag("item_9_unanswered", when=given.number("item_9") is None)


@scale(
    "gad7",
    title="Generalized Anxiety Disorder scale (GAD-7)",
    domain="patient-reported",
    components=(
        *items_of(GAD7, loinc=GAD7_LOINC),
        Component("total", "The sum, where items are not known.", "whole", possible=(0.0, 21.0), loinc="70274-6"),
    ),
    quantities=(
        Quantity(
            "total",
            "1",
            "Anxiety, 0 to 21.",
            better="lower",
            plausible=(0.0, 21.0),
            bands=(MINIMAL, MILD, MODERATE, Band(15, "severe")),
            evidence="Spitzer et al. 2006, Arch Intern Med 166:1092-1097",
            loinc="70274-6",
        ),
    ),
    source="Spitzer et al. 2006, Arch Intern Med 166:1092-1097",
    licence=LICENCE,
    loinc="69737-5",
)
def gad7(given: Given, out: Outcome) -> None:
    """Anxiety over the last two weeks: seven items."""
    _score(GAD7, given, out)


def _score(questionnaire: Questionnaire, given: Given, out: Outcome) -> None:
    written = write_scales(questionnaire, given.numbers, out)
    write_total(given, written.get("total"), out, reason=out.reasons.get("total", "not_given"))
