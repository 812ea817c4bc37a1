"""Six-minute walk: distance expected of healthy people, by published regression equations.

The equations stand together, sex by sex, in table 5 of the review behind the ERS/ATS standard on field walking tests
(Singh et al. 2014, doi 10.1183/09031936.00150414). Which sex is 1 and which is 0 is told by the paper's own words or
follows from its published means; equations for which neither could be found are left out. They differ by over 100 m
for the same person, as do their corridors, encouragement and number of walks: compare within one equation.
"""

from __future__ import annotations

from konectom.scoring.norms.base import FEMALE, MALE, Ages, Norm
from konectom.scoring.norms.equations import Equation, Line

KEYS = ("obs.sixmwt.distance", "walk.distance[6mwt]")
CAVEATS = {
    "walk.distance[6mwt]": "Measured by satellite wherever the patient walked; the norm by laps in a straight corridor."
}
REVIEW = "Found again in table 5 of Singh et al. 2014 (doi 10.1183/09031936.00150414)"


def walk_norm(
    name: str,
    title: str,
    form: Equation,
    ages: Ages,
    *,
    source: str,
    population: str,
    sample: str,
    note: str,
    confirmed: str,
) -> Norm:
    """Declare a norm of the six-minute walk distance."""
    return Norm(
        name,
        1,
        title,
        "m",
        KEYS,
        form,
        source=source,
        population=population,
        sample=sample,
        ages=ages,
        confirmed=confirmed,
        notes=(note,),
        caveats=CAVEATS,
    )


NORMS = (
    walk_norm(
        "sixmwt_enright_1998",
        "Six-minute walk distance, Enright & Sherrill",
        Equation(
            {
                FEMALE: Line(667, height_cm=2.11, age=-5.78, mass_kg=-2.29),
                MALE: Line(-309, height_cm=7.57, age=-5.02, mass_kg=-1.76),
            },
            down_to_limit={FEMALE: 139, MALE: 153},
        ),
        (40, 80),
        source="Enright & Sherrill, Am J Respir Crit Care Med 1998;158:1384-7, doi 10.1164/ajrccm.158.5.9710086",
        population="Healthy adults aged 40 to 80, United States.",
        sample="117 men, 173 women",
        note="z rests on the lower limit of normal being the 5th centile of a normal distribution.",
        confirmed=f"{REVIEW}; the limits in the R package PhysioClinical and in two calculators.",
    ),
    walk_norm(
        "sixmwt_enright_2003",
        "Six-minute walk distance, Cardiovascular Health Study",
        Equation(
            {
                FEMALE: Line(493, height_cm=2.2, age=-5.3, mass_kg=-0.93),
                MALE: Line(510, height_cm=2.2, age=-5.3, mass_kg=-0.93),
            }
        ),
        (68, None),
        source="Enright et al., Chest 2003;123:387-98, doi 10.1378/chest.123.2.387",
        population="Older people living at home, United States; many had chronic illness.",
        sample="2,281 walked; which part of them the equations rest on could not be confirmed",
        note="The equations explain 20 % of the differences between people.",
        confirmed=f"{REVIEW}; sample and ages in the paper's abstract.",
    ),
    walk_norm(
        "sixmwt_gibbons_2001",
        "Six-minute walk distance, Gibbons et al.",
        Equation({FEMALE: Line(868.8 - 74.7, age=-2.99), MALE: Line(868.8, age=-2.99)}),
        (20, 80),
        source="Gibbons et al., J Cardiopulm Rehabil 2001;21:87-93",
        population="Healthy volunteers aged 20 to 80.",
        sample="41 men, 38 women",
        note="The best of four walks on one day in a corridor of 20 m: 43 m farther than the first walk on average.",
        confirmed=f"{REVIEW}; that 1 is a woman follows from the abstract: men walk farther, and the mean of 698 m.",
    ),
    walk_norm(
        "sixmwt_troosters_1999",
        "Six-minute walk distance, Troosters et al.",
        Equation(
            {
                FEMALE: Line(218, height_cm=5.14, age=-5.32, mass_kg=-1.80),
                MALE: Line(218 + 51.31, height_cm=5.14, age=-5.32, mass_kg=-1.80),
            }
        ),
        (50, 85),
        source="Troosters et al., Eur Respir J 1999;14:270-4",
        population="Healthy volunteers aged 50 to 85, Belgium.",
        sample="51",
        note="Corridor of 50 m, encouraged every 30 s.",
        confirmed=f"{REVIEW}; that 1 is a man in three public implementations and by the paper's means.",
    ),
    walk_norm(
        "sixmwt_iwama_2009",
        "Six-minute walk distance, Iwama et al.",
        Equation({FEMALE: Line(622.461, age=-1.846), MALE: Line(622.461 + 61.503, age=-1.846)}),
        (13, 84),
        source="Iwama et al., Braz J Med Biol Res 2009;42:1080-5, doi 10.1590/S0100-879X2009005000032",
        population="Healthy people aged 13 to 84, Brazil.",
        sample="61 men, 73 women",
        note="Two walks in a corridor of 30 m. The equation explains 30 % of the differences between people.",
        confirmed="Equation and coding in the paper's abstract.",
    ),
    walk_norm(
        "sixmwt_dourado_2011",
        "Six-minute walk distance, Dourado et al.",
        Equation(
            {
                FEMALE: Line(299.296, height_cm=3.61731, age=-2.728, mass_kg=-2.160),
                MALE: Line(299.296 + 56.386, height_cm=3.61731, age=-2.728, mass_kg=-2.160),
            }
        ),
        (42, 78),
        source="Dourado et al., J Bras Pneumol 2011;37:607-14",
        population="Healthy adults, mean age 60 (SD 9), Brazil.",
        sample="90 (40 men)",
        note="The ages are two SD about the mean of the abstract, which gives no range.",
        confirmed=f"{REVIEW}; that 1 is a man and heights are in metres there and in a public implementation.",
    ),
    walk_norm(
        "sixmwt_jenkins_2009",
        "Six-minute walk distance, Jenkins et al.",
        Equation({FEMALE: Line(525, height_cm=2.71, age=-2.86, bmi=-6.22), MALE: Line(867, height_cm=1.03, age=-5.71)}),
        (45, 85),
        source="Jenkins et al., Physiother Theory Pract 2009",
        population="Healthy Caucasian Australians aged 45 to 85.",
        sample="48 men, 61 women",
        note="The better of two walks.",
        confirmed=f"{REVIEW}; sample and ages in the paper's abstract.",
    ),
)
