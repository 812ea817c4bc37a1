"""Timed answers: runs, spans, repetitions, mix-ups and trend, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konectom.signals.responses import Responses, longest_equal_run, longest_run, straight_line, within


def responses(
    *rows: tuple[float, float, int, int], expected: list[float] | None = None, taken_as: list[float] | None = None
) -> Responses:
    """Answers from (shown at, answered at, shown, answered)."""
    shown_at_s, t_s, shown, answered = np.array(rows, dtype=float).reshape(-1, 4).T
    right = shown if expected is None else np.array(expected)
    return Responses.of(t_s, shown_at_s, shown, right, answered, answered if taken_as is None else np.array(taken_as))


@given(st.lists(st.booleans(), max_size=30))
def test_the_longest_run_is_the_longest_stretch_of_true(flags: list[bool]) -> None:
    longest = max((len(run) for run in "".join("x" if flag else " " for flag in flags).split()), default=0)
    assert longest_run(np.array(flags, dtype=bool)) == longest


@pytest.mark.parametrize(("text", "longest"), [("", 0), ("a", 1), ("ab", 1), ("aab", 2), ("abbba", 3), ("aaaa", 4)])
def test_the_longest_run_of_equals(text: str, longest: int) -> None:
    assert longest_equal_run(np.array(list(text), dtype=np.str_)) == longest


def test_the_borders_of_a_span_belong_to_it() -> None:
    t_s = np.array([0.0, 0.1 + 0.2, 0.3001, 1.0])
    assert within(t_s, 0.0, 0.3).tolist() == [True, True, False, False]


def test_answers_are_sorted_by_time_and_incomplete_ones_left_out() -> None:
    held = responses((4.0, 5.0, 2, 2), (0.0, 1.5, 1, 3), (6.0, 7.0, 1, math.nan), (8.0, math.nan, 1, 1))  # type: ignore[arg-type]
    assert held.t_s.tolist() == [1.5, 5.0]
    assert held.reaction_s.tolist() == [1.5, 1.0]
    assert held.right.tolist() == [False, True]


def test_equal_times_stay_equal_after_subtraction() -> None:
    held = responses((0.1, 0.3, 1, 1), (1000.1, 1000.3, 1, 1))
    assert held.reaction_s[0] == held.reaction_s[1] == 0.2


def test_an_answer_before_its_item_is_an_answer_without_a_reaction_time() -> None:
    held = responses((0.0, 1.0, 1, 1), (3.0, 2.0, 2, 2))
    assert held.right.tolist() == [True, True]
    assert held.times().tolist() == [1.0]


def test_times_are_those_of_right_answers() -> None:
    held = responses((0.0, 1.0, 1, 1), (1.0, 3.0, 2, 1), (3.0, 6.0, 3, 3))
    assert held.times().tolist() == [1.0, 3.0]
    assert held.times(np.array([False, True, True])).tolist() == [3.0]


def test_spans_count_from_the_first_answer_and_share_their_borders() -> None:
    held = responses(*((float(t), t + 1.0, 1, 1) for t in range(0, 91, 10)))
    rows = {name: np.flatnonzero(span).tolist() for name, span in held.spans(90.0).items()}
    assert rows == {
        "first_5": [0, 1, 2, 3, 4],
        "last_5": [5, 6, 7, 8, 9],
        "first_third": [0, 1, 2, 3],
        "second_third": [3, 4, 5, 6],
        "last_third": [6, 7, 8, 9],
        "after_first_third": [3, 4, 5, 6, 7, 8, 9],
    }


def test_repetition_looks_back_among_right_answers_only() -> None:
    held = responses((0, 1.0, 4, 4), (1, 9.0, 5, 6), (10, 12.0, 7, 7), (12, 12.5, 4, 4), (13, 14.5, 7, 7))
    assert held.change_on_repetition(2).tolist() == [0.5 - 1.0, 1.5 - 2.0]
    assert held.change_on_repetition(3).size == 0
    assert held.change_on_repetition(9).size == 0


def test_mix_ups_are_counted_by_what_was_shown() -> None:
    held = responses((0, 1, 2, 7), (1, 2, 2, 7), (2, 3, 2, 5), (3, 4, 7, 7), (4, 5, 6, 6))
    counts, shares = held.mix_ups()
    assert counts[2, 7] == 2
    assert counts[7, 2] == 0
    assert shares[2, 7] == pytest.approx(2 / 3)
    assert shares[7, 2] == 0.0


def test_items_without_a_number_are_no_mix_ups() -> None:
    held = responses((0, 1, 12, 3), (1, 2, -1, 3), (2, 3, 2, 3), taken_as=[3.0, 3.0, math.nan])
    counts, _ = held.mix_ups()
    assert counts.sum() == 0


def test_the_trend_is_the_line_over_the_places_of_answers() -> None:
    held = responses((0, 1.0, 1, 1), (1, 9.0, 2, 1), (10, 13.0, 3, 3), (13, 17.0, 4, 4))
    slope, fit = held.trend(0)  # times 1, 3, 4 at places 0, 2, 3
    assert (slope, fit) == (pytest.approx(1.0), pytest.approx(1.0))
    slope, _ = held.trend(1)  # times 3, 4 move up to the places 0, 2
    assert slope == pytest.approx(0.5)
    assert np.isnan(held.trend(2)).all()
    assert np.isnan(held.trend(5)).all()


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=2, max_size=30))
def test_the_straight_line_is_that_of_least_squares(points: list[tuple[int, int]]) -> None:
    x, y = np.array(points, dtype=float).T
    slope, fit = straight_line(x, y)
    if np.ptp(x) == 0:
        assert math.isnan(slope)
        assert math.isnan(fit)
        return
    assert slope == pytest.approx(np.polyfit(x, y, 1)[0], abs=1e-8)
    if np.ptp(y) == 0:
        assert math.isnan(fit)
    else:
        assert fit == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2, abs=1e-9)
