"""Motor scales of spinal muscular atrophy: HFMSE and RULM.

HFMSE, the Hammersmith Functional Motor Scale Expanded: 33 items of 0 to 2, sum 0 to 66 (O'Hagen et al. 2007,
Neuromuscul Disord 17:693-697), entered by item or as a total; the sum needs all items.
RULM, the Revised Upper Limb Module: 19 scored items, 0 to 37 (Mazzone et al. 2017, Muscle Nerve 55:869-874), entered as
a total. Over 12 months within 2 points is stable (PMC9291175).
"""

from __future__ import annotations

from konectom.assessments._questionnaire import Item, Questionnaire, span
from konectom.assessments._questionnaire import Scale as Sum
from konectom.scoring.scales._items import items_of, write_scales, write_total
from konectom.scoring.scales.base import Component, Given, Outcome, Quantity, scale

ITEMS = 33
HFMSE = Questionnaire(
    tuple(Item(str(n), f"item_{n}", (0.0, 1.0, 2.0), first=0) for n in range(1, ITEMS + 1)),
    (Sum("total", "Sum.", span(1, ITEMS), form="sum", better="higher"),),
    "higher",
    2.0,
)
STABLE = "Over 12 months a change within 2 points is stable (PMC9291175)."
LICENCE = "Manuals come from the networks that keep them; none of their text is here."


@scale(
    "hfmse",
    title="Hammersmith Functional Motor Scale Expanded (HFMSE)",
    domain="clinician-rated",
    components=(
        *items_of(HFMSE),
        Component("total", "The sum, where items are not known.", "whole", possible=(0.0, 66.0)),
    ),
    quantities=(
        Quantity("total", "1", "Motor function, 0 to 66.", better="higher", plausible=(0.0, 66.0), evidence=STABLE),
    ),
    source="O'Hagen et al. 2007, Neuromuscul Disord 17:693-697",
    licence=LICENCE,
)
def hfmse(given: Given, out: Outcome) -> None:
    """Gross motor function in spinal muscular atrophy."""
    computed = write_scales(HFMSE, given.numbers, out).get("total")
    write_total(given, computed, out, reason=out.reasons.get("total", "not_given"))


@scale(
    "rulm",
    title="Revised Upper Limb Module (RULM)",
    domain="clinician-rated",
    components=(
        Component("total", "The total.", "whole", possible=(0.0, 37.0), required=True),
        Component("side", "The side that was tested.", "choice", choices=("left", "right", "preferred")),
    ),
    quantities=(
        Quantity(
            "total", "1", "Function of the arm, 0 to 37.", better="higher", plausible=(0.0, 37.0), evidence=STABLE
        ),
    ),
    source="Mazzone et al. 2017, Muscle Nerve 55:869-874",
    licence=LICENCE,
)
def rulm(given: Given, out: Outcome) -> None:
    """Function of the arm in spinal muscular atrophy."""
    out("total", given.number("total"))
