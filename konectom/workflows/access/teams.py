"""Care teams of a study: a clinician sees the patients of the teams that he or she belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from konectom.errors import AlreadyExists, FieldInvalid, NotFound
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import CareMember, CarePatient, CareTeam, Patient, User
from konectom.storage.scopes import patients_in
from konectom.workflows.access.grants import is_clinician
from konectom.workflows.pages import BY_TEXT_AND_ID, Asked, page, told
from konectom.workflows.patients.people import checked_text, find_patient, find_study
from konectom.workflows.services import Services


def create_team(services: Services, study_id: UUID, *, name: str) -> dict[str, Any]:
    """Make a care team; raises :class:`AlreadyExists` where the study has one of that name."""
    if not name.strip():
        raise FieldInvalid("a care team needs a name", at="/name")
    row = CareTeam(id=uuid4(), study_id=study_id, name=checked_text(name.strip(), "name"), created_at=services.clock())
    try:
        with services.db.write() as db:
            find_study(db, study_id)
            db.add(row)
            return _show_team(row) | {"members": [], "patients": []}
    except IntegrityError:
        raise AlreadyExists(f"there is a care team {row.name!r} in this study already") from None


def list_teams(
    services: Services,
    study_id: UUID,
    *,
    scope: Scope = EVERYTHING,
    patients: Scope = EVERYTHING,
    cursor: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return a page of a study's care teams, by name, with members and those patients that lie in ``patients``.

    A ``scope`` that is bound to a site sees the teams that have a patient there.
    """
    with services.db.read() as db:
        find_study(db, study_id)
        asked = Asked.of(services.settings, cursor, limit)
        statement = select(CareTeam).where(CareTeam.study_id == study_id)
        if scope.sites_of(study_id) is not None:
            there = select(CarePatient.team_id).join(Patient).where(patients_in(scope, services.clock()))
            statement = statement.where(CareTeam.id.in_(there))
        found = page(db, statement, (CareTeam.name, CareTeam.id), BY_TEXT_AND_ID, _show_team, asked)
        teams = [UUID(team["id"]) for team in found["items"]]
        members, cared_for = _members(db, teams), _patients(services, db, teams, patients)
    for team in found["items"]:
        team |= {"members": members[team["id"]], "patients": cared_for[team["id"]]}
    return found


def add_member(services: Services, study_id: UUID, team_id: UUID, user_id: UUID) -> None:
    """Put a clinician of the study into a care team. Again changes nothing."""
    with services.db.write() as db:
        _find_team(db, study_id, team_id)
        db.get(User, user_id, with_for_update=True)  # so that the role is not ended meanwhile
        if not is_clinician(db, user_id, study_id):
            raise NotFound("there is no such clinician in this study")
        if db.get(CareMember, (team_id, user_id)) is None:
            db.add(CareMember(team_id=team_id, user_id=user_id, since=services.clock()))


def remove_member(services: Services, study_id: UUID, team_id: UUID, user_id: UUID) -> None:
    """Take a clinician out of a care team. Again changes nothing."""
    _remove(services, study_id, team_id, CareMember, user_id)


def add_patient(services: Services, study_id: UUID, team_id: UUID, patient_id: UUID) -> None:
    """Put a patient of the study into the care of a team. Again changes nothing."""
    with services.db.write() as db:
        _find_team(db, study_id, team_id)
        find_patient(db, patient_id, study_id=study_id)
        if db.get(CarePatient, (team_id, patient_id)) is None:
            db.add(CarePatient(team_id=team_id, patient_id=patient_id, since=services.clock()))


def remove_patient(services: Services, study_id: UUID, team_id: UUID, patient_id: UUID) -> None:
    """Take a patient out of the care of a team. Again changes nothing."""
    _remove(services, study_id, team_id, CarePatient, patient_id)


def _remove(
    services: Services,
    study_id: UUID,
    team_id: UUID,
    table: type[CareMember] | type[CarePatient],
    who: UUID,
) -> None:
    with services.db.write() as db:
        _find_team(db, study_id, team_id)
        row = db.get(table, (team_id, who))
        if row is not None:
            db.delete(row)


def _find_team(db: Session, study_id: UUID, team_id: UUID) -> CareTeam:
    row = db.get(CareTeam, team_id, with_for_update=True)
    if row is None or row.study_id != study_id:
        raise NotFound("there is no such care team in this study")
    return row


def _members(db: Session, teams: Sequence[UUID]) -> dict[str, list[dict[str, Any]]]:
    asked = select(CareMember, User).join(User).where(CareMember.team_id.in_(teams)).order_by(User.login)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row, user in db.execute(asked):
        shown = {"user": str(user.id), "login": user.login, "name": user.name, "since": told(row.since)}
        found[str(row.team_id)].append(shown)
    return found


def _patients(services: Services, db: Session, teams: Sequence[UUID], scope: Scope) -> dict[str, list[dict[str, Any]]]:
    asked = (
        select(CarePatient, Patient)
        .join(Patient)
        .where(CarePatient.team_id.in_(teams), patients_in(scope, services.clock()))
        .order_by(Patient.code)
    )
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row, patient in db.execute(asked):
        shown = {"id": str(patient.id), "code": patient.code, "since": told(row.since)}
        found[str(row.team_id)].append(shown)
    return found


def _show_team(row: CareTeam) -> dict[str, Any]:
    return {"id": str(row.id), "study": str(row.study_id), "name": row.name, "created_at": told(row.created_at)}
