"""What is refused over HTTP is held; staff see it and fetch it, a phone is told which of its own it was."""

import hashlib
from uuid import uuid4

import pytest

from konectom.storage.models import AuditRow
from tests.api.client import Caller, first_error
from tests.probe import session_body

pytestmark = pytest.mark.usefixtures("probe")

BAD = b"{"
DIGEST = f"sha256:{hashlib.sha256(BAD).hexdigest()}"


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def phone(callers, people, study):
    return callers.phone(people.patient(study))


@pytest.fixture
def member(app, staff_members, study):
    """Makes members of staff of the phone's study."""
    return lambda role: Caller(app.test_client(), staff_members.member(role, study).token)


@pytest.fixture
def manager(member):
    return member("study_manager")


def held_of(phone, body=BAD, **how):
    return phone.put(body, **how).json["kept"]["id"]


def test_the_answer_tells_that_the_bytes_are_kept(phone):
    session = uuid4()
    answer = phone.put(BAD, session)
    assert first_error(answer)[:2] == (400, "not_json")
    assert answer.json["kept"]["digest"] == DIGEST
    assert phone.put(BAD, session).json["kept"] == answer.json["kept"]


@pytest.mark.parametrize(
    ("path", "sent", "code"),
    [
        ("/sessions/1", {}, "not_found"),
        (f"/sessions/{uuid4()}?colour=red", {"data": BAD}, "field_invalid"),
        (
            f"/sessions/{uuid4()}",
            {"data": b"x" * 100, "environ_overrides": {"CONTENT_LENGTH": "200"}},
            "body_incomplete",
        ),
        (f"/sessions/{uuid4()}", {"data": BAD, "environ_overrides": {"CONTENT_LENGTH": "99999999"}}, "body_too_large"),
    ],
    ids=["no address", "query", "cut", "too large"],
)
def test_what_was_never_read_whole_is_not(phone, manager, path, sent, code):
    answer = phone("PUT", path, **sent)
    assert answer.json["code"] == code
    assert "kept" not in answer.json
    assert manager.get("/quarantine").json["items"] == []


def test_a_phone_is_told_its_own_in_brief(phone, callers, people, study):
    session = uuid4()
    kept = phone.put(BAD, session).json["kept"]["id"]
    (line,) = phone.get("/quarantine").json["items"]
    assert line.keys() == {"id", "session", "digest", "state", "code", "received_at", "released_as"}
    assert (line["id"], line["session"], line["digest"], line["code"]) == (kept, str(session), DIGEST, "not_json")
    assert phone.get(f"/quarantine/{kept}").json == line
    other = callers.phone(people.patient(study))
    assert other.get("/quarantine").json == {"items": [], "next": None, "position": None}
    assert other.get(f"/quarantine/{kept}").status_code == 404
    assert other.get(f"/quarantine?patient={phone.patient}").status_code == 404
    assert phone.get(f"/quarantine/{kept}/content").status_code == 403
    assert phone.post(f"/quarantine/{kept}:discard", json={"reason": "x"}).status_code == 403


def test_staff_see_all_of_it_and_choose(phone, manager, study):
    kept = held_of(phone)
    told = manager.get(f"/quarantine/{kept}").json
    assert (told["patient"], told["device"], told["size_bytes"]) == (str(phone.patient), str(phone.device), 1)
    for query, number in (
        ("", 1), (f"study={study}", 1), (f"patient={phone.patient}", 1), ("code=not_json", 1), ("state=held", 1),
        (f"study={uuid4()}", 0), ("code=format_unknown", 0), ("state=released", 0),
    ):  # fmt: skip
        assert len(manager.get(f"/quarantine?{query}").json["items"]) == number, query
    assert manager.get(f"/quarantine?patient={uuid4()}").status_code == 404
    assert first_error(manager.get("/quarantine?state=lost")) == (422, "field_invalid", "/query/state")


def test_the_bytes_come_back_as_they_were_sent(phone, manager, services):
    kept = held_of(phone, headers={"Content-Type": "application/json", "Content-Encoding": "br"})
    answer = manager.get(f"/quarantine/{kept}/content")
    assert (answer.data, answer.mimetype) == (BAD, "application/octet-stream")
    assert answer.headers["ETag"] == f'"{DIGEST}"'
    assert answer.headers["Upload-Content-Type"] == "application/json"
    assert answer.headers["Upload-Content-Encoding"] == "br"
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Content-Disposition"].startswith("attachment")
    with services.db.read() as db:
        last = db.query(AuditRow).order_by(AuditRow.seq.desc()).first()
    assert (last.change, last.action, last.patient_id) == ("read", "raw.read", phone.patient)


def test_so_do_those_of_a_session(phone, manager, services):
    session, body = uuid4(), session_body(pack=True)
    digest = phone.put(body, session, headers={"Content-Encoding": "gzip"}).json["digest"]
    answer = manager.get(f"/sessions/{session}/content")
    assert (answer.data, answer.headers["ETag"]) == (body, f'"{digest}"')
    assert (answer.headers["Upload-Content-Encoding"], "Content-Encoding" in answer.headers) == ("gzip", False)
    with services.db.read() as db:
        last = db.query(AuditRow).order_by(AuditRow.seq.desc()).first()
    assert (last.action, last.patient_id, last.entity_id) == ("raw.read", phone.patient, str(session))
    assert phone.get(f"/sessions/{session}/content").status_code == 403
    manager.post(f"/patients/{phone.patient}/restriction", json={"reason": "asked for"})


@pytest.mark.parametrize("role", ["researcher", "monitor"])
def test_who_only_sees_results_fetches_no_bytes(phone, member, role):
    kept, session = held_of(phone), uuid4()
    phone.put(session_body(), session)
    caller = member(role)
    assert caller.get(f"/sessions/{session}").status_code == 200
    assert caller.get(f"/sessions/{session}/content").status_code == 403
    assert caller.get(f"/quarantine/{kept}/content").status_code == 403


def test_discarding_needs_a_reason_and_is_for_good(phone, manager):
    kept = held_of(phone)
    assert first_error(manager.post(f"/quarantine/{kept}:discard", json={})) == (422, "field_missing", "/reason")
    told = manager.post(f"/quarantine/{kept}:discard", json={"reason": "a test phone"})
    assert (told.status_code, told.json["state"]) == (200, "discarded")
    assert manager.get(f"/quarantine/{kept}/content").status_code == 404
    assert phone.put(BAD, told.json["session"]).json["kept"] is None


@pytest.mark.parametrize(
    "value", ["", "!", "WyIxIiwiMiJd", "WyJ4Il0", "WyItMSJd", "WyI5OTk5OTk5OTk5OTk5OTk5OTk5OTk5Il0"]
)
def test_a_cursor_that_is_none_is_refused(manager, value):
    assert first_error(manager.get("/quarantine", query_string={"cursor": value})) == (
        422,
        "field_invalid",
        "/query/cursor",
    )


# What is known of sessions.


def known(phone, *asked):
    sessions = [{"id": str(session), "digest": digest} for session, digest in asked]
    return [
        (each["state"], each.get("quarantine"))
        for each in phone.post("/sessions:known", json={"sessions": sessions}).json["sessions"]
    ]


def test_a_phone_that_was_set_up_anew_learns_what_to_send(phone, callers, manager):
    body, stored, refused, gone = session_body(), uuid4(), uuid4(), uuid4()
    digest = phone.put(body, stored).json["digest"]
    kept = phone.put(BAD, refused).json["kept"]["id"]
    discarded = phone.put(BAD, gone).json["kept"]["id"]
    manager.post(f"/quarantine/{discarded}:discard", json={"reason": "a test phone"})
    conflict = phone.put(BAD, stored).json["kept"]["id"]
    asked = [
        (stored, digest),
        (stored, DIGEST),
        (stored, f"sha256:{'0' * 64}"),
        (refused, DIGEST),
        (gone, DIGEST),
        (uuid4(), digest),
    ]
    assert known(phone, *asked) == [
        ("stored", None), ("held", conflict), ("differs", None), ("held", kept), ("discarded", discarded),
        ("missing", None),
    ]  # fmt: skip
    assert known(callers.phone(), *asked) == [("missing", None)] * 6
    assert known(phone) == []


def test_a_thousand_are_told_at_once_and_no_more(phone):
    asked = [(uuid4(), DIGEST)] * 1000
    assert known(phone, *asked) == [("missing", None)] * 1000
    sessions = [{"id": str(uuid4()), "digest": DIGEST}] * 1001
    assert first_error(phone.post("/sessions:known", json={"sessions": sessions})) == (
        422,
        "field_invalid",
        "/sessions",
    )


@pytest.mark.parametrize("digest", ["", "sha256:", DIGEST.upper(), DIGEST[7:], DIGEST + "0", DIGEST + "\n"])
def test_a_digest_that_is_none_is_refused(phone, digest):
    answer = phone.post("/sessions:known", json={"sessions": [{"id": str(uuid4()), "digest": digest}]})
    assert first_error(answer) == (422, "field_invalid", "/sessions/0/digest")


def test_head_is_cheap_and_tells_the_digest(phone, services, monkeypatch):
    session = uuid4()
    digest = phone.put(session_body(), session).json["digest"]
    monkeypatch.setattr("konectom.api.sessions.get_session", None)
    head = phone("HEAD", f"/sessions/{session}")
    assert (head.status_code, head.headers["ETag"], head.data) == (200, f'"{digest}"', b"")
    assert "Content-Length" not in head.headers


# What is new.


def test_the_position_leads_to_what_came_since(phone):
    assert phone.get("/sessions").json["position"] is None
    first, second, third = uuid4(), uuid4(), uuid4()
    phone.put(session_body(), first)
    phone.put(session_body(), second)
    page = phone.get("/sessions?limit=1").json
    assert [each["id"] for each in page["items"]] == [str(first)]
    assert page["next"] == page["position"]
    rest = phone.get(f"/sessions?cursor={page['position']}").json
    assert ([each["id"] for each in rest["items"]], rest["next"]) == ([str(second)], None)
    nothing = phone.get(f"/sessions?cursor={rest['position']}").json
    assert (nothing["items"], nothing["position"]) == ([], rest["position"])
    phone.put(session_body(), third)
    assert [each["id"] for each in phone.get(f"/sessions?cursor={rest['position']}").json["items"]] == [str(third)]
