"""ALSFRS-R, entered by item or as a total: 12 functions, each 0 (lost) to 4 (normal).

Items, domains and sums are those of the assessment of that name; a sum needs all of its items. Item 5 is entered as
``cutting_food`` (the variant that applies), or as ``cutting_food_5a`` (without gastrostomy) and ``cutting_food_5b``
(with one); where both came, ``gastrostomy`` decides, and where that is not known they count only if they agree.

``slope``: points lost a month since the first symptoms, (48 - total) / months (Kimura et al. 2006, Neurology
66:265-267), with 30.4375 days to a month. It needs the dates of onset and of the observation, a month apart at least.
"""

from __future__ import annotations

from konectom.assessments.alsfrs_r import ALSFRS_R
from konectom.errors import FieldInvalid
from konectom.scoring.scales._items import items_of, write_scales, write_total
from konectom.scoring.scales.base import Component, Given, Notice, Outcome, Quantity, scale

DAYS_A_MONTH = 30.4375
HIGHEST = 48.0
CUTTING, WITHOUT, WITH = "cutting_food", "cutting_food_5a", "cutting_food_5b"
POINTS = (0.0, 4.0)
AVERAGE = "Average loss 0.99 points a month (PRO-ACT, n = 3,367; PubMed 29244213)."


def _domain(name: str, means: str) -> Quantity:
    return Quantity(name, "1", means, better="higher", plausible=(0.0, 12.0))


@scale(
    "alsfrs_r",
    title="ALS functional rating scale, revised (ALSFRS-R)",
    domain="clinician-rated",
    components=(
        *items_of(ALSFRS_R),
        Component(WITHOUT, "Cutting food, variant without gastrostomy.", "whole", possible=POINTS),
        Component(WITH, "Cutting food, variant with gastrostomy.", "whole", possible=POINTS),
        Component("gastrostomy", "Whether the patient has a gastrostomy.", "yes_no"),
        Component("total", "The total, where items are not known.", "whole", possible=(0.0, HIGHEST)),
        Component("onset", "The date of the first symptoms.", "date"),
    ),
    quantities=(
        Quantity(
            "total", "1", "Function as a whole, 0 to 48.", better="higher", plausible=(0.0, HIGHEST), evidence=AVERAGE
        ),
        _domain("bulbar", "Bulbar function, 0 to 12."),
        _domain("fine_motor", "Fine motor function, 0 to 12."),
        _domain("gross_motor", "Gross motor function, 0 to 12."),
        _domain("respiratory", "Respiratory function, 0 to 12."),
        Quantity(
            "slope",
            "/mo",
            "Points lost a month since the first symptoms.",
            better="lower",
            plausible=(0.0, 5.0),
            score=False,
            evidence="95 % of patients 0.04 to 1.96 (PRECISION-ALS, n = 7,030).",
        ),
    ),
    notices=(Notice("variant_unclear", "Items 5a and 5b differ, and whether there is a gastrostomy is not known."),),
    source="Cedarbaum et al. 1999, J Neurol Sci 169:13-21; slope: Kimura et al. 2006, Neurology 66:265-267",
)
def alsfrs_r(given: Given, out: Outcome) -> None:
    """Twelve functions that ALS takes: speaking, swallowing, hands, legs, breathing."""
    answers = dict(given.numbers)
    cutting = _cutting(given, out)
    if cutting is not None:
        answers[CUTTING] = cutting
    written = write_scales(ALSFRS_R, answers, out)
    total = write_total(given, written.get("total"), out, reason=out.reasons.get("total", "not_given"))
    _write_slope(total, given, out)


def _cutting(given: Given, out: Outcome) -> float | None:
    plain, without, with_one = (given.number(name) for name in (CUTTING, WITHOUT, WITH))
    if plain is not None:
        return plain
    if without is None or with_one is None or without == with_one:
        return with_one if without is None else without
    gastrostomy = given.yes("gastrostomy")
    out.flag("variant_unclear", when=gastrostomy is None, without_gastrostomy=without, with_gastrostomy=with_one)
    return None if gastrostomy is None else with_one if gastrostomy else without


def _write_slope(total: float | None, given: Given, out: Outcome) -> None:
    onset = given.dates.get("onset")
    if total is None or onset is None or given.on is None:
        out("slope", None, "onset_unknown" if total is not None and onset is None else "not_given")
        return
    months = (given.on - onset).days / DAYS_A_MONTH
    if months < 0:
        raise FieldInvalid(f"the onset, {onset}, is after the observation", at="/values/onset")
    out("slope", (HIGHEST - total) / months if months >= 1 else None, "too_soon")
