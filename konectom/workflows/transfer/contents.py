"""What the tables hold, as a number of rows and a digest for each: the same wherever the same rows are stored.

The digest is the sum, modulo 2**256, of the sha256 of each row. So it does not depend on the order in which rows are
read (databases order texts differently), and any bit that differs changes it. It finds accidents; that nobody changed
anything on purpose is for the audit and for the seal of a backup's manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Table, func, select

from konectom.workflows.transfer.progress import Tell, silent
from konectom.workflows.transfer.rows import batches, every_table, plan_for

MODULUS = 1 << 256


@dataclass(frozen=True, slots=True)
class Content:
    """How many rows a table holds, and the digest of what they say (hexadecimal)."""

    rows: int
    digest: str


Contents = Mapping[str, Content]


class Sum:
    """A table's content, summed up while its rows go by."""

    def __init__(self) -> None:
        self._rows, self._total = 0, 0

    def add(self, said: Iterable[bytes]) -> None:
        """Take in what further rows say."""
        for each in said:
            self._rows += 1
            self._total += int.from_bytes(hashlib.sha256(each).digest(), "big")
        self._total %= MODULUS

    @property
    def content(self) -> Content:
        """Return what was taken in so far."""
        return Content(self._rows, f"{self._total:064x}")


def contents_of(connection: Connection, tell: Tell = silent) -> dict[str, Content]:
    """Read all tables and return what they hold."""
    found: dict[str, Content] = {}
    total, done = count_rows(connection), 0
    for table in every_table():

        def told(read: int, before: int = done) -> None:
            tell("comparing rows", before + read, total)

        found[str(table.name)] = content_of(connection, table, told)
        done += found[str(table.name)].rows
    return found


def content_of(connection: Connection, table: Table, tell: Callable[[int], None] = lambda _: None) -> Content:
    """Read a table and return what it holds; ``tell`` takes how many rows were read."""
    plan, summed = plan_for(table, connection.dialect.name), Sum()
    for _, said in batches(plan.read(connection), plan):
        summed.add(said)
        tell(summed.content.rows)
    return summed.content


def count_rows(connection: Connection) -> int:
    """Return how many rows there are in all tables."""
    return sum(connection.scalar(select(func.count()).select_from(table)) or 0 for table in every_table())


def different(first: Contents, second: Contents) -> list[str]:
    """Return the tables whose contents are not the same."""
    return sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
