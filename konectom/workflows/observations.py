"""What clinicians and laboratories found: entered, listed, retracted.

The same observation entered again, by hand or by an import, is the one that is there. Another value of the same scale
at the same time from the same source contradicts it and is refused: the wrong one is retracted first, and stays to be
seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from konectom.errors import FieldInvalid, NotFound, ObservationConflict, ScaleUnknown
from konectom.scoring.scales import Scale, Scored, find_scale
from konectom.storage.models import Observation, ObservedRow, Patient
from konectom.workflows.entries import measure_ids
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, page, told
from konectom.workflows.people import checked_text, find_patient
from konectom.workflows.services import Services

AHEAD = timedelta(days=1)
"""How far a clock may run ahead of ours; what was found later than that cannot have been found."""

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An observation that has been checked and scored, not yet kept."""

    code: str
    at: datetime
    values: Mapping[str, Any]
    source: str
    reference: str
    note: str
    scale: Scale
    scored: Scored

    @property
    def digest(self) -> str:
        """Return a hash over all that tells this observation of a patient from others."""
        identity = [self.code, self.at.astimezone(UTC), self.source]
        told_once = orjson.dumps([*identity, self.values], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(told_once).hexdigest()


@dataclass(frozen=True, slots=True)
class Entered:
    """The observation as it stands on the wire, and whether it is new."""

    created: bool
    observation: dict[str, Any]


def enter_observation(
    services: Services,
    patient_id: UUID,
    *,
    code: str,
    at: datetime,
    values: Mapping[str, Any],
    source: str = "",
    reference: str = "",
    note: str = "",
) -> Entered:
    """Keep an observation of a patient; the same once more is the one that is there, whatever it is called.

    Raises :class:`FieldInvalid` and its kin with a pointer (``/code``, ``/at``, ``/values/…``),
    :class:`ObservationConflict`, :class:`NotFound` for the patient.
    """
    finding = check_finding(
        services.clock(), code=code, at=at, values=values, source=source, reference=reference, note=note
    )
    with services.db.write() as db:
        patient = find_patient(db, patient_id)
        db.refresh(patient, with_for_update=True)  # of two who enter the same, the second finds it
        return keep_finding(db, patient, finding, services.clock())


def check_finding(
    now: datetime,
    *,
    code: str,
    at: datetime,
    values: Mapping[str, Any],
    source: str = "",
    reference: str = "",
    note: str = "",
) -> Finding:
    """Check and score what was found; raises as :func:`enter_observation` does."""
    scale = find_scale(code)
    if not EARLIEST <= at <= now + AHEAD:
        raise FieldInvalid("this lies before 1900 or in the future", at="/at")
    if len(note) > 2000 or "\0" in note:
        raise FieldInvalid("a note is text of at most 2,000 characters", at="/note")
    return Finding(
        code=code,
        at=at,
        values=dict(values),
        source=checked_text(source, "source"),
        reference=checked_text(reference, "reference"),
        note=note,
        scale=scale,
        scored=scale.score(values, on=at.date()),
    )


def keep_finding(db: Session, patient: Patient, finding: Finding, now: datetime) -> Entered:
    """Add the rows of an observation, unless it is there; raises :class:`ObservationConflict`.

    The patient's row has to be locked by the caller.
    """
    there = _there(db, patient.id, finding)
    if there is not None:
        return Entered(False, show_observation(there))
    row = Observation(
        id=uuid4(),
        patient_id=patient.id,
        code=finding.code,
        at=finding.at,
        utc_offset_s=round((finding.at.utcoffset() or timedelta()).total_seconds()),
        values=dict(finding.values),
        version=finding.scale.version,
        scores=dict(finding.scored.values),
        absent=dict(finding.scored.absent),
        flags=[flag.as_dict() for flag in finding.scored.flags],
        source=finding.source,
        reference=finding.reference,
        note=finding.note,
        digest=finding.digest,
        entered_at=now,
        retracted_at=None,
        retracted_for=None,
    )
    db.add(row)
    db.flush()
    followed = {name: value for name, value in finding.scored.values.items() if finding.scale.quantity[name].score}
    if followed:
        numbers = measure_ids(db, map(finding.scale.key, followed))
        same = {"patient_id": patient.id, "at": finding.at, "observation_id": row.id, "version": row.version}
        same |= {"utc_offset_s": row.utc_offset_s, "source": row.source}
        same |= {"flags": " ".join(flag["code"] for flag in row.flags)}
        db.execute(
            insert(ObservedRow),
            [
                same | {"measure_id": numbers[finding.scale.key(name)], "value": value}
                for name, value in followed.items()
            ],
        )
    return Entered(True, show_observation(row))


def list_observations(
    services: Services,
    patient_id: UUID,
    *,
    code: str | None = None,
    retracted: bool = False,
    cursor: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return a page of a patient's observations, oldest first; with ``retracted`` also those that were taken back."""
    statement = select(Observation).where(Observation.patient_id == patient_id)
    if code is not None:
        _known(code)
        statement = statement.where(Observation.code == code)
    if not retracted:
        statement = statement.where(Observation.retracted_at.is_(None))
    with services.db.read() as db:
        find_patient(db, patient_id)
        order = (Observation.at, Observation.id)
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, statement, order, BY_TIME_AND_ID, show_observation, asked)


def get_observation(services: Services, patient_id: UUID, observation_id: UUID) -> dict[str, Any]:
    """Return an observation, also one that was taken back."""
    with services.db.read() as db:
        return show_observation(_find(db, patient_id, observation_id))


def retract_observation(services: Services, patient_id: UUID, observation_id: UUID, *, reason: str) -> dict[str, Any]:
    """Take an observation back: it no longer counts, and stays to be seen with the reason first given."""
    if not reason.strip():
        raise FieldInvalid("say why the observation is taken back", at="/reason")
    with services.db.write() as db:
        row = _find(db, patient_id, observation_id)
        if row.retracted_at is None:
            row.retracted_at = services.clock()
            row.retracted_for = checked_text(reason, "reason")
            db.execute(delete(ObservedRow).where(ObservedRow.observation_id == row.id))
            db.flush()
        return show_observation(row)


def show_observation(row: Observation) -> dict[str, Any]:
    """Return an observation as it stands on the wire."""
    return {
        "id": str(row.id),
        "patient": str(row.patient_id),
        "code": row.code,
        "at": told(row.at, row.utc_offset_s),
        "values": row.values,
        "scores": [{"key": f"obs.{row.code}.{quantity}", "value": value} for quantity, value in row.scores.items()],
        "version": row.version,
        "absent": row.absent,
        "flags": row.flags,
        "source": row.source,
        "reference": row.reference,
        "note": row.note,
        "entered_at": told(row.entered_at),
        "retracted_at": None if row.retracted_at is None else told(row.retracted_at),
        "retracted_for": row.retracted_for,
    }


def _there(db: Session, patient_id: UUID, finding: Finding) -> Observation | None:
    valid = select(Observation).where(Observation.patient_id == patient_id, Observation.retracted_at.is_(None))
    same = db.scalars(valid.where(Observation.digest == finding.digest)).first()
    if same is not None or finding.scale.domain == "event":  # of events several may be told at once
        return same
    at_once = valid.where(
        Observation.code == finding.code, Observation.at == finding.at, Observation.source == finding.source
    )
    other = db.scalars(at_once).first()
    if other is not None:
        raise ObservationConflict(
            "another value of this scale, time and source is there; retract it first where it is wrong",
            at="/at",
            observation=str(other.id),
        )
    return None


def _known(code: str) -> None:
    try:
        find_scale(code)
    except ScaleUnknown as error:
        error.at = "/query/code"
        raise


def _find(db: Session, patient_id: UUID, observation_id: UUID) -> Observation:
    row = db.get(Observation, observation_id)
    if row is None or row.patient_id != patient_id:
        raise NotFound("there is no such observation")
    return row
