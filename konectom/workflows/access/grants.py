"""Roles of users: everywhere, in a study, or at one site of it. Who may do what with one: konectom.security.matrix."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from konectom.errors import AlreadyExists, FieldInvalid, FieldMissing, LastAdministrator, NotFound
from konectom.security.matrix import STAFF_ROLES, STUDY_ROLES
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import CareMember, CareTeam, GrantRow, Site, User
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, id_if_any, page, told, told_if_any
from konectom.workflows.patients.people import find_study
from konectom.workflows.services import Services


def grant_role(
    services: Services, user_id: UUID, *, role: str, study_id: UUID | None = None, site_id: UUID | None = None
) -> dict[str, Any]:
    """Give a user a role: an administrator's is everywhere, the others are in a study, or at a site of it.

    Raises :class:`FieldInvalid` or :class:`FieldMissing` with a pointer, and :class:`AlreadyExists`.
    """
    _check_place(role, study_id, site_id)
    row = GrantRow(
        id=uuid4(), user_id=user_id, role=role, study_id=study_id, site_id=site_id, created_at=services.clock()
    )
    with services.db.write() as db:
        if db.get(User, user_id, with_for_update=True) is None:
            raise NotFound("there is no such user")
        if study_id is not None:
            find_study(db, study_id)
        if site_id is not None:
            site = db.get(Site, site_id)
            if site is None or site.study_id != study_id:
                raise NotFound("there is no such site in this study", at="/site")
        same = [each for each in grants_of(db, user_id) if _place(each) == _place(row)]
        if same:
            raise AlreadyExists("the user has this role already")
        db.add(row)
        return show_grant(row)


def end_grant(services: Services, user_id: UUID, grant_id: UUID) -> None:
    """Take a role away, from now on; whoever is no clinician of a study any more leaves its care teams.

    Ending it again changes nothing. Raises :class:`LastAdministrator`.
    """
    now = services.clock()
    with services.db.write() as db:
        row = db.get(GrantRow, grant_id)
        if row is None or row.user_id != user_id:
            raise NotFound("the user has no such role")
        if row.ended_at is not None:
            return
        if row.role == "administrator":
            require_another_administrator(db, user_id)  # first: it locks the rows in an order
        db.refresh(row, with_for_update=True)
        row.ended_at = now
        db.flush()
        if row.study_id is not None and not is_clinician(db, user_id, row.study_id):
            _leave_teams(db, user_id, row.study_id)


def list_grants(
    services: Services, user_id: UUID, *, cursor: str | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Return a page of a user's roles, also those that ended, in the order in which they were given."""
    with services.db.read() as db:
        if db.get(User, user_id) is None:
            raise NotFound("there is no such user")
        order = (GrantRow.created_at, GrantRow.id)
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, select(GrantRow).where(GrantRow.user_id == user_id), order, BY_TIME_AND_ID, show_grant, asked)


def list_members(
    services: Services,
    study_id: UUID,
    *,
    scope: Scope = EVERYTHING,
    cursor: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return a page of who works in a study, and as what; for who is bound to a site, of whom it concerns.

    Those are the people of that site, and those of the whole study.
    """
    held = (
        select(GrantRow)
        .join(User)
        .where(GrantRow.study_id == study_id, GrantRow.ended_at.is_(None), User.disabled_at.is_(None))
    )
    sites = scope.sites_of(study_id)
    if sites is not None:
        held = held.where(or_(GrantRow.site_id.is_(None), GrantRow.site_id.in_(sites)))
    with services.db.read() as db:
        users = {user.id: user for user in db.scalars(select(User).where(User.id.in_(held.with_only_columns(User.id))))}

        def show(row: GrantRow) -> dict[str, Any]:
            user = users[row.user_id]
            return {
                "user": str(user.id),
                "login": user.login,
                "name": user.name,
                "role": row.role,
                "site": id_if_any(row.site_id),
                "since": told(row.created_at),
            }

        asked = Asked.of(services.settings, cursor, limit)
        return page(db, held, (GrantRow.created_at, GrantRow.id), BY_TIME_AND_ID, show, asked)


def require_another_administrator(db: Session, user_id: UUID) -> None:
    """Raise :class:`LastAdministrator` where the user is an administrator and nobody else is.

    Whoever cannot come in does not count. The rows stay locked, so that two do not shut each other out.
    """
    asked = (
        select(GrantRow, User)
        .join(User)
        .where(GrantRow.role == "administrator", GrantRow.ended_at.is_(None), User.disabled_at.is_(None))
        .order_by(GrantRow.id)
        .with_for_update()
    )
    administrators = [user for _, user in db.execute(asked)]
    can_come_in = [
        user
        for user in administrators
        if user.password_hash is not None or (user.subject is not None and user.reset_at is None)
    ]
    if any(user.id == user_id for user in administrators) and all(user.id == user_id for user in can_come_in):
        raise LastAdministrator("there is no other administrator who can log in")


def grants_of(db: Session, user_id: UUID) -> list[GrantRow]:
    """Return the roles that a user holds now."""
    return list(db.scalars(select(GrantRow).where(GrantRow.user_id == user_id, GrantRow.ended_at.is_(None))))


def is_clinician(db: Session, user_id: UUID, study_id: UUID) -> bool:
    """Tell whether a user who is not disabled is a clinician of the study, or of a site of it."""
    asked = (
        select(GrantRow.id)
        .join(User)
        .where(
            GrantRow.user_id == user_id,
            GrantRow.role == "clinician",
            or_(GrantRow.study_id == study_id, GrantRow.study_id.is_(None)),
            GrantRow.ended_at.is_(None),
            User.disabled_at.is_(None),
        )
    )
    return db.scalars(asked).first() is not None


def show_grant(row: GrantRow) -> dict[str, Any]:
    """Return a role of a user as it stands on the wire."""
    return {
        "id": str(row.id),
        "user": str(row.user_id),
        "role": row.role,
        "study": id_if_any(row.study_id),
        "site": id_if_any(row.site_id),
        "created_at": told(row.created_at),
        "ended_at": told_if_any(row.ended_at),
    }


def _check_place(role: str, study_id: UUID | None, site_id: UUID | None) -> None:
    if role not in STAFF_ROLES:
        raise FieldInvalid(f"role must be one of {', '.join(STAFF_ROLES)}", at="/role")
    if role not in STUDY_ROLES:
        if study_id is not None or site_id is not None:
            raise FieldInvalid("an administrator's role is everywhere: leave out study and site", at="/study")
    elif study_id is None:
        raise FieldMissing(f"the role {role} needs a study", at="/study")


def _leave_teams(db: Session, user_id: UUID, study_id: UUID) -> None:
    asked = select(CareMember).join(CareTeam).where(CareMember.user_id == user_id, CareTeam.study_id == study_id)
    for row in db.scalars(asked):
        db.delete(row)


def _place(row: GrantRow) -> tuple[str, UUID | None, UUID | None]:
    return row.role, row.study_id, row.site_id
