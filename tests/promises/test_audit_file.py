"""The audit's pages in the SQLite file, edited byte by byte: each edit is found, or changes no answer.

Bytes at even distances over all pages of the audit's tables and of their indexes; what is not found lies in free space.
"""

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from uuid import UUID, uuid4

import pytest

from konectom.security.acting import Acting, acting_as
from konectom.security.principal import EVERYTHING
from konectom.workflows.audit.check import verify
from konectom.workflows.audit.trail import Which, list_audit, note_read
from konectom.workflows.patients.people import create_patient, create_study

EDITS = 400
INTERIOR = (2, 5)
"""The kinds of pages, by their first byte, that refer to others: of an index, of a table (SQLite file format, 1.6)."""


def pages_of(data, size, root):
    """Return the numbers of a tree's pages, without those on which a long row goes on."""
    found, left = [], [root]
    while left:
        number = left.pop()
        found.append(number)
        page = data[(number - 1) * size : number * size]
        assert number > 1
        if page[0] in INTERIOR:
            left.append(int.from_bytes(page[8:12], "big"))
            for cell in range(int.from_bytes(page[3:5], "big")):
                at = int.from_bytes(page[12 + 2 * cell : 14 + 2 * cell], "big")
                left.append(int.from_bytes(page[at : at + 4], "big"))
    return found


def answers(file):
    """All that the audit's tables hold, and what is found by each index."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        told = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("audit", "audit_head")]
        for name in ("seq", "actor_id", "study_id", "patient_id"):
            for value in connection.execute(f"SELECT DISTINCT {name} FROM audit NOT INDEXED").fetchall():
                asked = f"SELECT seq FROM audit WHERE {name} IS ? ORDER BY seq"
                told.append(connection.execute(asked, value).fetchall())
    return told


@pytest.fixture
def written(services):
    """The file of an installation with some hundred entries, nothing left to be written."""
    study = UUID(create_study(services, code="S", consent="elsewhere")["id"])
    patients = [UUID(create_patient(services, study_id=study, code=f"P{number}")["id"]) for number in range(10)]
    for number in range(100):
        with acting_as(Acting(kind="user", id=uuid4(), name="Ada", action="patient.read", request_id="r" * 12)):
            note_read(services, entity="patient", study_id=study, patient_id=patients[number % 10])
    services.close()
    file = services.settings.data_dir / "konectom.sqlite3"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


def trees_of(file):
    with closing(sqlite3.connect(file)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        named = "SELECT name, rootpage FROM sqlite_master WHERE tbl_name IN ('audit', 'audit_head')"
        return size, dict(connection.execute(named))


def is_found(services, file, genuine, at):
    """Edit one byte; return whether that is found."""
    edited = bytearray(genuine)
    edited[at] ^= 0x01 if at % 2 else 0x80
    services.close()
    for rest in ("-wal", "-shm"):
        file.with_name(file.name + rest).unlink(missing_ok=True)
    file.write_bytes(edited)
    return not verify(services).sound


def test_every_edited_byte_of_the_audits_pages_is_found_or_changes_no_answer(services, written, tmp_path):
    whole, genuine = shutil.copy(written, tmp_path / "whole.sqlite3"), written.read_bytes()
    right, (size, trees) = answers(whole), trees_of(whole)
    assert len(trees) >= 5
    places = [
        ((number - 1) * size + offset, name)
        for name, root in trees.items()
        for number in pages_of(genuine, size, root)
        for offset in range(size)
    ]
    assert len(places) > 10 * size
    tried, missed = Counter(), []
    for at, name in places[7 :: max(1, len(places) // EDITS)]:
        tried[name] += 1
        if not is_found(services, written, genuine, at):
            tried["free"] += 1
            if answers(written) != right:
                missed.append((name, at % size))
    assert missed == []
    assert tried["free"] < sum(tried.values()) / 2
    print(f"\nbytes edited: {dict(tried)}")


def test_an_index_that_hides_a_patients_entries_is_found(services, written):
    """Each id in the index edited: the table and its chain are as they were, and the search finds nothing."""
    genuine = written.read_bytes()
    size, trees = trees_of(written)
    with closing(sqlite3.connect(written)) as connection:
        (patient,) = connection.execute("SELECT patient_id FROM audit WHERE patient_id IS NOT NULL LIMIT 1").fetchone()
    before = len(list_audit(services, EVERYTHING, Which(patient=UUID(patient)), limit=100)["items"])
    services.close()
    edited = bytearray(genuine)
    for number in pages_of(genuine, size, trees["ix_audit_patient_id_seq"]):
        start, end = (number - 1) * size, number * size
        at = genuine.find(patient.encode(), start, end)
        while at >= 0:
            edited[at] ^= 1
            at = genuine.find(patient.encode(), at + 1, end)
    written.write_bytes(edited)
    report = verify(services)
    assert {each.kind for each in report.faults} == {"file"}
    assert "ix_audit_patient_id_seq" in str(report.faults[0])
    assert len(list_audit(services, EVERYTHING, Which(patient=UUID(patient)), limit=100)["items"]) < before
