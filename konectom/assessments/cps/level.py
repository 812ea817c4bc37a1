"""One level of the symbol-digit test in detail: nearly all of its measures, and how they are computed.

Symbols 2 and 7, 3 and 8, 4 and 6 mirror one another, as do the digits 6 and 9; the others are unlike any.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from konectom.assessments._outcome import Outcome
from konectom.assessments._run import find
from konectom.assessments.base import CENTRE_AND_RANGE, Condition, Input, Measure, events
from konectom.recording import FloatArray, Part
from konectom.signals.responses import BoolArray, Responses, longest_run

ANSWERS = events("answer", ("shown_at_s", "shown", "expected", "answered"), means="Each item answered, and how.")
TOUCHES = Input("touch", ("pressure",), optional=True, means="Pressure of the finger, where the phone senses it.")

SYMBOL, DIGIT = "symbol_to_digit", "digit_to_digit"
DURATION_S = {SYMBOL: 90.0, DIGIT: 20.0}
ITEMS = {SYMBOL: {f"symbol_{n}": (n,) for n in range(1, 10)}, DIGIT: {f"digit_{n}": (n,) for n in (1, 6, 9)}}
PAIRS = {SYMBOL: {"2_and_7": (2, 7), "3_and_8": (3, 8), "4_and_6": (4, 6)}, DIGIT: {"6_and_9": (6, 9)}}
MIX_UPS = {  # what was shown, and what it was taken for
    SYMBOL: {f"{b}_for_{a}": (a, b) for a, b in ((2, 7), (7, 2), (3, 8), (8, 3), (4, 6), (6, 4))},
    DIGIT: {f"{b}_for_{a}": (a, b) for a, b in ((6, 9), (9, 6))},
}
ALIKE = {
    SYMBOL: {"unlike_any": (1, 5, 9), "mirrored": (2, 3, 4, 6, 7, 8)},
    DIGIT: {"unlike_any": (1, 2, 3, 4, 5, 7, 8), "mirrored": (6, 9)},
}
BACK_PLACES = {"2_back": 2, "3_back": 3}
CONTRASTS = {
    "last_5_minus_first_5": ("last_5", "first_5"),
    "last_minus_first_third": ("last_third", "first_third"),
    "second_minus_first_third": ("second_third", "first_third"),
    "last_minus_second_third": ("last_third", "second_third"),
}


def varied(name: str, levels: Iterable[str], *dispel: str, means: str = "") -> Condition:
    """Return a condition with the published library's abbreviations of its levels."""
    return Condition(name, tuple(levels), {"dispel": dispel}, means)


def numbered(name: str, levels: dict[str, dict[str, tuple[int, ...]]]) -> dict[str, Condition]:
    """Return, for each mode, a condition whose levels are numbered symbols or digits."""
    short = {SYMBOL: "sym", DIGIT: "dig"}
    return {
        mode: varied(name, named, *("".join(f"{short[mode]}{n}" for n in numbers) for numbers in named.values()))
        for mode, named in levels.items()
    }


MODE = varied("mode", (SYMBOL, DIGIT), "std", "dtd")
SYMBOLS, DIGITS = MODE.only(SYMBOL), MODE.only(DIGIT)
SEQUENCE = varied("sequence", ("predefined", "random"), "pre", "rand")
KEY = varied("key", ("fixed_1", "fixed_2", "fixed_3", "random"), "key1", "key2", "key3", "keyr")
KEY_1_OR_2 = varied("key", ("fixed_1_or_2",), "key1n2", means="mean over the fixed keys 1 and 2")
KEY_KIND = varied("key", ("fixed", "random"), "keyf", "keyr")
FIVES = varied("span", ("first_5", "last_5"), "f5", "l5", means="five answers")
THIRDS = varied(
    *("span", ("first_third", "second_third", "last_third", "after_first_third")),
    *("third1", "third2", "third3", "third2third3"),
    means="thirds of the time that the level is due to last, counted from the first answer",
)
CONTRAST = varied("contrast", CONTRASTS, "5lvs5f", "third3third1", "third2third1", "third3third2")
FIVES_APART, ENDS_APART = CONTRAST.only("last_5_minus_first_5"), CONTRAST.only("last_minus_first_third")
NEIGHBOURS_APART = CONTRAST.only("second_minus_first_third", "last_minus_second_third")
THIRDS_APART = CONTRAST.only(*ENDS_APART.levels, *NEIGHBOURS_APART.levels)
LIKENESS = varied("likeness", ALIKE[SYMBOL], "unique", "pair")
ITEM, PAIR, MIX_UP = (numbered(*each) for each in (("item", ITEMS), ("pair", PAIRS), ("mix_up", MIX_UPS)))
BACK = varied("back", BACK_PLACES, "2back", "3back")
LEFT_OUT = varied("left_out", ("none", "first_1", "first_2", "first_3"), "", "1rem", "2rem", "3rem")

COMMON = (*CENTRE_AND_RANGE, "p95", "p05", "iqr")
WHOLE = (*COMMON, "skew", "kurtosis")
OF_THIRDS = ("mean", "sd", "median", "min", "p95", "p05", "iqr")

CORRECT = Measure("correct", "1", "Right answers in the time given.", "higher", (0, 120))
CORRECT_CHANGE = Measure("correct_change", "1", "Right answers in one third minus another.", "higher", (-30, 30))
ANSWERED = Measure("answers", "1", "Answers given, right or wrong.", "higher", (0, 120))
ERRORS = Measure("errors", "1", "Wrong answers.", "lower", (0, 120))
ERROR_SHARE = Measure("error_share", "%", "Wrong answers among all.", "lower", (0, 100))
ACCURACY = Measure("accuracy", "%", "Right answers among all.", "higher", (0, 100))
RIGHT_RUN = Measure("longest_right_run", "1", "Most right answers in a row.", "higher", (0, 120))
WRONG_RUN = Measure("longest_wrong_run", "1", "Most wrong answers in a row.", "lower", (0, 120))
REACTION = Measure("reaction_time", "s", "Time from an item's appearance to its right answer.", "lower", (0, 10))
SUBSTITUTION = Measure(
    "substitution_time", "s", "Reaction time to symbols minus that to digits: the cost of the key.", "lower", (-2, 10)
)
UNSTEADINESS = Measure("unsteadiness", "1", "Coefficient of variation of the reaction times.", "lower", (0, 3))
SLOWING = Measure("slowing", "s", "Mean reaction time of the last third minus the first.", "lower", (-10, 10))
CHANGE = Measure(
    *("reaction_time_change", "s", "Reaction time of a later stretch minus an earlier one.", "lower", (-10, 10)),
    difference=True,
)
GAP = Measure("reaction_time_gap", "s", "How far apart reaction times to two mirrored items lie.", None, (0, 10))
REPETITION = Measure(
    "repetition_change", "s", "Reaction time to an item minus that to the same item before.", "lower", (-10, 10)
)
SLOPE = Measure("fatigue_slope", "s", "Slope of the reaction times, per answer.", "lower", (-10, 10))
FIT = Measure("fatigue_fit", "1", "Share of their variance that this slope explains.", None, (0, 1))
TAKEN = Measure("mix_ups", "1", "How often one item was taken for the other.", "lower", (0, 120))
TAKEN_RATE = Measure(
    "mix_up_rate", "1", "Share of the wrong answers to two items that took one for the other.", "lower", (0, 1)
)
PRESSURE = Measure("pressure", "1", "Pressure of the finger, in the phone's own unit.", None, (0, 7))


def in_symbols(measure: Measure, dispel: str, *by: Condition, key: Condition = KEY, **more: Any) -> Measure:
    """Return the measure for the symbols, with each key."""
    aliases = {"dispel": "cps-{mode}_{sequence}_{key}" + dispel}
    return replace(measure, by=(SYMBOLS, SEQUENCE, key, *by), aliases=aliases, **more)


def in_digits(measure: Measure, dispel: str, *by: Condition, **more: Any) -> Measure:
    """Return the measure for the digits."""
    return replace(measure, by=(DIGITS, SEQUENCE, *by), aliases={"dispel": "cps-{mode}_{sequence}" + dispel}, **more)


def in_both(measure: Measure, dispel: str, *by: Condition, **more: Any) -> tuple[Measure, ...]:
    """Return the measure for the symbols with each key and for the digits."""
    return in_symbols(measure, dispel, *by, **more), in_digits(measure, dispel, *by, **more)


def in_all(measure: Measure, dispel: str, *by: Condition, **more: Any) -> tuple[Measure, ...]:
    """Return the measure as in both, and as the mean over the fixed keys 1 and 2."""
    return *in_both(measure, dispel, *by, **more), in_symbols(measure, dispel, *by, key=KEY_1_OR_2, **more)


DETAILS = (
    # How many answers, and how right.
    *in_all(CORRECT, "-corr"),
    *in_both(CORRECT, "_{span}-corr", THIRDS),
    *in_both(CORRECT_CHANGE, "_{contrast}-corr_diff", THIRDS_APART),
    *in_both(ANSWERED, "-tot"),
    *in_both(ERRORS, "-err"),
    *in_both(ERRORS, "_{span}-err", THIRDS),
    in_digits(ERRORS, "_{item}-err", ITEM[DIGIT].only("digit_1")),
    *in_both(ERROR_SHARE, "-err_per"),
    *in_both(RIGHT_RUN, "-stk_corr"),
    *in_both(WRONG_RUN, "-stk_incorr"),
    # How fast: all right answers, stretches of the level, kinds of items, single items.
    *in_all(REACTION, "-rt-{statistic}", statistics=WHOLE),
    *in_all(REACTION, "_{span}-rt-{statistic}", FIVES, statistics=WHOLE),
    *in_both(REACTION, "_{span}-rt-{statistic}", THIRDS, statistics=(*COMMON, "cv")),
    *in_all(REACTION, "_{likeness}-rt-{statistic}", LIKENESS, statistics=COMMON),
    in_symbols(REACTION, "_{item}-rt-{statistic}", ITEM[SYMBOL], statistics=CENTRE_AND_RANGE),
    in_digits(REACTION, "_{item}-rt-{statistic}", ITEM[DIGIT], statistics=COMMON),
    # How speed changes: late against early, on repetition, from answer to answer, between mirrored items.
    *in_all(CHANGE, "_{contrast}-rt_diff-{statistic}", FIVES_APART, statistics=COMMON),
    *in_all(CHANGE, "_{contrast}-rt_diff-{statistic}", ENDS_APART, statistics=OF_THIRDS),
    *in_both(CHANGE, "_{contrast}-rt_diff-{statistic}", NEIGHBOURS_APART, statistics=OF_THIRDS),
    *in_both(REPETITION, "-{back}-{statistic}", BACK, statistics=(*CENTRE_AND_RANGE, "skew", "kurtosis")),
    *in_both(SLOPE, "_{left_out}-fat-slope", LEFT_OUT),
    *in_both(FIT, "_{left_out}-fat-r2", LEFT_OUT),
    in_symbols(GAP, "_{pair}-rt_diff-{statistic}", PAIR[SYMBOL], statistics=CENTRE_AND_RANGE),
    in_digits(GAP, "_{pair}-rt_diff-{statistic}", PAIR[DIGIT], statistics=COMMON),
    # Which items were mixed up, and the finger's pressure.
    in_symbols(TAKEN, "_{mix_up}-conf", MIX_UP[SYMBOL]),
    in_digits(TAKEN, "_{mix_up}-conf", MIX_UP[DIGIT]),
    in_symbols(TAKEN_RATE, "_{mix_up}-confr", MIX_UP[SYMBOL]),
    in_digits(TAKEN_RATE, "_{mix_up}-confr", MIX_UP[DIGIT]),
    *in_both(PRESSURE, "-press-{statistic}", statistics=(*CENTRE_AND_RANGE, "skew", "kurtosis")),
)


class Level(NamedTuple):
    """A part's answers, and under what they were given as far as that was told.

    ``times`` are the reaction times of right answers: all (""), in each span, to each item and each kind of item.
    """

    part: Part
    where: dict[str, str]
    answers: Responses
    spans: dict[str, BoolArray]
    times: dict[str, FloatArray]


def read_level(part: Part, where: dict[str, str]) -> Level | None:
    """Return a part's answers; None where there is none, or where the mode was not told."""
    mode, told = where.get("mode"), part.events["answer"]
    if mode is None:
        return None
    taken_as = told.columns.get("answered" if mode == DIGIT else "answered_as", np.full(len(told), np.nan))
    answers = Responses.of(told.t_s, told["shown_at_s"], told["shown"], told["expected"], told["answered"], taken_as)
    if not len(answers):
        return None
    spans = answers.spans(DURATION_S[mode])
    kinds = {name: np.isin(answers.shown, numbers) for name, numbers in (ALIKE[mode] | ITEMS[mode]).items()}
    times = {name: answers.times(rows) for name, rows in (spans | kinds).items()}
    return Level(part, where, answers, spans, {"": answers.times(), **times})


def write_details(level: Level, out: Outcome) -> None:
    """Write every measure of a level whose conditions are all known."""
    here = out.at(**level.where)
    _write_counts(level, here)
    _write_times(level, here)
    _write_mix_ups(level, here)
    _write_pressure(level, here)


def _write_counts(level: Level, out: Outcome) -> None:
    right, wrong, count = level.answers.right, ~level.answers.right, np.count_nonzero
    out("correct", count(right))
    out("answers", right.size)
    out("errors", count(wrong))
    out("error_share", 100.0 * wrong.mean())
    out("longest_right_run", longest_run(right))
    out("longest_wrong_run", longest_run(wrong))
    for third in THIRDS.levels:
        out("correct", count(right & level.spans[third]), span=third)
        out("errors", count(wrong & level.spans[third]), span=third)
    for contrast in THIRDS_APART.levels:
        late, early = (count(right & level.spans[third]) for third in CONTRASTS[contrast])
        out("correct_change", late - early, contrast=contrast)
    if level.where["mode"] == DIGIT:
        out("errors", count(wrong & (level.answers.shown == 1)), item="digit_1")


def _write_times(level: Level, out: Outcome) -> None:
    answers, times, mode = level.answers, level.times, level.where["mode"]
    out("reaction_time", times[""])
    for name, levels in (("span", level.spans), ("likeness", ALIKE[mode]), ("item", ITEMS[mode])):
        for each in levels:
            out("reaction_time", times[each], **{name: each})
    for contrast, (late, early) in CONTRASTS.items():
        out.of_several("reaction_time_change", (times[late], times[early]), np.subtract, contrast=contrast)
    for pair, both in PAIRS[mode].items():
        series = [answers.times(answers.shown == item) for item in both]
        out.of_several("reaction_time_gap", series, lambda one, other: np.abs(one - other), pair=pair)
    for back, places in BACK_PLACES.items():
        out("repetition_change", answers.change_on_repetition(places), back=back)
    for number, left_out in enumerate(LEFT_OUT.levels):
        slope, fit = answers.trend(number)
        out("fatigue_slope", slope, left_out=left_out)
        out("fatigue_fit", fit, left_out=left_out)


def _write_mix_ups(level: Level, out: Outcome) -> None:
    counts, shares = level.answers.mix_ups()
    told = np.isfinite(level.answers.taken_as).any()
    for mix_up, (shown, taken) in MIX_UPS[level.where["mode"]].items():
        if told:
            out("mix_ups", counts[shown, taken], mix_up=mix_up)
            out("mix_up_rate", (shares[shown, taken] + shares[taken, shown]) / 2, mix_up=mix_up)
        else:
            out.absent("mix_ups", "input_missing", mix_up=mix_up)
            out.absent("mix_up_rate", "input_missing", mix_up=mix_up)


def _write_pressure(level: Level, out: Outcome) -> None:
    touched = find(level.part, TOUCHES)
    if touched is None:
        out.absent("pressure", "input_missing")
    else:
        out("pressure", touched["pressure"])
