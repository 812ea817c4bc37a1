import dataclasses
import hashlib
import os
import signal
import subprocess
import sys
from uuid import UUID, uuid4, uuid5

import numpy as np
import orjson
import pytest
import structlog
from sqlalchemy import func, select

from konectom.assessments import every_assessment
from konectom.errors import (
    AssessmentUnknown,
    BodyTooLarge,
    CatalogueChanged,
    CompressionCorrupt,
    DigestConflict,
    FieldInvalid,
    KeyDestroyed,
    KeysMissing,
    LengthMismatch,
    NotFound,
    NothingUsable,
    NotJson,
    SealBroken,
    SessionIdTaken,
    StoreUnavailable,
    StreamMissing,
    TooManyRecordings,
)
from konectom.security.keys import Keychain
from konectom.settings import load_settings
from konectom.storage.models import (
    Arrival,
    Base,
    Blob,
    CatalogueRow,
    MeasureRow,
    PatientKey,
    QuarantineRow,
    RecordingRow,
    ResultRow,
    ScoreRow,
    SessionRow,
)
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.listing import get_session
from konectom.workflows.sessions.raw import raw_bytes
from tests.backends import environ_of
from tests.kept import kept
from tests.probe import probe_recording, session_body

UPLOADED = (Blob, SessionRow, RecordingRow, CatalogueRow, ResultRow, ScoreRow, QuarantineRow)


def counts(services):
    with services.db.read() as db:
        return {model.__tablename__: db.scalar(select(func.count()).select_from(model)) for model in UPLOADED}


def nothing_stored(services):
    return set(counts(services).values()) == {0} and kept(services) == []


def only_held(services, body):
    """Whether there is no session and no result, and of the bytes, where there are any, one object in quarantine."""
    there = {name: number for name, number in counts(services).items() if number}
    return there == ({"blob": 1, "quarantine": 1} if body else {}) and len(kept(services)) == bool(body)


def rejected_recording(**more):
    recording = probe_recording()
    recording["streams"]["accelerometer"]["y"].pop()
    return recording | more


def test_a_session_is_kept_whole(services, patient, people, probe, clock):
    device = people.device(patient)
    body, session_id = session_body(pack=True), uuid4()
    ingested = ingest_session(
        services,
        session_id=session_id,
        patient_id=patient,
        device_id=device,
        body=body,
        encoding="gzip",
        media_type="application/json",
    )
    assert ingested.created
    with services.db.read() as db:
        row = db.scalars(select(SessionRow)).one()
        assert (row.id, row.patient_id, row.device_id) == (session_id, patient, device)
        assert (row.encoding, row.media_type, row.format) == ("gzip", "application/json", "konectom.session/1")
        assert row.started_at.isoformat() == "2026-11-20T08:12:03.250000+00:00"
        assert (row.utc_offset_s, row.time_zone) == (3600, "Europe/Paris")
        assert (row.setting, row.supervised, row.received_at) == ("remote", False, clock.now)
        assert row.phone["model"] == "iPhone15,2"
        assert raw_bytes(services, row) == body
        assert row.digest == hashlib.sha256(body).hexdigest()
        assert db.scalars(select(Blob.size_bytes)).one() == len(body)
        assert db.scalars(select(RecordingRow.id)).one() == uuid5(session_id, "0")


def test_the_receipt_is_what_the_design_says(services, patient, probe, clock):
    body, session_id = session_body(probe_recording(x=[1.0, 2.0, 3.0]), rejected_recording()), uuid4()
    receipt = ingest_session(services, session_id=session_id, patient_id=patient, body=body).receipt
    digest = receipt.pop("digest")
    assert digest.startswith("sha256:")
    assert len(digest) == 71
    processed, rejected = receipt.pop("recordings")
    assert receipt == {
        "id": str(session_id),
        "status": "processed",
        "patient": str(patient),
        "started_at": "2026-11-20T09:12:03.250000+01:00",
        "time_zone": "Europe/Paris",
        "received_at": "2026-11-21T09:00:00+00:00",
        "format": "konectom.session/1",
    }
    (flag,) = processed["quality"].pop("flags")
    assert (flag["code"], flag["severity"], flag["evidence"]) == ("probe.short", "warning", {"samples": 3})
    assert processed == {
        "index": 0,
        "assessment": "probe",
        "status": "processed",
        "version": 1,
        "condition": {"hand": "left"},
        "quality": {"verdict": "limited"},
        "scores": [
            {"measure": "probe.samples", "condition": {}, "statistic": None, "value": 3.0, "unit": "1"},
            {
                "measure": "probe.level",
                "condition": {"hand": "left"},
                "statistic": "mean",
                "value": 2.0,
                "unit": "m/s2",
            },
        ],
    }
    assert (rejected["index"], rejected["assessment"], rejected["status"]) == (1, "probe", "rejected")
    assert rejected["error"]["code"] == "stream_length_mismatch"
    assert rejected["error"]["at"] == "/recordings/1/streams/accelerometer/y"


def test_sent_again_it_is_the_same_session(services, patient, people, probe, clock):
    body, session_id = session_body(), uuid4()
    first = ingest_session(services, session_id=session_id, patient_id=patient, body=body)
    before = counts(services)
    clock.forward(days=400)
    probe(version=2)  # the receipt is what was computed, not what would be today
    device = people.device(patient)
    again = ingest_session(services, session_id=session_id, patient_id=patient, device_id=device, body=body)
    assert (first.created, again.created) == (True, False)
    assert again.receipt == first.receipt == get_session(services, session_id)
    assert counts(services) == before


def test_the_receipt_is_plain_json(services, patient, probe):
    receipt = ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body()).receipt
    assert orjson.loads(orjson.dumps(receipt)) == receipt


def test_other_bytes_under_the_same_id_are_a_conflict(services, patient, probe):
    session_id = uuid4()
    first = ingest_session(services, session_id=session_id, patient_id=patient, body=session_body())
    with pytest.raises(DigestConflict) as refused:
        ingest_session(services, session_id=session_id, patient_id=patient, body=session_body() + b" ")
    assert refused.value.context["stored"] == first.receipt["digest"]
    assert refused.value.context["received"] != first.receipt["digest"]
    assert get_session(services, session_id) == first.receipt
    assert (counts(services)["session"], counts(services)["quarantine"], len(kept(services))) == (1, 1, 2)


def test_somebody_elses_id_is_taken_whatever_the_bytes(services, patient, people, probe):
    session_id = uuid4()
    ingest_session(services, session_id=session_id, patient_id=patient, body=session_body())
    for body in (session_body(), b"other"):
        with pytest.raises(SessionIdTaken) as refused:
            ingest_session(services, session_id=session_id, patient_id=people.patient(), body=body)
        assert set(refused.value.context) == {"kept"}
        assert str(patient) not in refused.value.detail


def test_the_same_bytes_under_two_ids_are_two_sessions_and_one_object(services, patient, probe):
    for _ in range(2):
        assert ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body()).created
    assert len(kept(services)) == 1
    assert (counts(services)["session"], counts(services)["blob"], counts(services)["catalogue"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", NotJson),
        (b"{", NotJson),
        (session_body(pack=True)[:-9], CompressionCorrupt),
        (session_body(started_at="2026-11-20T09:12:03"), FieldInvalid),
        (session_body(started_at="0001-01-01T00:00:00+14:00"), FieldInvalid),
        (session_body(started_at="9999-12-31T23:59:59-14:00"), FieldInvalid),
        (session_body(probe_recording(offset_s=1e9), started_at="9990-01-01T00:00:00Z"), FieldInvalid),
        (session_body(rejected_recording()), LengthMismatch),
        (session_body(rejected_recording(), rejected_recording()), LengthMismatch),
        (session_body(rejected_recording(), {"assessment": "probe", "streams": {}}), NothingUsable),
        (session_body({"assessment": "probe", "streams": {}}), StreamMissing),
        (session_body({"assessment": "no such test", "streams": {}}), AssessmentUnknown),
    ],
)
def test_a_body_that_is_refused_is_held_and_nothing_else(services, patient, probe, body, error):
    session_id = uuid4()
    for _ in range(3):
        with pytest.raises(error):
            ingest_session(services, session_id=session_id, patient_id=patient, body=body)
        assert only_held(services, body)


def test_a_body_that_is_too_large_is_not_even_read(services, patient, probe, monkeypatch):
    monkeypatch.setattr("konectom.workflows.sessions.ingest.formats.read", None)
    small = dataclasses.replace(services, settings=load_settings({}, max_body_bytes=10))
    with pytest.raises(BodyTooLarge):
        ingest_session(small, session_id=uuid4(), patient_id=patient, body=b"x" * 11)
    assert nothing_stored(services)


def test_the_readers_are_given_the_limits(services, patient, probe):
    small = dataclasses.replace(services, settings=load_settings({}, max_recordings=1))
    two = session_body(probe_recording(), probe_recording())
    with pytest.raises(TooManyRecordings):
        ingest_session(small, session_id=uuid4(), patient_id=patient, body=two)


def test_where_all_fail_alike_the_reason_itself_is_raised(services, patient, probe):
    with pytest.raises(LengthMismatch) as refused:
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body(rejected_recording()))
    assert refused.value.at == "/recordings/0/streams/accelerometer/y"


def test_where_they_fail_differently_all_reasons_are_told(services, patient, probe):
    body = session_body(rejected_recording(), {"assessment": "probe", "streams": {}})
    with pytest.raises(NothingUsable) as refused:
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=body)
    told = refused.value.context["recordings"]
    assert [(each["index"], each["code"]) for each in told] == [(0, "stream_length_mismatch"), (1, "stream_missing")]
    assert told[1]["at"] == "/recordings/1/streams/accelerometer"


def test_what_an_assessment_cannot_use_is_rejected_with_its_place(services, patient, probe):
    unread = probe_recording()
    unread["streams"]["accelerometer"]["unit"] = "furlong"
    body = session_body(probe_recording(), {"assessment": "probe", "streams": {}}, unread, {"assessment": "other"})
    told = ingest_session(services, session_id=uuid4(), patient_id=patient, body=body).receipt["recordings"]
    assert [each["status"] for each in told] == ["processed", "rejected", "rejected", "rejected"]
    assert [(each["error"]["code"], each["error"]["at"]) for each in told[1:]] == [
        ("stream_missing", "/recordings/1/streams/accelerometer"),
        ("unit_invalid", "/recordings/2/streams/accelerometer/unit"),
        ("assessment_unknown", "/recordings/3/assessment"),
    ]


def test_a_fault_in_the_maths_costs_one_recording_and_shows_no_trace(services, patient, probe):
    body = session_body(probe_recording(x=[1e7, 1, 1, 1]), probe_recording())
    with structlog.testing.capture_logs() as log:
        receipt = ingest_session(services, session_id=uuid4(), patient_id=patient, body=body).receipt
    failed, processed = receipt["recordings"]
    assert (receipt["status"], failed["status"], processed["status"]) == ("processed", "failed", "processed")
    assert failed["error"]["code"] == "extraction_failed"
    assert "maths" not in str(receipt)
    (told,) = [event for event in log if event["event"] == "recording.failed"]
    assert isinstance(told["exc_info"], ZeroDivisionError)
    assert (told["index"], told["assessment"]) == (0, "probe")


def test_a_session_of_which_nothing_could_be_computed_is_kept_all_the_same(services, patient, probe):
    body, session_id = session_body(probe_recording(x=[1e7, 1])), uuid4()
    receipt = ingest_session(services, session_id=session_id, patient_id=patient, body=body).receipt
    assert receipt["status"] == "failed"
    with services.db.read() as db:
        assert raw_bytes(services, db.get(SessionRow, session_id)) == body


def test_what_is_stored_shows_nothing_of_what_was_sent(services, patient, people, probe):
    """Neither the bytes nor their digest: not in the store, not in its names, and for each patient in another way."""
    body = session_body()
    for each in (patient, people.patient()):
        ingest_session(services, session_id=uuid4(), patient_id=each, body=body)
    first, second = kept(services)
    digest = hashlib.sha256(body).hexdigest()
    for file in (first, second):
        stored = file.read_bytes()
        assert file.name == hashlib.sha256(stored).hexdigest() != digest
        assert not any(body[at : at + 16] in stored for at in range(0, len(body) - 16))
        assert bytes.fromhex(digest) not in stored
    assert first.read_bytes()[9:] != second.read_bytes()[9:]


def test_a_stored_object_that_was_changed_is_not_given_out(services, patient, probe):
    session_id = uuid4()
    ingest_session(services, session_id=session_id, patient_id=patient, body=session_body())
    with services.db.read() as db:
        row = db.get(SessionRow, session_id)
    (file,) = kept(services)
    changed = bytearray(file.read_bytes())
    changed[-1] ^= 1
    # Under the name of what it is now, so that the store has nothing to say against it.
    row.object = hashlib.sha256(changed).hexdigest()
    services.objects.put(row.object, bytes(changed))
    with pytest.raises(SealBroken):
        raw_bytes(services, row)


def test_of_a_patient_whose_key_is_gone_nothing_is_taken_or_read(services, patient, probe):
    session_id = uuid4()
    ingest_session(services, session_id=session_id, patient_id=patient, body=session_body())
    with services.db.read() as db:
        row = db.get(SessionRow, session_id)
    with services.db.write() as db:
        db.delete(db.get(PatientKey, patient))
    with pytest.raises(KeyDestroyed):
        raw_bytes(services, row)
    with pytest.raises(NotFound):
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body(setting="clinic"))
    assert len(kept(services)) == 1


def test_without_keys_nothing_is_kept(services, patient, probe):
    (services.settings.data_dir / "keys.json").unlink()
    without = dataclasses.replace(services, keys=Keychain.open(services.settings.keys_url))
    with pytest.raises(KeysMissing):
        ingest_session(without, session_id=uuid4(), patient_id=patient, body=session_body())
    assert nothing_stored(services)


def test_the_log_tells_neither_whose_nor_what(services, patient, probe):
    body = session_body(probe_recording(), rejected_recording())
    with structlog.testing.capture_logs() as log:
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=body)
    assert [event["event"] for event in log] == ["session.stored", "recording.rejected"]
    assert set(log[0]) == {"event", "log_level", "format", "recordings", "size_bytes"}
    assert set(log[1]) == {"event", "log_level", "index", "code"}


def test_an_unknown_patient_or_device_is_not_found(services, patient, people, probe):
    others_device = people.device()
    for who in (
        {"patient_id": uuid4()},
        {"patient_id": patient, "device_id": uuid4()},
        {"patient_id": patient, "device_id": others_device},
    ):
        with pytest.raises(NotFound):
            ingest_session(services, session_id=uuid4(), body=session_body(), **who)
    assert nothing_stored(services)


def test_features_are_kept_bit_by_bit(services, patient, probe):
    values = [0.1, float(np.nextafter(0.3, 1)), 1 / 3, 2.0]
    body = session_body(probe_recording(x=values))
    ingest_session(services, session_id=uuid4(), patient_id=patient, body=body)
    from konectom import formats

    expected = every_assessment()["probe"].run(formats.read(body).recordings[0]).features
    with services.db.read() as db:
        kept = db.scalars(select(ResultRow.features)).one()
    assert kept.tobytes() == expected.tobytes()


def test_scores_stand_at_the_time_of_their_recording(services, patient, probe):
    body = session_body(probe_recording(), probe_recording(offset_s=90.5))
    ingest_session(services, session_id=uuid4(), patient_id=patient, body=body)
    with services.db.read() as db:
        times = sorted({at.isoformat() for at in db.scalars(select(ScoreRow.at))})
    assert times == ["2026-11-20T08:12:03.250000+00:00", "2026-11-20T08:13:33.750000+00:00"]


def test_a_catalogue_that_changed_without_a_new_version_is_refused(services, patient, probe):
    ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body())
    probe(version=1, extra=True)
    with pytest.raises(CatalogueChanged, match="new version"):
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body())
    assert counts(services)["session"] == 1
    probe(version=2, extra=True)
    ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body())
    assert counts(services)["catalogue"] == 2


def test_where_the_object_store_fails_no_row_says_otherwise(services, patient, probe, monkeypatch):
    def fail(self, digest, data):
        raise StoreUnavailable("full")

    monkeypatch.setattr(type(services.objects), "put", fail)
    with pytest.raises(StoreUnavailable):
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body())
    assert nothing_stored(services)


def test_the_bytes_are_safe_before_any_row_is_written(services, patient, probe, monkeypatch):
    seen = []
    put = type(services.objects).put

    def watched(self, digest, data):
        seen.append(counts(services))
        return put(self, digest, data)

    monkeypatch.setattr(type(services.objects), "put", watched)
    ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body())
    # Once before the rows, and once more, beside them, in case that they were taken for an orphan in between.
    assert [set(each.values()) for each in seen] == [{0}, {0}]


KILLED = """
import os, signal, sys
from uuid import UUID
from konectom.assessments import every_assessment
from konectom.security.keys import Keychain
from konectom.settings import load_settings
from konectom.workflows.sessions import ingest
from konectom.workflows.services import Services
from tests.probe import probe_of, session_body

every_assessment()["probe"] = probe_of(1)
ingest.keep_session = lambda *rows: os.kill(os.getpid(), signal.SIGKILL)
session_id, patient_id = sys.argv[1:]
services = Services.open(load_settings())
ingest.ingest_session(services, session_id=UUID(session_id), patient_id=UUID(patient_id), body=session_body())
"""


def test_killed_between_bytes_and_row_it_can_be_sent_again(services, patient, probe):
    session_id = uuid4()
    command = [sys.executable, "-c", KILLED, str(session_id), str(patient)]
    ran = subprocess.run(command, env=os.environ | environ_of(services.settings), check=False)
    assert ran.returncode == -signal.SIGKILL
    assert len(kept(services)) == 1
    assert set(counts(services).values()) == {0}
    with pytest.raises(NotFound):
        get_session(services, session_id)
    assert ingest_session(services, session_id=session_id, patient_id=patient, body=session_body()).created
    assert len(kept(services)) == 1
    assert counts(services)["session"] == 1


def test_text_that_no_database_holds_is_no_fault_of_ours(services, patient, probe):
    bad = {"assessment": "a\0b" + "x" * 100, "streams": {}}
    body = session_body(probe_recording(condition={"hand": "left", "note": "a\0b"}), bad, setting="x\0y")
    sent = ingest_session(services, session_id=uuid4(), patient_id=patient, body=body, media_type="a\0" + "b" * 500)
    assert [each["status"] for each in sent.receipt["recordings"]] == ["processed", "rejected"]
    with services.db.read() as db:
        row = db.scalars(select(SessionRow)).one()
    assert (row.setting, row.media_type) == ("xy", "a" + "b" * 199)


def test_every_table_an_upload_writes_is_watched_here():
    modules = {model.__module__.rpartition(".")[2] for model in UPLOADED}
    assert modules == {"data"}
    of_data = {each.class_ for each in Base.registry.mappers if each.class_.__module__.endswith(".models.data")}
    assert set(UPLOADED) | {MeasureRow, Arrival} == of_data


@pytest.mark.parametrize(
    ("form", "at"), [("konectom2/balance", "/header/id"), ("ads/tap", "/uuid"), ("konectom.session/1", None)]
)
def test_a_body_that_carries_its_id_goes_under_it(services, patient, probe, monkeypatch, form, at):
    from konectom import formats

    read, own = formats.read, UUID("38b678f9-6a30-4775-9388-5ccc0105255f")
    monkeypatch.setattr(
        formats, "read", lambda *args, **how: dataclasses.replace(read(*args, **how), id=own, format=form)
    )
    with pytest.raises(SessionIdTaken, match=str(own)) as refused:
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body())
    assert refused.value.at == at
    assert only_held(services, session_body())
    assert ingest_session(services, session_id=own, patient_id=patient, body=session_body()).created


def test_services_ping_both_stores(services, monkeypatch):
    services.ping()
    monkeypatch.setattr(type(services.objects), "ping", lambda self: (_ for _ in ()).throw(StoreUnavailable("full")))
    with pytest.raises(StoreUnavailable):
        services.ping()
