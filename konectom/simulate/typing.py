"""Typing words on a phone: letters at known intervals, a known share of them wrong and then corrected.

The words get less time as they succeed, three by three, as in the test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from konectom.simulate.tremor import trembling_phone

WORDS = (
    *("more", "from", "hold", "test", "fire", "deal", "clear", "woman", "plant", "water", "house", "light"),
    *("garden", "winter", "animal", "number", "people", "follow", "journey", "kitchen", "machine", "picture"),
    *("maintain", "question", "possible", "facility", "actually", "function", "employee", "probably"),
)
FIRST_LIMIT_S, SHORTER_S, SHORTEST_S = 10.0, 0.7, 3.0
BETWEEN_WORDS_S, CLOSING_S = 0.012, 0.005
RATE_HZ = 50.0
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class TypingTruth:
    """What the patient does, and how the phone measures it.

    The first letter of a word comes ``first_letter_s`` after the word, the others ``letter_interval_s`` (median) after
    each other, with the coefficient of variation ``irregularity``. A share ``wrong_share`` of letters is wrong, which
    is seen and taken back, each after ``correction_s``.
    """

    letter_interval_s: float = 0.25
    first_letter_s: float = 0.8
    irregularity: float = 0.25
    wrong_share: float = 0.05
    correction_s: float = 0.5
    tremor_hz: float = 5.0
    tremor_g: float = 0.02
    duration_s: float = 60.0


def simulate_typing(truth: TypingTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return a minute of typing in the form of ``konectom.session/1``."""
    events: list[dict[str, Any]] = []
    at_s, succeeded = 0.0, 0
    while at_s < truth.duration_s - 1:
        word = WORDS[sum(event["type"] == "word" for event in events) % len(WORDS)]
        limit_s = max(SHORTEST_S, FIRST_LIMIT_S - SHORTER_S * (succeeded // 3))
        until_s = min(at_s + limit_s, truth.duration_s)
        keys = _typed(word, at_s, truth, rng)
        right = keys[-1]["t"] + CLOSING_S < until_s
        end_s = round(keys[-1]["t"] + CLOSING_S if right else until_s, 3)
        shown = {"type": "word", "t": round(at_s, 3), "word": word, "limit": round(limit_s, 1)}
        events += [shown | {"ends_at": end_s, "right": right}, *(key for key in keys if key["t"] < end_s)]
        succeeded += right
        at_s = end_s + BETWEEN_WORDS_S
    return {
        "assessment": "typing",
        "condition": {},
        "duration_s": truth.duration_s,
        "completion": "completed",
        "streams": trembling_phone(0.0, truth.duration_s, RATE_HZ, truth.tremor_hz, truth.tremor_g, rng),
        "events": events,
    }


def _typed(word: str, at_s: float, truth: TypingTruth, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return the keys of a word that appears at ``at_s``, had it all the time it needs."""
    spread = float(np.sqrt(np.log1p(truth.irregularity**2)))
    keys: list[dict[str, Any]] = []

    def press(key: str, after_s: float, text: str) -> None:
        before_s = keys[-1]["t"] if keys else at_s
        keys.append({"type": "key", "t": round(before_s + after_s, 3), "key": key, "input": text})

    for place, letter in enumerate(word):
        usual_s = truth.letter_interval_s if place else truth.first_letter_s
        if rng.random() < truth.wrong_share:
            wrong = str(rng.choice([other for other in ALPHABET if other != letter]))
            press(wrong, usual_s * float(rng.lognormal(0, spread)), word[:place] + wrong)
            press("Backspace", truth.correction_s, word[:place])
            usual_s = truth.correction_s
        press(letter, usual_s * float(rng.lognormal(0, spread)), word[: place + 1])
    return keys
