"""Quality rules: when a recording counts, and the rules that every assessment has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from konectom.recording import EMPTY

Kind = Literal["technical", "behavioural"]
Effect = Literal["none", "limited", "invalid"]
Audience = Literal["patient", "clinician"]

technical: Kind = "technical"
behavioural: Kind = "behavioural"
limited: Effect = "limited"
invalid: Effect = "invalid"
noted: Effect = "none"
clinician: Audience = "clinician"


@dataclass(frozen=True, slots=True)
class Rule:
    """A reason why a recording may not count.

    ``message`` says what happened and, ``to`` the patient, what to do. What a patient can do nothing about is said to
    the clinician only. ``effect`` is what it does to the verdict.
    """

    code: str
    kind: Kind
    effect: Effect
    message: str
    aliases: Mapping[str, str] = EMPTY
    to: Audience = "patient"


GENERAL_RULES = (
    Rule("no_data", technical, invalid, "Nothing was recorded. Please repeat the test."),
    Rule("nothing_measured", technical, invalid, "Nothing could be measured. Please repeat the test."),
    Rule(
        "part_without_data",
        technical,
        limited,
        "A part of the test was not recorded. Please repeat the test.",
    ),
    Rule("input_unreadable", technical, noted, "Some of the data could not be read.", to=clinician),
    Rule(
        "input_disordered",
        technical,
        noted,
        "The clock of data beside those that are needed was disturbed.",
        to=clinician,
    ),
    Rule(
        "part_repeated",
        technical,
        noted,
        "A part of the test was done more than once. The fullest one counts.",
        to=clinician,
    ),
    Rule("condition_unknown", technical, limited, "The app did not say how the test was done. Please update the app."),
    Rule(
        "unfinished",
        behavioural,
        limited,
        "The test was stopped before its end. Please repeat it to the end.",
    ),
    Rule(
        "time_disorder",
        technical,
        limited,
        "The phone's clock was disturbed during the test. Please repeat it.",
    ),
    Rule("implausible_value", technical, noted, "Some details are outside the range of usual values.", to=clinician),
    Rule(
        "implausible_score",
        technical,
        limited,
        "The result could not be checked against usual values. Please repeat the test if you can.",
    ),
)
"""Rules that every assessment has, raised by the runner."""
