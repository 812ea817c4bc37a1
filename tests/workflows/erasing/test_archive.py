"""The portable archive: all that is kept of a patient, whole, and fit to be handed over to another installation."""

import csv
import hashlib
import io
import tracemalloc
import zipfile
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import select

from konectom.errors import NotFound, StoreUnavailable
from konectom.storage.models import ScoreRow, SessionRow
from konectom.workflows.audit.trail import note_read
from konectom.workflows.consent.restrictions import restrict_patient
from konectom.workflows.erasing import archive as made
from konectom.workflows.erasing.archive import patient_archive
from konectom.workflows.patients.people import create_patient, create_study
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.listing import get_session
from tests.erasing import populate
from tests.kept import place_of
from tests.probe import probe_recording, session_body


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def person(services, study, probe):
    populate(services, study, sessions=1)
    return populate(services, study)


def opened(services, patient_id):
    return zipfile.ZipFile(io.BytesIO(b"".join(patient_archive(services, patient_id))))


@pytest.fixture
def archive(services, person):
    return opened(services, person.id)


def json_of(archive, name):
    return orjson.loads(archive.read(name))


def test_each_file_is_as_the_manifest_says(archive, person, clock):
    manifest = json_of(archive, "manifest.json")
    assert (manifest["schema"], manifest["patient"]) == ("konectom.archive/1", str(person.id))
    assert manifest["made_at"] == clock.now.isoformat()
    assert [each["name"] for each in manifest["files"]] + ["manifest.json"] == archive.namelist()
    for each in manifest["files"]:
        content = archive.read(each["name"])
        assert (len(content), hashlib.sha256(content).hexdigest()) == (each["size_bytes"], each["sha256"])
    assert archive.testzip() is None
    assert {info.external_attr >> 16 for info in archive.infolist()} == {0o600}


def test_everything_of_the_patient_is_in_it(archive, person):
    held = b"\n".join(archive.read(name) for name in archive.namelist())
    secrets = {"beginning of the object", "end of the object", "name of the object"}
    unfinished = {"beginning of what has come", "digest of what has come", "name of a piece", "end of a piece"}
    secrets |= unfinished | {"session that is not whole"}
    missing = [needle.name for needle in person.needles if not needle.within(held)]
    assert set(missing) <= secrets


def test_nothing_of_another_is_in_it(services, study, person):
    other = populate(services, study, sessions=2)
    held = b"\n".join(map(opened(services, person.id).read, opened(services, person.id).namelist()))
    assert [needle for needle in other.needles if needle.within(held)] == []


def test_who_else_was_in_a_list_is_not_told(services, study, person):
    other = populate(services, study, sessions=1)
    note_read(services, entity="patient", patients=[other.id, person.id])
    entries = [orjson.loads(line) for line in opened(services, person.id).read("audit.ndjson").splitlines()]
    assert [each["detail"]["patients"] for each in entries if "patients" in each["detail"]] == [[str(person.id)]]
    assert {each["patient"] for each in entries} == {str(person.id), None}


def test_what_is_restricted_is_in_it_too(services, person, archive):
    before = {name: archive.read(name) for name in archive.namelist()}
    restrict_patient(services, person.id, reason="asked for", data_types=["clinical"])
    restrict_patient(services, person.id, reason="asked for")
    after = opened(services, person.id)
    for name in ("features.csv", "dictionary.csv", "observations.json", "alerts.json"):
        assert after.read(name) == before[name]
    for session in person.sessions:
        receipt = f"sessions/{session}/receipt.json"
        assert json_of(after, receipt)["receipt"] == orjson.loads(before[receipt])["receipt"]
    assert json_of(after, "patient.json")["patient"]["birth_year"] == 1971


def test_the_identity_and_the_decisions_can_be_read(archive, person):
    assert json_of(archive, "identity.json")["email"].endswith("@example.org")
    assert [each["state"] for each in json_of(archive, "consents.json")["decisions"]] == ["given"]
    assert json_of(archive, "patient.json")["patient"]["code"] == person.code
    assert len(json_of(archive, "observations.json")) == 2


def test_no_secret_is_in_it(archive, person):
    held = b"\n".join(archive.read(name) for name in archive.namelist())
    assert person.token.encode() not in held
    devices = json_of(archive, "devices.json")
    assert set(devices) == {"device", "device_credential", "enrolment"}
    assert not [name for rows in devices.values() for row in rows for name in row if "hash" in name]


def test_the_values_are_those_of_the_receipts(archive, person):
    rows = list(csv.DictReader(io.StringIO(archive.read("features.csv").decode())))
    assert {row["session"] for row in rows} == set(map(str, person.sessions))
    told = {
        (str(session), measure["measure"], measure["statistic"] or ""): measure["value"]
        for session in person.sessions
        for recording in json_of(archive, f"sessions/{session}/receipt.json")["receipt"]["recordings"]
        for measure in recording.get("measures", [])
    }
    assert {(r["session"], r["measure"], r["statistic"]): float(r["value"]) for r in rows} == pytest.approx(told)
    described = {row["key"] for row in csv.DictReader(io.StringIO(archive.read("dictionary.csv").decode()))}
    assert {row["key"] for row in rows} <= described


def test_it_can_be_handed_over_to_another_installation(services, archive, person, installed, tmp_path, probe):
    directory = tmp_path / "there"
    directory.mkdir()
    there = installed(directory)
    try:
        study = UUID(create_study(there, code="NEW", consent="elsewhere")["id"])
        patient = UUID(create_patient(there, study_id=study, code="NEW-1")["id"])
        for session, body in zip(person.sessions, person.bodies, strict=True):
            upload = json_of(archive, f"sessions/{session}/receipt.json")["upload"]
            raw = archive.read(f"sessions/{session}/{upload['file']}")
            assert raw == body
            ingest_session(
                there, session_id=session, patient_id=patient, body=raw, media_type=upload["content_type"],
                encoding=upload["content_encoding"],
            )  # fmt: skip
            here, copy = get_session(services, session, measures=True), get_session(there, session, measures=True)
            assert copy["recordings"] == here["recordings"]
            assert copy["digest"] == here["digest"] == f"sha256:{upload['sha256']}"
        assert scores(there, patient) == scores(services, person.id)
    finally:
        there.close()


def scores(services, patient_id):
    columns = (ScoreRow.session_id, ScoreRow.index, ScoreRow.at, ScoreRow.value, ScoreRow.verdict, ScoreRow.flags)
    with services.db.read() as db:
        return sorted(map(tuple, db.execute(select(*columns).where(ScoreRow.patient_id == patient_id))))


def test_compressed_uploads_keep_their_encoding(services, people, probe):
    patient, session = people.patient(), uuid4()
    body = session_body(pack=True)
    ingest_session(services, session_id=session, patient_id=patient, body=body, encoding="gzip",
                   media_type="application/json; charset=utf-8")  # fmt: skip
    archive = opened(services, patient)
    upload = json_of(archive, f"sessions/{session}/receipt.json")["upload"]
    assert (upload["file"], upload["content_encoding"]) == ("upload.json.gz", "gzip")
    assert archive.read(f"sessions/{session}/upload.json.gz") == body


def test_a_patient_of_whom_nothing_is_kept_has_one_too(services, people):
    archive = opened(services, people.patient())
    assert not [name for name in archive.namelist() if name.startswith("sessions")]
    assert json_of(archive, "identity.json")["email"] is None


def test_who_is_not_here_has_none(services):
    with pytest.raises(NotFound):
        patient_archive(services, uuid4())


def object_of(services, patient):
    with services.db.read() as db:
        row = db.scalars(select(SessionRow).where(SessionRow.patient_id == patient)).first()
    return row.id, place_of(services, row.object)


@pytest.mark.parametrize("spoil", [lambda place: place.write_bytes(b"damaged"), lambda place: place.unlink()])
def test_an_upload_that_is_damaged_or_lost_is_told_of_and_the_others_are_there(services, person, spoil):
    session_id, place = object_of(services, person.id)
    spoil(place)
    archive = opened(services, person.id)
    assert archive.testzip() is None
    (told,) = json_of(archive, "manifest.json")["uploads_damaged"]
    assert told["session"] == str(session_id)
    assert told["why"] in archive.read(f"sessions/{session_id}/upload-damaged.txt").decode()
    assert json_of(archive, f"sessions/{session_id}/receipt.json")["upload"]["file"] == "upload-damaged.txt"
    uploads = [
        archive.read(name)
        for name in archive.namelist()
        if "sessions/" in name and "/upload" in name and "damaged" not in name
    ]
    assert len(uploads) == len(person.bodies) - 1
    assert set(uploads) < set(person.bodies)


def test_where_no_upload_can_be_reached_the_archive_has_no_end(services, person, monkeypatch):
    def unreachable(*what):
        raise StoreUnavailable("the disk is away")

    monkeypatch.setattr(services.objects, "get", unreachable)
    monkeypatch.setattr(services.objects, "ping", unreachable)
    pieces = []
    with pytest.raises(StoreUnavailable):
        pieces.extend(patient_archive(services, person.id))
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(b"".join(pieces)))


def test_many_uploads_take_no_more_memory_than_few(services, people, probe):
    patient = people.patient()

    def peak(sessions):
        for _ in range(sessions):
            body = session_body(probe_recording(answers={"said": uuid4().hex * 9000}))
            ingest_session(services, session_id=uuid4(), patient_id=patient, body=body)
        tracemalloc.start()
        size = sum(map(len, patient_archive(services, patient)))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size, most

    few, of_few = peak(5)
    many, of_many = peak(35)
    assert many > 5 * few
    assert of_many < 2 * of_few


def test_the_bytes_come_piece_by_piece_and_the_database_is_given_back(services, person):
    pieces = patient_archive(services, person.id)
    assert len(next(pieces)) < 10_000
    pieces.close()
    assert services.db.engine.pool.checkedout() == 0
    assert made.SCHEMA == "konectom.archive/1"
