"""MSWS-12, the Multiple Sclerosis Walking Scale: 12 items, the sum stretched to 0 to 100.

Version 1: items 1 to 5, sum 12 to 60, 100 (sum - 12) / 48 (Hobart et al. 2003, Neurology 60:31-36). Version 2:
three items end at 3, sum 12 to 54, 100 (sum - 12) / 42. Given are the items or their sum. The version has to be said:
the same sum means other scores.

The score needs all items: no published rule for missing ones was found that could be confirmed. Which three items end
at 3 is not checked here, only that the sum is possible.
"""

from __future__ import annotations

from konectom.assessments._questionnaire import Questionnaire, numbered, span
from konectom.assessments._questionnaire import Scale as Sum
from konectom.errors import FieldInvalid
from konectom.scoring.scales._items import items_of, write_scales, write_total
from konectom.scoring.scales.base import Component, Given, Outcome, Quantity, scale

LOWEST = 12.0
HIGHEST = {"v1": 60.0, "v2": 54.0}
MSWS12 = Questionnaire(
    numbered(12, (1.0, 2.0, 3.0, 4.0, 5.0)), (Sum("sum", "Sum.", span(1, 12), form="sum"),), "lower", 1.0
)


@scale(
    "msws12",
    title="Multiple Sclerosis Walking Scale (MSWS-12)",
    domain="patient-reported",
    components=(
        Component("version", "v2 has three items that end at 3.", "choice", choices=tuple(HIGHEST), required=True),
        *items_of(MSWS12),
        Component("sum", "The sum of the answers, where items are not known.", "whole", possible=(LOWEST, 60.0)),
    ),
    quantities=(
        Quantity(
            "impact",
            "1",
            "Impact of MS on walking, 0 to 100.",
            better="lower",
            plausible=(0.0, 100.0),
            evidence="A change by 8 points is meaningful (PMC5460630).",
        ),
        Quantity("sum", "1", "Sum of the answers.", better="lower", plausible=(LOWEST, 60.0), score=False),
    ),
    source="Hobart et al. 2003, Neurology 60:31-36",
    licence="The wording is licensed and not here.",
)
def msws12(given: Given, out: Outcome) -> None:
    """How much MS limited walking in the last two weeks."""
    version = given.texts["version"]
    highest = HIGHEST[version]
    computed = write_scales(MSWS12, given.numbers, out).get("sum")
    reason = out.reasons.get("sum", "not_given")
    total = write_total(given, computed, out, reason=reason, name="sum")
    if total is not None and total > highest:
        raise FieldInvalid(f"the sum is {total:g}, above the {highest:g} of {version}", at="/values/version")
    out("impact", None if total is None else 100 * (total - LOWEST) / (highest - LOWEST), reason)
