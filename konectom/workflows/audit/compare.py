"""Comparing rows with what the audit last told of them: what was done to the database behind the audit's back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy import inspect as inspected

from konectom.errors import KeysMissing, SealBroken
from konectom.security.chain import Entry
from konectom.storage.digests import PATIENT, audited_models, installations_digest, plan_of
from konectom.storage.models import Base, Erasure
from konectom.storage.whose import KeyRing, Whose
from konectom.workflows.audit.report import Report
from konectom.workflows.erasing.certificates import digest_of

ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Last:
    """What the last entry about a row said of it."""

    change: str
    after: str | None
    patient_id: UUID | None


@dataclass(slots=True)
class Told:
    """What the audit tells: the last of each row, and of each erasure whose it was and its certificate's digest."""

    last: dict[tuple[str, str], _Last] = field(default_factory=dict)
    erasures: dict[str, tuple[UUID | None, Any]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Take in the next entry."""
        if entry.change in ("insert", "update", "delete"):
            self.last[entry.entity, entry.entity_id] = _Last(entry.change, entry.after, entry.patient_id)
        elif entry.change == "event" and entry.entity == "patient" and "erasure" in entry.detail:
            self.erasures[str(entry.detail["erasure"])] = entry.patient_id, entry.detail.get("certificate")

    @property
    def erased(self) -> set[UUID | None]:
        """Return the patients who were erased."""
        return {patient for patient, _ in self.erasures.values()}


@dataclass(frozen=True, slots=True)
class _Row:
    """A row as it is now: ``facts`` by attribute."""

    entity: str
    facts: Mapping[str, Any]


Rows = Sequence[_Row]


def check_rows(keys: KeyRing, connection: Connection, report: Report, told: Told) -> None:
    """Compare every audited row, and every certificate of an erasure, with what was last told of it."""
    erased = told.erased
    for model in audited_models():
        for some in _rows(connection, model):
            for rows, whose in _whose(keys, connection, some):
                for row in rows:
                    report.rows += 1
                    key = (row.entity, plan_of(model).entity_id(row.facts))
                    fault = _fault_of_row(keys, report, whose, model, row, told.last.pop(key, None), erased)
                    if fault is not None:
                        report.add(fault, what=" ".join(key))
    for (entity, entity_id), last in told.last.items():
        if last.change != "delete" and last.patient_id not in erased:
            report.add("row_gone", what=f"{entity} {entity_id}")
    _check_certificates(connection, report, told)


def _check_certificates(connection: Connection, report: Report, told: Told) -> None:
    there = {
        str(row.id): row for row in connection.execute(select(Erasure.id, Erasure.patient_id, Erasure.certificate))
    }
    for identifier in {**there, **told.erasures}:
        row, (patient, digest) = there.get(identifier), told.erasures.get(identifier, (None, None))
        if row is None:
            report.add("row_gone", what=f"erasure {identifier}")
        elif identifier not in told.erasures:
            report.add("row_untold", what=f"erasure {identifier}")
        elif (row.patient_id, digest_of(row.certificate)) != (patient, digest):
            report.add("row_changed", what=f"erasure {identifier}")


def _fault_of_row(
    keys: KeyRing,
    report: Report,
    whose: Whose | None,
    model: type[Base],
    row: _Row,
    last: _Last | None,
    erased: set[UUID | None],
) -> str | None:
    """Return what is wrong with a row; what cannot be told any more is counted."""
    patient = (whose or Whose(keys, {}, {}, {}, {})).patient_of(row)
    if (last is not None and last.change == "delete") or (patient is not None and patient in erased):
        return "row_back"
    if last is None:
        return "row_untold"
    if whose is None:
        return "row_closed"
    content, now = plan_of(model).content(row.facts), None
    if last.after is not None:
        used, _, _ = last.after.partition(":")
        if used != PATIENT:
            now = installations_digest(keys, content, used)
        else:
            now = "" if patient is None else whose.digest(patient, content)
    if now is None:
        report.unchecked += 1
        return None
    return None if now == last.after else "row_changed"


def _whose(
    keys: KeyRing, connection: Connection, rows: Sequence[_Row]
) -> Iterator[tuple[Sequence[_Row], Whose | None]]:
    """Yield rows with whose they are; None for those of a patient whose key cannot be opened."""
    try:
        whose = Whose.of(connection, keys, rows)
    except (SealBroken, KeysMissing):
        if len(rows) == 1:
            yield rows, None
            return
        half = len(rows) // 2
        yield from _whose(keys, connection, rows[:half])
        yield from _whose(keys, connection, rows[half:])
    else:
        yield rows, whose


def _rows(connection: Connection, model: type[Base]) -> Iterator[list[_Row]]:
    """Yield a table's rows, some at a time."""
    mapper, plan = inspected(model), plan_of(model)
    columns = [mapper.columns[name].label(name) for name in plan.attributes]
    asked = select(*columns).execution_options(yield_per=ROWS_AT_ONCE)  # of this question, not of all that follow
    with connection.execute(asked) as found:
        for some in found.mappings().partitions(ROWS_AT_ONCE):
            yield [_Row(plan.entity, dict(each)) for each in some]
