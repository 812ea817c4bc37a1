"""How far a question may reach, as SQL."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, or_, select, true

from konectom.security.principal import Place, Scope
from konectom.storage.models import BreakGlass, CareMember, CarePatient, Patient, Study


def patients_in(scope: Scope, now: datetime) -> ColumnElement[bool]:
    """Return the condition on :class:`Patient` that it lies within ``scope``."""
    if scope.everything:
        return true()
    parts: list[ColumnElement[bool]] = []
    if scope.patient_id is not None:
        parts.append(Patient.id == scope.patient_id)
    parts += [_at(place) for place in scope.places]
    if scope.care and scope.carer_id is not None:
        cared_for = _in_the_care_of(scope.carer_id, now if scope.emergency else None)
        parts += [and_(_at(place), cared_for) for place in scope.care]
    return or_(*parts) if parts else false()


def studies_in(scope: Scope) -> ColumnElement[bool]:
    """Return the condition on :class:`Study` that ``scope`` reaches into it."""
    if scope.studies is None:
        return true()
    return Study.id.in_(scope.studies)


def _at(place: Place) -> ColumnElement[bool]:
    study_id, site_id = place
    here = true() if study_id is None else Patient.study_id == study_id
    return here if site_id is None else and_(here, Patient.site_id == site_id)


def _in_the_care_of(user_id: UUID, emergency: datetime | None) -> ColumnElement[bool]:
    """Return the condition that a team of the user cares for a patient, or that he or she broke the glass for it.

    The latter only where ``emergency`` says as of when.
    """
    by_team = (
        select(CarePatient.patient_id)
        .join(CareMember, CareMember.team_id == CarePatient.team_id)
        .where(CareMember.user_id == user_id)
    )
    if emergency is None:
        return Patient.id.in_(by_team)
    open_now = BreakGlass.user_id == user_id, BreakGlass.expires_at > emergency
    return or_(Patient.id.in_(by_team), Patient.id.in_(select(BreakGlass.patient_id).where(*open_now)))
