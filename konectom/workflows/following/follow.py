"""A patient's scores, followed: read from the tables, put through the pipeline, compared with norms.

Everything is computed from what is stored whenever somebody asks: nothing derived is kept, so that nothing derived is
ever out of date.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, true
from sqlalchemy.orm import Session

from konectom.assessments import every_assessment
from konectom.assessments.base import Entry
from konectom.errors import FieldInvalid
from konectom.scoring.change import Noise
from konectom.scoring.follow import follow
from konectom.scoring.followed import Followed
from konectom.scoring.norms import Compared, compare, person_on
from konectom.scoring.policy import Policy
from konectom.scoring.progression import DEFINITIONS, Definition
from konectom.scoring.scales import find_scale
from konectom.scoring.series import Score, Series
from konectom.scoring.verdict import unable_on
from konectom.storage.models import CatalogueRow, NoiseRow, Observation, Patient, Study
from konectom.workflows.consent.withheld import Withheld
from konectom.workflows.following.entries import entries_of, require_same
from konectom.workflows.following.histories import OBSERVED, History, read_histories
from konectom.workflows.following.policies import policy_of
from konectom.workflows.pages import day_of

RELAPSE = "relapse"
"""Code of the observations that are relapses."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A score of a patient: how it is declared, what is stored, what follows from it, and how it compares."""

    score: Score
    entry: Entry | None
    history: History
    followed: Followed
    compared: tuple[Compared, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller wants otherwise than the study does: window length in days, definition of confirmed change.

    A definition stands for the scores that it was made for.
    """

    window_days: float | None = None
    definition: str | None = None


def follow_patient(
    db: Session,
    patient: Patient,
    *,
    now: datetime,
    withheld: Withheld,
    end: datetime | None = None,
    keys: Collection[str] | None = None,
    observed: bool = True,
    asked: Asked | None = None,
    known: datetime | None = None,
) -> list[Track]:
    """Return the patient's scores of these keys (None: all), as they stand ``now`` or stood at the earlier ``end``.

    Computed scores come first, in the order in which they are declared, then those of observations, unless these are
    not wanted (``observed``). What is ``withheld`` is left out, and nothing follows from it; nor from what came here
    after ``known``, the instant as of which they are told as if it were now. Raises
    :class:`FieldInvalid` at ``/query/window`` and ``/query/definition``.
    """
    asked = asked or Asked()
    policy, definition = _policy(db, patient, asked), _definition(asked)
    now = now if known is None else min(known, now)
    # Without an end, nothing is left out: what is dated in the future is there to be told.
    histories = read_histories(db, patient.id, keys=keys, until=end, observed=observed, withheld=withheld, as_of=known)
    as_of = now if end is None else min(end, now)
    noise = _noise_of(db, patient.study_id, policy, known)
    hidden = withheld.hides(OBSERVED)
    events = _Events([], {}) if hidden else _events(db, patient.id, histories, as_of, known)
    told = {
        "policy": policy,
        "relapse_day": events.relapse_day,
        "relapses_since_day": policy.relapses_since_day,
        "today_day": day_of(as_of),
    }
    if definition is not None and keys is not None and not any(map(definition.suits, keys)):
        raise FieldInvalid(f"{definition.key} was made for {', '.join(definition.scores)} only", at="/query/definition")
    tracks = [
        _track(db, patient, history, definition, told | {"noise": noise.get(history.measure_id, ())})
        for history in histories
    ]
    return sorted((_with_inability(track, events.unable_day) for track in tracks), key=_place)


def _track(
    db: Session, patient: Patient, history: History, definition: Definition | None, told: Mapping[str, Any]
) -> Track:
    score, entry = _declared(db, history)
    series = Series.of(
        score, history.at_day, history.value, verdict=history.verdict, run=history.run, version=history.version
    )
    suits = definition is not None and definition.suits(score.key)
    followed = follow(series, definition=definition if suits else None, **told)
    return Track(score, entry, history, followed, _compared(patient, followed))


def _compared(patient: Patient, followed: Followed) -> tuple[Compared, ...]:
    now = followed.now
    if now is None:
        return ()
    person = person_on(
        now.at_day,
        birth_year=patient.birth_year,
        sex=patient.sex,
        height_m=patient.height_m,
        mass_kg=patient.mass_kg,
        education_years=patient.education_years,
    )
    return compare(followed.series.score.key, now.value, person)


def _declared(db: Session, history: History) -> tuple[Score, Entry | None]:
    """Return the score as the newest version that computed it declares it."""
    stored = history.catalogue
    if stored is None:
        code, quantity = history.key.removeprefix(OBSERVED).split(".", 1)
        return Score.of_scale(find_scale(code), quantity), None
    assessment = every_assessment().get(stored.assessment)
    if assessment is not None and assessment.version == stored.version:
        require_same(assessment.catalogue, stored.digest)
        entry = assessment.catalogue.score_by_key[history.key]
    else:
        row = db.get_one(CatalogueRow, stored.number)
        entry = next(entry for entry in entries_of(db, row) if entry.key == history.key)
    title, domain = (assessment.title, assessment.domain) if assessment is not None else (stored.assessment, "")
    return Score.of_entry(entry, title=title, domain=domain), entry


def _place(track: Track) -> tuple[int, str, int]:
    if track.entry is None:
        return (1, track.score.of, 0)
    return (0, track.score.of, track.entry.index)


def _policy(db: Session, patient: Patient, asked: Asked) -> Policy:
    policy = policy_of(db.get_one(Study, patient.study_id))
    if asked.window_days is None:
        return policy
    try:
        return Policy.of(policy.as_dict() | {"window_days": asked.window_days, "widest_days": asked.window_days})
    except FieldInvalid as error:
        error.at = "/query/window"
        raise


def _definition(asked: Asked) -> Definition | None:
    if asked.definition is None:
        return None
    if asked.definition not in DEFINITIONS:
        raise FieldInvalid(
            f"there is no definition {asked.definition!r}; /definitions lists them", at="/query/definition"
        )
    return DEFINITIONS[asked.definition]


def _noise_of(db: Session, study_id: UUID, policy: Policy, known: datetime | None) -> dict[int, tuple[Noise, ...]]:
    """Return what the study's own repeats told last of each score's noise.

    It is that of windows as long, with as many tests, as they were then: of shorter ones it would be too small.
    """
    told_in_order = (
        select(NoiseRow.measure_id, NoiseRow.told)
        .where(NoiseRow.study_id == study_id)
        .order_by(NoiseRow.measure_id, NoiseRow.computed_at)
    )
    if known is not None:
        told_in_order = told_in_order.where(NoiseRow.computed_at <= known)
    newest = {number: dict(told) for number, told in db.execute(told_in_order)}
    found: dict[int, tuple[Noise, ...]] = {}
    for number, told in newest.items():
        window_days, tests_min = told.pop("window_days"), told.pop("tests_min")
        if window_days <= policy.window_days and tests_min <= policy.tests_min:
            found[number] = (Noise(**told),)
    return found


@dataclass(frozen=True, slots=True)
class _Events:
    """What observations tell beside values: first days of relapses; by key, when a test last could not be done."""

    relapse_day: list[float]
    unable_day: Mapping[str, float]


def _events(
    db: Session, patient_id: UUID, histories: Sequence[History], as_of: datetime, known: datetime | None
) -> _Events:
    """Read relapses, and what the patient was not able to do among the followed, as told up to ``as_of``."""
    codes = {history.key.split(".")[1] for history in histories if history.catalogue is None}
    entered = true() if known is None else Observation.entered_at <= known
    found = db.execute(
        select(Observation.code, Observation.at, Observation.scores, Observation.absent)
        .where(
            Observation.patient_id == patient_id,
            Observation.code.in_({RELAPSE, *codes}),
            Observation.at <= as_of,
            Observation.retracted_at.is_(None),
            entered,
        )
        .order_by(Observation.at)
    )
    relapses: list[float] = []
    unable: dict[str, float] = {}
    for code, at, scores, absent in found:
        if code == RELAPSE:
            relapses.append(float(scores["onset_day"]))
        for quantity, reason in absent.items():
            if reason == "unable":
                unable[find_scale(code).key(quantity)] = day_of(at)
    return _Events(sorted(relapses), unable)


def _with_inability(track: Track, unable_day: Mapping[str, float]) -> Track:
    """Return the track; where the patient could not do the test after its last value, its verdict says so."""
    day = unable_day.get(track.score.key)
    if day is None or day <= track.history.at_day[-1]:
        return track
    return replace(track, followed=replace(track.followed, verdict=unable_on(track.followed.verdict, day)))
