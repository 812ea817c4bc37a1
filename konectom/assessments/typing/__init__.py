"""Typing: type the word that is shown, on the phone's own keyboard, before its time runs out, for a minute.

What the recording carries, in one part:

* event ``word`` for each word, at its appearance: the ``word``, the time ``limit`` given for it (s), when it
  disappeared (``ends_at``), and whether it was typed in time (``right``, 1 or 0). The limit falls as words succeed.
* event ``key`` for each key: the ``key`` (a letter, "Backspace", or what the keyboard suggested) and the ``input`` that
  it led to.
* optional: ``user_acceleration`` or ``accelerometer``, and ``gyroscope``, for tremor.

Source: the published definitions of Konectom (DISPEL 0.0.3, bdh/tasks/typing), written afresh. Deviations: a word that
is shown twice counts as two, not as one; a test that was not finished is measured and flagged; accents count neither
in the word nor in what was typed. What the library calls letters are letters and Backspace, so here they are keys; the
intervals between letters proper stand beside them. What it calls reaction time is the time to the first key under a
word: phones tell the last key of a word only after the next has appeared, so that it is a few milliseconds. The time
to the first right letter is not affected.
"""

from __future__ import annotations

from konectom.assessments._tremor import MOTION_INPUTS, write_tremor
from konectom.assessments.base import (
    Outcome,
    Rule,
    assessment,
    behavioural,
    events,
    fullest_part,
    limited,
    technical,
)
from konectom.assessments.typing._judge import judge
from konectom.assessments.typing._keys import Keys
from konectom.assessments.typing._measures import MEASURES
from konectom.assessments.typing._write import (
    write_errors,
    write_intervals,
    write_letters,
    write_reactions,
    write_words,
)
from konectom.recording import Recording

WORDS = events(
    "word",
    ("word", "limit", "ends_at_s", "right"),
    texts=("word",),
    means="Each word, at its appearance; until when it was shown, the time given, and whether it was typed in time.",
)
KEYS = events("key", ("key", "input"), texts=("key", "input"), means="Each key, and the input that it led to.")

QUALITY = (
    Rule(
        "auto_completed",
        behavioural,
        limited,
        "The keyboard completed words for you. Please type every letter yourself, or turn suggestions off.",
        aliases={"dispel": "tt-behavioral-deviation-auto_complete"},
    ),
    Rule("too_few_words", behavioural, limited, "Few words were typed. Please type the words as fast as you can."),
    Rule("pause", behavioural, limited, "For some seconds you did not type. Please repeat the test without a pause."),
    Rule(
        "many_errors",
        behavioural,
        limited,
        "Many letters were other than those shown. Please type the words that the phone shows.",
    ),
    Rule("wrong_duration", technical, limited, "The test was shorter or longer than it should be. Please repeat it."),
    Rule(
        "keys_without_word",
        technical,
        limited,
        "Some keys came while no word was shown. Please update the app and repeat the test.",
    ),
)


@assessment(
    "typing",
    version=1,
    title="Typing",
    domain="upper limb",
    inputs=(WORDS, KEYS, *MOTION_INPUTS),
    measures=MEASURES,
    quality=QUALITY,
    source="Konectom typing test (TT); DISPEL 0.0.3 (MIT), bdh/tasks/typing",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Type the words that are shown, on the phone's own keyboard, for a minute."""
    part = fullest_part(recording, out, lambda part: len(part.events["key"]))
    keys = Keys.of(part)
    judge(keys, part, out)
    write_words(keys.words, out)
    write_reactions(keys, out)
    write_errors(keys, out)
    write_letters(keys, out)
    write_intervals(keys, out)
    write_tremor(part.streams, out, rate_hz=None, norm=False, last=False)
