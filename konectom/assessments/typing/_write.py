"""What is measured of the words and keys."""

from __future__ import annotations

from difflib import SequenceMatcher

import numpy as np

from konectom.assessments._outcome import Outcome
from konectom.assessments.typing._keys import CORRECTING, RIGHT, WRONG, Keys, Words
from konectom.recording import FloatArray
from konectom.signals.responses import BoolArray
from konectom.signals.statistics import LEAST_VALUES, describe

DIFFICULTIES = tuple(str(number) for number in range(20))


def write_words(words: Words, out: Outcome) -> None:
    """Write how many words were typed in time, and how long they took."""
    right, duration_s = words.right, words.duration_s
    out("words_right", np.count_nonzero(right))
    out("words_wrong", np.count_nonzero(~right))
    out("word_duration", duration_s)
    out("last_words_duration", duration_s[right][-3:])
    # The shorter the time limit, the more difficult.
    _, number = np.unique(-words.limit, return_inverse=True)
    usable = right & np.isfinite(duration_s)
    means = []
    for difficulty in DIFFICULTIES:
        found_s = duration_s[usable & (number == int(difficulty))]
        if found_s.size:
            out("word_duration", found_s, difficulty=difficulty)
            means.append(found_s.mean())
        else:
            out.absent("word_duration", "condition_not_recorded", difficulty=difficulty)
    out("word_duration_change", np.diff(means))


def write_reactions(keys: Keys, out: Outcome) -> None:
    """Write how long it took from a word to its first key, and to its first right one."""
    words = keys.words
    begins_with = np.array([number >= 0 and keys.text[at] == words.text[number][:1] for at, number in _numbered(keys)])
    for quantity, wanted in (
        ("reaction_time", np.ones(len(keys), dtype=np.bool_)),
        ("first_right_letter_time", begins_with),
    ):
        taken_s = _first_after(words, keys, wanted)
        out(quantity, taken_s)
        _single(f"{quantity}_slope", _mean_slope(taken_s, words.begin_s), out)


def _numbered(keys: Keys) -> list[tuple[int, int]]:
    """Return each key's place and the number of the word that it came under, the last key of a word included."""
    at_end = np.searchsorted(keys.words.begin_s, keys.t_s, side="left") - 1
    return list(enumerate(at_end.tolist()))


def _first_after(words: Words, keys: Keys, wanted: BoolArray) -> FloatArray:
    """Return the time from each word's appearance to the first wanted key under it, NaN where there is none."""
    t_s = keys.t_s[wanted.astype(np.bool_)]
    if not t_s.size:
        return np.full(words.begin_s.size, np.nan)
    place = np.searchsorted(t_s, words.begin_s, side="right")
    first_s = np.append(t_s, np.nan)[place]
    until_s = np.where(np.isfinite(words.end_s), words.end_s, np.inf)
    next_s = np.append(words.begin_s[1:], np.inf)
    found = first_s <= np.minimum(until_s, next_s)
    return np.where(found, np.round(first_s - words.begin_s, 9), np.nan)


def write_errors(keys: Keys, out: Outcome) -> None:
    """Write how long mistakes lasted and were corrected, and how many words were free of them."""
    begins, ends = keys.stretches()
    passed_s = np.concatenate(([0.0], np.cumsum(np.nan_to_num(keys.interval_s))))
    lasting_s = np.round(passed_s[ends] - passed_s[begins], 9)
    state, counts = keys.state[begins], keys.under_right[begins]
    out("error_duration", lasting_s[(state == WRONG) & counts])
    out("correction_duration", lasting_s[(state == CORRECTING) & counts])
    out("error_recognition_time", keys.interval_s[begins[(state == CORRECTING) & counts]])
    words = keys.words
    typed = np.zeros(words.right.size, dtype=np.bool_)
    faultless = np.ones(words.right.size, dtype=np.bool_)
    placed = keys.word >= 0
    typed[keys.word[placed]] = True
    faultless[keys.word[placed & (keys.state != RIGHT)]] = False
    out("words_without_error", np.count_nonzero(words.right & typed & faultless))
    out("words_with_error", np.count_nonzero(words.right & typed & ~faultless))
    out("run_without_error", _longest(typed & faultless, words.right))
    out("run_with_error", _longest(typed & ~faultless, words.right))
    out("autocompletions", np.count_nonzero(keys.completed))


def _longest(flags: BoolArray, right: BoolArray) -> int:
    """Return the length of the longest run of words with a flag, of the runs with a right word in them."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return max((after - first for first, after in runs if right[first:after].any()), default=0)


def write_letters(keys: Keys, out: Outcome) -> None:
    """Write how much was typed for each word, and how like the word it was where it never was the word."""
    words, letter = keys.words, keys.letter
    out("right_keys", np.count_nonzero(letter & (keys.state == RIGHT)))
    spans = keys.spans()
    likeness, per_letter = [], []
    for number, span in spans:
        best = max(_likeness(text, words.text[number]) for text in set(keys.input[span]))
        if best < 1:
            likeness.append(best)
        if words.right[number] and words.text[number]:
            per_letter.append(np.count_nonzero(letter[span]) / len(words.text[number]))
    out("likeness", likeness)
    out("keys_per_letter", per_letter)
    typed = np.count_nonzero(letter)
    _single("words_per_key", np.count_nonzero(words.right) / typed if typed else np.nan, out)
    singles = np.count_nonzero(keys.single & (keys.word >= 0))
    wrong = np.count_nonzero(keys.wrong_letter)
    _single("wrong_letter_share", 100.0 * wrong / singles if singles else np.nan, out)


def _likeness(one: str, other: str) -> float:
    """Return twice the letters in common over all (Ratcliff & Metzener 1988, as Python's difflib has it)."""
    return 1.0 if one == other else SequenceMatcher(None, one, other).ratio()


def write_intervals(keys: Keys, out: Outcome) -> None:
    """Write the times between keys."""
    letter, interval_s = keys.letter, keys.interval_s
    follows = letter.copy()
    follows[1:] &= letter[:-1]
    follows[:1] = False
    placed = keys.word >= 0
    groups = {
        "all": follows,
        "right": follows & keys.under_right,
        "wrong": follows & placed & ~keys.under_right,
    }
    for words, rows in groups.items():
        found_s = interval_s[rows]
        out("key_interval", found_s, words=words)
        if words != "wrong":
            slowest_s = found_s[found_s >= np.percentile(found_s, 90)] if found_s.size else found_s
            out("slowest_key_interval", slowest_s, words=words)
    within = keys.single & keys.good & ~keys.first
    within[1:] &= keys.single[:-1] & keys.good[:-1]
    out("letter_interval", interval_s[within])
    spread = describe(interval_s[within], ("cv",))[0] if np.count_nonzero(within) >= LEAST_VALUES["cv"] else np.nan
    _single("rhythm_irregularity", spread, out)
    _write_intervals_by_word(keys, follows, out)


def _write_intervals_by_word(keys: Keys, follows: BoolArray, out: Outcome) -> None:
    deviation, until, change, speed = [], [], [], np.full(keys.words.right.size, np.nan)
    for number, span in keys.spans():
        found_s = keys.interval_s[span][follows[span]]
        if found_s.size:
            deviation.append(float(((found_s - found_s.mean()) ** 2).max()))
        since_s = np.round(np.diff(keys.t_s[span], prepend=np.nan), 9)
        if since_s.size > 1:
            speed[number] = np.mean(since_s[1:])
        mistakes = np.flatnonzero(keys.state[span] != RIGHT)
        before = slice(0, int(mistakes[0]) if mistakes.size else None)
        letter = keys.letter[span][before]
        until.append(since_s[before][letter])
        change.append(np.diff(since_s, prepend=np.nan)[before][letter])
    out("key_interval_deviation", deviation)
    out("key_interval_before_mistake", _known(until))
    out("key_interval_change_before_mistake", _known(change))
    shown = np.array([number for number, _ in keys.spans()], dtype=np.intp)
    _single("typing_slowing", _mean_slope(speed[shown], keys.words.begin_s[shown]), out)


def _known(rows: list[FloatArray]) -> FloatArray:
    together = np.concatenate(rows) if rows else np.empty(0)
    return together[np.isfinite(together)]


def _mean_slope(values: FloatArray, at_s: FloatArray) -> float:
    """Return the mean of the slopes from each value to the next, NaN where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.diff(values) / np.diff(at_s)
    return float(slopes[np.isfinite(slopes)].mean()) if np.isfinite(slopes).any() else float("nan")


def _single(quantity: str, value: float, out: Outcome) -> None:
    if np.isfinite(value):
        out(quantity, value)
    else:
        out.absent(quantity, "too_few_values")
