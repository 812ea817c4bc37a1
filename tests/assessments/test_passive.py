"""Passive monitoring, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.assessments.answering import by_key, codes, values
from tests.assessments.examples import Wire, run


def day(steps: list[float], pace: list[float | None] | None = None, **changed: Any) -> Wire:
    """A recording of minutes with these steps, and the pace of each where told."""
    events: list[dict[str, Any]] = [
        {"type": "pedometer", "t": 60.0 * n, "end_at": 60.0 * (n + 1), "steps": count} for n, count in enumerate(steps)
    ]
    for event, told in zip(events, pace or [], strict=False):
        event["pace_s_per_m"] = told
    return {"assessment": "passive", "duration_s": 60.0 * len(steps), "events": events} | changed


def test_sums_and_paces() -> None:
    told = values(day([0, 100, 80, 0, 60, *[0] * 300], [None, 0.8, 1.0, None, 1.6, *[None] * 300]))
    assert told["steps"] == 240
    assert told["active_duration"] == 3
    assert told["active_pace.mean"] == pytest.approx(np.mean([0.8, 1.0, 1.6]))
    assert told["active_pace.p95"] == pytest.approx(np.quantile([0.8, 1.0, 1.6], 0.95))
    assert told["cadence.max"] == 100
    assert told["peak_30_cadence"] == pytest.approx(240 / 30)
    assert told["observed"] == pytest.approx(305 / 60)


def test_without_a_pace_steps_make_a_minute_active() -> None:
    result = run(day([0, 100, 80, *[0] * 300]))
    assert by_key(result)["active_duration"] == 2
    assert result.absent["passive.active_pace.mean"] == "input_missing"
    assert result.absent["passive.distance"] == "input_missing"


def test_a_minute_sent_twice_counts_once() -> None:
    wire = day([50.0] * 300)
    wire["events"] += wire["events"][10:20]
    result = run(wire)
    assert by_key(result)["steps"] == 50 * 300
    (flag,) = result.quality.flags
    assert (flag.code, flag.evidence["count"]) == ("passive.interval_repeated", 10)


def test_longer_intervals_have_no_busiest_minutes() -> None:
    events = [{"type": "pedometer", "t": 3600.0 * n, "end_at": 3600.0 * (n + 1), "steps": 600} for n in range(8)]
    result = run({"assessment": "passive", "duration_s": 8 * 3600.0, "events": events})
    assert result.absent["passive.peak_30_cadence"] == "too_few_values"
    assert by_key(result)["cadence.mean"] == pytest.approx(10.0)
    assert by_key(result)["active_duration"] == 480


@pytest.mark.parametrize(
    ("wire", "flags"),
    [
        (day([50.0] * 120), {"short_observation"}),
        (day([0.0] * 300), {"no_steps"}),
        (day([50.0] * 300), set()),
    ],
)
def test_quality(wire: Wire, flags: set[str]) -> None:
    assert codes(run(wire)) == flags


def test_minutes_that_are_missing_are_told() -> None:
    wire = day([50.0] * 600)
    wire["events"] = wire["events"][:250] + wire["events"][350:]
    assert codes(run(wire)) == {"gaps"}
