"""Uploading sessions and looking at them."""

import base64
import gzip
import hashlib
import io
import socket
from uuid import UUID, uuid4

import orjson
import pytest
import zstandard
from gunicorn.http.errors import InvalidChunkSize

from konectom.storage.models import SessionRow
from tests.api.client import first_error
from tests.probe import probe_recording, session_body

pytestmark = pytest.mark.usefixtures("probe")


def stored(services):
    with services.db.read() as db:
        return {row.id: row.digest for row in db.query(SessionRow)}


def digest_of(body):
    return hashlib.sha256(body).hexdigest()


def test_a_session_is_created_under_the_id_that_the_app_chose(phone, services):
    session, body = uuid4(), session_body()
    answer = phone.put(body, session)
    assert answer.status_code == 201
    receipt = answer.json
    assert receipt["id"] == str(session)
    assert receipt["digest"] == f"sha256:{digest_of(body)}"
    assert receipt["status"] == "processed"
    assert receipt["patient"] == str(phone.patient)
    assert [each["status"] for each in receipt["recordings"]] == ["processed"]
    assert receipt["recordings"][0]["quality"]["verdict"] == "valid"
    assert {score["measure"] for score in receipt["recordings"][0]["scores"]} == {"probe.samples", "probe.level"}
    assert answer.headers["Location"] == f"/api/v1/sessions/{session}"
    assert answer.headers["ETag"] == f'"sha256:{digest_of(body)}"'
    assert stored(services) == {session: digest_of(body)}


def test_the_same_bytes_again_are_the_same_success(phone, services):
    session, body = uuid4(), session_body()
    first = phone.put(body, session)
    again = phone.put(body, session)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json == first.json
    assert again.headers["ETag"] == first.headers["ETag"]
    assert len(stored(services)) == 1


def test_other_bytes_under_the_same_id_are_a_conflict(phone, services):
    session, body = uuid4(), session_body()
    phone.put(body, session)
    other = phone.put(session_body(probe_recording(x=(9.0, 9.0, 9.0, 9.0))), session)
    assert first_error(other) == (409, "session_digest_conflict", None)
    assert stored(services) == {session: digest_of(body)}


def test_the_receipt_can_be_had_again(phone):
    session = uuid4()
    put = phone.put(session_body(), session)
    got = phone.get(f"/sessions/{session}")
    assert got.status_code == 200
    assert got.json == put.json
    assert got.headers["ETag"] == put.headers["ETag"]


def test_head_tells_whether_a_session_is_there(phone):
    session = uuid4()
    assert phone("HEAD", f"/sessions/{session}").status_code == 404
    put = phone.put(session_body(), session)
    head = phone("HEAD", f"/sessions/{session}")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == put.headers["ETag"]


def test_all_measures_come_when_asked_for(phone):
    session = uuid4()
    phone.put(session_body(), session)
    scores = phone.get(f"/sessions/{session}?measures=scores").json["recordings"][0]
    everything = phone.get(f"/sessions/{session}?measures=all").json["recordings"][0]
    assert "measures" not in scores
    assert len(everything["measures"]) > len(everything["scores"])
    assert {"measure", "condition", "statistic", "value", "unit", "aliases"} == set(everything["measures"][0])


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress), (None, gzip.compress)]
)
def test_compressed_bodies_keep_the_digest_of_what_was_sent(phone, encoding, pack):
    body = pack(session_body())
    headers = {"Content-Encoding": encoding} if encoding else {}
    answer = phone.put(body, headers=headers)
    assert answer.status_code == 201
    assert answer.json["digest"] == f"sha256:{digest_of(body)}"


def test_the_declared_encoding_is_what_counts(phone):
    answer = phone.put(session_body(), headers={"Content-Encoding": "gzip"})
    assert first_error(answer) == (400, "compression_corrupt", None)
    answer = phone.put(session_body(), headers={"Content-Encoding": "br"})
    assert first_error(answer)[:2] == (415, "encoding_unsupported")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/vnd.konectom.session.v1+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ],
)
def test_the_body_is_taken_whole_whatever_it_calls_itself(phone, media_type):
    assert phone.put(session_body(), headers={"Content-Type": media_type}).status_code == 201


def test_one_bad_recording_does_not_cost_the_others(phone):
    bad = probe_recording()
    bad["streams"]["accelerometer"]["x"].append(1.0)
    answer = phone.put(session_body(probe_recording(), bad))
    assert answer.status_code == 201
    first, second = answer.json["recordings"]
    assert first["status"] == "processed"
    assert second["status"] == "rejected"
    assert second["error"]["code"] == "stream_length_mismatch"
    assert second["error"]["at"].startswith("/recordings/1/streams/accelerometer/")


def test_a_fault_of_ours_is_told_without_its_trace(phone):
    answer = phone.put(session_body(probe_recording(x=(1e7, 1e7))))
    assert answer.status_code == 201
    assert answer.json["recordings"][0]["status"] == "failed"
    assert answer.json["recordings"][0]["error"]["code"] == "extraction_failed"
    assert "ZeroDivisionError" not in answer.text


def test_where_nothing_is_usable_the_reason_is_the_answer(phone, services):
    bad = probe_recording()
    del bad["streams"]["accelerometer"]["unit"]
    answer = phone.put(session_body(bad))
    assert first_error(answer) == (422, "unit_missing", "/recordings/0/streams/accelerometer/unit")
    assert stored(services) == {}


class Stream(io.RawIOBase):
    """A request's body as ``fill`` makes it; counts what was taken from it."""

    def __init__(self, fill):
        self.fill, self.given = fill, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        assert self.given < 5_000_000, "it is read on and on"
        count = self.fill(buffer)
        self.given += count
        return count


def send(phone, stream, **environ):
    return phone.put(b"", environ_overrides={"wsgi.input": stream} | environ)


def test_a_body_above_the_limit_is_refused_before_it_is_read(phone, services, monkeypatch):
    monkeypatch.setitem(services.settings._values, "max_body_bytes", 100)
    stream = Stream(len)
    answer = send(phone, stream, CONTENT_LENGTH="101")
    assert first_error(answer)[:2] == (413, "body_too_large")
    assert answer.json["limit_bytes"] == 100
    assert stream.given == 0


def test_a_chunked_body_is_refused_as_soon_as_it_exceeds_the_limit(phone, services, monkeypatch):
    monkeypatch.setitem(services.settings._values, "max_body_bytes", 100_000)
    stream = Stream(len)  # never ends
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    answer = send(phone, stream, **chunked)
    assert first_error(answer)[:2] == (413, "body_too_large")
    assert 0 < stream.given <= 200_000


def test_a_body_that_ends_too_early_is_told_so(phone):
    body = io.BytesIO(session_body()[:-10])
    answer = send(phone, body, CONTENT_LENGTH=str(len(body.getvalue()) + 10))
    assert first_error(answer)[:2] == (400, "body_incomplete")


def test_chunks_that_are_garbled_are_told_so(phone):
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "", "wsgi.input_terminated": True}

    class Garbled:
        def read(self, size):
            raise InvalidChunkSize(b"zz")

    assert first_error(send(phone, Garbled(), **chunked))[:2] == (400, "body_incomplete")


def test_a_body_that_stops_coming_is_told_so(phone, monkeypatch):
    monkeypatch.setattr("konectom.api.body.STALLED_AFTER_S", 0.01)
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as stream:
        theirs.send(b'{"schema":')
        answer = send(phone, stream, CONTENT_LENGTH="50", **{"gunicorn.socket": ours})
    assert first_error(answer)[:2] == (408, "body_stalled")


def test_a_connection_that_breaks_is_told_so(phone):
    def reset(_):
        raise ConnectionResetError

    assert first_error(send(phone, Stream(reset), CONTENT_LENGTH="50"))[:2] == (400, "body_incomplete")


def test_an_empty_body_is_no_json(phone):
    assert first_error(phone.put(b""))[:2] == (400, "not_json")


def test_an_id_that_is_no_uuid_is_no_address(phone):
    answer = phone.put(session_body(), "tuesday")
    assert first_error(answer)[:2] == (404, "not_found")
    assert "UUID" in answer.json["detail"]


def test_an_upper_case_id_is_the_same_id(phone):
    session, body = uuid4(), session_body()
    phone.put(body, str(session).upper())
    assert phone.put(body, session).status_code == 200


def test_staff_upload_for_a_patient(staff, people):
    patient = people.patient()
    answer = staff("PUT", f"/sessions/{uuid4()}?patient={patient}", data=session_body())
    assert answer.status_code == 201
    assert answer.json["patient"] == str(patient)


def test_staff_must_say_for_whom(staff):
    assert first_error(staff.put(session_body())) == (422, "field_missing", "/query/patient")


def test_a_phone_may_name_its_own_patient(phone):
    answer = phone("PUT", f"/sessions/{uuid4()}?patient={phone.patient}", data=session_body())
    assert answer.status_code == 201


def test_a_phone_asks_what_the_server_has_of_its_own(callers, clock):
    phone, other = callers.phone(), callers.phone()
    other.put(session_body())
    sent = {}
    for x in range(3):
        session, body = uuid4(), session_body(probe_recording(x=(x, 1.0, 2.0, 3.0)))
        sent[str(session)] = f"sha256:{digest_of(body)}"
        phone.put(body, session)
        clock.forward(minutes=1)
    listed = phone.get("/sessions").json
    assert {each["id"]: each["digest"] for each in listed["items"]} == sent
    assert [each["id"] for each in listed["items"]] == list(sent)
    assert listed["next"] is None


def test_since_leaves_out_what_came_before(phone, clock):
    phone.put(session_body())
    clock.forward(hours=1)
    later = uuid4()
    phone.put(session_body(), later)
    since = clock.now.isoformat()
    items = phone.get("/sessions", query_string={"since": since}).json["items"]
    assert [UUID(each["id"]) for each in items] == [later]


def test_pages_join_to_the_whole_list(phone, clock):
    sent = [uuid4() for _ in range(5)]
    for session in sent:
        phone.put(session_body(), session)
        clock.forward(seconds=1)
    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = phone.get("/sessions", query_string=query).json
        seen += [UUID(each["id"]) for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == sent


def cursor(*key):
    """A cursor as nobody gave it out."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("limit=0", "/query/limit"),
        ("limit=two", "/query/limit"),
        ("limit=1000000", "/query/limit"),
        ("limit=99999999999999999999999", "/query/limit"),
        ("cursor=zzz", "/query/cursor"),
        ("cursor=" + "A" * 600, "/query/cursor"),
        ("since=yesterday", "/query/since"),
        ("since=2026-11-21T09:00:00", "/query/since"),
        ("since=0001-01-01T00:00:00%2B14:00", "/query/since"),
        ("since=2026-11-21T09:00:00Z%00", "/query/since"),
        ("cursor=" + cursor("0001-01-01T00:00:00+14:00", str(UUID(int=1))), "/query/cursor"),
        ("cursor=" + cursor("2026-11-21T09:00:00+00:00", 5), "/query/cursor"),
        ("cursor=" + cursor(None, None), "/query/cursor"),
        ("page=2", "/query/page"),
    ],
)
def test_a_query_that_cannot_be_is_refused_where_it_is_wrong(phone, query, at):
    answer = phone.get(f"/sessions?{query}")
    assert first_error(answer) == (422, "field_invalid", at)


def test_several_faults_are_told_together(phone):
    answer = phone.get("/sessions?limit=0&since=yesterday")
    assert {(fault["code"], fault["at"]) for fault in answer.json["errors"]} == {
        ("field_invalid", "/query/limit"),
        ("field_invalid", "/query/since"),
    }
