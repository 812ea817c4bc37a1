"""On what terms a study keeps data: where consent is kept, and until when."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from konectom.errors import FieldInvalid
from konectom.security.acting import because
from konectom.workflows.patients.people import CONSENT, find_study, show_study
from konectom.workflows.services import Services

MOST_REASON = 500


def edit_study(services: Services, study_id: UUID, *, reason: str, **changes: Any) -> dict[str, Any]:
    """Change where consent is kept (``consent``) or until when data are (``retain_until``, a date); return the study.

    What is not named stays; without a date nothing is overdue, with one in the past all is. Raises
    :class:`FieldInvalid`, :class:`~konectom.errors.NotFound`.
    """
    reason = _checked(reason)
    consent, until = changes.get("consent"), changes.get("retain_until")
    if "consent" in changes and consent not in CONSENT:
        raise FieldInvalid(f"consent must be one of {', '.join(CONSENT)}", at="/consent")
    if until is not None and not isinstance(until, date):
        raise FieldInvalid("retain_until must be a date", at="/retain_until")
    with because(reason), services.db.write() as db:
        row = find_study(db, study_id, lock=True)
        for name in changes.keys() & {"consent", "retain_until"}:
            setattr(row, name, changes[name])
        db.flush()
        return show_study(row)


def _checked(reason: str) -> str:
    if not reason.strip() or len(reason) > MOST_REASON or "\0" in reason:
        raise FieldInvalid(f"say why, in at most {MOST_REASON} characters", at="/reason")
    return reason.strip()
