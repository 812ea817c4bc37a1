"""What is known of sessions that somebody still holds: a phone that was set up anew asks, and sends what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import Patient, QuarantineRow, SessionRow
from konectom.storage.scopes import patients_in
from konectom.workflows.consent.withheld import patient_is_shown, shown_patient
from konectom.workflows.services import Services

MOST = 1000
"""Sessions in one question."""

AT_ONCE = 500
"""Ids in one statement: every database takes so many."""

STORED, MISSING, DIFFERS = "stored", "missing", "differs"
STATES = (STORED, "held", "released", "discarded", DIFFERS, MISSING)


class Asked(NamedTuple):
    """A session that somebody holds: its id and the sha256 of its bytes, hexadecimal."""

    id: UUID
    digest: str


def known_sessions(services: Services, asked: Sequence[Asked], *, scope: Scope = EVERYTHING) -> list[dict[str, Any]]:
    """Return for each session, in order, whether these very bytes are stored or in quarantine, or others are.

    What lies outside of ``scope``, or belongs to a patient who is restricted, is ``missing``; a phone whose own patient
    is restricted raises :class:`~konectom.errors.PatientRestricted`.
    """
    now = services.clock()
    inside = select(Patient.id).where(patients_in(scope, now))
    stored: dict[UUID, str] = {}
    held: dict[Asked, QuarantineRow] = {}
    with services.db.read() as db:
        if scope.patient_id is not None:
            shown_patient(db, scope.patient_id)
        for ids in _some([each.id for each in asked]):
            of = select(SessionRow.id, SessionRow.digest).where(SessionRow.id.in_(ids))
            mine = SessionRow.patient_id.in_(inside), patient_is_shown(SessionRow.patient_id)
            stored |= {row.id: row.digest for row in db.execute(of.where(*mine))}
            waiting = select(QuarantineRow).where(QuarantineRow.session_id.in_(ids))
            ours = QuarantineRow.patient_id.in_(inside), patient_is_shown(QuarantineRow.patient_id)
            held |= {Asked(row.session_id, row.digest): row for row in db.scalars(waiting.where(*ours))}
    return [_told(each, stored.get(each.id), held.get(each)) for each in asked]


def _told(asked: Asked, digest: str | None, held: QuarantineRow | None) -> dict[str, Any]:
    told: dict[str, Any] = {"id": str(asked.id)}
    if digest == asked.digest:
        return told | {"state": STORED}
    if held is not None:
        return told | {"state": held.state, "quarantine": str(held.id)}
    return told | {"state": MISSING if digest is None else DIFFERS}


def _some(ids: Sequence[UUID]) -> Iterator[Iterable[UUID]]:
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]
