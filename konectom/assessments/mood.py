"""Mood scale: two questions a day, how one's mood and one's physical state are.

What the recording carries: answers to item 1 (or ``mood``) and item 2 (or ``physical``), from 1, the best, to 5, the
worst; see ``_answers.py``.

Scoring: each answer stretched to 0 to 100, best at 100, and the mean of the two, as the app's own files define it
(their header describes response_to_psychological, response_to_physical and total_score). Nothing is imputed.

Source: the published definitions of Konectom (DISPEL 0.0.3, generic/tasks/mood), written afresh.
"""

from __future__ import annotations

from konectom.assessments._answers import ANSWERS
from konectom.assessments._care import QUALITY
from konectom.assessments._questionnaire import Item, Questionnaire, Scale
from konectom.assessments.base import Outcome, assessment
from konectom.recording import Recording

BEST_FIRST = (4.0, 3.0, 2.0, 1.0, 0.0)
APP = "Definition: the header of Konectom's own mood files; single questions, not a validated scale."
PSYCHOLOGICAL, PHYSICAL = "psychological_state", "physical_state"

MOOD = Questionnaire(
    items=(Item("1", "mood", BEST_FIRST, alias="psy"), Item("2", "physical", BEST_FIRST, alias="phys")),
    scales=(
        Scale(PSYCHOLOGICAL, "How good the patient's mood is, 0 to 100.", ("1",), better="higher", evidence=APP),
        Scale(PHYSICAL, "How good the patient's physical state is, 0 to 100.", ("2",), better="higher", evidence=APP),
        Scale(
            "overall_state",
            "Mean of mood and physical state, 0 to 100.",
            mean_of=(PSYCHOLOGICAL, PHYSICAL),
            better="higher",
            evidence=APP,
        ),
    ),
    better="lower",
    best=4.0,
    fastest_s=0.3,  # two questions that one knows from the days before
    dispel="mood-q_{item}",
)


@assessment(
    "mood",
    version=1,
    title="Mood scale",
    domain="patient-reported",
    inputs=(ANSWERS,),
    measures=MOOD.measures,
    quality=QUALITY,
    source="DISPEL 0.0.3 (MIT), generic/tasks/mood",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Say how one's mood and physical state are, each on a scale of five."""
    MOOD.extract(recording, out)
