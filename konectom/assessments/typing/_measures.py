"""What is measured of typing, and under which conditions."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from konectom.assessments._tremor import tremor_measures
from konectom.assessments.base import CENTRE_AND_RANGE, Condition, Measure
from konectom.assessments.typing._write import DIFFICULTIES

DIFFICULTY = Condition("difficulty", DIFFICULTIES, means="How often the time given for a word had been shortened.")
KIND = Condition(
    "words",
    ("all", "right", "wrong"),
    aliases={"dispel": ("", "correct", "incorrect")},
    means="All words, those typed in time, or those not.",
)

Better = Literal["higher", "lower"]

LIBRARY = "Definition: DISPEL 0.0.3 (MIT), bdh/tasks/typing."
LATENCY = (
    "konectom's own definition, of a test; in everyday typing the time between key presses followed the EDSS (0.41):"
    " Lam et al. 2021, Mult Scler, doi:10.1177/1352458520968797 (102 people with MS, 24 without)."
)


def told(quantity: str, unit: str, means: str, better: Better | None, dispel: str = "") -> Measure:
    """Declare a measure with the library's name of it."""
    return Measure(quantity, unit, means, better=better, aliases={"dispel": f"tt-{dispel}"} if dispel else {})


def series(
    quantity: str, means: str, better: Better | None, dispel: str = "", high: float = 60.0, unit: str = "s"
) -> Measure:
    """Declare a measure with its usual statistics, from 0 to ``high``."""
    alias = f"{dispel}-{{statistic}}" if dispel else ""
    return replace(
        told(quantity, unit, means, better=better, dispel=alias), plausible=(0, high), statistics=CENTRE_AND_RANGE
    )


def count(quantity: str, means: str, better: Better | None, dispel: str = "") -> Measure:
    """Declare a count."""
    return replace(told(quantity, "1", means, better=better, dispel=dispel), plausible=(0, 2000))


WORD_DURATION = series(
    "word_duration",
    "How long a word was shown until it was typed or its time ran out.",
    better="lower",
    dispel="word_duration",
)
REACTION = series("reaction_time", "From a word's appearance to the first key under it.", better="lower", dispel="rt")
FIRST_RIGHT = series(
    "first_right_letter_time", "From a word's appearance to its first letter.", better="lower", dispel="rt_fc"
)
SLOPE = told(
    "reaction_time_slope",
    "1",
    "Mean change of the reaction time from word to word, by second.",
    better="lower",
    dispel="rt_slope",
)
KEY_INTERVAL = series(
    "key_interval",
    "From one key to the next, both letters or Backspace.",
    better="lower",
    dispel="letter_intervals_{words}",
)
SLOWEST = series(
    "slowest_key_interval",
    "The slowest tenth of the times between keys.",
    better="lower",
    dispel="top_10_letter_intervals_{words}",
)
CHANGE = series(
    "word_duration_change",
    "Mean duration of right words at a difficulty minus that at the one before.",
    better=None,
    dispel="word_duration_slope",
)
INTERVAL_CHANGE = series(
    "key_interval_change_before_mistake",
    "Change from a time between keys to the next, before a mistake.",
    better=None,
    dispel="derived_interval_until_mistake",
)
DEVIATION = series(
    "key_interval_deviation",
    "Largest squared deviation of a time between keys from their mean under a word.",
    better="lower",
    dispel="letter_interval_max_dev",
    high=3600,
    unit="s2",
)
QUARTILES = (*CENTRE_AND_RANGE, "iqr")

MEASURES = (
    replace(
        count("words_right", "Words typed in time.", better="higher", dispel="n_correct_words"),
        score=True,
        evidence=LIBRARY,
    ),
    count("words_wrong", "Words not typed in time.", better="lower", dispel="n_incorrect_words"),
    replace(FIRST_RIGHT, score=("median",), evidence=LIBRARY),
    replace(
        series("letter_interval", "From one right letter to the next within a word.", better="lower"),
        score=("median",),
        evidence=LATENCY,
    ),
    replace(
        told("rhythm_irregularity", "1", "Coefficient of variation of the time between right letters.", better="lower"),
        plausible=(0, 10),
        score=True,
        evidence="konectom's own definition of the rhythm.",
    ),
    replace(
        told("wrong_letter_share", "%", "Letters that made the input wrong, among all.", better="lower"),
        plausible=(0, 100),
        score=True,
        evidence="konectom's own definition; the library's counts of letters hold Backspaces as well.",
    ),
    replace(
        series(
            "keys_per_letter",
            "Keys for each letter of a right word.",
            better="lower",
            dispel="ratio_letters_typed_len",
            high=20,
            unit="1",
        ),
        score=("mean",),
        evidence=LIBRARY,
    ),
    REACTION,
    replace(SLOPE, plausible=(-10, 10)),
    replace(
        SLOPE,
        quantity="first_right_letter_time_slope",
        means="Mean change of the time to the first right letter from word to word, by second.",
        aliases={"dispel": "tt-rt_fc_slope"},
        plausible=(-10, 10),
    ),
    WORD_DURATION,
    replace(
        WORD_DURATION,
        means="How long right words were shown.",
        by=(DIFFICULTY,),
        statistics=("mean", "median", "sd"),
        aliases={"dispel": "tt-word_duration-{difficulty}-{statistic}"},
    ),
    replace(
        WORD_DURATION,
        quantity="last_words_duration",
        means="How long the last three right words were shown.",
        statistics=("mean", "median", "sd"),
        aliases={"dispel": "tt-word_duration-last_three-{statistic}"},
    ),
    replace(CHANGE, plausible=(-60, 60)),
    series(
        "error_duration",
        "Time in which the input of a right word was wrong.",
        better="lower",
        dispel="reaction_duration",
    ),
    series(
        "correction_duration", "Time in which a right word was corrected.", better="lower", dispel="correcting_duration"
    ),
    series(
        "error_recognition_time",
        "From a wrong key to a Backspace that does not yet make the input right.",
        better="lower",
        dispel="reacting_time",
    ),
    count(
        "words_without_error", "Right words without a wrong key.", better="higher", dispel="words_typed_without_error"
    ),
    count("words_with_error", "Right words with a wrong key.", better="lower", dispel="words_typed_with_error"),
    count(
        "run_without_error",
        "Longest run of words without a wrong key.",
        better="higher",
        dispel="consecutive_words_typed_without_error",
    ),
    count(
        "run_with_error",
        "Longest run of words with a wrong key.",
        better="lower",
        dispel="consecutive_words_typed_with_error",
    ),
    series(
        "likeness",
        "Likeness of the input to a word that it never became.",
        better="higher",
        dispel="sim_ratio",
        high=1,
        unit="1",
    ),
    count("right_keys", "Letters and Backspaces that led to a right input.", better="higher", dispel="correct_letters"),
    replace(KEY_INTERVAL, by=(KIND,)),
    replace(SLOWEST, by=(KIND.only("all", "right"),), statistics=QUARTILES),
    replace(DEVIATION, statistics=QUARTILES),
    series(
        "key_interval_before_mistake",
        "Time between keys under a word, up to the first mistake.",
        better="lower",
        dispel="interval_until_mistake",
    ),
    replace(INTERVAL_CHANGE, plausible=(-60, 60)),
    replace(
        told(
            "words_per_key",
            "1",
            "Right words over all letters and Backspaces.",
            better="higher",
            dispel="ratio_correct_words_letters",
        ),
        plausible=(0, 1),
    ),
    replace(
        told(
            "typing_slowing",
            "1",
            "Mean change of the time between keys from word to word, by second.",
            better="lower",
            dispel="typing_speed_slope",
        ),
        plausible=(-10, 10),
    ),
    count("autocompletions", "Words or letters that the keyboard completed.", better=None, dispel="n_autocompletion"),
    *tremor_measures("tt", norm=False),
)
