"""Copying all tables from one database to another, batch by batch, and going on where that was broken off."""

from __future__ import annotations

from sqlalchemy import Connection, Table
from sqlalchemy.exc import InterfaceError, OperationalError, StatementError

from konectom.errors import TransferBroken
from konectom.workflows.transfer.contents import Content, Sum, count_rows
from konectom.workflows.transfer.progress import Tell, silent
from konectom.workflows.transfer.rows import Plan, Row, batches, every_table, plan_for
from konectom.workflows.transfer.target import Target, remember

ALL = "all"
"""Stands for the key of the last row of a table, when all of it is there."""


def copy_tables(source: Connection, target: Target, tell: Tell = silent) -> dict[str, Content]:
    """Copy what is not there yet; return what those tables hold that this call copied from their first row on.

    The source is read through one connection, which has to see one state of it.
    """
    found: dict[str, Content] = {}
    total, done = count_rows(source), 0
    for table in every_table():
        summed, whole = Sum(), True
        after = target.recall(_name(table))
        if after == ALL:
            continue
        plan, to = plan_for(table, source.dialect.name), plan_for(table, target.engine.dialect.name)
        whole = after is None
        for some, said in batches(plan.read(source, None if after is None else plan.key_from(after)), plan):
            _write(target, to, table, some, plan.key_of(some[-1]))
            summed.add(said)
            done += len(some)
            tell("copying rows", done, max(total, done))
        with target.write() as connection:
            remember(connection, _name(table), ALL)
        if whole:
            found[plan.name] = summed.content
    return found


def _write(target: Target, plan: Plan, table: Table, some: list[Row], last: list[object]) -> None:
    rows = [dict(zip(plan.columns, row, strict=True)) for row in some]
    try:
        with target.write() as connection:
            connection.execute(plan.writing, rows)
            remember(connection, _name(table), last)
    except (OperationalError, InterfaceError):
        raise
    except StatementError as error:
        keys = f"{plan.key_of(some[0])} to {plan.key_of(some[-1])}"
        raise TransferBroken(
            f"a row of {plan.name} with a key from {keys} cannot be kept by the target: {type(error.orig).__name__}"
        ) from error


def _name(table: Table) -> str:
    return f"after {table.name}"
