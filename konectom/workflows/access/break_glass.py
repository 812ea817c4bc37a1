"""Breaking the glass: in an emergency a clinician reaches, for some hours, a patient of the study outside of the teams.

Nobody is asked beforehand, so that nobody dies of a missing tick; but a reason is told, the patient must be known by
the code, and those who run and watch the study see each event.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from konectom.errors import FieldInvalid, NotFound, NotPermitted
from konectom.security.acting import because
from konectom.security.principal import EVERYTHING, Principal, Scope
from konectom.storage.audit import note
from konectom.storage.models import BreakGlass, Patient, User
from konectom.storage.scopes import patients_in
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, page, told
from konectom.workflows.patients.people import CODE
from konectom.workflows.services import Services

PERMISSION = "patient.break_glass"
SHORTEST_REASON, LONGEST_REASON = 10, 500


def break_glass(services: Services, principal: Principal, study_id: UUID, *, code: str, reason: str) -> dict[str, Any]:
    """Let a clinician reach the patient of this code in a study; return the patient's id and until when.

    The reason is kept by the audit. Raises :class:`NotFound` for a patient who is not there or lies outside of where
    the clinician works, and :class:`FieldInvalid` at ``/reason``.
    """
    reason = _checked(reason)
    scope = principal.reach(PERMISSION)
    if scope is None:
        raise NotPermitted(f"this needs the permission {PERMISSION}")
    now = services.clock()
    asked = select(Patient).where(Patient.study_id == study_id, Patient.code == code, patients_in(scope, now))
    with services.db.write() as db:
        patient = db.scalars(asked).one_or_none() if CODE.fullmatch(code) else None
        if patient is None:
            # Without the reason: it may tell of somebody, and nobody's key would seal it.
            note(db, entity="break_glass", study_id=study_id, detail={"event": "no such patient"})
        else:
            expires_at = now + services.settings.break_glass_lifetime
            row = BreakGlass(id=uuid4(), user_id=principal.id, patient_id=patient.id, at=now, expires_at=expires_at)
            with because(reason):
                db.add(row)
                db.flush()
            return {"patient": str(patient.id), "at": told(now), "expires_at": told(expires_at)}
    raise NotFound("there is no such patient")


def list_break_glass(
    services: Services,
    study_id: UUID,
    *,
    scope: Scope = EVERYTHING,
    cursor: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return a page of who broke the glass for which patient of a study within ``scope``, oldest first."""
    held = select(BreakGlass).join(Patient).where(Patient.study_id == study_id, patients_in(scope, services.clock()))
    with services.db.read() as db:
        of_users = select(User).where(User.id.in_(held.with_only_columns(BreakGlass.user_id)))
        logins = {user.id: user.login for user in db.scalars(of_users)}

        def show(row: BreakGlass) -> dict[str, Any]:
            return {
                "id": str(row.id),
                "user": str(row.user_id),
                "login": logins[row.user_id],
                "patient": str(row.patient_id),
                "at": told(row.at),
                "expires_at": told(row.expires_at),
            }

        asked = Asked.of(services.settings, cursor, limit)
        return page(db, held, (BreakGlass.at, BreakGlass.id), BY_TIME_AND_ID, show, asked)


def _checked(reason: str) -> str:
    said = " ".join(reason.split())
    if not SHORTEST_REASON <= len(said) <= LONGEST_REASON or "\0" in said:
        told_range = f"from {SHORTEST_REASON} to {LONGEST_REASON} characters"
        raise FieldInvalid(f"say why, in {told_range}", at="/reason")
    return said
