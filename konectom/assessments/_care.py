"""With how much care a questionnaire was answered: the quality rules that questionnaires share."""

from __future__ import annotations

import numpy as np

from konectom.assessments.base import Outcome, Rule, behavioural, clinician, invalid, limited, noted, technical
from konectom.recording import FloatArray

# Limits are our own: attentive people do not come there.
FASTEST_S, MOST_TOO_FAST = 1.0, 0.25
LEAST_FOR_STRAIGHT_LINE = 10
LONGEST_ANSWER_S = 600.0

TOO_FAST = Rule(
    "too_fast", behavioural, limited, "Many answers came faster than a question can be read. Please take your time."
)

QUALITY = (
    Rule("incomplete", behavioural, limited, "Some questions were not answered. Please answer every question."),
    Rule(
        "not_scored",
        behavioural,
        invalid,
        "Too few questions were answered to give a score. Please fill in the questionnaire again.",
    ),
    Rule("items_imputed", behavioural, noted, "A score rests on the questions that were answered.", to=clinician),
    Rule(
        "straight_lining",
        behavioural,
        limited,
        "Every question got the same answer. Please read each question before you answer.",
    ),
    TOO_FAST,
    Rule(
        "answer_out_of_range",
        technical,
        limited,
        "An answer was sent that the question does not offer. Please update the app.",
    ),
    Rule(
        "unknown_item",
        technical,
        noted,
        "Answers were sent to questions that are not part of this questionnaire.",
        to=clinician,
    ),
)


def flag_too_fast(response_s: FloatArray, limit_s: float, out: Outcome) -> float:
    """Flag answers that came before one can have read; return their share among those whose time is known."""
    timed = response_s[np.isfinite(response_s)]
    share = float(np.count_nonzero(timed < limit_s) / timed.size) if timed.size else 0.0
    out.flag("too_fast", when=share > MOST_TOO_FAST, share=round(share, 3), limit_s=limit_s)
    return share


def flag_straight_line(points: FloatArray, best: float, too_fast: float, out: Outcome) -> None:
    """Flag a questionnaire in which every item (NaN: unanswered) got the same points.

    Somebody without complaints gives the ``best`` points throughout, and rightly; but not without reading.
    """
    given = points[np.isfinite(points)]
    same = given.size >= LEAST_FOR_STRAIGHT_LINE and bool((given == given[0]).all())
    out.flag("straight_lining", when=same and (given[0] != best or too_fast > MOST_TOO_FAST), items=given.size)
