"""What keeps rows as they were written: sessions that refuse to change immutable rows, or to write at all.

The audit's own rows are written by :mod:`konectom.storage.audit` alone. Rows of which the audit tells are not changed
or removed many at once, where it could not tell of each. Only what erases a patient, or discards an upload that was in
quarantine, removes such rows, and some of those that are immutable: its session says so (:func:`removing`), and it
tells the audit what it removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session

from konectom.storage.digests import model_of
from konectom.storage.models import ERASABLE, IMMUTABLE, AuditHead, AuditRow, Base

ERASING = "erasing"
"""What a session says in its ``info`` while it removes rows."""


class RowImmutable(TypeError):
    """The program tried to change what is never changed; a newer version adds a row."""


class RowAudited(TypeError):
    """The program tried to change many audited rows at once."""


class ReadOnly(TypeError):
    """The program tried to write where it had only asked to read."""


@contextmanager
def removing(session: Session) -> Iterator[None]:
    """Let a session remove rows, and those of :data:`ERASABLE` tables, that are else only added."""
    session.info[ERASING] = True
    try:
        yield
    finally:
        del session.info[ERASING]


def guard(session_class: type[Session]) -> None:
    """Make sessions of this class refuse changes to immutable rows, and any change where opened to read."""
    event.listen(session_class, "before_flush", _before_flush)
    event.listen(session_class, "do_orm_execute", _before_statement)


def _before_flush(session: Session, context: Any, instances: Any) -> None:
    if session.info.get("read_only") and (session.new or session.dirty or session.deleted):
        raise ReadOnly("this session was opened to read")
    changed = [row for row in session.dirty if session.is_modified(row)]
    for row in (*session.new, *changed, *session.deleted):
        if isinstance(row, AuditRow | AuditHead):
            raise RowImmutable("the audit is written by the trail alone")
    for row in changed:
        if isinstance(row, IMMUTABLE):
            raise _refusal(row.__tablename__)
    for row in session.deleted:
        if isinstance(row, IMMUTABLE) and not _may_erase(session, type(row)):
            raise _refusal(row.__tablename__)


def _before_statement(state: ORMExecuteState) -> None:
    if not (state.is_insert or state.is_update or state.is_delete):
        return
    session = state.session
    if session.info.get("read_only"):
        raise ReadOnly("this session was opened to read")
    table = getattr(getattr(state.statement, "table", None), "name", "")
    model = model_of(table)
    if model in (AuditRow, AuditHead):
        raise RowImmutable("the audit is written by the trail alone")
    if model is None or state.is_insert:
        return
    if model in IMMUTABLE and not (state.is_delete and _may_erase(session, model)):
        raise _refusal(table)
    if model.AUDITED and not (state.is_delete and _may_erase(session, model)):
        raise RowAudited(f"rows of {table} are changed and removed one by one, so that the audit tells of each")


def _may_erase(session: Session, model: type[Base]) -> bool:
    return bool(session.info.get(ERASING)) and (model in ERASABLE or model not in IMMUTABLE)


def _refusal(table: str) -> RowImmutable:
    return RowImmutable(f"rows of {table} are never changed or deleted")
