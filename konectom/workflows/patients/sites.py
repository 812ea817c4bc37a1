"""Sites: the clinics that take part in a study."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from konectom.errors import AlreadyExists
from konectom.storage.models import Site
from konectom.workflows.pages import BY_TEXT_AND_ID, Asked, page, told
from konectom.workflows.patients.people import checked_code, checked_text, find_study
from konectom.workflows.services import Services


def create_site(services: Services, study_id: UUID, *, code: str, name: str = "") -> dict[str, Any]:
    """Make a site of a study; raises :class:`AlreadyExists` where the code is taken in it."""
    row = Site(
        id=uuid4(),
        study_id=study_id,
        code=checked_code(code),
        name=checked_text(name, "name"),
        created_at=services.clock(),
    )
    try:
        with services.db.write() as db:
            find_study(db, study_id)
            db.add(row)
            return show_site(row)
    except IntegrityError:
        raise AlreadyExists(f"there is a site {code!r} in this study already") from None


def list_sites(
    services: Services, study_id: UUID, *, cursor: str | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Return a page of a study's sites, by code."""
    with services.db.read() as db:
        find_study(db, study_id)
        asked = Asked.of(services.settings, cursor, limit)
        statement = select(Site).where(Site.study_id == study_id)
        return page(db, statement, (Site.code, Site.id), BY_TEXT_AND_ID, show_site, asked)


def show_site(row: Site) -> dict[str, Any]:
    """Return a site as it stands on the wire."""
    return {
        "id": str(row.id),
        "study": str(row.study_id),
        "code": row.code,
        "name": row.name,
        "created_at": told(row.created_at),
    }
