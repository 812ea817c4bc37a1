"""Comfortable gait speed: means of a meta-analysis by decade and sex.

Means only: the source's abstract gives no spread of single people, so there is no z. In a norms file that circulates in
public the women's means stand for men as well from 50 years on; the test of this file compares the two columns.
"""

from __future__ import annotations

from konectom.scoring.norms.base import FEMALE, MALE, Norm
from konectom.scoring.norms.tables import AgeTable, Cell

FREE_WALK = "walk.gait_speed[free,all_bouts].mean"


def row(women_mps: float, men_mps: float) -> dict[str, Cell]:
    """Return the cells of a decade, speeds in m/s."""
    return {FEMALE: Cell(women_mps), MALE: Cell(men_mps)}


NORMS = (
    Norm(
        "gait_speed_bohannon_2011",
        1,
        "Comfortable gait speed, Bohannon & Andrews",
        "m/s",
        (FREE_WALK,),
        AgeTable(
            {
                (20, 29): row(1.34, 1.36),
                (30, 39): row(1.34, 1.43),
                (40, 49): row(1.39, 1.43),
                (50, 59): row(1.31, 1.43),
                (60, 69): row(1.24, 1.34),
                (70, 79): row(1.13, 1.26),
                (80, 99): row(0.94, 0.97),
            }
        ),
        source="Bohannon & Andrews, Physiotherapy 2011;97:182-9, doi 10.1016/j.physio.2010.12.004",
        population="Apparently healthy adults at their normal pace over 3 to 30 m, 41 articles from several countries.",
        sample="23,111",
        ages=(20, 99),
        notes=(
            "Of the mean of a group only: no z and no centile.",
            "By its authors no standard where the walk is short from the command to go, or has a turn.",
        ),
        caveats={
            FREE_WALK: "Estimated by the phone from the rise of the trunk over a free walk; the norm was timed over a "
            "straight course."
        },
        confirmed="The table in help.plantiga.com; its largest and smallest mean in the paper's abstract; the means of "
        "60 to 69 and 80 to 99 years in neurorehab.wiki.",
    ),
)
