"""The audit's entries: one for each row that a write session makes, changes or removes, kept together with them.

What is flushed is remembered; as the last thing before the commit the head of the chain is locked, and the entries are
numbered, sealed and added. So there is no change without its entry and no entry without its change, and the entries of
several writers stand one after the other without gaps. What is rolled back, wholly or to a savepoint, is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Insert, event, insert, select
from sqlalchemy import inspect as inspected
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction
from sqlalchemy.orm.base import NO_VALUE

from konectom.security.acting import acting
from konectom.security.chain import Change
from konectom.storage.audit_trail import Note, Trail
from konectom.storage.digests import model_of, plan_of
from konectom.storage.models import AuditHead, AuditRow, Base

TRAIL, NOTED, WAITING, SAVEPOINTS = "trail", "noted", "noted_waiting", "noted_savepoints"
"""Where a session keeps its trail, what is to be told, what is being flushed, and how much was told at savepoints."""

BEGINS = "audit_begins"
"""Set in the information of a session with which the audit of a database begins."""


class Tally:
    """How many entries were added."""

    entries = 0


_TALLY: ContextVar[Tally | None] = ContextVar("tally", default=None)


def count_entries() -> Tally:
    """Return what counts the entries that are added from now on in this thread or request."""
    tally = Tally()
    _TALLY.set(tally)
    return tally


class NotTold(TypeError):
    """The program tried to change audited rows in a way of which the audit learns nothing."""


def note(
    db: Session,
    *,
    change: Change = "event",
    entity: str,
    entity_id: str = "",
    study_id: UUID | None = None,
    patient_id: UUID | None = None,
    detail: Mapping[str, Any] | None = None,
    why: str | None = None,
) -> None:
    """Add an entry to a write session: what was seen or done that is no change of a row.

    ``detail`` holds ids, names and counts, never free text and nothing that a patient's erasure would have to reach;
    ``why``, by default the reason given beforehand, is sealed under the patient's key.
    """
    if db.info.get("read_only"):
        raise NotTold("an entry of the audit needs a session that writes")
    who = acting() if why is None else replace(acting(), why=why)
    facts = {"study_id": study_id, "patient_id": patient_id}
    _notes(db).append(
        Note(who=who, change=change, entity=entity, entity_id=entity_id, facts=facts, detail=detail or {})
    )


def add_at_once(db: Session, rows: Sequence[Base]) -> None:
    """Insert rows of one table by a statement that is made once, and tell of them as a flush does.

    The session does not hold them afterwards. Each says the same columns; what none says has the column's default.
    """
    if not rows:
        return
    model = type(rows[0])
    if db.info.get("read_only") or model in (AuditRow, AuditHead):
        raise NotTold(f"rows of {model.__tablename__} are not added here")
    if model.AUDITED and TRAIL not in db.info:
        raise NotTold(f"rows of {model.__tablename__} are audited, and this database has no trail")
    names = plan_of(model).attributes
    said = [{name: row.__dict__[name] for name in names if name in row.__dict__} for row in rows]
    db.connection().execute(_insert(model), said)
    for each in said if model.AUDITED else ():
        _tell(db, model, "insert", None, each, {})


@cache
def _insert(model: type[Base]) -> Insert:
    return insert(model)


def begin(db: Session) -> None:
    """Let the audit begin with a sealed entry, in a database whose schema had none before: its rows may be older."""
    db.info[BEGINS] = True
    note(db, entity="audit")


def audit(session_class: type[Session]) -> None:
    """Make write sessions of this class tell what they change."""
    event.listen(session_class, "before_flush", _before_flush)
    event.listen(session_class, "after_flush", _after_flush)
    event.listen(session_class, "do_orm_execute", _on_statement)
    event.listen(session_class, "before_commit", _before_commit)
    event.listen(session_class, "after_transaction_create", _savepoint)
    event.listen(session_class, "after_soft_rollback", _rolled_back)


def _notes(session: Session) -> list[Note]:
    notes: list[Note] = session.info.setdefault(NOTED, [])
    return notes


def _before_flush(session: Session, context: Any, instances: Any) -> None:
    waiting: list[tuple[Base, Change, dict[str, Any] | None, dict[str, Any]]] = []
    for row in session.new:
        if row.AUDITED:
            waiting.append((row, "insert", None, {}))
    for row in session.dirty:
        if row.AUDITED:
            changed = _changed(row)
            if changed & plan_of(type(row)).counted:
                waiting.append((row, "update", _before(session, row), {"columns": sorted(changed)}))
    for row in session.deleted:
        if row.AUDITED:
            waiting.append((row, "delete", _before(session, row), {}))
    if waiting and TRAIL not in session.info:
        raise NotTold(f"rows of {waiting[0][0].__tablename__} are audited, and this database has no trail")
    session.info[WAITING] = waiting


def _after_flush(session: Session, context: Any) -> None:
    for row, change, before, detail in session.info.pop(WAITING, ()):
        after = None if change == "delete" else {name: getattr(row, name) for name in plan_of(type(row)).attributes}
        _tell(session, type(row), change, before, after, detail)


def _tell(
    session: Session,
    model: type[Base],
    change: Change,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    detail: Mapping[str, Any],
) -> None:
    plan, facts = plan_of(model), after if after is not None else before or {}
    _notes(session).append(
        Note(
            who=acting(),
            change=change,
            entity=plan.entity,
            entity_id=plan.entity_id(facts),
            before=None if before is None else plan.content(before),
            after=None if after is None else plan.content(after),
            facts=facts,
            detail=detail,
        )
    )


def _on_statement(state: ORMExecuteState) -> Any:
    """Tell of rows that are inserted many at once."""
    if not state.is_insert:
        return None
    model = model_of(getattr(getattr(state.statement, "table", None), "name", ""))
    if model is None or not model.AUDITED:
        return None
    given = state.parameters
    rows = [given] if isinstance(given, Mapping) else list(given or ())
    if TRAIL not in state.session.info or not rows:
        raise NotTold(f"rows of {model.__tablename__} are audited: hand them over one by one, or as a list")
    result = state.invoke_statement()
    for row in rows:
        _tell(state.session, model, "insert", None, row, {})
    return result


def _before_commit(session: Session) -> None:
    if session.in_nested_transaction():
        return  # a savepoint is given up: what it holds is told at the end
    session.flush()
    notes = session.info.pop(NOTED, None)
    if notes:
        trail: Trail | None = session.info.get(TRAIL)
        if trail is None:
            raise NotTold("this database has no trail")
        trail.keep(session.connection(), notes, begins=session.info.pop(BEGINS, False))
        if (tally := _TALLY.get()) is not None:
            tally.entries += len(notes)


def _savepoint(session: Session, transaction: SessionTransaction) -> None:
    if transaction.nested:
        session.info.setdefault(SAVEPOINTS, {})[transaction] = len(_notes(session))


def _rolled_back(session: Session, previous: SessionTransaction) -> None:
    session.info.pop(WAITING, None)
    kept = session.info.get(SAVEPOINTS, {}).pop(previous, None)
    if kept is not None:
        del _notes(session)[kept:]
    elif previous.parent is None:
        session.info.pop(NOTED, None)
        session.info.pop(BEGINS, None)
        session.info.pop(SAVEPOINTS, None)


def _changed(row: Base) -> frozenset[str]:
    """Return the attributes of a row whose values are not those that it was read or last flushed with."""
    state = inspected(row)
    names = plan_of(type(row)).attributes
    return frozenset(
        name for name in names if name in state.committed_state and state.attrs[name].history.has_changes()
    )


def _before(session: Session, row: Base) -> dict[str, Any]:
    """Return what a row said before it was changed here, by attribute; what is not known any more is read."""
    state, plan = inspected(row), plan_of(type(row))
    values = {name: state.committed_state.get(name, state.dict.get(name, NO_VALUE)) for name in plan.attributes}
    if NO_VALUE in values.values():
        mapper = state.mapper
        columns = [mapper.columns[name].label(name) for name in plan.attributes]
        whole_key = zip(mapper.primary_key, state.identity or (), strict=True)
        found = session.connection().execute(select(*columns).where(*(column == key for column, key in whole_key)))
        values = dict(found.mappings().one())
    return values
