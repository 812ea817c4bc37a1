"""Which rows are of a patient: those of every table from which foreign keys lead to the patient, however many.

It follows from the tables themselves, so that one which is added later is not forgotten.
"""

from __future__ import annotations

from functools import cache
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Table, or_, select

from konectom.storage.models import Base, Patient

PATIENT: Table = Base.metadata.tables[Patient.__tablename__]


@cache
def tables_of_patients() -> tuple[Table, ...]:
    """Return every table whose rows are of a patient; each stands before those to which it refers."""
    found = {PATIENT}
    for table in Base.metadata.sorted_tables:
        if any(key.column.table in found for key in table.foreign_keys):
            found.add(table)
    return tuple(table for table in reversed(Base.metadata.sorted_tables) if table in found)


def rows_of(table: Table, patient_id: UUID) -> ColumnElement[bool]:
    """Return the condition on the rows of ``table`` that they are the patient's.

    A table that names the patient itself is asked for that; one that does not, for the rows to which it refers.
    """
    if table is PATIENT:
        return table.c.id == patient_id
    keys = [key for key in table.foreign_keys if key.column.table in tables_of_patients()]
    direct = [key.parent == patient_id for key in keys if key.column.table is PATIENT]
    return or_(*(direct or [_refers(key.parent, key.column, patient_id) for key in keys]))


def _refers(column: Column[object], target: Column[object], patient_id: UUID) -> ColumnElement[bool]:
    return column.in_(select(target).where(rows_of(target.table, patient_id)))
