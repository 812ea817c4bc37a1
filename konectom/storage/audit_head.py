"""The head of the audit's chain: how many entries there are, and the seal of the last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, Select, Text, cast, literal, select, update

from konectom.errors import AuditBroken
from konectom.security.chain import GENESIS, Head, Keys, fault_of_head, fault_of_key
from konectom.storage.digests import audited_models
from konectom.storage.models import AuditHead, AuditRow, Base, Erasure
from konectom.storage.types import microseconds

HEAD_ID = 1
EMPTY: Mapping[str, int] = MappingProxyType({})

WHY = {
    "head_key": "is sealed under a key that is not here",
    "key_late": "is sealed under a key that was replaced before",
    "key_back": "is sealed under a later key than the current one",
}
"""Why nobody writes on, by the fault."""

_UPDATE = update(AuditHead).where(AuditHead.id == HEAD_ID)


def read_head(connection: Connection, *, lock: bool = False) -> Head | None:
    """Return the head, None where it is missing; ``lock`` keeps others from changing it before this one ends.

    What no writer would have put there is told as something that no seal fits.
    """
    row = connection.execute(_head_statement(connection.dialect.name, lock)).one_or_none()
    if row is None:
        return None
    seq, seal, key, head_seal = (
        each if isinstance(each, str) else bytes(each).decode(errors="replace") for each in row
    )
    return Head(int(seq) if re.fullmatch("[0-9]{1,18}", seq) else -1, seal, key, head_seal)


@cache
def _head_statement(dialect: str, lock: bool) -> Select[Any]:
    # SQLite gives out whatever bytes somebody put in, unless they are asked for as text.
    as_stored = LargeBinary if dialect == "sqlite" else Text
    columns = AuditHead.__table__.columns
    wanted: list[ColumnElement[Any]] = [cast(columns[name], as_stored) for name in ("seq", "seal", "key", "head_seal")]
    statement: Select[Any] = select(*wanted).where(columns["id"] == HEAD_ID)
    return statement.with_for_update() if lock else statement


def genuine(connection: Connection, head: Head | None, keys: Keys, *, made: Mapping[str, int] | None = EMPTY) -> Head:
    """Return a head that is as it was sealed; raises :class:`AuditBroken` for any other.

    One of an audit without entries is so only where there is nothing that had to be told, but for so many rows of
    each table as were ``made`` just now (None: any).
    """
    fault = "head_missing" if head is None else fault_of_head(keys, head)
    if head is not None and fault is None:
        if head == GENESIS:
            fault = None if made is None or tells_nothing(connection, made) else "emptied"
        elif head.key != keys.current_id:
            fault = _fault_of_change(connection, head, keys)
    if head is None or fault is not None:
        why = WHY.get(fault or "", "is missing or was changed")
        raise AuditBroken(f"the head of the audit {why}; see: konectom audit verify")
    return head


def _fault_of_change(connection: Connection, head: Head, keys: Keys) -> str | None:
    """Return what is wrong where the next entry will be sealed under another key than the last."""
    at = connection.execute(select(AuditRow.at).where(AuditRow.seq == head.seq)).scalar_one_or_none()
    if at is None:
        return "cut_off"
    late = fault_of_key(keys, microseconds(at), head.key, "")
    return late or fault_of_key(keys, microseconds(at), keys.current_id, head.key)


def tells_nothing(connection: Connection, made: Mapping[str, int] = EMPTY) -> bool:
    """Tell whether no table of which the audit tells holds more rows than were ``made`` just now."""
    models: tuple[type[Base], ...] = (*audited_models(), Erasure)
    for model in models:
        table, most = model.__table__, made.get(model.__tablename__, 0)
        if connection.execute(select(literal(1)).select_from(table).offset(most).limit(1)).first() is not None:
            return False
    return True


def write_head(connection: Connection, head: Head) -> None:
    """Replace the head of the chain."""
    values = {"seq": head.seq, "seal": head.seal, "key": head.key, "head_seal": head.head_seal}
    connection.execute(_UPDATE, values)
