"""The symbol-digit test as somebody takes it who answers with a known speed, steadiness and care.

Reaction times are lognormal: they cannot be negative and have the long right tail of real ones. Symbols that have a
mirror image are, when mistaken, mistaken for it. Nothing else is modelled: no practice, no hesitation after an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

SYMBOLS, DIGITS = "symbol_to_digit", "digit_to_digit"
KEYS = {
    "fixed_1": (1, 2, 3, 4, 5, 6, 7, 8, 9),
    "fixed_2": (4, 7, 1, 9, 2, 8, 5, 3, 6),
    "fixed_3": (9, 8, 7, 6, 5, 4, 3, 2, 1),
}
"""The digit of each symbol from 1 to 9, in the keys that never change."""

MIRROR = {SYMBOLS: {2: 7, 7: 2, 3: 8, 8: 3, 4: 6, 6: 4}, DIGITS: {6: 9, 9: 6}}
DURATION_S = {SYMBOLS: 90.0, DIGITS: 20.0}
BETWEEN_LEVELS_S = 20.0
NEXT_ITEM_S = 0.005
PRESS_S = 0.08


@dataclass(frozen=True, slots=True)
class CpsTruth:
    """How the test is taken.

    ``symbol_reaction_s`` and ``digit_reaction_s`` are mean reaction times, ``unsteadiness`` their coefficient of
    variation, ``error_share`` the chance of a wrong answer, and ``slowing_s`` by how much the mean reaction time grows
    from the beginning of a level to its end.
    """

    symbol_reaction_s: float = 1.75
    digit_reaction_s: float = 0.9
    unsteadiness: float = 0.25
    error_share: float = 0.02
    slowing_s: float = 0.0
    key: str = "fixed_1"
    sequence: str = "random"
    pressure: float = 0.4

    @property
    def substitution_s(self) -> float:
        """The time that finding the digit takes."""
        return self.symbol_reaction_s - self.digit_reaction_s


def simulate_cps(truth: CpsTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return one recording of the test, with both levels, as ``konectom.session/1`` carries it."""
    digits_start_s = DURATION_S[SYMBOLS] + BETWEEN_LEVELS_S
    return {
        "assessment": "cps",
        "duration_s": digits_start_s + DURATION_S[DIGITS],
        "completion": "completed",
        "parts": [_level(truth, SYMBOLS, 0.0, rng), _level(truth, DIGITS, digits_start_s, rng)],
    }


def _level(truth: CpsTruth, mode: str, start_s: float, rng: np.random.Generator) -> dict[str, Any]:
    condition = {"mode": mode, "sequence": truth.sequence}
    mean_s = truth.symbol_reaction_s if mode == SYMBOLS else truth.digit_reaction_s
    if mode == SYMBOLS:
        condition["key"] = truth.key
    items = np.random.default_rng(1) if truth.sequence == "predefined" else rng
    events: list[dict[str, Any]] = []
    shown_at_s, shown = start_s, 0
    while True:
        # Never the same item twice in a row, as in the app.
        shown = int(items.choice([item for item in range(1, 10) if item != shown]))
        progress = (shown_at_s - start_s) / DURATION_S[mode]
        t_s = shown_at_s + _reaction_s(mean_s + truth.slowing_s * (progress - 0.5), truth.unsteadiness, rng)
        if t_s > start_s + DURATION_S[mode]:
            break
        taken_as = shown if rng.random() >= truth.error_share else _mistaken(shown, mode, rng)
        events.append({"type": "answer", "t": round(t_s, 3), "shown_at": round(shown_at_s, 3), "shown": shown})
        events[-1] |= _pressed(shown, taken_as, condition, rng)
        shown_at_s = t_s + NEXT_ITEM_S
    return {
        "condition": condition,
        "start_s": start_s,
        "duration_s": DURATION_S[mode],
        "events": events,
        "streams": {"touch": _touch([event["t"] for event in events], truth.pressure, rng)},
    }


def _reaction_s(mean_s: float, unsteadiness: float, rng: np.random.Generator) -> float:
    sigma = float(np.sqrt(np.log1p(unsteadiness**2)))
    return float(rng.lognormal(np.log(mean_s) - sigma**2 / 2, sigma))


def _mistaken(shown: int, mode: str, rng: np.random.Generator) -> int:
    others = [item for item in range(1, 10) if item != shown]
    return MIRROR[mode].get(shown, int(rng.choice(others)))


def _pressed(shown: int, taken_as: int, condition: dict[str, str], rng: np.random.Generator) -> dict[str, int]:
    """Return the digits that were right and pressed, through the key in force."""
    if "key" not in condition:
        return {"expected": shown, "answered": taken_as}
    key = KEYS.get(condition["key"]) or tuple(int(digit) for digit in rng.permutation(9) + 1)
    return {"expected": key[shown - 1], "answered": key[taken_as - 1], "answered_as": taken_as}


def _touch(pressed_s: list[float], pressure: float, rng: np.random.Generator) -> dict[str, Any]:
    """Return the finger's contact with the screen: down a little before each answer counts, up when it does."""
    pressed = np.array(pressed_s)
    n = pressed.size
    return {
        "unit": "pt",
        "t": np.round(np.column_stack([pressed - PRESS_S, pressed]).ravel(), 3).tolist(),
        "x": np.repeat(np.round(rng.uniform(40.0, 340.0, n), 1), 2).tolist(),
        "y": np.repeat(np.round(rng.uniform(500.0, 700.0, n), 1), 2).tolist(),
        "phase": ["down", "up"] * n,
        "finger": [0] * (2 * n),
        "pressure": np.round(np.abs(rng.normal(pressure, pressure / 10, 2 * n)), 3).tolist(),
    }
