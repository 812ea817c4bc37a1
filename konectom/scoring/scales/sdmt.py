"""SDMT, the Symbol Digit Modalities Test: correct answers in 90 seconds, 0 to 110.

Source: Smith 1982 (manual); its symbols and norms are licensed and not here.
"""

from __future__ import annotations

from konectom.errors import FieldInvalid
from konectom.scoring.scales.base import Component, Given, Outcome, Quantity, scale

HIGHEST = 110.0
LIKELY = (5.0, 95.0)
IMPORTANT = "4 points: clinically important; 8 points: reliable decline (PubMed 34612114)."


@scale(
    "sdmt",
    title="Symbol Digit Modalities Test (SDMT)",
    domain="performance",
    components=(
        Component("correct", "Correct answers in 90 s.", "whole", possible=(0.0, HIGHEST), plausible=LIKELY),
        Component("attempted", "Answers in 90 s, right or wrong.", "whole", possible=(0.0, HIGHEST), plausible=LIKELY),
        Component("mode", "How the patient answered.", "choice", choices=("oral", "written")),
        Component("form", "The form that was used.", "text"),
    ),
    quantities=(
        Quantity("correct", "1", "Correct answers in 90 s.", better="higher", plausible=LIKELY, evidence=IMPORTANT),
        Quantity("errors", "1", "Wrong answers in 90 s.", better="lower", plausible=(0.0, 20.0), score=False),
    ),
    source="Smith 1982, Symbol Digit Modalities Test manual",
    licence="Symbols, forms and norms are licensed (WPS).",
)
def sdmt(given: Given, out: Outcome) -> None:
    """Speed of processing: symbols are turned into digits by a key for 90 seconds."""
    correct, attempted = given.number("correct"), given.number("attempted")
    out("correct", correct)
    if correct is not None and attempted is not None and correct > attempted:
        raise FieldInvalid(f"correct is {correct:g}, more than attempted", at="/values/correct")
    out("errors", None if correct is None or attempted is None else attempted - correct)
