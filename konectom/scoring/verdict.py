"""The sentence that a clinician reads first, and its code.

What is said about a change comes from the last confirmed event that still stands; without one, from the last value
against the baseline. A confirmed worsening stands while the score keeps at least half of the distance that it took to
count, so that a single window near the threshold does not take it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.scoring.change import Change, Point
from konectom.scoring.followed import FATES, Verdict
from konectom.scoring.policy import Policy
from konectom.scoring.progression import Definition, Event
from konectom.scoring.runs import RunIn
from konectom.scoring.series import Series
from konectom.scoring.thresholds import Direction, Given, important_threshold
from konectom.scoring.windows import Aggregates, median

_EPOCH = date(1970, 1, 1)
_COUNTED, _RUN_IN, _IN_FUTURE = FATES.index("counted"), FATES.index("run_in"), FATES.index("in_future")
_KEEPS = 0.5
_STALE_WINDOWS = 2.0
_RHYTHM_TESTS = 9

RELATION = {"RAW": ", after a relapse", "PIRA": ", without relapse"}
"""How an event's relation to relapses is told behind what it says."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """What the verdict rests on."""

    series: Series
    policy: Policy
    run_in: RunIn
    fate: NDArray[np.int8]
    aggregates: Aggregates
    baseline: Point | None
    now: Point | None
    change: Change | None
    definition: Definition | None
    events: tuple[Event, ...]
    today_day: float | None


def verdict_of(standing: Standing) -> Verdict:
    """Say where the patient stands."""
    tests = standing.series.at_day[standing.fate != _IN_FUTURE]
    if not tests.size:
        return Verdict("no_values", "Nothing was recorded yet.")
    last = float(tests[-1])
    lapsed = _lapsed(standing, tests)
    found = _without_baseline(standing) if standing.baseline is None else _compared(standing)
    if lapsed:
        nothing = f"Nothing since {on(last)}"
        if found.code == "confirmed_worsening":
            return Verdict(found.code, f"{found.words} {nothing}.", found.since_day, last)
        return Verdict("lapsed", f"{nothing}; until then: {_small(found.words)}", last, last)
    if standing.baseline is not None and found.code != "confirmed_worsening" and _stale(standing):
        words = f"{_too_few(standing)}; until {on(_end(standing))}: {_small(found.words)}"
        return Verdict("too_few_tests", words, found.since_day)
    return found


def unable_on(before: Verdict, day: float) -> Verdict:
    """Return the verdict where the patient, after the last value, was not able to do the test: worse than any value."""
    return Verdict("unable", f"Could not do the test on {on(day)}; before that: {_small(before.words)}", day)


def on(day: float) -> str:
    """Return the date (UTC) of an instant."""
    return (_EPOCH + timedelta(days=int(np.floor(day)))).isoformat()


def _lapsed(standing: Standing, tests: FloatArray) -> bool:
    """Say whether tests have stopped: for longer than ``lapse_days``, and than twice the usual gap between them."""
    if standing.today_day is None or standing.series.score.source == "observation":
        return False
    gaps = np.diff(tests[-_RHYTHM_TESTS:])
    usual = median(gaps) if gaps.size else 0.0
    return standing.today_day - float(tests[-1]) > max(standing.policy.lapse_days, 2.0 * usual)


def _end(standing: Standing) -> float:
    return 0.0 if standing.now is None else standing.now.at_day


def _stale(standing: Standing) -> bool:
    """Say whether tests have gone on for more than two windows without filling one."""
    now, aggregates = standing.now, standing.aggregates
    if now is None or not aggregates.window_days:
        return False
    return float(aggregates.start_day[-1]) - now.start_day > (_STALE_WINDOWS - 0.5) * aggregates.window_days


def _without_baseline(standing: Standing) -> Verdict:
    fate, run = standing.fate, standing.series.run
    if not (fate == _COUNTED).any():
        done, needed = int(run[fate != _IN_FUTURE][-1]), standing.run_in.runs
        if done <= needed and needed:
            return Verdict("practising", f"Still practising: {done} of {needed} runs.")
        if not standing.aggregates.window_days:
            return Verdict("too_few_tests", "No usable value yet.")
    return Verdict("too_few_tests", f"{_too_few(standing)}.")


def _too_few(standing: Standing) -> str:
    aggregates, policy = standing.aggregates, standing.policy
    days = aggregates.window_days or policy.window_days
    at = standing.series.at_day[standing.fate == _COUNTED]
    until = standing.today_day if standing.today_day is not None else float(standing.series.at_day[-1])
    recent = int(np.count_nonzero(at > until - days))
    return f"Too few tests: {recent} of {policy.tests_min} in the last {days:g} days"


def _compared(standing: Standing) -> Verdict:
    change, now = standing.change, standing.now
    if change is None or now is None:
        return Verdict("one_value", "One value: nothing to compare with.")
    confirmed = _confirmed(standing, change)
    if confirmed is not None:
        return confirmed
    found = _unconfirmed(standing, change)
    if found.code == "no_change" and standing.events and standing.events[-1].direction == "worsening":
        onset = standing.events[-1].onset_day
        words = f"{found.words.rstrip('.')}; a worsening that was confirmed since {on(onset)} did not last."
        return Verdict(found.code, words)
    return found


def _confirmed(standing: Standing, change: Change) -> Verdict | None:
    """Return what the last event says, None where it no longer stands or there is none."""
    if not standing.events:
        return None
    last = standing.events[-1]
    way = "worse" if last.direction == "worsening" else "better"
    if not last.sustained and not _keeps(standing, last):
        return None
    if last.direction == "improvement" and not _beyond(standing, change, "better"):
        # Back from a worsening rather than better than ever.
        lost = [event for event in standing.events if event.direction == "worsening"]
        if lost and _beyond(standing, change, "worse"):
            words = f"Confirmed worsening since {on(lost[0].onset_day)}{_length(standing, lost[0])}, partly recovered."
            return Verdict("confirmed_worsening", words, lost[0].onset_day)
        if lost:
            words = f"No change beyond noise: worse from {on(lost[-1].onset_day)}, recovered by {on(last.onset_day)}."
            return Verdict("no_change", words, last.onset_day)
    named = "worsening" if way == "worse" else "improvement"
    words = f"Confirmed {named} since {on(last.onset_day)}{_length(standing, last)}."
    if (way, change.direction) in (("worse", "better"), ("better", "worse")):
        # The reference has moved since the baseline: said here, or the sentence would contradict the change.
        against = f"{last.reference_value:.4g} to {last.value:.4g}"
        words = f"{words[:-1]}, from the level kept before ({against}); still {change.direction} than the baseline."
    return Verdict(f"confirmed_{named}", words, last.onset_day)


def _keeps(standing: Standing, event: Event) -> bool:
    """Say whether the change was kept, most of it, by every value since it was confirmed."""
    aggregates = standing.aggregates
    known = aggregates.known
    since = aggregates.value[known][aggregates.at_day[known] >= event.confirmed_day]
    moved = (since - event.reference_value) * (1.0 if event.value > event.reference_value else -1.0)
    return bool((moved >= _KEEPS * event.threshold).all())


def _length(standing: Standing, event: Event | None) -> str:
    if standing.definition is None:
        return ""
    kind = RELATION.get(event.kind or "", "") if event is not None else ""
    return f" ({standing.definition.confirmation.days / 7:g} weeks{kind})"


def _beyond(standing: Standing, change: Change, way: str) -> bool:
    """Say whether the change from baseline goes this way by more than noise, or by what the definition asks for."""
    if change.direction != way:
        return False
    return bool(change.reliable) or _counts(standing, change)


def _counts(standing: Standing, change: Change) -> bool:
    definition, baseline = standing.definition, standing.baseline
    if definition is None or baseline is None or change.direction not in ("worse", "better"):
        return False
    if definition.needs_noise:
        # A change that this definition counts is beyond noise already.
        return False
    given = Given(change.mdc95, important_threshold(standing.series.score.key))
    way: Direction = "worsening" if change.direction == "worse" else "improvement"
    reached = definition.threshold.reached(np.array([abs(change.amount)]), baseline.value, way, given)
    return bool(reached[0])


def _unconfirmed(standing: Standing, change: Change) -> Verdict:
    counts = _counts(standing, change)
    known = change.reliable is not None
    if change.reliable or counts:
        how = "beyond noise" if change.reliable else "by as much as counts"
        if change.direction == "changed":
            return Verdict("changed", f"Changed since the baseline {how}.")
        if change.direction == "better":
            more = "practice is not excluded" if standing.run_in.runs else "not confirmed yet"
            return Verdict("better_unconfirmed", f"Better than baseline {how}, {more}.")
        return Verdict("worse_unconfirmed", f"Worse than baseline {how}, not confirmed yet.")
    if known:
        return Verdict("no_change", "No change beyond noise.")
    if standing.definition is not None and not standing.definition.needs_noise:
        return Verdict("no_change", "No change as large as counts.")
    score = standing.series.score
    unit = "" if score.unit == "1" else f" {score.unit}"
    words = f"{change.amount:+.3g}{unit} since the baseline; how much of this is noise is not known."
    return Verdict("noise_unknown", words)


def _small(words: str) -> str:
    return words[:1].lower() + words[1:]
