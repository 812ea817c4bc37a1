"""What keeps rows as they were written: sessions that refuse to change immutable rows, or to write at all.

Erasing a patient, and nothing else, deletes some of them: a session whose ``info`` says :data:`ERASING` may delete
rows of :data:`~konectom.storage.models.ERASABLE` tables. It changes none of them, and of the others it deletes none.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session

from konectom.storage.models import ERASABLE, IMMUTABLE

ERASING = "erasing"
"""What the session of an erasure says in its ``info``."""


class RowImmutable(TypeError):
    """The program tried to change what is never changed; a newer version adds a row."""


class ReadOnly(TypeError):
    """The program tried to write where it had only asked to read."""


def guard(session_class: type[Session]) -> None:
    """Make sessions of this class refuse changes to immutable rows, and any change where opened to read."""
    event.listen(session_class, "before_flush", _before_flush)
    event.listen(session_class, "do_orm_execute", _before_statement)


def _before_flush(session: Session, context: Any, instances: Any) -> None:
    if session.info.get("read_only") and (session.new or session.dirty or session.deleted):
        raise ReadOnly("this session was opened to read")
    changed = (row for row in session.dirty if session.is_modified(row))
    for row in (*session.deleted, *changed):
        if isinstance(row, IMMUTABLE):
            raise RowImmutable(f"rows of {row.__tablename__} are never changed or deleted")


def _before_statement(state: ORMExecuteState) -> None:
    if not (state.is_insert or state.is_update or state.is_delete):
        return
    if state.session.info.get("read_only"):
        raise ReadOnly("this session was opened to read")
    table = getattr(getattr(state.statement, "table", None), "name", None)
    if state.is_delete and state.session.info.get(ERASING) and table in {each.__tablename__ for each in ERASABLE}:
        return
    if not state.is_insert and table in {each.__tablename__ for each in IMMUTABLE}:
        raise RowImmutable(f"rows of {table} are never changed or deleted")
