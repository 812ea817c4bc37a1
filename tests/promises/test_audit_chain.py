"""Whatever is done to the stored audit is found: every byte, every row, every order, every end that is cut off.

A chain of many kinds of entries is copied into memory and changed there as SQL can change it, one way after the other.
The ways are counted, so that the test shows what it tried.
"""

import random
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from konectom.security.acting import Acting, acting_as
from konectom.security.chain import Anchor
from konectom.security.keys import Keychain
from konectom.storage.audit import note
from konectom.storage.models import AuditHead, AuditRow, Patient, PatientKey, Study
from konectom.storage.whose import KEY_PURPOSE
from konectom.workflows.audit.check import check_chain

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
COLUMNS = [column.name for column in AuditRow.__table__.columns]
HEAD_COLUMNS = [column.name for column in AuditHead.__table__.columns]
NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
ENTRIES = 60
NULLABLE = {"actor_id", "study_id", "patient_id", "before", "after", "why"}


@dataclass
class Stored:
    """The chain in memory, the keys, the heads that once were genuine, and how often what was tried."""

    raw: sqlite3.Connection
    seen: Connection
    keys: Keychain
    heads: list[tuple[Any, ...]]
    rows: list[tuple[Any, ...]]
    tried: Counter = field(default_factory=Counter)

    def faults(self, anchor=None) -> list[str]:
        return [each.kind for each in check_chain(self.seen, self.keys, anchor=anchor).faults]

    def faulty_entries(self, statements) -> set[int | None]:
        """Change the chain, and return which entries are found wrong; undo the change."""
        self.raw.execute("SAVEPOINT tampering")
        try:
            for statement, values in statements:
                self.raw.execute(statement, values)
            return {each.seq for each in check_chain(self.seen, self.keys).faults}
        finally:
            self.raw.execute("ROLLBACK TO tampering")
            self.raw.execute("RELEASE tampering")

    def is_caught(self, what: str, *statements: tuple[str, tuple[Any, ...]], anchor: Anchor | None = None) -> bool:
        """Change the chain, check it, and undo the change."""
        self.tried[what] += 1
        self.raw.execute("SAVEPOINT tampering")
        try:
            for statement, values in statements:
                self.raw.execute(statement, values)
            return bool(self.faults(anchor))
        finally:
            self.raw.execute("ROLLBACK TO tampering")
            self.raw.execute("RELEASE tampering")


def write_entries(services) -> list[tuple[Any, ...]]:
    """Write entries of all kinds, by several actors, under two keys; return every head there was."""
    draw, heads = random.Random(5), []

    def remember():
        with services.db.read() as db:
            head = db.get(AuditHead, 1)
            heads.append(tuple(getattr(head, name) for name in HEAD_COLUMNS))

    def write(change):
        with services.db.write() as db:
            change(db)
        remember()

    remember()
    study = Study(id=uuid4(), code="S", name="", consent="here", created_at=AT)
    study_id, patients = study.id, [uuid4() for _ in range(4)]
    write(lambda db: db.add(study))
    for number, patient in enumerate(patients):

        def enter(db, patient=patient, number=number):
            db.add(Patient(id=patient, study_id=study_id, code=f"P{number}", created_at=AT))
            db.flush()
            key, sealed = services.keys.wrap(KEY_PURPOSE, bytes([number]) * 32, bound_to=patient.bytes)
            db.add(PatientKey(patient_id=patient, key=key, sealed=sealed, created_at=AT))

        write(enter)
    services.keys.change(lambda ring: ring.with_new(AT))
    actors = [
        Acting(
            kind="user", id=uuid4(), name="Ada Löwe", action="patient.edit", request_id="r" * 12, address="192.0.2.7"
        ),
        Acting(kind="device", id=uuid4(), action="trend.read", request_id="d" * 12),
        Acting(kind="operator", name="root", action="patient list", why="asked for"),
        Acting(kind="server"),
    ]
    while heads[-1][1] < ENTRIES:
        patient, who = draw.choice(patients), draw.choice(actors)
        with acting_as(who):
            write(
                draw.choice(
                    [
                        lambda db, patient=patient: setattr(db.get(Patient, patient), "mass_kg", draw.uniform(50, 90)),
                        lambda db, patient=patient: note(
                            db, change="read", entity="trend", study_id=study_id, patient_id=patient, why="a visit"
                        ),
                        lambda db: note(db, change="read", entity="patient", detail={"patients": list(patients)}),
                        lambda db: note(db, entity="export", study_id=study_id, detail={"rows": 10, "share": 0.25}),
                        lambda db: setattr(db.get(Study, study_id), "name", str(draw.random())),
                    ]
                )
            )
    return heads


@pytest.fixture(scope="module")
def stored(installed, tmp_path_factory):
    services = installed(tmp_path_factory.mktemp("chain"))
    heads = write_entries(services)
    file = services.settings.data_dir / "konectom.sqlite3"
    services.db.close()
    engine = create_engine("sqlite://", poolclass=StaticPool)
    seen = engine.connect()
    raw = seen.connection.dbapi_connection
    with sqlite3.connect(file) as disk:
        disk.backup(raw)
    disk.close()
    raw.isolation_level = None
    rows = raw.execute(f"SELECT {NAMES} FROM audit ORDER BY seq").fetchall()
    chain = Stored(raw, seen, services.keys, heads, rows)
    assert chain.faults() == []
    assert len(rows) >= ENTRIES
    yield chain
    print(f"\ntampering tried: {sum(chain.tried.values())} ({dict(chain.tried)})")
    seen.close()
    engine.dispose()


def edits_of(value, kind, draw):
    """Yield SQL expressions, each with the value but for one byte (or one bit of a number), or without it."""
    if kind == "number":
        for bit in range(63):
            yield "?", value ^ (1 << bit)
        return
    if value is None:
        yield "?", ""
        yield "?", b"\x02"
        return
    yield "NULL", None
    data = value if isinstance(value, bytes) else value.encode()
    yield "?", data + b"0" if kind == "bytes" else value + "0"
    for place in range(len(data)):
        other = data[:place] + bytes([data[place] ^ draw.randrange(1, 256)]) + data[place + 1 :]
        yield ("?" if kind == "bytes" else "CAST(? AS TEXT)"), other
        without = data[:place] + data[place + 1 :]
        if place % 8 == 0 and without != data:
            yield ("?" if kind == "bytes" else "CAST(? AS TEXT)"), without


def kind_of(column):
    return {"seq": "number", "at": "number", "why": "bytes", "id": "number"}.get(column, "text")


APART = 3
"""Rows so far apart are edited at once: a row that follows an edited one may be found wrong because of it."""


def test_every_edit_of_every_byte_of_every_column_of_every_row(stored):
    """Each edit is found, and found where it was made; those of rows that lie apart are checked at one time."""
    draw, missed = random.Random(1), []
    for name in COLUMNS[1:]:
        for first in range(APART):
            edits = [_edits_of_row(row, name, draw) for row in stored.rows[first::APART]]
            for at_once in zip_longest(*edits):
                made = dict(filter(None, at_once))
                faults = stored.faulty_entries(made.values())
                stored.tried["edits"] += len(made)
                missed += [(name, seq, made[seq]) for seq in made if seq not in faults]
    assert missed == []
    assert stored.tried["edits"] > 20_000


def _edits_of_row(row, name, draw):
    """Yield the row's number, and a statement that changes a column of it."""
    seq = row[0]
    for expression, other in edits_of(row[COLUMNS.index(name)], kind_of(name), draw):
        if expression != "NULL":
            yield seq, (f'UPDATE audit SET "{name}" = {expression} WHERE seq = ?', (other, seq))
        elif name in NULLABLE:
            yield seq, (f'UPDATE audit SET "{name}" = NULL WHERE seq = ?', (seq,))


def test_every_edit_of_every_number(stored):
    numbers = {row[0] for row in stored.rows}
    for seq in numbers:
        for bit in (*range(8), *range(15, 63, 8)):
            if (other := seq ^ (1 << bit)) not in numbers:
                assert stored.is_caught("numbers", ("UPDATE audit SET seq = ? WHERE seq = ?", (other, seq)))


def test_every_edit_of_the_head(stored):
    draw, missed = random.Random(2), []
    head = dict(zip(HEAD_COLUMNS, stored.heads[-1], strict=True))
    for name, value in head.items():
        for expression, other in edits_of(value, {"seq": "number"}.get(name) or kind_of(name), draw):
            if expression != "NULL":
                statement = f'UPDATE audit_head SET "{name}" = {expression}'
                if not stored.is_caught("head edits", (statement, (other,))):
                    missed.append((name, other))
    assert missed == []
    assert stored.is_caught("head edits", ("DELETE FROM audit_head", ()))


def test_every_row_and_every_range_that_is_removed(stored):
    last = len(stored.rows)
    for first in range(1, last + 1):
        for end in range(first, last + 1):
            assert stored.is_caught("ranges removed", ("DELETE FROM audit WHERE seq BETWEEN ? AND ?", (first, end)))


def test_every_range_that_is_removed_with_what_follows_numbered_anew(stored):
    last = len(stored.rows)
    for first in range(1, last):
        for length in (1, 2, 5):
            if first + length > last:
                continue
            removed = ("DELETE FROM audit WHERE seq >= ? AND seq < ?", (first, first + length))
            up = ("UPDATE audit SET seq = -seq + ? WHERE seq >= ?", (length, first + length))
            down = ("UPDATE audit SET seq = -seq WHERE seq < 0", ())
            assert stored.is_caught("closed gaps", removed, up, down)


def test_every_swap_of_neighbours_and_many_random_orders(stored):
    def in_order(numbers):
        """The rows as they are, but with these numbers."""
        away = [("UPDATE audit SET seq = -seq", ())]
        return away + [("UPDATE audit SET seq = ? WHERE seq = ?", (new, -old)) for old, new in enumerate(numbers, 1)]

    straight = list(range(1, len(stored.rows) + 1))
    for at in range(len(straight) - 1):
        swapped = straight.copy()
        swapped[at], swapped[at + 1] = swapped[at + 1], swapped[at]
        assert stored.is_caught("neighbours swapped", *in_order(swapped))
    draw = random.Random(3)
    for _ in range(300):
        shuffled = straight.copy()
        first, end = sorted(draw.sample(range(len(straight) + 1), 2))
        part = shuffled[first:end]
        draw.shuffle(part)
        shuffled[first:end] = part
        if shuffled != straight:
            assert stored.is_caught("random orders", *in_order(shuffled))


def test_every_end_that_is_cut_off(stored):
    for kept in range(len(stored.rows)):
        cut = ("DELETE FROM audit WHERE seq > ?", (kept,))
        assert stored.is_caught("ends cut off", cut)
        seal = stored.rows[kept - 1][COLUMNS.index("seal")] if kept else ""
        forged = ("UPDATE audit_head SET seq = ?, seal = ?", (kept, seal))
        assert stored.is_caught("ends cut off, head forged", cut, forged)


def test_an_older_genuine_head_passes_alone_and_never_beside_an_anchor(stored):
    """The one thing that the database by itself cannot tell: that it was put back as a whole."""
    row = stored.rows[-1]
    anchor = Anchor(row[0], row[COLUMNS.index("seal")])
    assert stored.faults(anchor) == []
    for head in stored.heads[1:-1]:
        cut = ("DELETE FROM audit WHERE seq > ?", (head[HEAD_COLUMNS.index("seq")],))
        names = ", ".join(f'"{name}" = ?' for name in HEAD_COLUMNS)
        older = (f"UPDATE audit_head SET {names}", head)
        assert not stored.is_caught("put back, no anchor", cut, older)
        assert stored.is_caught("put back, anchor", cut, older, anchor=anchor)
        assert stored.is_caught("older head over a longer chain", older)


def test_the_head_of_an_audit_that_was_never_begun_is_no_older_head(stored):
    """Anybody can write it; but there are rows of which the audit told."""
    names = ", ".join(f'"{name}" = ?' for name in HEAD_COLUMNS)
    empty, begun = ("DELETE FROM audit", ()), (f"UPDATE audit_head SET {names}", stored.heads[0])
    assert stored.heads[0][1:] == (0, "", "", "")
    assert stored.is_caught("emptied", empty, begun)


def test_forged_rows(stored):
    draw, last, marks = random.Random(4), len(stored.rows), ", ".join("?" * len(COLUMNS))
    insert, seal = f"INSERT INTO audit ({NAMES}) VALUES ({marks})", COLUMNS.index("seal")
    up = ("UPDATE audit SET seq = -seq - 1 WHERE seq >= ?", "UPDATE audit SET seq = -seq WHERE seq < 0")
    for at in range(1, last + 2):
        copied = list(draw.choice(stored.rows))
        copied[0] = at
        made_up = [*copied[:seal], "".join(draw.choices("0123456789abcdef", k=64))]
        for forged in (copied, made_up):
            assert stored.is_caught("rows added", (up[0], (at,)), (up[1], ()), (insert, tuple(forged)))
        head = ("UPDATE audit_head SET seq = seq + 1", ())
        assert stored.is_caught("rows added, head moved", (up[0], (at,)), (up[1], ()), (insert, tuple(copied)), head)
    for number in (0, -1, last + 5, 2**60):
        assert stored.is_caught("rows added", (insert, (number, *stored.rows[0][1:])))
    assert stored.is_caught("rows added", (insert, ("nonsense", *stored.rows[0][1:])))


def test_whoever_lacks_the_key_cannot_seal_a_chain_of_their_own(stored, tmp_path):
    """All entries, head and anchor sealed anew under other keys, also where these have the same names."""
    other = Keychain.open(f"file://{tmp_path}/other.json")
    other.create(AT)
    assert set(check_chain(stored.seen, other).as_dict()["faults"][0]) >= {"kind", "seq"}
    kinds = {each.kind for each in check_chain(stored.seen, other).faults}
    assert kinds == {"key", "head_key"}
