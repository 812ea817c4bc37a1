"""Which patients are due for a review: something came since the last one, or it was too long ago."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, case, delete, func, or_, select
from sqlalchemy.orm import Session

from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import Observation, Patient, Review, SessionRow
from konectom.storage.scopes import patients_in

REVIEW_EVERY = timedelta(days=1)
"""A patient is reviewed anew after this time even where nothing came: that nothing came may be the finding."""

SETTLING = timedelta(minutes=2)
"""So long after it was received an upload may still be on its way into the tables: a review then has not seen it."""


def due_patients(
    study_id: UUID, now: datetime, *, patient: UUID | None = None, scope: Scope = EVERYTHING
) -> Select[UUID]:
    """Return the question for the patients (or the one) within ``scope`` who are due, those who waited longest first.

    Nobody is who is restricted.

    Whatever came shortly before a review is looked for once more when it has surely settled.
    """
    seen = case((Review.reviewed_at <= now - SETTLING, Review.seen_until), else_=Review.reviewed_at)
    came = select(SessionRow.id).where(SessionRow.patient_id == Patient.id, SessionRow.received_at > seen).exists()
    entered = select(Observation.id).where(Observation.patient_id == Patient.id, Observation.entered_at > seen).exists()
    statement = (
        select(Patient.id)
        .outerjoin(Review, Review.patient_id == Patient.id)
        .where(
            Patient.study_id == study_id,
            Patient.restricted_at.is_(None),
            patients_in(scope, now),
            or_(Review.reviewed_at.is_(None), Review.reviewed_at <= now - REVIEW_EVERY, came, entered),
        )
        .order_by(Review.reviewed_at.is_not(None), Review.reviewed_at, Patient.id)
    )
    return statement if patient is None else statement.where(Patient.id == patient)


def count_due(db: Session, study_id: UUID, now: datetime, *, scope: Scope = EVERYTHING) -> int:
    """Return how many of a study's patients within ``scope`` are due for a review."""
    due = due_patients(study_id, now, scope=scope).order_by(None).subquery()
    return db.scalars(select(func.count()).select_from(due)).one()


def void_reviews(db: Session, *, study_id: UUID | None = None, patient_id: UUID | None = None) -> None:
    """Forget that a study's patients, or the one, were reviewed: what a review rests on has changed."""
    if patient_id is not None:
        db.execute(delete(Review).where(Review.patient_id == patient_id))
    else:
        of_study = select(Patient.id).where(Patient.study_id == study_id)
        db.execute(delete(Review).where(Review.patient_id.in_(of_study)))
