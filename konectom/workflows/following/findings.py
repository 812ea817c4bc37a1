"""What a review finds: confirmed changes, alarming answers, lapses, runs of spoiled tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from konectom.scoring.progression import Event, get_definition
from konectom.scoring.scales import find_scale
from konectom.scoring.verdict import RELATION
from konectom.storage.models import CatalogueRow, Observation, Patient, RecordingRow, ResultRow, SessionRow
from konectom.storage.queries import IS_CURRENT
from konectom.workflows.consent.withheld import Withheld
from konectom.workflows.following.follow import Track, follow_patient
from konectom.workflows.pages import instant_of_day, told, with_instants
from konectom.workflows.patients.schedules import adherence_of, show_sums

CHANGES = ("confirmed_worsening", "confirmed_improvement")
KINDS = (*CHANGES, "item_alarm", "lapsed", "spoiled_tests")

SPOILED_RUN = 3
"""So many recordings of an assessment without a usable one, the last ones, are worth a call."""

SPOILED_DAYS = 90
"""How far back recordings are looked at for that."""

CLOCK_AHEAD = timedelta(days=1)
"""What is dated later than so far from now was dated by a clock that was wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at; ``identity`` is what makes it the same finding again.

    A change is also the same as another one of its score and direction that it overlaps in time (``onset`` to ``at``):
    an upload that comes late, or another definition, moves its onset.
    """

    kind: str
    key: str
    at: datetime
    identity: str
    told: dict[str, Any]
    onset: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """All that a review has found, which version of each score it has looked at, and what it was not shown."""

    findings: Sequence[Finding]
    versions: Mapping[str, int | None]
    withheld: Withheld


def find_all(db: Session, patient: Patient, now: datetime) -> Found:
    """Look through a patient's scores, observations, schedules and tests, but for what is withheld.

    Raises :class:`~konectom.errors.PatientRestricted` where all is.
    """
    withheld = Withheld.of(db, patient)
    tracks = follow_patient(db, patient, now=now, withheld=withheld)
    changes = [_change(track, event) for track in tracks for event in track.followed.events]
    tested = (*_lapses(db, patient, now, withheld), *_spoiled(db, patient.id, now))
    rest = (each for each in (*_alarms(db, patient.id), *tested) if not withheld.hides(each.key))
    versions = {track.score.key: track.followed.version for track in tracks}
    return Found((*changes, *rest), versions, withheld)


def _change(track: Track, event: Event) -> Finding:
    score = track.score
    onset = instant_of_day(event.onset_day)
    unit = "" if score.unit == "1" else f" {score.unit}"
    values = f"from {event.reference_value:.4g} to {event.value:.4g}{unit}{RELATION.get(event.kind or '', '')}"
    return Finding(
        kind=f"confirmed_{event.direction}",
        key=score.key,
        at=instant_of_day(event.confirmed_day),
        identity=f"{event.definition}/{onset.date().isoformat()}",
        onset=onset,
        told={
            "message": f"Confirmed {event.direction} since {onset.date().isoformat()} ({values}): {score.title}",
            "evidence": {
                "event": with_instants(event.as_dict()),
                "definition": get_definition(event.definition).as_dict(),
                "version": track.followed.version,
                "unit": score.unit,
                "better": score.better,
            },
        },
    )


def _alarms(db: Session, patient_id: UUID) -> Iterator[Finding]:
    rows = db.execute(
        select(Observation.id, Observation.code, Observation.at, Observation.flags, Observation.absent).where(
            Observation.patient_id == patient_id, Observation.retracted_at.is_(None)
        )
    )
    for number, code, at, flags, absent in rows:
        if "unable" in absent.values():
            yield Finding(
                kind="item_alarm",
                key=f"obs.{code}",
                at=at,
                identity=f"{number}/unable",
                told={
                    "message": f"The patient was not able to do: {find_scale(code).title}",
                    "evidence": {"flag": "unable", "observation": str(number)},
                },
            )
        for flag in flags:
            if flag["kind"] == "alarm":
                yield Finding(
                    kind="item_alarm",
                    key=f"obs.{code}",
                    at=at,
                    identity=f"{number}/{flag['code']}",
                    told={
                        "message": flag["message"],
                        "evidence": flag["evidence"] | {"flag": flag["code"], "observation": str(number)},
                    },
                )


def _lapses(db: Session, patient: Patient, now: datetime, withheld: Withheld) -> Iterator[Finding]:
    lapsed: dict[tuple[str, date], Finding] = {}
    for row, kept in adherence_of(db, patient, now, withheld):
        since = kept.adherence.lapsed_since
        if since is not None:
            named = since.isoformat()
            lapsed[row.assessment, since] = Finding(
                kind="lapsed",
                key=row.assessment,
                at=datetime.combine(since, datetime.min.time(), ZoneInfo(kept.rule.time_zone)),
                identity=named,
                told={
                    "message": f"No {row.assessment} test since {named}, though it is scheduled.",
                    "evidence": {"schedule": str(row.id)} | show_sums(kept.adherence),
                },
            )
    yield from lapsed.values()


def _spoiled(db: Session, patient_id: UUID, now: datetime) -> Iterator[Finding]:
    """Yield the runs of recordings at the end that cannot be used. A run is known by the last test that could be."""
    began = now - timedelta(days=SPOILED_DAYS)
    tests: dict[str, list[tuple[datetime, str]]] = {}
    latest = now + CLOCK_AHEAD
    for name, at, offset_s, verdict in db.execute(_performed(patient_id).where(SessionRow.started_at >= began)):
        performed = _performed_at(at, offset_s)
        if performed <= latest:
            tests.setdefault(str(name), []).append((performed, verdict))
    for name, each in tests.items():
        each.sort()
        run = 0
        while run < len(each) and each[-1 - run][1] == "invalid":
            run += 1
        if run < SPOILED_RUN:
            continue
        usable = each[-1 - run][0] if run < len(each) else _last_usable(db, patient_id, name, began)
        yield Finding(
            kind="spoiled_tests",
            key=name,
            at=each[-run][0],
            identity="never usable" if usable is None else usable.isoformat(),
            told={
                "message": f"The last {run} {name} tests cannot be used.",
                "evidence": {
                    "tests": run,
                    "last_at": told(each[-1][0]),
                    "usable_at": None if usable is None else told(usable),
                },
            },
        )


def _last_usable(db: Session, patient_id: UUID, name: str, before: datetime) -> datetime | None:
    statement = (
        _performed(patient_id)
        .where(RecordingRow.assessment == name, SessionRow.started_at < before, ResultRow.verdict != "invalid")
        .order_by(SessionRow.started_at.desc(), RecordingRow.offset_s.desc())
        .limit(1)
    )
    row = db.execute(statement).first()
    return None if row is None else _performed_at(row[1], row[2])


def _performed(patient_id: UUID) -> Select[str | None, datetime, float, str]:
    return (
        select(RecordingRow.assessment, SessionRow.started_at, RecordingRow.offset_s, ResultRow.verdict)
        .join(SessionRow, SessionRow.id == RecordingRow.session_id)
        .join(ResultRow, ResultRow.recording_id == RecordingRow.id)
        .join(CatalogueRow, CatalogueRow.id == ResultRow.catalogue_id)
        .where(SessionRow.patient_id == patient_id, IS_CURRENT)
    )


def _performed_at(started_at: datetime, offset_s: float) -> datetime:
    return started_at + timedelta(seconds=offset_s)
