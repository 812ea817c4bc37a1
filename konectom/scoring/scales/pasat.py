"""PASAT, the Paced Auditory Serial Addition Test: correct sums of 60, one digit every 3 seconds, and every 2.

Source: MSFC Administration and Scoring Manual, revised 2001 (National Multiple Sclerosis Society).
"""

from __future__ import annotations

from konectom.scoring.scales.base import Component, Given, Outcome, Quantity, scale

HIGHEST = 60.0


def _of(name: str, pace: str) -> tuple[Component, Quantity]:
    means = f"Correct sums of 60, one digit every {pace} seconds."
    component = Component(name, means, "whole", possible=(0.0, HIGHEST))
    return component, Quantity(name, "1", means, better="higher", plausible=(0.0, HIGHEST))


THREE, TWO = _of("correct_3s", "3"), _of("correct_2s", "2")


@scale(
    "pasat",
    title="Paced Auditory Serial Addition Test (PASAT)",
    domain="performance",
    components=(THREE[0], TWO[0], Component("form", "The form that was used.", "text")),
    quantities=(THREE[1], TWO[1]),
    source="MSFC Administration and Scoring Manual, revised 2001 (NMSS)",
    licence="The stimuli are licensed and not here.",
)
def pasat(given: Given, out: Outcome) -> None:
    """Attention and working memory: each digit is added to the one before."""
    for name in ("correct_3s", "correct_2s"):
        out(name, given.number(name))
