"""Several sessions in one request: each as if it had come alone."""

import contextlib
import io
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from konectom.api.batches import MOST_PARTS
from konectom.api.multipart import parts
from konectom.errors import BatchInvalid, StoreUnavailable
from konectom.storage.models import Blob, QuarantineRow, SessionRow
from tests.api.client import Caller, app_for, first_error
from tests.batching import BOUNDARY, HEADERS, batch, part
from tests.people import with_settings
from tests.probe import probe_recording, session_body

pytestmark = pytest.mark.usefixtures("probe")


def send(phone, *its, headers=HEADERS, data=None, query="", **how):
    return phone.post(f"/sessions:batch{query}", data=batch(its) if data is None else data, headers=headers, **how)


def told(answer):
    assert answer.status_code == 200, answer.text
    return [(each["status"], each.get("error", {}).get("code")) for each in answer.json["sessions"]]


def count(services, model):
    with services.db.read() as db:
        return db.query(model).count()


def test_each_part_is_a_session_with_the_receipt_that_put_gives(phone):
    ids = [uuid4() for _ in range(3)]
    bodies = [session_body(), session_body(pack=True), session_body(probe_recording(x=[9.0] * 5))]
    declared = [{}, {"content_encoding": "gzip"}, {"content_type": "application/vnd.konectom.session.v1+json"}]
    sent = [part(*each, **how) for *each, how in zip(ids, bodies, declared, strict=True)]
    answer = send(phone, *sent)
    assert answer.json["patient"] == str(phone.patient)
    assert [each["id"] for each in answer.json["sessions"]] == list(map(str, ids))
    assert told(answer) == [(201, None)] * 3
    for session, body, how, each in zip(ids, bodies, declared, answer.json["sessions"], strict=True):
        headers = {key.replace("_", "-"): value for key, value in how.items()}
        alone = phone.put(body, session, headers=headers)
        assert (alone.status_code, alone.json) == (200, each["receipt"])
        assert phone.get(f"/sessions/{session}").json == each["receipt"]
    assert told(send(phone, *sent)) == [(200, None)] * 3


def test_one_that_is_bad_costs_no_other(phone, services):
    stored = uuid4()
    phone.put(session_body(), stored)
    other = session_body(probe_recording(x=[9.0] * 5))
    answer = send(
        phone, part(uuid4(), session_body()), part(uuid4(), b"{"), part("no-uuid", session_body()), part(stored, other),
        part(uuid4(), session_body({"assessment": "probe", "streams": {}})), part(uuid4(), b""),
        part(uuid4(), session_body()),
    )  # fmt: skip
    assert told(answer) == [
        (201, None), (400, "not_json"), (422, "field_invalid"), (409, "session_digest_conflict"),
        (422, "stream_missing"), (400, "not_json"), (201, None),
    ]  # fmt: skip
    errors = [each.get("error") for each in answer.json["sessions"]]
    assert [each and each["at"] for each in errors] == [
        None, "/sessions/1", "/sessions/2", "/sessions/3", "/sessions/4/recordings/0/streams/accelerometer",
        "/sessions/5", None,
    ]  # fmt: skip
    assert [bool(each and each.get("kept")) for each in errors] == [False, True, False, True, True, False, False]
    assert answer.json["sessions"][2]["id"] is None
    assert (count(services, SessionRow), count(services, QuarantineRow)) == (3, 3)


def test_an_id_that_comes_twice(phone, services):
    session, body = uuid4(), session_body()
    other = session_body(probe_recording(x=[9.0] * 5))
    answer = send(phone, part(session, body), part(session, body), part(session, other))
    assert told(answer) == [(201, None), (200, None), (409, "session_digest_conflict")]
    first, second, _ = answer.json["sessions"]
    assert first["receipt"] == second["receipt"]
    assert count(services, SessionRow) == 1


def test_staff_say_for_whom(staff, people, phone):
    assert first_error(send(staff, part(uuid4(), session_body()))) == (422, "field_missing", "/query/patient")
    patient = people.patient()
    answer = send(staff, part(uuid4(), session_body()), query=f"?patient={patient}")
    assert answer.json["sessions"][0]["receipt"]["patient"] == str(patient)
    assert send(phone, part(uuid4(), session_body()), query=f"?patient={patient}").status_code == 404


def test_multipart_mixed_is_taken_too(phone):
    headers = {"Content-Type": f'multipart/mixed; boundary="{BOUNDARY.decode()}"'}
    assert told(send(phone, part(uuid4(), session_body()), headers=headers)) == [(201, None)]


def test_an_empty_batch_is_one(phone):
    assert send(phone).json == {"patient": str(phone.patient), "sessions": []}


@pytest.mark.parametrize(
    ("content_type", "status", "code"),
    [
        ("application/json", 415, "media_type_unsupported"),
        ("application/x-www-form-urlencoded", 415, "media_type_unsupported"),
        ("multipart/form-data", 400, "batch_invalid"),
        ("multipart/form-data; boundary=", 400, "batch_invalid"),
        (f"multipart/form-data; boundary={'x' * 201}", 400, "batch_invalid"),
        ("multipart/form-data; boundary=another", 400, "batch_invalid"),
        ("", 415, "media_type_unsupported"),
    ],
)
def test_what_is_no_batch_is_refused(phone, content_type, status, code):
    answer = send(phone, part(uuid4(), session_body()), headers={"Content-Type": content_type})
    assert first_error(answer)[:2] == (status, code)
    assert answer.json["stored"] == 0


@pytest.mark.parametrize("spoiled", ["a word behind the boundary", "no last boundary", "not a header", "long head"])
def test_what_came_before_the_fault_is_kept(phone, services, spoiled):
    good = part(uuid4(), session_body())
    bad = {
        "a word behind the boundary": b"--" + BOUNDARY + b"-and-more\r\n\r\n{}\r\n",
        "no last boundary": b"",
        "not a header": b"--" + BOUNDARY + b"\r\n\xff\xfe\r\n\r\n{}\r\n",
        "long head": b"--" + BOUNDARY + b"\r\nX-Long: " + b"x" * 300_000 + b"\r\n\r\n{}\r\n",
    }[spoiled]
    data = good + (bad + b"--" + BOUNDARY + b"--\r\n" if bad else part(uuid4(), session_body())[:-20])
    answer = send(phone, data=data)
    assert first_error(answer)[:2] == (400, "batch_invalid")
    assert answer.json["stored"] == count(services, SessionRow) == 1


def test_a_cut_batch_keeps_what_was_whole(phone, services):
    its = [part(uuid4(), session_body(probe_recording(x=[float(n)] * 5))) for n in range(1, 4)]
    whole = batch(its)
    cut = len(its[0]) + len(its[1]) + len(its[2]) // 2
    answer = send(phone, data=whole[:cut], environ_overrides={"CONTENT_LENGTH": str(len(whole))})
    assert first_error(answer)[:2] == (400, "body_incomplete")
    assert answer.json["stored"] == count(services, SessionRow) == 2
    assert told(send(phone, data=whole)) == [(200, None), (200, None), (201, None)]
    assert count(services, QuarantineRow) == 0


def test_more_than_fifty_are_too_many(phone, services):
    its = [part(uuid4(), session_body()) for _ in range(MOST_PARTS + 1)]
    answer = send(phone, *its)
    assert first_error(answer) == (413, "batch_too_long", f"/sessions/{MOST_PARTS}")
    assert answer.json["stored"] == count(services, SessionRow) == MOST_PARTS
    assert count(services, Blob) == 1


@pytest.fixture
def small(services, phone):
    """The phone at a server with small limits."""

    def with_limits(**limits):
        return Caller(app_for(with_settings(services, **limits)).test_client(), phone.token)

    return with_limits


def test_a_part_that_is_too_large_costs_no_other(small, services):
    body = session_body()
    large = body[:-1] + b" " * 100_000 + b"}"
    answer = send(small(max_body_bytes=len(body)), part(uuid4(), large), part(uuid4(), body))
    assert told(answer) == [(413, "body_too_large"), (201, None)]
    assert answer.json["sessions"][0]["error"]["at"] == "/sessions/0"
    assert count(services, QuarantineRow) == 0


def test_a_batch_that_is_too_large_is_refused_unread(small):
    class Unread:
        def read(self, *_):
            raise AssertionError("it was read")

    how = {"environ_overrides": {"wsgi.input": Unread(), "CONTENT_LENGTH": "1001"}}
    answer = send(small(max_batch_bytes=1000), data=b"", **how)
    assert first_error(answer)[:2] == (413, "body_too_large")
    assert answer.json["stored"] == 0


def test_each_part_counts_as_a_request(small, services):
    strict = small(rate_limits="on", rate_limit_device="5/hour")
    ids = [uuid4() for _ in range(7)]
    answer = send(strict, *(part(each, session_body()) for each in ids))
    assert told(answer) == [(201, None)] * 5 + [(429, "rate_limited")] * 2
    assert answer.json["sessions"][6]["error"]["retry_after_s"] > 0
    assert count(services, SessionRow) == 5
    assert strict.get("/sessions").status_code == 429


def test_consent_is_asked_for_of_each(callers, people, services):
    phone = callers.phone(people.patient(people.study(consent="here")))
    answer = send(phone, part(uuid4(), session_body()), part(uuid4(), b"{"))
    assert told(answer) == [(403, "consent_missing"), (400, "not_json")]
    assert answer.json["sessions"][1]["error"]["kept"] is None
    assert (count(services, SessionRow), count(services, QuarantineRow), count(services, Blob)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [(StoreUnavailable("full"), 503, "store_unavailable"), (RuntimeError("password=hunter2"), 500, "internal_error")],
    ids=["storage", "fault"],
)
def test_a_failure_of_one_is_told_of_that_one(phone, monkeypatch, raised, status, code):
    from konectom.api import sessions

    keep, failing = sessions.ingest_session, uuid4()

    def fail(services, *, session_id, **how):
        if session_id == failing:
            raise raised
        return keep(services, session_id=session_id, **how)

    monkeypatch.setattr(sessions, "ingest_session", fail)
    answer = send(phone, part(uuid4(), session_body()), part(failing, session_body()), part(uuid4(), session_body()))
    assert told(answer) == [(201, None), (status, code), (201, None)]
    assert "hunter2" not in answer.text


def test_no_more_than_a_part_is_held_in_memory():
    """However large the batch: what waits is one part that is not too large."""
    held = []

    def pieces():
        for index in range(40):
            yield part(index, b"x" * 100_000)
        yield b"--" + BOUNDARY + b"--\r\n"

    for each in parts(pieces(), BOUNDARY, 50_000):
        assert each.body is None
        held.append(each.name)
    assert held == [str(index) for index in range(40)]


QUICK = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NASTY = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"--", BOUNDARY, b"\r\n--", b"\r\n--" + BOUNDARY[:-1], b"\0", b"x", b""]
)


def is_quotable(body):
    return b"--" + BOUNDARY not in body


@QUICK
@given(
    bodies=st.lists(
        (st.binary(max_size=200) | st.lists(NASTY, max_size=12).map(b"".join)).filter(is_quotable), max_size=5
    ),
    step=st.integers(1, 70),
)
def test_the_bytes_of_a_part_are_those_that_were_sent(bodies, step):
    whole = batch(part(f"n{index}", body) for index, body in enumerate(bodies))
    stream = io.BytesIO(whole)
    found = list(parts(iter(lambda: stream.read(step), b""), BOUNDARY, 10_000))
    assert [each.body for each in found] == bodies
    assert [(each.index, each.name, each.media_type) for each in found] == [
        (index, f"n{index}", "application/json") for index in range(len(bodies))
    ]


@QUICK
@given(data=st.data(), step=st.integers(1, 70))
def test_of_a_batch_that_is_cut_anywhere_the_whole_parts_are_given_first(data, step):
    bodies = data.draw(st.lists(st.binary(max_size=60).filter(is_quotable), min_size=1, max_size=4))
    its = [part(index, body) for index, body in enumerate(bodies)]
    whole = batch(its)
    cut = data.draw(st.integers(0, len(whole) - 3))  # without the last line break it is whole
    stream, found = io.BytesIO(whole[:cut]), []
    ends = [sum(map(len, its[: index + 1])) + len(BOUNDARY) + 2 for index in range(len(its))]
    complete = sum(cut >= end for end in ends)
    with pytest.raises(BatchInvalid):
        found.extend(each.body for each in parts(iter(lambda: stream.read(step), b""), BOUNDARY, 10_000))
    assert found == bodies[: len(found)]
    assert len(found) == complete


@QUICK
@given(body=st.binary(max_size=400), step=st.integers(1, 70))
def test_no_bytes_break_the_decoder(body, step):
    stream = io.BytesIO(
        body.replace(b"B", b"--" + BOUNDARY + b"\r\n").replace(b"D", b'Content-Disposition: x; name="y"\r\n\r\n')
    )
    with contextlib.suppress(BatchInvalid):
        assert all(
            isinstance(each.body, bytes) for each in parts(iter(lambda: stream.read(step), b""), BOUNDARY, 10_000)
        )


def test_the_answer_is_plain_json(phone):
    answer = send(phone, part(uuid4(), session_body()))
    assert orjson.loads(answer.data)["sessions"][0]["receipt"]["status"] == "processed"
