"""The pipeline: one score of one patient, from single values to a verdict in words.

In this order: which values count (:mod:`runs`, the quality verdict), windows (:mod:`windows`), baseline and change
against noise (:mod:`change`), trend (:mod:`slope`), practice (:mod:`learning`), confirmed worsening and improvement
(:mod:`progression`), and the sentence (:mod:`verdict`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.scoring.change import Change, Noise, Point, Practice, change_between, chosen_noise, own_noise
from konectom.scoring.followed import FATES, Bands, Followed
from konectom.scoring.learning import Learning, learning_curve
from konectom.scoring.policy import Policy
from konectom.scoring.progression import Definition, Event, confirmed_changes, definitions_for, get_definition
from konectom.scoring.runs import RunIn
from konectom.scoring.series import IntArray, Series
from konectom.scoring.slope import Slope, theil_sen
from konectom.scoring.thresholds import important_threshold
from konectom.scoring.verdict import Standing, verdict_of
from konectom.scoring.windows import Aggregates, aggregate, each_alone, window_length

DEFAULT_POLICY = Policy()

_COUNTED, _RUN_IN, _NOT_USABLE, _ABSENT, _OTHER_VERSION, _IN_FUTURE = range(len(FATES))
_CLOCK_DAYS = 1.0
"""A phone's clock and time zone may be this much ahead."""

_PRACTICE_LEFT = 0.1
"""Practice is over once less than this share of its gain is left."""


@dataclass(slots=True)
class _Said:
    """Reasons and notes, gathered on the way."""

    absent: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def follow(
    series: Series,
    *,
    policy: Policy = DEFAULT_POLICY,
    noise: Sequence[Noise] = (),
    practice: Practice | None = None,
    relapse_day: Sequence[float] = (),
    relapses_since_day: float | None = None,
    definition: str | Definition | None = None,
    version: int | None = None,
    today_day: float | None = None,
) -> Followed:
    """Follow one score of one patient.

    The series holds, for each performed test, the value by the version that is to be used. Values of one version only
    are compared: of ``version``, or of the newest that occurs; the others are told, and left out.

    Args:
        series: every performed test of the patient, usable or not, oldest first.
        policy: the study's choices.
        noise: what is known of the score's noise, at most one of each basis; published figures known here and the
            patient's own spread are added.
        practice: what people gain by practice between baseline and later, for the practice-corrected index.
        relapse_day: onsets of relapses.
        relapses_since_day: the day since when relapses are on record.
        definition: of confirmed change, or its name/version, instead of the policy's.
        version: the assessment's version to follow, instead of the newest.
        today_day: now; without it nothing has lapsed and nothing lies in the future.

    Raises:
        FieldInvalid: there is no definition of that name.
    """
    score, said = series.score, _Said()
    run_in = policy.run_in_of(score)
    fate, versions, followed = _fates(series, policy, run_in, version, today_day)
    _note_fates(said, series, fate, versions, followed)
    aggregates, of = _aggregates(said, series, fate, policy, run_in)
    baseline, now = _ends(aggregates)
    heard = chosen_noise(score, noise, own_noise(aggregates), policy.noise)
    bands, change = _change(said, series, fate, run_in, baseline, now, heard, practice)
    learning = _learning(said, series, fate, run_in, of, baseline)
    chosen = _definition(series, policy, definition)
    events = _events(said, series, aggregates, chosen, bands, baseline, relapse_day, relapses_since_day)
    standing = Standing(series, policy, run_in, fate, aggregates, baseline, now, change, chosen, events, today_day)
    return Followed(
        series=series,
        policy=policy,
        run_in=run_in,
        fate=fate,
        of=of,
        version=followed,
        versions=versions,
        aggregates=aggregates,
        baseline=baseline,
        now=now,
        noise=heard,
        bands=bands,
        change=change,
        slope=_slope(said, aggregates, policy),
        learning=learning,
        definition=None if chosen is None else chosen.key,
        events=events,
        absent=said.absent,
        notes=tuple(said.notes),
        verdict=verdict_of(standing),
    )


def _fates(
    series: Series, policy: Policy, run_in: RunIn, version: int | None, today_day: float | None
) -> tuple[NDArray[np.int8], tuple[int, ...], int | None]:
    """Say of each value what becomes of it; return with it the versions that occur, and the one that is followed.

    Where several things are wrong with a value, the one that comes later here is told.
    """
    fate = np.zeros(len(series), dtype=np.int8)
    future = series.at_day > (np.inf if today_day is None else today_day + _CLOCK_DAYS)
    versions = tuple(np.unique(series.version[~future]).tolist())
    if version is None and versions:
        version = versions[-1]
    fate[series.run <= run_in.runs] = _RUN_IN
    accepted = np.array(policy.accepts())
    fate[~accepted[series.verdict]] = _NOT_USABLE
    fate[np.isnan(series.value)] = _ABSENT
    fate[series.version != version] = _OTHER_VERSION
    fate[future] = _IN_FUTURE
    return fate, versions, version


def _note_fates(
    said: _Said, series: Series, fate: NDArray[np.int8], versions: tuple[int, ...], followed: int | None
) -> None:
    if len(versions) > 1:
        others = ", ".join(str(each) for each in versions if each != followed)
        count = int(np.count_nonzero(fate == _OTHER_VERSION))
        said.notes.append(
            f"{count} of {len(series)} values were computed by version {others} of the assessment and are not compared "
            f"with those of version {followed}: a change of version is not a change of the patient."
        )
    future = int(np.count_nonzero(fate == _IN_FUTURE))
    if future:
        said.notes.append(f"{future} values are dated in the future and left out: a clock was wrong.")


def _aggregates(
    said: _Said, series: Series, fate: NDArray[np.int8], policy: Policy, run_in: RunIn
) -> tuple[Aggregates, IntArray]:
    """Put together what counts; return with it for each value of the series the aggregate it went into, or -1."""
    counted = np.flatnonzero(fate == _COUNTED)
    at_day, value = series.at_day[counted], series.value[counted]
    made = each_alone(at_day, value) if run_in.taken == "each" else _windows(said, at_day, value, policy)
    of = np.full(len(series), -1, dtype=np.int64)
    of[counted] = made.of
    return made, of


def _windows(said: _Said, at_day: FloatArray, value: FloatArray, policy: Policy) -> Aggregates:
    days = window_length(at_day, policy.window_days, policy.tests_min, policy.widest_days)
    if days > policy.window_days:
        said.notes.append(
            f"Tests come so rarely that windows are {days:g} days long instead of {policy.window_days:g}, so that each "
            f"holds at least {policy.tests_min} of them."
        )
    return aggregate(at_day, value, window_days=days, tests_min=policy.tests_min, statistic=policy.statistic)


def _ends(aggregates: Aggregates) -> tuple[Point | None, Point | None]:
    """Return the first and the last aggregate that has a value."""
    known = aggregates.known
    if not known.size:
        return None, None
    return _point(aggregates, int(known[0])), _point(aggregates, int(known[-1]))


def _point(aggregates: Aggregates, index: int) -> Point:
    return Point(
        index=index,
        at_day=float(aggregates.at_day[index]),
        start_day=float(aggregates.start_day[index]),
        end_day=float(aggregates.end_day[index]),
        value=float(aggregates.value[index]),
        n=int(aggregates.n[index]),
    )


def _change(
    said: _Said,
    series: Series,
    fate: NDArray[np.int8],
    run_in: RunIn,
    baseline: Point | None,
    now: Point | None,
    noise: Noise | None,
    practice: Practice | None,
) -> tuple[Bands | None, Change | None]:
    if baseline is None or now is None:
        reason = _why_no_baseline(series, fate, run_in)
        said.absent |= dict.fromkeys(("baseline", "now", "bands", "change"), reason)
        return None, None
    bands = None
    if noise is None:
        said.absent |= {"noise": "noise_unknown", "bands": "noise_unknown"}
    else:
        said.notes.append(f"Noise: {noise.source}")
        width = noise.mdc95_at(baseline.value)
        bands = Bands(baseline.value - width, baseline.value + width)
    if now.index == baseline.index:
        said.absent["change"] = "one_value"
        return bands, None
    threshold = important_threshold(series.score.key)
    return bands, change_between(series.score, baseline.value, now.value, noise, practice, threshold)


def _why_no_baseline(series: Series, fate: NDArray[np.int8], run_in: RunIn) -> str:
    if not (fate != _IN_FUTURE).any():
        return "no_values"
    return "practising" if series.run[fate != _IN_FUTURE][-1] <= run_in.runs else "too_few_tests"


def _slope(said: _Said, aggregates: Aggregates, policy: Policy) -> Slope | None:
    known = aggregates.known
    if known.size < policy.trend_min:
        said.absent["slope"] = "too_few_aggregates"
        return None
    slope = theil_sen(aggregates.at_day[known], aggregates.value[known])
    if slope is None:
        said.absent["slope"] = "too_few_aggregates"
    elif slope.thinned_from is not None:
        said.notes.append(f"For the trend {slope.thinned_from} values were put together to {slope.n}.")
    return slope


def _learning(
    said: _Said,
    series: Series,
    fate: NDArray[np.int8],
    run_in: RunIn,
    of: IntArray,
    baseline: Point | None,
) -> Learning | None:
    if run_in.runs == 0:
        said.absent["learning"] = "not_practised"
        return None
    used = fate <= _RUN_IN
    curve, reason = learning_curve(series.run[used].astype(np.float64), series.value[used], series.score.better)
    if curve is None:
        said.absent["learning"] = str(reason)
    elif baseline is not None:
        run = series.run[of == baseline.index].astype(np.float64)
        left = abs(float(np.mean(curve.plateau - curve.at(run))) / curve.gain)
        if left > _PRACTICE_LEFT:
            said.notes.append(
                f"Practice was not over at the baseline: {100 * left:.0f} % of its gain was still to come (90 % is "
                f"made by run {curve.run_90}). A gain since then may be practice, and practice may hide a loss."
            )
    return curve


def _definition(series: Series, policy: Policy, asked: str | Definition | None) -> Definition | None:
    if isinstance(asked, Definition):
        return asked
    if asked is not None:
        return get_definition(asked)
    key = policy.definition_of(series.score)
    if key is not None and get_definition(key).suits(series.score.key):
        return get_definition(key)
    if series.score.better is None:
        return None
    usual = definitions_for(series.score.key)
    return usual[0] if usual else None


def _events(
    said: _Said,
    series: Series,
    aggregates: Aggregates,
    definition: Definition | None,
    bands: Bands | None,
    baseline: Point | None,
    relapse_day: Sequence[float],
    relapses_since_day: float | None,
) -> tuple[Event, ...]:
    score = series.score
    if score.better is None or definition is None or baseline is None:
        said.absent["events"] = (
            "no_direction" if score.better is None else "no_values" if definition else "no_definition"
        )
        return ()
    if bands is None and definition.needs_noise:
        said.absent["events"] = "noise_unknown"
        return ()
    known = aggregates.known
    return confirmed_changes(
        aggregates.at_day[known],
        aggregates.value[known],
        better=score.better,
        definition=definition,
        relapse_day=relapse_day,
        noise=None if bands is None else bands.high - baseline.value,
        important=important_threshold(score.key),
        relapses_since_day=relapses_since_day,
    )
