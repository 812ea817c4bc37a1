"""How somebody fills in a questionnaire: one question after the other, sometimes in doubt, sometimes going back."""

from __future__ import annotations

from typing import Any

import numpy as np

from konectom.recording import FloatArray

FIRST_SHOWN_S = 0.5
NEXT_AFTER_S = 0.3
"""Time from an answer to the next question."""

SPREAD = 0.4
"""Standard deviation of the logarithm of the time that an answer takes."""


def points_for(total: int, items: int, most: int, rng: np.random.Generator) -> list[int]:
    """Return points of 0 to ``most`` for each item that add up to ``total``."""
    slots = np.repeat(np.arange(items), most)
    filled = rng.choice(slots, size=int(np.clip(total, 0, slots.size)), replace=False)
    points: list[int] = np.bincount(filled, minlength=items).tolist()
    return points


def fill_in(
    final: dict[str, float],
    options: tuple[float, ...],
    answer_s: float,
    doubts: int,
    returns: int,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Return the events of answering each item of ``final``, at ``answer_s`` on average.

    On ``doubts`` items another answer is tapped first; to ``returns`` items the patient comes back at the end, having
    given another answer before. ``options`` are the answers that every item offers.
    """
    items = list(final)
    doubted = set(rng.choice(items, size=min(doubts, len(items)), replace=False).tolist())
    revised = rng.choice(items, size=min(returns, len(items)), replace=False).tolist()
    took_s = _times(len(items) + len(revised), answer_s, rng).tolist()
    events: list[dict[str, Any]] = []
    now_s = FIRST_SHOWN_S
    for turn, item in enumerate([*items, *revised]):
        first_time = turn < len(items)
        value = _other(final[item], options, rng) if first_time and item in revised else final[item]
        if first_time and item in doubted:
            tapped = _other(value, options, rng)
            events.append(_event(item, tapped, now_s + took_s[turn] * 0.6, now_s))
        events.append(_event(item, value, now_s + took_s[turn], now_s))
        now_s = round(now_s + took_s[turn] + NEXT_AFTER_S, 3)
    return events


def show(items: list[str], start_s: float, answer_s: float, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return the events of items whose answers only the app can score: when each was shown and answered."""
    events: list[dict[str, Any]] = []
    now_s = start_s
    for item, took_s in zip(items, _times(len(items), answer_s, rng).tolist(), strict=True):
        events.append({"type": "answer", "t": round(now_s + took_s, 3), "item": item, "shown_at": now_s})
        now_s = round(now_s + took_s + NEXT_AFTER_S, 3)
    return events


def recording(assessment: str, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the questionnaire as a recording in the form of ``konectom.session/1``."""
    return {
        "assessment": assessment,
        "duration_s": round(max((event["t"] for event in events), default=0.0) + NEXT_AFTER_S, 3),
        "completion": "completed",
        "events": events,
    }


def _times(count: int, mean_s: float, rng: np.random.Generator) -> FloatArray:
    times_s: FloatArray = np.round(rng.lognormal(np.log(mean_s) - SPREAD**2 / 2, SPREAD, count), 3)
    return times_s


def _other(value: float, options: tuple[float, ...], rng: np.random.Generator) -> float:
    return float(rng.choice([option for option in options if option != value]))


def _event(item: str, value: float, t_s: float, shown_s: float) -> dict[str, Any]:
    return {"type": "answer", "t": round(t_s, 3), "item": item, "value": value, "shown_at": shown_s}
