"""Plasma neurofilament light: upper reference limits by age.

Cut-offs only. The z that corrects for age and body mass index (Benkert et al. 2022) has no published coefficients; once
there are some, they enter here as an :class:`~konectom.scoring.norms.equations.LmsSplines`, as those of FVC do.
"""

from __future__ import annotations

from konectom.scoring.norms.base import Norm
from konectom.scoring.norms.tables import AgeTable, Cell

NORMS = (
    Norm(
        "nfl_simren_2022",
        1,
        "Plasma neurofilament light, Simrén et al.",
        "pg/mL",
        ("obs.nfl.plasma",),
        AgeTable(
            {
                (5, 17): Cell(limit=7),
                (18, 50): Cell(limit=10),
                (51, 60): Cell(limit=15),
                (61, 70): Cell(limit=20),
                (71, 90): Cell(limit=35),
            },
            beyond="above",
            limit_means="above the 95th centile of healthy people of the age group",
        ),
        source="Simrén et al., Brain Commun 2022;4:fcac174, doi 10.1093/braincomms/fcac174",
        population="Neurologically healthy people aged 5 to 90, eight cohorts.",
        sample="eight cohorts",
        ages=(5, 90),
        notes=(
            "For plasma: serum reads otherwise, and so do other assays.",
            "The abstract calls the last group 70+; 70 years are taken to belong to the group before, 61 to 70.",
        ),
        confirmed="Limits and ages in the paper's abstract.",
    ),
)
