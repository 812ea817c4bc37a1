"""Mood scale: the app's own scores, and the library's times."""

from __future__ import annotations

import orjson
import pytest

from konectom import formats
from konectom.assessments import get_assessment
from konectom.recording import Recording
from tests.assessments.answering import by_key, of_answers, of_events, values
from tests.shared import KONECTOM, inflated, needs_shared


@pytest.mark.parametrize(("answer", "state"), [(1, 100), (2, 75), (3, 50), (4, 25), (5, 0)])
def test_answers_are_stretched_with_the_best_at_100(answer: int, state: float) -> None:
    told = values(of_answers("mood", {"1": answer, "2": 1}))
    assert told["psychological_state"] == state
    assert told["overall_state"] == (state + 100) / 2


@needs_shared
def test_the_app_computes_the_same() -> None:
    body = inflated(KONECTOM / "bdh/MOOD/example-mood.json")
    (recording,) = formats.read(body).recordings
    assert isinstance(recording, Recording)
    told, by_the_app = by_key(get_assessment("mood").run(recording)), orjson.loads(body)["body"]["measures"]
    assert told["psychological_state"] == by_the_app["response_to_psychological"]
    assert told["physical_state"] == by_the_app["response_to_physical"]
    assert told["overall_state"] == by_the_app["total_score"]


def test_the_library_gives_the_same_times_for_an_item_answered_five_times() -> None:
    shown = [26.901, 29.337, 31.289, 34.723, 39.783]
    given = [28.637, 30.589, 34.023, 39.083, 43.545]
    taps = [("2", value, s, t) for value, s, t in zip([3, 2, 1, 1, 2], shown, given, strict=True)]
    told = values(of_events("mood", [("1", 3, 23.898, 26.201), *taps]))
    # DISPEL 0.0.3 on the same answers:
    assert told["total_response_time[physical]"] == pytest.approx(13.844)
    assert told["response_time[physical].sd"] == pytest.approx(1.3121483147876234)
    assert told["response_time[physical].median"] == pytest.approx(2.734)
    assert told["answer_change[physical].mean"] == pytest.approx(-0.25)
    assert told["answer_change[physical].sd"] == pytest.approx(0.9574271440505981)
    assert told["answer_count[physical]"] == 5
    assert told["time_to_final_answer[physical]"] == pytest.approx(16.644)  # there with a minus
