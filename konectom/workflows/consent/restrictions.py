"""Restriction (GDPR, Article 18): what is kept of a patient, or of one type, is neither shown nor used for a while.

It stands beside what the patient has decided: a type that is restricted may be withdrawn meanwhile, and stays withdrawn
when it is used again. Nothing is added to what is restricted.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from konectom.errors import FieldMissing
from konectom.security.acting import because
from konectom.storage.models import Consent
from konectom.workflows.consent.data_types import checked_types
from konectom.workflows.consent.decisions import lock_patient, show_consents
from konectom.workflows.consent.withheld import RESTRICTED
from konectom.workflows.following.due import void_reviews
from konectom.workflows.patients.people import checked_text
from konectom.workflows.services import Services
from konectom.workflows.sessions.left_behind import wake_sessions


def restrict_patient(
    services: Services, patient_id: UUID, *, reason: str, data_types: Sequence[str] | None = None
) -> dict[str, Any]:
    """Stop the use of these types of a patient's data (None: of all that is kept); return the consent as it stands.

    What is restricted already stays so. Raises :class:`FieldMissing` at ``/reason``, :class:`FieldInvalid` at
    ``/data_types``, :class:`~konectom.errors.NotFound` for the patient.
    """
    if not reason.strip():
        raise FieldMissing("say why the use is restricted", at="/reason")
    types = None if data_types is None else checked_types(data_types)
    now = services.clock()
    with because(checked_text(reason, "reason")), services.db.write() as db:
        patient = lock_patient(db, patient_id)
        if types is None:
            patient.restricted_at = patient.restricted_at or now
        else:
            there = {row.data_type for row in _restrictions(db, patient_id)}
            entered_at = _after_all(db, patient_id, now)
            for index, name in enumerate(name for name in types if name not in there):
                db.add(_restriction(patient_id, name, now, entered_at + timedelta(microseconds=index)))
        void_reviews(db, patient_id=patient_id)
        db.flush()
        return show_consents(db, patient)


def resume_patient(
    services: Services, patient_id: UUID, *, data_types: Sequence[str] | None = None, reason: str | None = None
) -> dict[str, Any]:
    """Use these types of a patient's data again (None: all that is kept); return the consent as it stands.

    Where all that is kept of the patient is restricted, it stays so when single types are named.
    """
    types = None if data_types is None else checked_types(data_types)
    now = services.clock()
    told = because(checked_text(reason, "reason")) if reason else nullcontext()
    with told, services.db.write() as db:
        patient = lock_patient(db, patient_id)
        if types is None:
            patient.restricted_at = None
        for row in _restrictions(db, patient_id):
            if types is None or row.data_type in types:
                row.ended_at = max(now, row.entered_at)
        wake_sessions(services, db, patient_id)
        void_reviews(db, patient_id=patient_id)
        db.flush()
        return show_consents(db, patient)


def _restrictions(db: Session, patient_id: UUID) -> Sequence[Consent]:
    holding = select(Consent).where(
        Consent.patient_id == patient_id, Consent.state == RESTRICTED, Consent.ended_at.is_(None)
    )
    return db.scalars(holding).all()


def _after_all(db: Session, patient_id: UUID, now: datetime) -> datetime:
    """Return an instant after everything that was entered before."""
    last = db.scalar(select(func.max(Consent.entered_at)).where(Consent.patient_id == patient_id))
    return now if last is None else max(now, last + timedelta(microseconds=1))


def _restriction(patient_id: UUID, name: str, now: datetime, entered_at: datetime) -> Consent:
    return Consent(
        id=uuid4(),
        patient_id=patient_id,
        form_id=None,
        data_type=name,
        state=RESTRICTED,
        decided_at=now,
        entered_at=entered_at,
        ended_at=None,
    )
