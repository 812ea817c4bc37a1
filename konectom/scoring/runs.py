"""Practice: how many runs of each test come before the first that counts, and how runs are counted.

A run is a test that the patient performed, usable or not: a spoiled recording teaches as well as a good one. Two runs
on one day are two runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from konectom.recording import FloatArray
from konectom.scoring.series import IntArray

Taken = Literal["window", "each"]


@dataclass(frozen=True, slots=True)
class RunIn:
    """The first ``runs`` tests do not count; ``taken`` says whether values are put together or stand alone.

    ``source`` is one sentence: who found it, or that nobody published a figure.
    """

    runs: int
    source: str
    taken: Taken = "window"


_FLOODLIGHT = "Floodlight Open (doi:10.2196/30394), 264 people with MS: half of the practice effect is made after"
_NO_FIGURE = "konectom's choice, no published figure for this test"
_WALKING = (
    "konectom's choice: one run. Three days in a row showed practice in walking tests of 10 people with MS "
    "(doi:10.1177/1352458519845839), and no run from which they are free of it is published."
)
_QUESTIONS = RunIn(
    0, "konectom's choice: a questionnaire is not practised, and is asked too rarely to be put together.", "each"
)

RUN_INS: Mapping[str, RunIn] = {
    "cps": RunIn(
        8,
        "Learning of a symbol-digit test on a phone with changing keys peaked after 8 trials on average "
        "(doi:10.1101/2020.03.09.20033316, 16 people); others found it between the first two tests only "
        "(PMC7573704), or half of it after 11 (doi:10.2196/30394).",
    ),
    "pinch": RunIn(28, f"{_FLOODLIGHT} 28 runs (90 % after 94), for the count of pinches."),
    "draw": RunIn(17, f"{_FLOODLIGHT} 17 runs (90 % after 56)."),
    "tap": RunIn(3, f"{_NO_FIGURE}: three runs, for it asks for little that is new."),
    "pronation": RunIn(3, f"{_NO_FIGURE}: three runs, for it asks for little that is new."),
    "typing": RunIn(5, f"{_NO_FIGURE}: five runs, for the keyboard is known and the task is not."),
    "grip": RunIn(5, f"{_NO_FIGURE}: five runs, for a force held on a screen is an unfamiliar task."),
    "walk": RunIn(1, _WALKING),
    "u_turn": RunIn(1, _WALKING),
    "balance": RunIn(1, f"{_NO_FIGURE}: one run."),
    "voice": RunIn(1, f"{_NO_FIGURE}: one run."),
    "passive": RunIn(0, "konectom's choice: nothing is performed, so nothing is practised."),
    "mood": RunIn(0, "konectom's choice: a rating is not practised; it is asked often enough to be put together."),
    "msis29": _QUESTIONS,
    "neuroqol": _QUESTIONS,
    "pdq39": _QUESTIONS,
    "alsfrs_r": _QUESTIONS,
}
"""The run-in of each assessment."""

UNDECLARED = RunIn(1, f"{_NO_FIGURE}: one run.")
"""For an assessment that somebody else added."""

OBSERVED = RunIn(0, "An observation stands as it was made.", "each")
"""For clinical observations."""


def run_index(at_day: FloatArray, performed_day: FloatArray) -> IntArray:
    """Return for each time the how many-th test it was (from 1), among the sorted times of every performed one.

    Of several tests that began at one instant, all have the number of the last.
    """
    return np.searchsorted(performed_day, at_day, side="right").astype(np.int64)
