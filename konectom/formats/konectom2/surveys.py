"""Konectom 2's questionnaires: answers by number of the item, with when it was shown and when answered.

The wording that the files carry with each answer is left aside.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from konectom.formats.konectom2.level import Level
from konectom.recording import Part, Stream

Parts = dict[str, list[Part]]

SEQUENCE = "activity_sequence"
CUTTING_ROUTE, CUTTING = 5.0, 6.0
CUTTING_VARIANTS = {1.0: "5a", 2.0: "5b"}
"""Question 5 of the form asks how one eats: 1 by mouth, 2 (we take it) by tube. Question 6 is item 5 of the scale."""


def mood(levels: list[Level]) -> Parts:
    """Mood scale: of the answers that were tapped, those count that were confirmed."""
    parts = []
    for level in levels:
        confirmed = level.take("answer", "validated_answers", read_answers)
        tapped = level.take("answer", "answers", read_answers)
        events = {"answer": _confirmed(tapped.get("answer"), confirmed["answer"])} if confirmed else tapped
        parts.append(level.part({}, {}, events))
    return {"mood": parts}


def msis29(levels: list[Level]) -> Parts:
    """MSIS-29."""
    return {"msis29": [level.part({}, {}, level.take("answer", SEQUENCE, read_answers)) for level in levels]}


def pdq39(levels: list[Level]) -> Parts:
    """PDQ-39."""
    return {"pdq39": [level.part({}, {}, level.take("answer", SEQUENCE, read_answers)) for level in levels]}


def alsfrs_r(levels: list[Level]) -> Parts:
    """ALSFRS-R: thirteen questions for twelve items, the best answer first."""
    return {"alsfrs_r": [level.part({}, {}, level.take("answer", SEQUENCE, read_als_answers)) for level in levels]}


def neuroqol(levels: list[Level]) -> Parts:
    """Neuro-QoL, a level for each subtest; the app calls theta ``t_score``."""
    parts = []
    for level in levels:
        events = level.take("answer", SEQUENCE, read_shown)
        part = level.part({"subtest": str(level.name)}, {}, events)
        theta, error = (_number(level.computed.get(name)) for name in ("t_score", "standard_error"))
        if np.isfinite(theta):
            end_s = part.start_s if part.end_s is None else part.end_s
            columns = {"theta": np.array([theta]), "standard_error": np.array([error])}
            events["estimate"] = Stream("estimate", np.array([end_s]), columns)
        parts.append(part)
    return {"neuroqol": parts}


def read_answers(level: Level, table: str) -> Stream:
    """Read the answers by number of the question; one that was shown but not answered is left out."""
    number = level.numbers(table, "displayed_question_id")
    return _answers(level, table, _texts(number), level.numbers(table, "response_id"))


def read_als_answers(level: Level, table: str) -> Stream:
    """Read the answers to the ALS scale under the scale's own numbers, as points."""
    number, response = level.numbers(table, "displayed_question_id"), level.numbers(table, "response_id")
    level.stream(table, "answer", number, {"response_id": response}, {})  # of one length, or refused
    route = response[(number == CUTTING_ROUTE) & np.isfinite(response)]
    cutting = CUTTING_VARIANTS.get(float(route[-1]), "5") if route.size else "5"
    item = np.where(number == CUTTING, cutting, _texts(np.where(number > CUTTING, number - 1.0, number)))
    # What stands under the route has no value, so that it drops out as unanswered.
    return _answers(level, table, item, np.where(number == CUTTING_ROUTE, np.nan, 5.0 - response))


def read_shown(level: Level, table: str) -> Stream:
    """Read when each item of an adaptive test was shown and answered."""
    t_s = level.seconds(table, "response_timestamp", all_told=False)
    columns = {"item": level.texts(table, "form_item_id"), "shown_at_s": _shown_s(level, table)}
    return level.stream(table, "answer", t_s, columns, {}).where(np.isfinite(t_s))


def _answers(level: Level, table: str, item: Any, value: Any) -> Stream:
    t_s = level.seconds(table, "response_timestamp", all_told=False)
    columns = {"item": item, "value": value, "shown_at_s": _shown_s(level, table)}
    return level.stream(table, "answer", t_s, columns, {}).where(np.isfinite(t_s) & np.isfinite(value))


def _shown_s(level: Level, table: str) -> Any:
    return level.seconds(table, "presentation_timestamp", all_told=False)


def _texts(numbers: Any) -> Any:
    return np.array([f"{number:g}" if number == number else "" for number in numbers.tolist()], dtype=np.str_)


def _confirmed(tapped: Stream | None, confirmed: Stream) -> Stream:
    """Return the confirmed answers, and before each what was tapped while its question was shown."""
    if tapped is None or not len(tapped) or not len(confirmed):
        return confirmed
    until_s = dict(zip(_showings(confirmed), confirmed.t_s.tolist(), strict=True))
    earlier = [
        t_s < until_s.get(showing, -np.inf) for showing, t_s in zip(_showings(tapped), tapped.t_s.tolist(), strict=True)
    ]
    first = tapped.where(np.array(earlier, dtype=np.bool_))
    columns = {name: np.concatenate([first[name], confirmed[name]]) for name in ("item", "value", "shown_at_s")}
    return Stream("answer", np.concatenate([first.t_s, confirmed.t_s]), columns)


def _showings(answers: Stream) -> list[tuple[Any, ...]]:
    return list(zip(answers["item"].tolist(), answers["shown_at_s"].tolist(), strict=True))


def _number(value: object) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6
    return float(value) if known else float("nan")  # type: ignore[arg-type]
