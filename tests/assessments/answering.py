"""Questionnaires as tests fill them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from konectom.assessments._outcome import Result
from tests.assessments.examples import Wire, run

Tap = tuple[str, float | None, float, float]
"""Item, value, when it was shown, and when the answer came."""


def of_events(assessment: str, taps: Sequence[Tap], **more: Any) -> Wire:
    """Return a recording with these answers as events."""
    events = [{"type": "answer", "item": item, "value": value, "shown_at": s, "t": t} for item, value, s, t in taps]
    return {"assessment": assessment, "duration_s": 60.0, "events": events, **more}


def of_answers(assessment: str, answers: Mapping[str, Any], **more: Any) -> Wire:
    """Return a recording with final answers only."""
    return {"assessment": assessment, "duration_s": 60.0, "answers": dict(answers), **more}


def values(wire: Wire) -> dict[str, float]:
    """Return the values of a recording by key, without the assessment's name."""
    return by_key(run(wire))


def by_key(result: Result) -> dict[str, float]:
    """Return the values of a result by key, without the assessment's name."""
    return {entry.key.split(".", 1)[1]: value for entry, value in result.measures()}


def codes(result: Result) -> set[str]:
    """Return the codes of the flags, without the assessment's name."""
    return {flag.code.split(".", 1)[1] for flag in result.quality.flags}
