"""Grip strength: means and standard deviations of the German Socio-Economic Panel, by age, sex and height."""

from __future__ import annotations

from collections.abc import Mapping

from konectom.scoring.norms._grip_by_height import MEN_KG, MEN_SD_KG, WOMEN_KG, WOMEN_SD_KG
from konectom.scoring.norms.base import FEMALE, MALE, Ages, Norm
from konectom.scoring.norms.tables import AgeHeightTable, AgeTable, Cell

KEYS = ("obs.grip.best", "obs.grip.right", "obs.grip.left")
SOURCE = "Steiber, PLoS ONE 2016;11:e0163917, doi 10.1371/journal.pone.0163917"
POPULATION = "People aged 17 to 90 living in Germany (Socio-Economic Panel 2006 to 2014), ill and healthy."
SAMPLE = "11,790 people, 25,285 measurements"
NOTES = (
    "Measured with a Smedley dynamometer; hydraulic ones read otherwise.",
    "Whether the better hand was taken could not be confirmed: if so, the other hand reads low.",
)
CRITICALLY_WEAK = "1 SD below the mean of the group, from where the source takes a grip to be critically weak"


def row(women: tuple[float, float], men: tuple[float, float]) -> dict[str, Cell]:
    """Return the cells of an age group: mean and standard deviation in kg of women and men."""
    return {FEMALE: Cell(*women), MALE: Cell(*men)}


BY_AGE: dict[Ages, Cell | Mapping[str, Cell]] = {
    (17, 19): row((31.5, 6.2), (48.3, 9.6)),
    (20, 24): row((32.5, 5.4), (50.7, 8.2)),
    (25, 29): row((33.6, 5.6), (52.4, 8.3)),
    (30, 34): row((33.3, 5.8), (53.6, 8.2)),
    (35, 39): row((34.2, 6.2), (53.4, 9.8)),
    (40, 44): row((34.5, 6.3), (53.8, 9.3)),
    (45, 49): row((33.4, 6.1), (52.9, 8.4)),
    (50, 54): row((32.2, 5.9), (50.4, 8.4)),
    (55, 59): row((30, 5.5), (49.1, 8.5)),
    (60, 64): row((29, 5.3), (46.3, 8.4)),
    (65, 69): row((27.6, 5.2), (44.1, 7.3)),
    (70, 74): row((26, 4.9), (41.7, 7.6)),
    (75, 79): row((24.2, 4.5), (37.8, 7.9)),
    (80, 90): row((21.4, 4.1), (33.2, 7.5)),
}

NORMS = (
    Norm(
        "grip_steiber_2016",
        1,
        "Grip strength by age and sex, Steiber",
        "kg",
        KEYS,
        AgeTable(BY_AGE),
        source=SOURCE,
        population=POPULATION,
        sample=SAMPLE,
        ages=(17, 90),
        notes=(
            *NOTES,
            "The medians in the same table lie within 0.9 kg of the means, as a normal distribution has them.",
        ),
        confirmed="A public transcription of supplement S3, whose 28 counts add up to the 25,285 of the abstract.",
    ),
    Norm(
        "grip_by_height_steiber_2016",
        1,
        "Grip strength by age, sex and height, Steiber",
        "kg",
        KEYS,
        AgeHeightTable(
            tuple(BY_AGE),
            heights_cm={
                FEMALE: (150, 155, 160, 165, 170, 175, 180, 185),
                MALE: (160, 165, 170, 175, 180, 185, 190, None),
            },
            means={FEMALE: WOMEN_KG, MALE: MEN_KG},
            sds={FEMALE: WOMEN_SD_KG, MALE: MEN_SD_KG},
            limit_means=CRITICALLY_WEAK,
        ),
        source=SOURCE,
        population=POPULATION,
        sample=SAMPLE,
        ages=(17, 90),
        notes=NOTES,
        confirmed="A public transcription of tables 1 and 2; in each of its 195 cells the printed threshold lies below "
        "the printed mean by the standard deviation of supplement S3, to within 0.2 kg.",
    ),
)
