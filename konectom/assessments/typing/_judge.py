"""When a typing test counts."""

from __future__ import annotations

import numpy as np

from konectom.assessments._outcome import Outcome
from konectom.assessments.typing._keys import Keys
from konectom.recording import Part

# Only the first is published; the other limits are our own, set where undisturbed tests do not come.
MOST_COMPLETED = 0
FEWEST_WORDS = 5
LONGEST_PAUSE_S = 10.0
MOST_WRONG, FEWEST_LETTERS = 0.5, 10
DUE_S, MOST_OFF_DUE = 60.0, 0.1
MOST_UNPLACED = 0.1


def judge(keys: Keys, part: Part, out: Outcome) -> None:
    """Flag what keeps the test from counting."""
    completed = np.count_nonzero(keys.completed)
    out.flag("auto_completed", when=completed > MOST_COMPLETED, keys=completed)
    right = np.count_nonzero(keys.words.right)
    out.flag("too_few_words", when=right < FEWEST_WORDS, words=right)
    pause_s = float(np.nanmax(keys.interval_s)) if len(keys) > 1 else 0.0
    out.flag("pause", when=pause_s > LONGEST_PAUSE_S, longest_s=round(pause_s, 1))
    letters = int(np.count_nonzero(keys.single))
    share = int(np.count_nonzero(keys.wrong_letter)) / max(letters, 1)
    out.flag("many_errors", when=letters >= FEWEST_LETTERS and share > MOST_WRONG, share=round(share, 3))
    off = part.duration_s is not None and abs(part.duration_s - DUE_S) > MOST_OFF_DUE * DUE_S
    out.flag("wrong_duration", when=off, lasted_s=part.duration_s, due_s=DUE_S)
    unplaced = float((keys.word < 0).mean()) if len(keys) else 0.0
    out.flag("keys_without_word", when=unplaced > MOST_UNPLACED, share=round(unplaced, 3))
