"""What patients of a study are asked to agree to: versions of a text, each for some types of data.

A version is never changed, so that what somebody agreed to can be read ever after; one that is no longer used is
retired.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from konectom.errors import AlreadyExists, FieldInvalid, FieldMissing, NotFound
from konectom.storage.models import ConsentForm
from konectom.workflows.consent.data_types import checked_types
from konectom.workflows.pages import BY_TEXT_AND_ID, Asked, page, told, told_if_any
from konectom.workflows.patients.people import CODE, checked_text, find_study
from konectom.workflows.services import Services

LONGEST_TEXT = 100_000


def create_consent_form(
    services: Services, study_id: UUID, *, version: str, title: str, text: str, data_types: Sequence[str]
) -> dict[str, Any]:
    """Make a version of a study's consent form.

    Raises :class:`FieldInvalid` and :class:`FieldMissing` at the field, :class:`AlreadyExists` where the study has
    the version, :class:`NotFound` for the study.
    """
    if not CODE.fullmatch(version):
        raise FieldInvalid(
            "a version is 1 to 64 letters, digits, points, hyphens or underscores, the first a letter or digit",
            at="/version",
        )
    if not title.strip():
        raise FieldMissing("a form has a title", at="/title")
    if not text.strip():
        raise FieldMissing("say what patients agree to", at="/text")
    if len(text) > LONGEST_TEXT or "\0" in text:
        raise FieldInvalid(f"text must be text of at most {LONGEST_TEXT} characters", at="/text")
    row = ConsentForm(
        id=uuid4(),
        study_id=study_id,
        version=version,
        title=checked_text(title, "title"),
        text=text,
        data_types=checked_types(data_types),
        created_at=services.clock(),
        retired_at=None,
    )
    answer = show_form(row)
    try:
        with services.db.write() as db:
            find_study(db, study_id)
            db.add(row)
    except IntegrityError:
        raise AlreadyExists(f"the study has a form of version {version!r} already", at="/version") from None
    return answer


def list_consent_forms(
    services: Services, study_id: UUID, *, retired: bool = False, cursor: str | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Return a page of a study's forms, by version; with ``retired`` also those that are no longer used."""
    statement = select(ConsentForm).where(ConsentForm.study_id == study_id)
    if not retired:
        statement = statement.where(ConsentForm.retired_at.is_(None))
    asked = Asked.of(services.settings, cursor, limit)
    with services.db.read() as db:
        find_study(db, study_id)
        return page(db, statement, (ConsentForm.version, ConsentForm.id), BY_TEXT_AND_ID, show_form, asked)


def retire_consent_form(services: Services, study_id: UUID, form_id: UUID) -> dict[str, Any]:
    """Let nobody agree to this form any more; what was agreed to stays. A second time changes nothing."""
    with services.db.write() as db:
        row = db.get(ConsentForm, form_id, with_for_update=True)
        if row is None or row.study_id != study_id:
            raise NotFound("there is no such consent form")
        if row.retired_at is None:
            row.retired_at = services.clock()
        return show_form(row)


def find_form(db: Session, study_id: UUID, version: str) -> ConsentForm:
    """Return a study's form of this version; raises :class:`FieldInvalid` at ``/form``."""
    of_version = select(ConsentForm).where(ConsentForm.study_id == study_id, ConsentForm.version == version)
    row = db.scalars(of_version).one_or_none() if CODE.fullmatch(version) else None
    if row is None:
        raise FieldInvalid(f"the study has no consent form of version {version[:80]!r}", at="/form")
    return row


def show_form(row: ConsentForm) -> dict[str, Any]:
    """Return a form as it stands on the wire."""
    return {
        "id": str(row.id),
        "study": str(row.study_id),
        "version": row.version,
        "title": row.title,
        "text": row.text,
        "data_types": row.data_types,
        "created_at": told(row.created_at),
        "retired_at": told_if_any(row.retired_at),
    }
