"""MoCA, the Montreal Cognitive Assessment: 0 to 30, with the point for education.

Given is the total as it counts, or the points without that for education (``points``) and the years of education: with
12 years or less, one point is added, up to 30. 26 and more is normal (Nasreddine et al. 2005, J Am Geriatr Soc
53:695-699).
"""

from __future__ import annotations

from konectom.scoring.scales._items import write_total
from konectom.scoring.scales.base import Band, Component, Given, Outcome, Quantity, scale

HIGHEST = 30.0
YEARS_WITHOUT_POINT = 12.0
NORMAL = 26.0


@scale(
    "moca",
    title="Montreal Cognitive Assessment (MoCA)",
    domain="performance",
    components=(
        Component("total", "Total with the point for education.", "whole", possible=(0.0, HIGHEST), loinc="72172-0"),
        Component("points", "Points without that for education.", "whole", possible=(0.0, HIGHEST)),
        Component("education_years", "Years of education.", possible=(0.0, 40.0)),
        Component("form", "The form that was used.", "text"),
    ),
    quantities=(
        Quantity(
            "total",
            "1",
            "Cognition, 0 to 30, with the point for education.",
            better="higher",
            plausible=(5.0, HIGHEST),
            bands=(Band(0, "below normal"), Band(NORMAL, "normal")),
            evidence="Nasreddine et al. 2005, J Am Geriatr Soc 53:695-699",
            loinc="72172-0",
        ),
    ),
    source="Nasreddine et al. 2005, J Am Geriatr Soc 53:695-699",
    licence="Use needs a licence and training; the tasks are not here.",
)
def moca(given: Given, out: Outcome) -> None:
    """Cognition at a glance: thirty points."""
    points, years = given.number("points"), given.number("education_years")
    computed = None
    if points is not None and years is not None:
        computed = min(points + (1 if years <= YEARS_WITHOUT_POINT else 0), HIGHEST)
    write_total(given, computed, out, reason="not_given" if points is None else "education_unknown")
