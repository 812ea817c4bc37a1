"""MSIS-29, the Multiple Sclerosis Impact Scale, entered by item: version 1 (five answers) or 2 (four).

Items, scales and the rule for missing items (half of a scale's items; the others count as the mean of those answered)
are those of the assessment of that name; version 1 stretches by 4n, version 2 by 3n. The version has to be said: the
same answers mean other scores.

Source: Hobart et al. 2001, Brain 124:962-973 (version 1); Hobart and Cano 2009, Health Technol Assess 13:12 (2).
"""

from __future__ import annotations

from dataclasses import replace

from konectom.assessments._questionnaire import numbered
from konectom.assessments.msis29 import MSIS29
from konectom.errors import FieldInvalid
from konectom.scoring.scales._items import items_of, write_scales
from konectom.scoring.scales.base import Component, Given, Outcome, Quantity, scale

VERSION_1 = replace(MSIS29, items=numbered(29, (1.0, 2.0, 3.0, 4.0, 5.0)))
VERSIONS = {"v1": VERSION_1, "v2": MSIS29}


def _quantity(name: str, means: str, plausible: tuple[float, float], score: bool) -> Quantity:
    return Quantity(name, "1", means, better="lower", plausible=plausible, score=score)


@scale(
    "msis29",
    title="Multiple Sclerosis Impact Scale (MSIS-29)",
    domain="patient-reported",
    components=(
        Component("version", "v1 has five answers to an item, v2 four.", "choice", choices=("v1", "v2"), required=True),
        *items_of(VERSION_1),
    ),
    quantities=(
        _quantity("physical_impact", "Physical impact of MS, 0 to 100.", (0.0, 100.0), True),
        _quantity("psychological_impact", "Psychological impact of MS, 0 to 100.", (0.0, 100.0), True),
        _quantity("physical_sum", "Sum of the answers to items 1 to 20.", (20.0, 100.0), False),
        _quantity("psychological_sum", "Sum of the answers to items 21 to 29.", (9.0, 45.0), False),
        _quantity("sum", "Sum of the answers to all items.", (29.0, 145.0), False),
    ),
    source="Hobart et al. 2001, Brain 124:962-973",
    licence="The wording is licensed and not here.",
)
def msis29(given: Given, out: Outcome) -> None:
    """How much MS limited and bothered one in the last two weeks."""
    version = given.texts["version"]
    questionnaire = VERSIONS[version]
    for item in questionnaire.items:
        if given.numbers.get(item.name, 1.0) > len(item.points):
            raise FieldInvalid(f"{item.name} is above the highest answer of {version}", at=f"/values/{item.name}")
    write_scales(questionnaire, given.numbers, out)
