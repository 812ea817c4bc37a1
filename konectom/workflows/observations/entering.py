"""What clinicians and laboratories found: entered, listed, retracted.

The same observation entered again, by hand or by an import, is the one that is there. Another value of the same scale
at the same time from the same source contradicts it and is refused: the wrong one is retracted first, and stays to be
seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, false, select
from sqlalchemy.orm import Session

from konectom.errors import FieldInvalid, NotFound, ObservationConflict, ScaleUnknown
from konectom.scoring.scales import every_scale, find_scale
from konectom.storage.models import Observation, ObservedRow
from konectom.workflows.consent.collecting import Agreed
from konectom.workflows.consent.data_types import CLINICAL, OBSERVED
from konectom.workflows.consent.withheld import shown_patient
from konectom.workflows.following.due import void_reviews
from konectom.workflows.observations.keeping import Finding, check_finding, keep_findings, written
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, page, told, told_if_any
from konectom.workflows.patients.people import checked_text
from konectom.workflows.services import Services

CONTRADICTS = "another value of this scale, time and source is there; retract it first where it is wrong"


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

    ``at`` carries the offset of the place, whose calendar day counts. What was retracted may be entered again. Raises
    :class:`FieldInvalid` and its kin with a pointer (``/code``, ``/at``, ``/values/…``),
    :class:`ObservationConflict`, :class:`NotFound` for the patient; as an upload does where there is no consent.
    """
    now = services.clock()
    finding = check_finding(now, code=code, at=at, values=values, source=source, reference=reference, note=note)
    return written(lambda: _enter(services, patient_id, finding, now))


def _enter(services: Services, patient_id: UUID, finding: Finding, now: datetime) -> Entered:
    with services.db.write() as db:
        patient, withheld = shown_patient(db, patient_id)
        withheld.require(OBSERVED)
        # Of two who enter the same, the second waits and finds it.
        db.refresh(patient, with_for_update={"key_share": True})
        (kept,) = keep_findings(db, [(patient_id, finding)], now, again=True)
        if kept.what == "contradicted":
            raise ObservationConflict(CONTRADICTS, at="/at", observation=str(kept.id))
        if kept.what == "entered":
            Agreed.of(db, patient_id).require_type(CLINICAL)  # where there is none, nothing of this transaction stays
        return Entered(kept.what == "entered", show_observation(db.get_one(Observation, kept.id)))


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
        _, withheld = shown_patient(db, patient_id)
        if withheld.hides(OBSERVED):
            statement = statement.where(false())
        order = (Observation.at, Observation.id)
        asked = Asked.of(services.settings, cursor, limit)
        answer = page(db, statement, order, BY_TIME_AND_ID, show_observation, asked)
        return answer | {"withheld": withheld.told}


def get_observation(services: Services, patient_id: UUID, observation_id: UUID) -> dict[str, Any]:
    """Return an observation, also one that was taken back.

    Raises :class:`~konectom.errors.PatientRestricted` where it is shown to nobody at present.
    """
    with services.db.read() as db:
        return show_observation(_find(db, patient_id, observation_id))


def retract_observation(services: Services, patient_id: UUID, observation_id: UUID, *, reason: str) -> dict[str, Any]:
    """Take an observation back: it no longer counts, and stays to be seen with the reason first given."""
    if not reason.strip():
        raise FieldInvalid("say why the observation is taken back", at="/reason")
    reason = checked_text(reason, "reason")
    with services.db.write() as db:
        row = _find(db, patient_id, observation_id, lock=True)
        if row.retracted_at is None:
            row.retracted_at = services.clock()
            row.retracted_for = reason
            db.execute(delete(ObservedRow).where(ObservedRow.observation_id == row.id))
            void_reviews(db, patient_id=patient_id)
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
        "scores": [_score(row, quantity, value) for quantity, value in row.scores.items()],
        "version": row.version,
        "absent": row.absent,
        "flags": row.flags,
        "source": row.source,
        "reference": row.reference,
        "note": row.note,
        "entered_at": told(row.entered_at),
        "retracted_at": told_if_any(row.retracted_at),
        "retracted_for": row.retracted_for,
    }


def _score(row: Observation, quantity: str, value: float) -> dict[str, Any]:
    """Return a score with unit and band as its scale declares them, where these rules are still the declared ones."""
    scale = every_scale().get(row.code)
    same = scale is not None and scale.version == row.version
    declared = scale.quantity.get(quantity) if scale is not None and same else None
    return {
        "key": f"obs.{row.code}.{quantity}",
        "value": value,
        "unit": None if declared is None else declared.unit,
        "band": None if declared is None else declared.band_of(value),
    }


def _known(code: str) -> None:
    try:
        find_scale(code)
    except ScaleUnknown as error:
        error.at = "/query/code"
        raise


def _find(db: Session, patient_id: UUID, observation_id: UUID, *, lock: bool = False) -> Observation:
    _, withheld = shown_patient(db, patient_id)
    row = db.get(Observation, observation_id, with_for_update=lock)
    if row is None or row.patient_id != patient_id:
        raise NotFound("there is no such observation")
    withheld.require(OBSERVED)
    return row
