"""Checking the audit: that nothing in its chain was changed, and that the rows it tells of are as it last told.

The first says whether the audit can be trusted; the second finds what was done to the database behind its back.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, OperationalError

from konectom.security.chain import (
    GENESIS,
    Anchor,
    Keys,
    fault_of_entry,
    fault_of_head,
    fault_of_key,
)
from konectom.storage.audit_head import genuine, read_head, tells_nothing
from konectom.storage.audit_rows import Stored, stored_entries, stored_seal
from konectom.storage.integrity import file_faults
from konectom.storage.models import AuditHead, AuditRow
from konectom.workflows.audit.compare import Told, check_rows
from konectom.workflows.audit.report import Report
from konectom.workflows.services import Services

AUDIT_TABLES = (AuditRow.__tablename__, AuditHead.__tablename__)
WITHIN = timedelta(hours=6)
"""How long one question of a check may take: SQLite goes through the whole file in one."""


def verify(services: Services, *, anchor: Anchor | None = None, rows: bool = False) -> Report:
    """Walk the chain, and with ``rows`` compare every audited row with what was last told of it.

    All is read as of one instant; others may write meanwhile. With ``rows`` an entry a row is held in memory. On SQLite
    the file itself is checked first, the audit's part or with ``rows`` all of it: an index that was edited would hide
    entries from whoever searches them, and a page that cannot be read ends the walk. Raises
    :class:`~konectom.errors.KeysMissing` and its kin where the keys themselves cannot be read.
    """
    services.keys.check()
    told = Told() if rows else None
    with services.db.read(within=WITHIN) as db:
        connection = db.connection()
        damaged = file_faults(connection, None if rows else AUDIT_TABLES)
        try:
            report = check_chain(connection, services.keys, anchor=anchor, told=told)
            if told is not None:
                check_rows(services.keys, connection, report, told)
        except DatabaseError as error:
            if not damaged or isinstance(error, OperationalError):
                raise
            report = Report()
    for each in damaged:
        report.add("file", what=each)
    return report


def check_chain(
    connection: Connection,
    keys: Keys,
    *,
    anchor: Anchor | None = None,
    told: Told | None = None,
) -> Report:
    """Walk the chain as this connection sees it; into ``told`` goes what it tells of rows."""
    report = Report(head=read_head(connection))
    end = _walk(keys, connection, report, told)
    _check_head(keys, report, end)
    if report.head == GENESIS and not tells_nothing(connection):
        report.add("emptied")
    if anchor is not None and anchor.seq > 0 and stored_seal(connection, anchor.seq) != anchor.seal:
        report.add("anchor", anchor.seq)
    return report


def anchor_of(services: Services) -> Anchor:
    """Return what to note elsewhere, the number and seal of the last entry.

    Raises :class:`~konectom.errors.AuditBroken` where the head is not as it was sealed.
    """
    with services.db.read() as db:
        connection = db.connection()
        head = genuine(connection, read_head(connection), services.keys)
    return Anchor(head.seq, head.seal)


def _walk(keys: Keys, connection: Connection, report: Report, told: Told | None) -> Stored:
    """Check entry after entry, and return the last. After a fault the chain is followed on from what is there."""
    before = Stored(GENESIS.seq, None, seal=GENESIS.seal)
    for found in stored_entries(connection):
        if found.seq is None or before.seq is None:
            report.add("number")
            return before
        report.entries += 1
        if found.seq != before.seq + 1:
            report.add("gap", found.seq)
        elif found.entry is None:
            report.add("form", found.seq)
        elif before.entry is not None or before.seq == GENESIS.seq:
            fault = fault_of_entry(keys, found.entry, before.seal, found.key, found.seal)
            fault = fault or fault_of_key(keys, found.entry.at, found.key, before.key)
            if fault is not None:
                report.add(fault, found.seq)
        entry, before = found.entry, found
        if told is not None and entry is not None:
            told.add(entry)
    return before


def _check_head(keys: Keys, report: Report, end: Stored) -> None:
    head = report.head
    if head is None:
        report.add("head_missing")
        return
    fault = fault_of_head(keys, head)
    if fault is not None:
        report.add(fault)
    elif end.seq is not None and head.seq > end.seq:
        report.add("cut_off", end.seq)
    elif end.seq is not None and head.seq < end.seq:
        report.add("beyond", head.seq + 1)
    elif (head.seal, head.key) != (end.seal, end.key):
        report.add("head", head.seq)
