"""The commands that hand out what is kept of a patient, erase one, and erase what is kept too long."""

import stat
import zipfile
from uuid import UUID, uuid4

import orjson
import pytest

from konectom.commands import patient as commands
from konectom.storage.models import Erasure, Study
from konectom.workflows.erasing import erasure
from konectom.workflows.sessions.ingest import ingest_session
from tests.probe import session_body

WHY = ("--reason", "asked_by_patient")


@pytest.fixture
def study(people):
    return people.study("pilot")


@pytest.fixture
def patient(services, people, study, probe):
    patient = people.patient(study, code="MS-001")
    ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body())
    return patient


def certificate_in(result):
    return orjson.loads(result.stdout[result.stdout.index("{") :])


def test_an_archive_is_a_file_for_its_owner_only(konectom, patient, tmp_path):
    target = tmp_path / "MS-001.zip"
    konectom("patient", "archive", "MS-001", "--study", "pilot", "-o", target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        assert orjson.loads(archive.read("manifest.json"))["patient"] == str(patient)


def test_of_who_is_not_here_there_is_no_archive(konectom, study, tmp_path):
    konectom("patient", "archive", uuid4(), "-o", tmp_path / "x.zip", status=1)
    assert not (tmp_path / "x.zip").exists()


def test_the_reason_is_one_that_the_certificate_may_hold(konectom, patient):
    assert commands.REASONS == erasure.REASONS
    free = ("--reason", "asked for in writing")
    assert "asked for in writing" in konectom("patient", "erase", "MS-001", *free, status=2).stderr
    assert [row["code"] for row in konectom.json("patient", "list")] == ["MS-001"]


def test_erasing_asks_for_the_code(konectom, patient):
    refused = konectom("patient", "erase", "MS-001", *WHY, stdin=b"MS-002\n", status=1)
    assert "nothing was erased" in refused.stderr
    told = certificate_in(konectom("patient", "erase", "MS-001", *WHY, stdin=b"MS-001\n"))
    assert (told["patient"], told["reason"]) == (str(patient), WHY[1])
    assert told["by"]["kind"] in ("operator", "server")
    konectom("patient", "erase", "MS-001", *WHY, "--yes", status=1)
    assert certificate_in(konectom("patient", "erase", patient, *WHY, "--yes")) == told
    assert konectom.json("patient", "list") == []


def test_a_certificate_is_printed_and_verified(konectom, services, patient):
    told = certificate_in(konectom("patient", "erase", patient, *WHY, "--yes"))
    for name in (told["id"], patient):
        shown = konectom("patient", "certificate", name, "--verify")
        assert certificate_in(shown) == told
        assert "the seal is right" in shown.stderr
    with services.db.engine.connect() as db:
        db.execute(Erasure.__table__.update().values(certificate=told | {"reason": "another"}))
        db.commit()
    assert (
        "not as this installation sealed it" in konectom("patient", "certificate", patient, "--verify", status=1).stderr
    )
    konectom("patient", "certificate", uuid4(), status=1)


def test_what_is_left_is_told_and_finished(konectom, patient, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "compact", lambda *_: False)
        assert "konectom retention finish" in konectom("patient", "erase", patient, *WHY, "--yes").stderr
        konectom("patient", "certificate", patient, "--verify", status=1)
        konectom("retention", "finish", status=1)
    assert konectom("retention", "finish").stdout == "nothing is left\n"
    konectom("patient", "certificate", patient, "--verify")


def test_a_study_whose_time_is_over_is_erased(konectom, services, people, study, patient, clock):
    other = people.patient(study, code="MS-002")
    konectom("retention", "erase", "pilot", *WHY, "--yes", status=1)
    assert konectom.json("retention", "list") == []
    with services.db.write() as db:
        db.get(Study, study).retain_until = clock.now.date().replace(year=2020)
    (told,) = konectom.json("retention", "list")
    assert (told["code"], told["patients"]) == ("pilot", 2)
    assert "nothing was erased" in konectom("retention", "erase", "pilot", *WHY, stdin=b"no\n", status=1).stderr
    done = konectom("retention", "erase", "pilot", *WHY, stdin=b"pilot\n")
    lines = [line.split() for line in done.stdout.splitlines() if line.count("-") > 7]
    assert {UUID(line[-2]) for line in lines} == {patient, other}
    assert konectom.json("patient", "list") == []
    for line in lines:
        konectom("patient", "certificate", line[-1], "--verify")
