"""Neuro-QoL: T-scores are standardised already: mean 50 and standard deviation 10 of a reference population."""

from __future__ import annotations

from konectom.assessments.neuroqol import FUNCTIONS, SYMPTOMS
from konectom.scoring.norms.base import Norm
from konectom.scoring.norms.equations import TScore

DIGITAL = tuple(f"neuroqol.t_score[{name}]" for name in (*FUNCTIONS, *SYMPTOMS))
ENTERED = tuple(
    f"obs.neuroqol.{name}"
    for name in (
        *FUNCTIONS,
        *SYMPTOMS,
        "positive_affect_well_being",
        "communication",
        "emotional_behavioral_dyscontrol",
    )
)

NORMS = (
    Norm(
        "neuroqol_t_score",
        1,
        "Neuro-QoL T-score",
        "1",
        (*DIGITAL, *ENTERED),
        TScore(),
        source="Neuro-QoL reference populations, healthmeasures.net",
        population="The reference population of the subtest: for some the general population of the United States, for "
        "others, fatigue among them, people with a neurological condition.",
        sample="differs by subtest",
        ages=(18, None),
        notes=("A higher score is more of what the subtest is called: worse for symptoms.",),
        lowest=None,
        confirmed="The T-score's mean and standard deviation, and that populations differ, at healthmeasures.net.",
    ),
)
