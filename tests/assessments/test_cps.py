"""The symbol-digit test, by hand and on real recordings."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from konectom import formats
from konectom.assessments._outcome import Result
from konectom.assessments.cps import extract as cps
from konectom.errors import ColumnInvalid
from konectom.recording import Part, Recording, Stream
from tests.shared import KONECTOM, SHARED, inflated, needs_shared

SYMBOLS = {"mode": "symbol_to_digit", "sequence": "random", "key": "fixed_1"}
DIGITS = {"mode": "digit_to_digit", "sequence": "random"}

Answer = tuple[int, int, float]
"""What was shown, what it was taken for, and the reaction time."""


def part(
    condition: dict[str, str],
    answers: Sequence[Answer],
    *,
    start_s: float = 0.0,
    duration_s: float | None = None,
    **more: Any,
) -> Part:
    """A part with these answers, half a second from each answer to the next item."""
    shown, taken, reaction_s = np.array(answers, dtype=float).reshape(-1, 3).T
    t_s = start_s + np.cumsum(reaction_s + 0.5) - 0.5
    columns = {"shown_at_s": t_s - reaction_s, "shown": shown, "expected": 10 - shown, "answered": 10 - taken}
    if condition.get("mode") == "symbol_to_digit":
        columns["answered_as"] = taken
    else:
        columns |= {"expected": shown, "answered": taken}
    for name in more.pop("without", ()):
        del columns[name]
    return Part(condition, start_s, duration_s, more.get("streams", {}), {"answer": Stream("answer", t_s, columns)})


def run(*parts: Part) -> Result:
    return cps.run(Recording("cps", parts))


def value(result: Result, quantity: str, statistic: str = "", **condition: str) -> float:
    (found,) = [
        float(result.features[entry.index])
        for entry in result.catalogue
        if (entry.quantity, entry.statistic, dict(entry.condition)) == (quantity, statistic, condition)
    ]
    return found


def flags(result: Result) -> set[str]:
    return {flag.code.removeprefix("cps.") for flag in result.quality.flags}


def steady(count: int, reaction_s: float, *, wrong: int = 0) -> list[Answer]:
    """So many answers at about the same pace, the last of them wrong."""
    items = [1 + index % 9 for index in range(count)]
    return [
        (item, item if index < count - wrong else 1 + item % 9, reaction_s + 0.001 * (index % 3))
        for index, item in enumerate(items)
    ]


GOOD = (part(SYMBOLS, steady(36, 2.0), duration_s=90.0), part(DIGITS, steady(15, 0.9), start_s=100.0, duration_s=20.0))


def test_a_good_test_is_valid_and_has_every_score() -> None:
    result = run(*GOOD)
    assert result.quality.verdict == "valid"
    assert {entry.key for entry, _ in result.scores()} == {entry.key for entry in cps.catalogue.scores}
    assert len(cps.catalogue.scores) == 8


def test_the_measures_of_a_small_level_by_hand() -> None:
    result = run(part(SYMBOLS, [(2, 2, 1.0), (5, 5, 3.0), (2, 7, 9.0), (2, 2, 1.5), (7, 7, 2.5), (2, 2, 2.0)]))
    assert value(result, "answers", **SYMBOLS) == 6
    assert value(result, "correct", **SYMBOLS) == 5
    assert value(result, "errors", **SYMBOLS) == 1
    assert value(result, "error_share", **SYMBOLS) == pytest.approx(100 / 6)
    assert value(result, "longest_right_run", **SYMBOLS) == 3
    assert value(result, "longest_wrong_run", **SYMBOLS) == 1
    assert value(result, "reaction_time", "mean", **SYMBOLS) == pytest.approx(2.0)
    assert value(result, "reaction_time", "max", **SYMBOLS) == pytest.approx(3.0)
    assert value(result, "reaction_time", "mean", **SYMBOLS, span="first_5") == pytest.approx(2.0)
    assert value(result, "reaction_time", "mean", **SYMBOLS, span="last_5") == pytest.approx(2.25)
    change = {"contrast": "last_5_minus_first_5"}
    assert value(result, "reaction_time_change", "mean", **SYMBOLS, **change) == pytest.approx(0.25)
    assert value(result, "reaction_time_change", "sd", **SYMBOLS, **change) < 0
    assert value(result, "reaction_time", "median", **SYMBOLS, item="symbol_2") == pytest.approx(1.5)
    assert value(result, "reaction_time", "mean", **SYMBOLS, likeness="unlike_any") == pytest.approx(3.0)
    assert value(result, "reaction_time", "mean", **SYMBOLS, likeness="mirrored") == pytest.approx(1.75)
    assert value(result, "reaction_time_gap", "mean", **SYMBOLS, pair="2_and_7") == pytest.approx(1.0)
    # Right answers in order: 2 (1.0), 5 (3.0), 2 (1.5), 7 (2.5), 2 (2.0).
    assert value(result, "repetition_change", "mean", **SYMBOLS, back="2_back") == pytest.approx(0.5)
    assert value(result, "mix_ups", **SYMBOLS, mix_up="7_for_2") == 1
    assert value(result, "mix_ups", **SYMBOLS, mix_up="2_for_7") == 0
    assert value(result, "mix_up_rate", **SYMBOLS, mix_up="7_for_2") == 0.5
    assert result.absent["cps.reaction_time[symbol_to_digit,random,fixed_1,symbol_9].mean"] == "too_few_values"
    assert result.absent["cps.pressure[symbol_to_digit,random,fixed_1].mean"] == "input_missing"


def test_thirds_are_of_the_time_that_the_level_is_due_to_last() -> None:
    result = run(part(SYMBOLS, [(1, 1, 9.5)] * 10))  # an answer every 10 s, from 9.5 s on
    counts = [value(result, "correct", **SYMBOLS, span=f"{third}_third") for third in ("first", "second", "last")]
    assert counts == [4, 4, 4]  # those on a border belong to both
    assert value(result, "correct_change", **SYMBOLS, contrast="last_minus_first_third") == 0


def test_substitution_time_is_symbols_minus_digits_whatever_the_order() -> None:
    symbols, digits = part(SYMBOLS, steady(20, 2.0)), part(DIGITS, steady(15, 0.75))
    for parts in ((symbols, digits), (digits, symbols)):
        result = run(*parts)
        assert value(result, "substitution_time") == pytest.approx(1.25, abs=1e-3)
        assert value(result, "substitution_time", key="fixed") == value(result, "substitution_time")
        assert np.isnan(value(result, "substitution_time", key="random"))


def test_several_keys_are_told_apart_and_averaged() -> None:
    result = run(
        part(SYMBOLS, [(1, 1, 1.0)] * 6),
        part(SYMBOLS | {"key": "fixed_2"}, [(1, 1, 2.0)] * 9),
        part(SYMBOLS | {"key": "random"}, [(1, 1, 6.0)] * 3),
        part(DIGITS, [(1, 1, 0.5)] * 5),
    )
    both = SYMBOLS | {"key": "fixed_1_or_2"}
    assert value(result, "correct", **both) == 7.5
    assert value(result, "reaction_time", "mean", **both) == pytest.approx(1.5)
    assert value(result, "reaction_time", "mean", **both, span="last_5") == pytest.approx(1.5)
    assert value(result, "correct", mode="symbol_to_digit") == 6.0
    assert value(result, "reaction_time", "mean", mode="symbol_to_digit") == pytest.approx(3.0)
    assert value(result, "substitution_time", key="fixed") == pytest.approx(1.0)
    assert value(result, "substitution_time", key="random") == pytest.approx(5.5)
    assert value(result, "substitution_time") == pytest.approx(2.5)


def test_a_change_of_key_does_not_break_a_series() -> None:
    keys = ("fixed_1", "fixed_2", "fixed_3", "random")
    series = [
        {entry.key for entry, _ in run(part(SYMBOLS | {"key": key}, steady(30, 2.0)), GOOD[1]).scores()} for key in keys
    ]
    assert all(each == series[0] for each in series)


def test_a_level_of_unknown_key_still_has_its_scores() -> None:
    result = run(part({"mode": "symbol_to_digit"}, steady(36, 2.0)), GOOD[1])
    assert {entry.key for entry, _ in result.scores()} == {entry.key for entry in cps.catalogue.scores}
    assert np.isnan(value(result, "correct", **SYMBOLS))
    assert "condition_unknown" in flags(result)


def test_a_part_of_unknown_mode_counts_for_nothing() -> None:
    result = run(part({"mode": "letter_to_digit"}, steady(36, 2.0)))
    assert not list(result.measures())
    assert flags(result) >= {"condition_unknown", "level_missing"}
    assert result.absent["cps.substitution_time"] == "condition_not_recorded"


def test_of_a_repeated_level_the_fullest_counts() -> None:
    result = run(part(SYMBOLS, steady(4, 2.0)), part(SYMBOLS, steady(30, 2.0)), part(SYMBOLS, steady(9, 2.0)), GOOD[1])
    assert value(result, "answers", **SYMBOLS) == 30
    assert "part_repeated" in flags(result)


def test_an_empty_level_costs_only_what_needs_it() -> None:
    result = run(GOOD[0], part(DIGITS, []))
    assert value(result, "correct", mode="symbol_to_digit") == 36
    assert result.absent["cps.substitution_time"] == "condition_not_recorded"
    assert result.absent["cps.correct[digit_to_digit]"] == "condition_not_recorded"
    assert flags(result) >= {"part_without_data", "level_missing"}


def test_items_without_an_answer_do_not_count() -> None:
    unanswered = part(SYMBOLS, [*steady(36, 2.0), (3, 3, 1.0)])
    for name in ("answered", "answered_as"):
        values = unanswered.events["answer"][name].copy()
        values[-1] = np.nan
        unanswered.events["answer"].columns[name] = values  # type: ignore[index]
    np.testing.assert_array_equal(run(unanswered).features, run(GOOD[0]).features)


def test_nothing_right_leaves_the_counts() -> None:
    result = run(part(SYMBOLS, steady(20, 2.0, wrong=20)), GOOD[1])
    assert value(result, "correct", mode="symbol_to_digit") == 0
    assert value(result, "accuracy", mode="symbol_to_digit") == 0
    assert result.absent["cps.reaction_time[symbol_to_digit].mean"] == "too_few_values"
    assert result.absent["cps.substitution_time"] == "too_few_values"
    assert result.quality.verdict == "invalid"


def test_an_answer_before_its_item_has_no_reaction_time() -> None:
    disturbed = part(SYMBOLS, steady(36, 2.0))
    shown_at_s = disturbed.events["answer"]["shown_at_s"].copy()
    shown_at_s[7] += 10.0
    disturbed.events["answer"].columns["shown_at_s"] = shown_at_s  # type: ignore[index]
    result = run(disturbed, GOOD[1])
    assert value(result, "correct", **SYMBOLS) == 36
    assert value(result, "reaction_time", "min", **SYMBOLS) == pytest.approx(2.0)
    assert "time_disorder" in flags(result)


def test_without_the_symbol_answered_mix_ups_are_not_told() -> None:
    result = run(part(SYMBOLS, steady(36, 2.0, wrong=2), without=("answered_as",)), GOOD[1])
    assert value(result, "errors", **SYMBOLS) == 2
    assert result.absent["cps.mix_ups[symbol_to_digit,random,fixed_1,7_for_2]"] == "input_missing"
    assert value(result, "mix_ups", **DIGITS, mix_up="9_for_6") == 0


def test_pressure_is_read_where_it_was_sensed() -> None:
    touch = Stream("touch", np.arange(3.0), {"pressure": np.array([0.2, np.nan, 0.4])})
    result = run(part(SYMBOLS, steady(36, 2.0), streams={"touch": touch}))
    assert value(result, "pressure", "mean", **SYMBOLS) == pytest.approx(0.3)


def test_texts_in_place_of_numbers_are_refused() -> None:
    wrong = part(SYMBOLS, steady(5, 2.0))
    wrong.events["answer"].columns["answered"] = np.array(["1"] * 5)  # type: ignore[index]
    with pytest.raises(ColumnInvalid):
        run(wrong)


@pytest.mark.parametrize(
    ("code", "bad"),
    [
        ("too_few_symbols", part(SYMBOLS, steady(2, 2.0))),
        ("too_few_digits", part(DIGITS, steady(2, 2.0))),
        ("guessed", part(SYMBOLS, steady(30, 2.0, wrong=25))),
        ("many_errors", part(SYMBOLS, steady(30, 2.0, wrong=8))),
        ("pause", part(SYMBOLS, [*steady(20, 2.0), (1, 1, 12.0)])),
        ("pause", part(SYMBOLS, steady(20, 2.0), duration_s=90.0)),
        ("too_fast", part(SYMBOLS, [*steady(30, 2.0), (1, 1, 0.05), (2, 2, 0.1)])),
        ("wrong_duration", part(SYMBOLS, steady(20, 2.0), duration_s=60.0)),
        ("wrong_duration", part(DIGITS, steady(20, 2.0), duration_s=30.0)),
        ("few_values", part(DIGITS, steady(9, 1.0))),
    ],
)
def test_each_rule_is_met_by_what_it_is_about_and_not_by_a_good_test(code: str, bad: Part) -> None:
    assert code in flags(run(bad))
    assert code not in flags(run(*GOOD)) or code == "few_values"


def test_few_values_names_what_rests_on_them() -> None:
    (flag,) = [each for each in run(GOOD[1]).quality.flags if each.code == "cps.few_values"]
    assert flag.evidence["answers"] == {"digit_1": 2, "digit_6": 2, "digit_9": 1}
    assert flag.severity == "info"


def test_the_catalogue_covers_every_published_measure_that_can_have_a_value() -> None:
    definitions = SHARED / "reference" / "measure_definitions.csv.gz"
    if not definitions.exists():
        pytest.skip("the published definitions are not beside this checkout")
    with gzip.open(definitions) as packed:
        published = {row["id"] for row in csv.DictReader(io.TextIOWrapper(packed, "utf-8"))}
    published = {name for name in published if name.startswith("cps-")}
    ours = {entry.aliases["dispel"] for entry in cps.catalogue if "dispel" in entry.aliases}
    assert ours <= published
    # Means over the keys 1 and 2 of quantities that no single key has: the library names but never computes them.
    idle = re.compile(
        r"cps-std_(pre|rand)_key1n2_("
        r"(f5|l5|unique|pair)-rt_diff-\w+|(5lvs5f|third3third1)-rt-\w+|(unique|pair)-rt-(skew|kurtosis)"
        r"|5lvs5f-rt_diff-(skew|kurtosis)|third3third1-rt_diff-(max|skew|kurtosis))"
    )
    assert {name for name in published - ours if not idle.fullmatch(name)} == set()


@needs_shared
@pytest.mark.parametrize(
    ("name", "thin"),
    [
        ("uat_cps", [{"symbol_2": 2}]),
        ("cps_table_type_4", [{"symbol_8": 1}, {"mirrored": 2, "digit_1": 2, "digit_6": 2}]),
    ],
)
def test_real_recordings_are_valid_and_flagged_where_the_library_flags_values(
    name: str, thin: list[dict[str, int]]
) -> None:
    (recording,) = formats.read(inflated(KONECTOM / "bdh" / "CPS" / f"{name}.json.gz")).recordings
    assert isinstance(recording, Recording)
    result = cps.run(recording)
    assert result.quality.verdict == "valid"
    (flag,) = [each for each in result.quality.flags if each.aliases.get("dispel") == "cps-behavioral-deviation-nedp"]
    assert [flag.evidence["answers"], *(more["answers"] for more in flag.evidence.get("further", ()))] == thin
