"""Neuro-QoL by computer-adaptive testing: ten subtests of quality of life, each of four to eight items.

The app chooses the items and estimates where the patient stands (theta, in standard deviations of the reference
population, with its standard error). What each part of the recording carries:

* condition: ``subtest``.
* event ``estimate``: ``theta`` and ``standard_error``, as the app had them at the end of the subtest; the last counts.
* event ``answer``, optional: when each item was shown (``shown_at``) and answered (``t``).

Scoring: T = 50 + 10 theta: 50 is the mean of the reference population and 10 its standard deviation. A higher score is
more of what the subtest is called: better for functions, worse for symptoms (healthmeasures.net, "Neuro-QoL score cut
points" and "Publishing Neuro-QoL results"). Answers alone are not scored: the item banks are licensed and not kept.

Source: the published definitions of Konectom (DISPEL 0.0.3, bdh/tasks/neuroqol), written afresh.
Deviations: the standard error comes in units of the T-score too; what the app calls "t_score" is called theta here.
"""

from __future__ import annotations

import numpy as np

from konectom.assessments._care import FASTEST_S, LONGEST_ANSWER_S, TOO_FAST, flag_too_fast
from konectom.assessments._outcome import Outcome
from konectom.assessments._parts import parts_by_condition
from konectom.assessments._run import find
from konectom.assessments.base import (
    CENTRE_AND_RANGE,
    Condition,
    Measure,
    Rule,
    assessment,
    events,
    invalid,
    limited,
    technical,
)
from konectom.recording import Part, Recording

ESTIMATES = events("estimate", ("theta", "standard_error"), means="Where the app puts the patient, and how surely.")
SHOWN = events("answer", ("shown_at_s",), optional=True, means="When each item was shown and answered.")

FUNCTIONS = (
    "upper_extremity",
    "lower_extremity",
    "cognitive_function",
    "ability_participate_social_roles",
    "satisfaction_social_roles",
)
SYMPTOMS = ("sleep", "fatigue", "anxiety", "depression", "stigma")
SUBTEST = Condition("subtest", FUNCTIONS + SYMPTOMS, means="What the subtest asks about.")

CUTS = "healthmeasures.net: 0.5 SD (5 points) worse than the mean is mild, 1 SD moderate, 2 SD severe."
SCORE = "Standing in the subtest: 50 is the mean of the reference population, 10 its standard deviation."
THETA = "The app's estimate in standard deviations of the reference population."
ERROR = "Standard error of theta, as the app computed it."
SAME_ERROR = (
    "Standard error of theta, once more under the name that it has beside the T-score in the published library."
)
IN_T = (0.0, 100.0)
T_SCORE, STANDARD_ERROR = ({"dispel": f"neuroqol-{{subtest}}-{name}"} for name in ("t_score", "standard_error"))
BY_THE_APP = {"dispel": "mobile_computed_theta_score_{subtest}"}
ERROR_BY_THE_APP = {"dispel": "mobile_computed_standard_error_{subtest}"}

MEASURES = (
    Measure("t_score", "1", SCORE, "higher", IN_T, (), (SUBTEST.only(*FUNCTIONS),), True, T_SCORE, CUTS),
    Measure("t_score", "1", SCORE, "lower", IN_T, (), (SUBTEST.only(*SYMPTOMS),), True, T_SCORE, CUTS),
    Measure("t_score_error", "1", "Standard error of the T-score.", "lower", (0, 20), (), (SUBTEST,)),
    Measure("theta", "1", THETA, None, (-5, 5), (), (SUBTEST,), False, BY_THE_APP),
    Measure("theta_error", "1", ERROR, "lower", (0, 2), (), (SUBTEST,), False, ERROR_BY_THE_APP),
    Measure("standard_error", "1", SAME_ERROR, "lower", (0, 2), (), (SUBTEST,), False, STANDARD_ERROR),
    Measure("items", "1", "Items answered.", None, (0, 50), (), (SUBTEST,)),
    Measure(
        *("response_time", "s", "Time from an item's appearance to its answer.", None, (0, LONGEST_ANSWER_S)),
        *(CENTRE_AND_RANGE, (SUBTEST,)),
    ),
)

LARGEST_ERROR = 0.5
"""Of theta; our own limit. Tests of up to eight items usually end near 0.3."""

QUALITY = (
    Rule("subtest_without_estimate", technical, limited, "The app sent no result for a part. Please repeat the test."),
    Rule("not_scored", technical, invalid, "The app sent no result. Please repeat the test."),
    Rule("imprecise", technical, limited, "Too few questions were answered for a sure result. Please answer all."),
    TOO_FAST,
)


@assessment(
    "neuroqol",
    version=1,
    title="Quality of life in neurological disorders (Neuro-QoL, adaptive)",
    domain="patient-reported",
    inputs=(ESTIMATES, SHOWN),
    measures=MEASURES,
    quality=QUALITY,
    source="DISPEL 0.0.3 (MIT), bdh/tasks/neuroqol; healthmeasures.net, Neuro-QoL score cut points",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Answer questions on ten parts of life; the app chooses each next question by the answers so far."""
    scored = 0
    for where, part in parts_by_condition(recording, out, lambda _: (SUBTEST,), size=_items):
        if where:
            scored += _write(part, out.at(**where))
    out.flag("not_scored", when=not scored)
    out.rest_absent("condition_not_recorded")


def _items(part: Part) -> int:
    return len(part.events.get("answer") or ())


def _write(part: Part, out: Outcome) -> bool:
    """Write a subtest; tell whether it has a score."""
    estimates = part.events["estimate"]
    known = np.flatnonzero(np.isfinite(estimates["theta"]))
    last = known[np.argmax(estimates.t_s[known])] if known.size else None
    theta, error = (np.nan, np.nan) if last is None else (estimates[c][last] for c in ("theta", "standard_error"))
    out.flag("subtest_without_estimate", when=last is None)
    out("t_score", 50.0 + 10.0 * theta)
    out("t_score_error", 10.0 * error)
    out("theta", theta)
    out("theta_error", error)
    out("standard_error", error)
    out.flag("imprecise", when=error > LARGEST_ERROR, standard_error=error, limit=LARGEST_ERROR)
    answers = find(part, SHOWN)
    if answers is None or not len(answers):
        out.absent("items", "input_missing")
        out.absent("response_time", "input_missing")
        return last is not None
    took_s = answers.t_s - answers["shown_at_s"]
    timed = took_s[took_s >= 0]
    out("items", len(answers))
    out("response_time", timed)
    early = np.count_nonzero(took_s < 0)
    out.flag("time_disorder", when=early > 0, answers_before_item=early)
    flag_too_fast(timed, FASTEST_S, out)
    return last is not None
