"""Symbol-digit test of cognitive processing speed: press the digit that belongs to the symbol shown, for 90 seconds.

A key of nine symbols and their digits stays in sight. A second level, 20 seconds, shows digits in place of symbols: it
needs the same eyes and fingers but no key. The difference of the two is the *substitution time*, the cost of thinking.

What each part of the recording carries:

* condition: ``mode`` (symbol_to_digit, digit_to_digit), ``sequence`` of the items (predefined, random) and, for
  symbols, ``key`` (fixed_1, fixed_2, fixed_3: keys that never change; random: a new key with each symbol).
* event ``answer``, at the time ``t`` of the answer: ``shown_at`` (s, when the item appeared; the column is
  ``shown_at_s``), ``shown`` (number of the symbol, 1 to 9, or the digit), ``expected`` (the digit that is right),
  ``answered`` (the digit that was pressed) and, for symbols, ``answered_as`` (number of the symbol to which that digit
  belongs; without it mix-ups of symbols cannot be told). An item without an answer does not count.
* stream ``touch``, optional: its ``pressure``.

Here stand what clinicians follow and when a test counts; the details of each level are in ``level.py``.

Source: the published definitions of Konectom (DISPEL 0.0.3, generic/tasks/cps), written afresh. Deviations: every
level of symbols counts, not just the first; the substitution time is symbols minus digits, and comes with every key;
pressure that the phone cannot sense is absent and not 0; an answer dated before its item has no reaction time, but it
costs no other value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from konectom.assessments._pressure import NO_PRESSURE, with_sensed_pressure
from konectom.assessments.base import (
    Condition,
    Measure,
    Outcome,
    Rule,
    assessment,
    behavioural,
    clinician,
    invalid,
    limited,
    noted,
    parts_by_condition,
    technical,
)
from konectom.assessments.cps.level import (
    ANSWERS,
    CORRECT,
    DETAILS,
    DIGIT,
    DURATION_S,
    KEY,
    MODE,
    REACTION,
    SEQUENCE,
    SYMBOL,
    SYMBOLS,
    TOUCHES,
    Level,
    read_level,
    varied,
    write_details,
)
from konectom.recording import Part, Recording
from konectom.signals.statistics import describe

STUDY = (
    "Multiple Sclerosis Journal 2024, doi:10.1177/13524585241259650 (80 people with MS, 66 without): measures of this "
    "test agreed between remote repetitions (ICC 0.67 to 0.87) and followed the SDMT (|rho| up to 0.80)."
)
OWN = "konectom's own definition over all keys of the test; the published library has it {}."
UNCONFOUNDED = STUDY + " Demographics and motor function affected the substitution time least."

KEY_KIND = varied("key", ("fixed", "random"), "keyf", "keyr")
SUBSTITUTION = Measure(
    "substitution_time", "s", "Mean reaction time to symbols minus that to digits.", better="lower", plausible=(-2, 10)
)
ACCURACY = Measure("accuracy", "%", "Right answers among all.", better="higher", plausible=(0, 100))
UNSTEADINESS = Measure(
    "unsteadiness", "1", "Coefficient of variation of the reaction times.", better="lower", plausible=(0, 3)
)
SLOWING = Measure(
    "slowing", "s", "Mean reaction time of the last third minus the first.", better="lower", plausible=(-10, 10)
)


def overall(measure: Measure, *by: Condition, dispel: str = "", score: bool = True, evidence: str = "") -> Measure:
    """Return the measure for the test as a whole: the mean over the keys that were used."""
    statistics = ("mean",) if measure is REACTION else ()
    aliases = {"dispel": dispel} if dispel else {}
    return replace(measure, by=by, statistics=statistics, aliases=aliases, score=score, evidence=evidence)


MEASURES = (
    # One number for each test, so that another key does not break a patient's series.
    overall(CORRECT, MODE, evidence=STUDY),
    overall(REACTION, MODE, dispel="cps-{mode}-rt-{statistic}", evidence=STUDY),
    overall(SUBSTITUTION, evidence=UNCONFOUNDED),
    overall(ACCURACY, SYMBOLS, evidence=OWN.format("for each key, as the share of errors")),
    overall(UNSTEADINESS, SYMBOLS, evidence=OWN.format("for thirds of each level")),
    overall(SLOWING, SYMBOLS, evidence=OWN.format("for each key, as the difference of two thirds")),
    # The same by kind of key, and by sequence.
    overall(SUBSTITUTION, KEY_KIND, dispel="cps-{key}-substitution_time", score=False, evidence=UNCONFOUNDED),
    overall(CORRECT, SYMBOLS, SEQUENCE, dispel="cps-{mode}_{sequence}-corr", score=False),
    *DETAILS,
)

# Limits without a source are our own, set where attentive people do not come.
FEWEST_RIGHT = 3  # the published library flags a reaction time that rests on fewer
GUESSED, CARELESS = 1 / 3, 0.8  # shares of right answers; guessing gives 1/9
LONGEST_PAUSE_S = 10.0
FASTEST_S, MOST_TOO_FAST = 0.2, 0.05
MOST_OFF_DUE = 0.1

QUALITY = (
    Rule(
        "few_values",
        behavioural,
        noted,
        "Some details rest on very few answers.",
        aliases={"dispel": "cps-behavioral-deviation-nedp"},
        to=clinician,
    ),
    Rule("too_few_symbols", behavioural, invalid, "Fewer than 3 symbols were answered right. Please repeat the test."),
    Rule("too_few_digits", behavioural, limited, "Fewer than 3 digits were answered right. Please do both parts."),
    Rule("guessed", behavioural, invalid, "Most answers were wrong. Please read how it is done and repeat the test."),
    Rule("many_errors", behavioural, limited, "Many answers were wrong. Next time, please be right before being fast."),
    Rule("pause", behavioural, limited, "For a long while no answer came. Please repeat the test without a pause."),
    Rule("too_fast", behavioural, limited, "Some answers came before one can have looked. Please look, then press."),
    Rule("wrong_duration", technical, limited, "The test was shorter or longer than it should be. Please repeat it."),
    Rule("level_missing", technical, limited, "Half of the test is missing. Please do both parts."),
    NO_PRESSURE,
)


@assessment(
    "cps",
    version=1,
    title="Symbol-digit test",
    domain="cognition",
    inputs=(ANSWERS, TOUCHES),
    measures=MEASURES,
    quality=QUALITY,
    source="DISPEL 0.0.3 (MIT), generic/tasks/cps",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Press the digit that belongs to the symbol shown, as many as possible in 90 s; then digits alone, for 20 s."""
    recording = with_sensed_pressure(recording, out)
    parts = parts_by_condition(recording, out, _conditions, size=lambda part: len(part.events["answer"]))
    levels = [level for where, part in parts if (level := read_level(part, where))]
    for level in levels:
        _judge(level, out)
        if len(level.where) == len(_conditions(level.part)):
            write_details(level, out)
    out.mean_over("key", ("fixed_1", "fixed_2"), into="fixed_1_or_2")
    _write_overall(levels, out)
    symbols, digits = (any(level.where["mode"] == mode for level in levels) for mode in MODE.levels)
    out.flag("level_missing", when=not (symbols and digits))


def _conditions(part: Part) -> tuple[Condition, ...]:
    return (MODE, SEQUENCE) if part.condition.get("mode") == DIGIT else (MODE, SEQUENCE, KEY)


def _judge(level: Level, out: Outcome) -> None:
    answers, where, mode = level.answers, level.where, level.where["mode"]
    few = {name: times.size for name, times in level.times.items() if 0 < times.size < FEWEST_RIGHT}
    out.flag("few_values", when=bool(few), answers=few, **where)
    right, share = np.count_nonzero(answers.right), answers.right.mean()
    out.flag("too_few_symbols", when=mode == SYMBOL and right < FEWEST_RIGHT, right=right, **where)
    out.flag("too_few_digits", when=mode == DIGIT and right < FEWEST_RIGHT, right=right, **where)
    out.flag("guessed", when=share < GUESSED, right_share=share, **where)
    out.flag("many_errors", when=GUESSED <= share < CARELESS, right_share=share, **where)
    fast = np.count_nonzero(answers.reaction_s < FASTEST_S) / len(answers)
    out.flag("too_fast", when=fast > MOST_TOO_FAST, share=fast, **where)
    at_the_end_s = 0.0 if level.part.end_s is None else level.part.end_s - answers.t_s[-1]
    pause_s = np.fmax.reduce(answers.reaction_s, initial=at_the_end_s)
    out.flag("pause", when=pause_s > LONGEST_PAUSE_S, longest_s=pause_s, **where)
    lasted_s, due_s = level.part.duration_s, DURATION_S[mode]
    off = lasted_s is not None and abs(lasted_s - due_s) > MOST_OFF_DUE * due_s
    out.flag("wrong_duration", when=off, lasted_s=lasted_s, due_s=due_s, **where)
    early = np.count_nonzero(np.isnan(answers.reaction_s))
    out.flag("time_disorder", when=early > 0, answers_before_item=early, **where)


def _write_overall(levels: list[Level], out: Outcome) -> None:
    """Write what stands for the test as a whole: means over the levels of each mode."""
    symbols, digits = ([level for level in levels if level.where["mode"] == mode] for mode in MODE.levels)
    for mode, found in ((SYMBOL, symbols), (DIGIT, digits)):
        _write_mean(out, "correct", [_correct(level) for level in found], mode=mode)
        _write_mean(out, "reaction_time", [_mean(level.times[""]) for level in found], mode=mode)
    _write_mean(out, "accuracy", [100.0 * level.answers.right.mean() for level in symbols], mode=SYMBOL)
    _write_mean(out, "unsteadiness", [describe(level.times[""], ("cv",))[0] for level in symbols], mode=SYMBOL)
    _write_mean(out, "slowing", [_slowing(level) for level in symbols], mode=SYMBOL)
    for sequence in SEQUENCE.levels:
        found = [level for level in symbols if level.where.get("sequence") == sequence]
        if found:
            _write_mean(out, "correct", [_correct(level) for level in found], mode=SYMBOL, sequence=sequence)
    digit_s = _mean([_mean(level.times[""]) for level in digits])
    cost_s = [(level.where.get("key", ""), _mean(level.times[""]) - digit_s) for level in symbols if digits]
    _write_mean(out, "substitution_time", [cost for _, cost in cost_s])
    for kind in KEY_KIND.levels:
        if any(level.where.get("key", "").startswith(kind) for level in symbols):
            _write_mean(out, "substitution_time", [cost for key, cost in cost_s if key.startswith(kind)], key=kind)


def _correct(level: Level) -> int:
    return int(np.count_nonzero(level.answers.right))


def _slowing(level: Level) -> float:
    return _mean(level.times["last_third"]) - _mean(level.times["first_third"])


def _mean(values: ArrayLike) -> float:
    return float(describe(values, ("mean",))[0])


def _write_mean(out: Outcome, quantity: str, values: Sequence[float], **where: str) -> None:
    if not values:
        out.absent(quantity, "condition_not_recorded", **where)
    elif np.isnan(_mean(values)):
        out.absent(quantity, "too_few_values", **where)
    else:
        out(quantity, _mean(values), **where)
