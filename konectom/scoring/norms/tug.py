"""Timed Up and Go: means of a meta-analysis by age group, with the upper limit of their confidence intervals."""

from __future__ import annotations

from konectom.scoring.norms.base import Norm
from konectom.scoring.norms.tables import AgeTable, Cell

NORMS = (
    Norm(
        "tug_bohannon_2006",
        1,
        "Timed Up and Go, Bohannon",
        "s",
        ("obs.tug.time",),
        AgeTable(
            {
                (60, 69): Cell(8.1, limit=9.0),
                (70, 79): Cell(9.2, limit=10.2),
                (80, 99): Cell(11.3, limit=12.7),
            },
            beyond="above",
            limit_means="slower than the average of the age group (upper limit of its 95 % confidence interval)",
        ),
        source="Bohannon, J Geriatr Phys Ther 2006;29:64-8, doi 10.1519/00139143-200608000-00004",
        population="Apparently healthy people aged 60 and older, 21 studies.",
        sample="21 studies",
        ages=(60, 99),
        notes=(
            "The confidence intervals are of means: no z follows, and half of healthy people are slower than the mean.",
        ),
        confirmed="Means and intervals in the paper's abstract.",
    ),
)
