"""Forced vital capacity: the race-neutral equations of the Global Lung Function Initiative (2022).

For FVC only: a slow vital capacity (SVC) is not measured alike, and no SVC is compared here. The equations of GLI 2012
and NHANES III ask for an ethnic group, which no record holds; the American Thoracic Society has advised those without
since 2023.

Source: Bowerman et al. 2023, doi 10.1164/rccm.202205-0963OC, with its tables of splines. Deviation: the splines are
kept for whole years instead of quarters, and rounded to six decimals. In between they are interpolated, which changes
the median by less than 0.1 %; ages from a year of birth are whole.
"""

from __future__ import annotations

from konectom.scoring.norms._fvc_splines import SPLINES
from konectom.scoring.norms.base import FEMALE, MALE, Norm
from konectom.scoring.norms.equations import LmsCurve, LmsSplines

WOMEN = LmsCurve(
    l=0.899,
    m0=-12.055901,
    m_height=2.621579,
    m_age=-0.035975,
    s0=-2.310148,
    s_age=0.120428,
    splines={age: (m, s) for age, (m, s, _, _) in SPLINES.items()},
)
MEN = LmsCurve(
    l=0.9346,
    m0=-12.629131,
    m_height=2.727421,
    m_age=0.009174,
    s0=-2.195595,
    s_age=0.068466,
    splines={age: (m, s) for age, (_, _, m, s) in SPLINES.items()},
)

NORMS = (
    Norm(
        "fvc_gli_2022",
        1,
        "Forced vital capacity, GLI Global",
        "L",
        ("obs.fvc.volume",),
        LmsSplines({FEMALE: WOMEN, MALE: MEN}),
        source="Bowerman et al., Am J Respir Crit Care Med 2023;207:768-74, doi 10.1164/rccm.202205-0963OC",
        population="Healthy non-smokers aged 3 to 95, collected in 33 countries; all ethnic groups weigh alike.",
        sample="74,185",
        ages=(3, 95),
        notes=(
            "For FVC, not for slow vital capacity.",
            "In children and adolescents a year of age changes what is expected by some per cent.",
        ),
        confirmed="Coefficients and splines are the same in pyspiro 1.0.0, in CRAN's rspiro and in the R package pft, "
        "which reads them from the workbook of the European Respiratory Society.",
    ),
)
