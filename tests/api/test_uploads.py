"""Uploads in pieces, as the specification of tus 1.0.0 has them, rule by rule, and what is ours beside it."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from konectom.storage.models import AuditRow, QuarantineRow, Upload, UploadPiece
from konectom.workflows.uploads.pieces import SMALL_BYTES
from tests.probe import session_body
from tests.tus import BYTES, VERSION, Client, Refused, checksum, metadata, sending

BODY = session_body()


@pytest.fixture(autouse=True)
def of_the_probe(probe):
    """The sessions that are handed over are of it."""


@pytest.fixture
def client(phone):
    return Client(sending(phone))


@pytest.fixture
def upload(client):
    return client.create(len(BODY), uuid4())


def objects_of(services):
    return sorted(services.objects.written_before(datetime.now(UTC) + timedelta(days=1)))


def status_of(services, address):
    with services.db.read() as db:
        return db.get_one(Upload, UUID(address.rpartition("/")[2])).status


# What the protocol says of each request: what is sent, and which status must come of it.
PATCH = {"Content-Type": BYTES, "Upload-Offset": "0"}
HALF = BODY[: len(BODY) // 2]
RULES = {
    "HEAD tells how far it is": ("HEAD", {}, b"", 200),
    "PATCH is acknowledged by 204": ("PATCH", PATCH, BODY, 204),
    "PATCH may bring a part": ("PATCH", PATCH, HALF, 204),
    "PATCH may bring nothing": ("PATCH", PATCH, b"", 204),
    "PATCH of another type is 415": ("PATCH", PATCH | {"Content-Type": "application/octet-stream"}, HALF, 415),
    "PATCH without a type is 415": ("PATCH", {"Upload-Offset": "0"}, HALF, 415),
    "PATCH at another offset is 409": ("PATCH", PATCH | {"Upload-Offset": "1"}, HALF, 409),
    "PATCH without an offset is 400": ("PATCH", {"Content-Type": BYTES}, HALF, 400),
    "PATCH at a negative offset is 400": ("PATCH", PATCH | {"Upload-Offset": "-1"}, HALF, 400),
    "PATCH at an offset that is no number is 400": ("PATCH", PATCH | {"Upload-Offset": "1.0"}, HALF, 400),
    "PATCH beyond the length is 413": ("PATCH", PATCH, BODY + b" ", 413),
    "a good sha1 is accepted": ("PATCH", PATCH | {"Upload-Checksum": checksum(HALF, "sha1")}, HALF, 204),
    "a good sha256 is accepted": ("PATCH", PATCH | {"Upload-Checksum": checksum(HALF)}, HALF, 204),
    "a wrong checksum is 460": ("PATCH", PATCH | {"Upload-Checksum": checksum(b"other")}, HALF, 460),
    "an unknown algorithm is 400": ("PATCH", PATCH | {"Upload-Checksum": "crc32 AAAAAA=="}, HALF, 400),
    "a checksum that is no base64 is 400": ("PATCH", PATCH | {"Upload-Checksum": "sha1 §"}, HALF, 400),
    "a checksum of another size is 400": ("PATCH", PATCH | {"Upload-Checksum": "sha1 AAAA"}, HALF, 400),
    "a checksum without its digest is 400": ("PATCH", PATCH | {"Upload-Checksum": "sha1"}, HALF, 400),
    "another version is 412": ("PATCH", PATCH | {"Tus-Resumable": "0.2.2"}, HALF, 412),
    "no version is 412": ("PATCH", PATCH | {"Tus-Resumable": ""}, HALF, 412),
    "HEAD in another version is 412": ("HEAD", {"Tus-Resumable": "2.0.0"}, b"", 412),
    "DELETE ends it": ("DELETE", {}, b"", 204),
    "DELETE in another version is 412": ("DELETE", {"Tus-Resumable": "2.0.0"}, b"", 412),
    "POST may stand for PATCH": ("POST", PATCH | {"X-HTTP-Method-Override": "PATCH"}, HALF, 204),
    "POST may stand for DELETE": ("POST", {"X-HTTP-Method-Override": "DELETE"}, b"", 204),
    "POST may stand for HEAD": ("POST", {"X-HTTP-Method-Override": "HEAD"}, b"", 200),
    "POST of something else is 405": ("POST", {"X-HTTP-Method-Override": "PUT"}, b"", 405),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule(client, services, upload, rule):
    method, headers, body, status = RULES[rule]
    answered, carried, told = client.ask(method, upload, headers, body)
    assert (answered, told.get("code") if isinstance(told, dict) else None)[0] == status
    assert carried["Tus-Resumable"] == "1.0.0"
    assert (carried.get("Tus-Version") == "1.0.0") == (status == 412)
    if status == 204 and method in ("PATCH", "POST") and "Upload-Offset" in headers:
        assert int(carried["Upload-Offset"]) == len(body) == client.offset(upload)
    if status >= 400:  # nothing has changed
        assert client.offset(upload) == 0
        assert objects_of(services) == []


BEGUN = {"Upload-Length": "100", "Upload-Metadata": metadata(session=uuid4())}
BEGINNINGS = {
    "an upload begins": (BEGUN, b"", 201),
    "without a length it is 400": ({"Upload-Length": ""}, b"", 400),
    "with a length that is none it is 400": ({"Upload-Length": "many"}, b"", 400),
    "with a negative length it is 400": ({"Upload-Length": "-1"}, b"", 400),
    "what is told later cannot be": ({"Upload-Length": "", "Upload-Defer-Length": "1"}, b"", 400),
    "beyond Tus-Max-Size it is 413": ({"Upload-Length": str(2**40)}, b"", 413),
    "an empty session is none": ({"Upload-Length": "0"}, b"", 422),
    "in another version it is 412": ({"Tus-Resumable": "0.1"}, b"", 412),
    "a first piece may come with it": ({"Content-Type": BYTES}, b"x" * 50, 201),
    "of the right type": ({"Content-Type": "text/plain"}, b"x" * 50, 415),
    "with its checksum": ({"Content-Type": BYTES, "Upload-Checksum": checksum(b"x" * 50)}, b"x" * 50, 201),
    "that must be right": ({"Content-Type": BYTES, "Upload-Checksum": checksum(b"y" * 50)}, b"x" * 50, 460),
    "and no more than the length": ({"Content-Type": BYTES}, b"x" * 101, 413),
    "without an id it is 422": ({"Upload-Metadata": ""}, b"", 422),
    "with an id that is none it is 422": ({"Upload-Metadata": metadata(session="1")}, b"", 422),
    "names stand there once": ({"Upload-Metadata": metadata(session=uuid4()) + "," + metadata(session=1)}, b"", 400),
    "values are base64": ({"Upload-Metadata": "session §"}, b"", 400),
    "values are UTF-8": ({"Upload-Metadata": "session /w=="}, b"", 400),
    "names have letters": ({"Upload-Metadata": " "}, b"", 422),
    "an empty pair is none": ({"Upload-Metadata": metadata(session=uuid4()) + ","}, b"", 400),
    "a value may be absent": ({"Upload-Metadata": metadata(session=uuid4()) + ",content_type"}, b"", 201),
    "what nobody knows is refused": ({"Upload-Metadata": metadata(session=uuid4(), filename="Ada.zip")}, b"", 422),
    "a digest is a sha256": ({"Upload-Metadata": metadata(session=uuid4(), digest="00")}, b"", 422),
    "a type is one line": ({"Upload-Metadata": metadata(session=uuid4(), content_type="a\nb")}, b"", 422),
    "a patient is a UUID": ({"Upload-Metadata": metadata(session=uuid4(), patient="P-1")}, b"", 422),
    "another's patient is not there": ({"Upload-Metadata": metadata(session=uuid4(), patient=uuid4())}, b"", 404),
}


@pytest.mark.parametrize("rule", BEGINNINGS)
def test_a_rule_of_beginning(client, services, rule):
    headers, body, status = BEGINNINGS[rule]
    answered, carried, _ = client.ask("POST", "/api/v1/uploads", BEGUN | headers, body)
    assert answered == status
    assert carried["Tus-Resumable"] == "1.0.0"
    assert ("Location" in carried) == (status == 201)
    if status == 201:
        assert int(carried["Upload-Offset"]) == len(body) == client.offset(carried["Location"])


def test_the_server_tells_what_it_speaks(anybody, services):
    answer = anybody("OPTIONS", "/uploads", headers={"Tus-Resumable": "9.9"})
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert "Tus-Resumable" not in answer.headers
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        "creation", "creation-with-upload", "checksum", "expiration", "termination",
    }  # fmt: skip
    assert answer.headers["Tus-Max-Size"] == str(services.settings.max_upload_bytes)
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha256,sha1"


def test_head_tells_all_that_is_known_and_is_not_cached(client, phone):
    told = metadata(session=uuid4(), content_type="application/json")
    _, carried, _ = client.ask("POST", "/api/v1/uploads", {"Upload-Length": "100", "Upload-Metadata": told})
    _, carried, _ = client.ask("HEAD", carried["Location"])
    assert carried["Upload-Offset"] == "0"
    assert carried["Upload-Length"] == "100"
    assert carried["Upload-Metadata"] == told
    assert carried["Cache-Control"] == "no-store"


def test_until_when_it_must_have_come_is_told(client, clock, services, upload):
    expires = clock.now + services.settings.upload_lifetime
    for method, headers in (("HEAD", {}), ("PATCH", PATCH)):
        _, carried, _ = client.ask(method, upload, headers)
        assert parsedate_to_datetime(carried["Upload-Expires"]) == expires


def test_after_that_it_is_gone(client, clock, upload):
    clock.forward(days=8)
    for method, headers in (("HEAD", {}), ("PATCH", PATCH), ("DELETE", {})):
        status, carried, _ = client.ask(method, upload, headers)
        assert (status, "Upload-Offset" in carried) == (410, False)


def test_what_was_ended_is_gone(client, services, upload):
    client.patch(upload, 0, HALF)
    assert len(objects_of(services)) == 1
    assert client.ask("DELETE", upload)[0] == 204
    assert objects_of(services) == []
    for method, headers in (("HEAD", {}), ("PATCH", PATCH), ("DELETE", {})):
        assert client.ask(method, upload, headers)[0] == 410


def test_what_never_was_is_not_there(client):
    for method, headers in (("HEAD", {}), ("PATCH", PATCH), ("DELETE", {})):
        status, carried, _ = client.ask(method, f"/api/v1/uploads/{uuid4()}", headers)
        assert (status, "Upload-Offset" in carried) == (404, False)


def test_nor_is_that_of_another(client, callers, upload):
    other = Client(sending(callers.phone()))
    for method, headers in (("HEAD", {}), ("PATCH", PATCH), ("DELETE", {})):
        assert other.ask(method, upload, headers)[0] == 404
    assert client.offset(upload) == 0


def test_staff_say_for_whom(callers, people):
    staff, patient = callers.staff(), people.patient()
    client, session = Client(sending(staff)), uuid4()
    with pytest.raises(Refused) as refused:
        client.create(len(BODY), session)
    assert refused.value.code == "field_missing"
    client.upload(BODY, session, patient=patient)
    assert staff.get(f"/sessions/{session}").json["patient"] == str(patient)


# What is ours: an upload becomes a session.


def test_the_last_piece_makes_a_session_of_it(client, phone, services):
    session = uuid4()
    carried = client.upload(BODY, session, chunk=100, content_type="application/json")
    assert carried["Konectom-Status"] == "stored"
    receipt = phone.get(carried["Konectom-Session"].removeprefix("/api/v1")).json
    assert receipt["id"] == str(session)
    assert receipt["digest"] == f"sha256:{hashlib.sha256(BODY).hexdigest()}"
    assert receipt["status"] == "processed"
    # One object, and no piece, is left; and it is the same session that a PUT of the same bytes is.
    assert len(objects_of(services)) == 1
    with services.db.read() as db:
        assert db.scalars(select(UploadPiece)).all() == []
    again = phone.put(BODY, session)
    assert (again.status_code, again.json) == (200, receipt)


def test_whoever_lost_the_last_answer_is_told_again(client, phone):
    address = client.create(len(BODY), uuid4())
    client.patch(address, 0, BODY)
    assert client.offset(address) == len(BODY)
    carried = client.patch(address, len(BODY), b"")
    assert carried["Konectom-Status"] == "stored"
    with pytest.raises(Refused) as refused:
        client.patch(address, 0, BODY)
    assert (refused.value.status, refused.value.told["offset"]) == (409, len(BODY))


def test_a_session_that_was_put_before_is_the_same(client, phone):
    session = uuid4()
    receipt = phone.put(BODY, session).json
    assert client.upload(BODY, session, chunk=150)["Konectom-Status"] == "stored"
    assert phone.get(f"/sessions/{session}").json == receipt


def test_all_may_come_with_the_beginning(client, phone):
    session = uuid4()
    headers = {"Upload-Length": str(len(BODY)), "Upload-Metadata": metadata(session=session), "Content-Type": BYTES}
    status, carried, told = client.ask("POST", "/api/v1/uploads", headers, BODY)
    assert (status, carried["Konectom-Status"], told["status"]) == (201, "stored", "stored")
    assert phone.get(f"/sessions/{session}").json["status"] == "processed"


REFUSED = {
    "no JSON": (b"{" * 100, {}, 400, "not_json"),
    "no format": (b'{"a": "' + b"b" * 100 + b'"}', {}, 415, "format_unknown"),
    "another digest": (BODY, {"digest": hashlib.sha256(b"").hexdigest()}, 460, "checksum_mismatch"),
    "an encoding that nobody knows": (BODY, {"content_encoding": "br"}, 415, "encoding_unsupported"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_session_is_refused_with_the_reason_and_leaves_no_piece(client, services, kind):
    body, said, status, code = REFUSED[kind]
    address = client.create(len(body), uuid4(), **said)
    for _ in range(2):  # the same, however often it is asked
        with pytest.raises(Refused) as refused:
            client.patch(address, client.offset(address) if _ == 0 else len(body), b"" if _ else body)
        assert (refused.value.status, refused.value.code) == (status, code)
    assert client.ask("HEAD", address)[0] == status
    with services.db.read() as db:
        assert db.scalars(select(UploadPiece)).all() == []
        held = db.scalars(select(QuarantineRow)).all()
    assert [each.code for each in held] == ([] if code == "checksum_mismatch" else [code])
    assert len(objects_of(services)) == len(held)
    assert status_of(services, address) == "refused"


def test_a_digest_that_is_told_is_compared(client):
    told = hashlib.sha256(BODY).hexdigest()
    for digest in (told, f"sha256:{told}"):
        assert client.upload(BODY, uuid4(), digest=digest)["Konectom-Status"] == "stored"


def test_other_bytes_under_the_same_id_are_refused(client, phone):
    session = uuid4()
    phone.put(BODY, session)
    with pytest.raises(Refused) as refused:
        client.create(len(BODY), session, digest=hashlib.sha256(b"other").hexdigest())
    assert refused.value.code == "session_digest_conflict"
    other = session_body(setting="clinic")
    with pytest.raises(Refused) as refused:
        client.upload(other, session)
    assert refused.value.code == "session_digest_conflict"


def test_a_new_upload_of_the_same_session_takes_the_place_of_the_old(client, services):
    """Else a phone that never hears an answer would fill the room that its patient has."""
    session = uuid4()
    old = client.create(len(BODY), session)
    client.patch(old, 0, HALF)
    new = client.create(len(BODY), session)
    assert client.ask("HEAD", old)[0] == 410
    assert client.offset(new) == 0
    assert objects_of(services) == []


def test_only_so_many_are_open_at_a_time(client, services, upload):
    for _ in range(services.settings.max_open_uploads - 1):
        client.create(len(BODY), uuid4())
    status, carried, told = client.ask(
        "POST", "/api/v1/uploads", {"Upload-Length": "9", "Upload-Metadata": metadata(session=uuid4())}
    )
    assert (status, told["code"]) == (429, "uploads_too_many")
    assert int(carried["Retry-After"]) > 0
    client.ask("DELETE", upload)
    client.create(len(BODY), uuid4())


def test_only_so_many_bytes_are_unfinished(client, services):
    most, large = services.settings.max_unfinished_bytes, services.settings.max_upload_bytes
    for _ in range(most // large):
        client.create(large, uuid4())
    with pytest.raises(Refused) as refused:
        client.create(1, uuid4())
    assert refused.value.code == "uploads_too_many"


def test_what_is_in_the_audit(client, services, phone):
    """That it was begun, became a session, or was ended; not each piece, of which there may be hundreds."""
    with services.db.read() as db:
        before = db.scalars(select(AuditRow.seq).order_by(AuditRow.seq.desc())).first()
    address = client.create(len(BODY), uuid4())
    for start in range(0, len(BODY), 50):
        client.patch(address, start, BODY[start : start + 50])
    client.ask("DELETE", client.create(9, uuid4()))
    with services.db.read() as db:
        rows = db.scalars(select(AuditRow).where(AuditRow.seq > before).order_by(AuditRow.seq)).all()
        told = [(row.entity, row.change, row.actor_kind) for row in rows]
    begun, changed = ("upload", "insert", "device"), ("upload", "update", "device")
    assert told == [begun, ("session", "insert", "device"), changed, begun, changed]


def test_small_pieces_are_put_together(client, services):
    body = session_body(note="x" * 3 * SMALL_BYTES)
    address = client.create(len(body), uuid4())
    step = SMALL_BYTES // 8
    for start in range(0, 2 * SMALL_BYTES, step):
        client.patch(address, start, body[start : start + step])
        with services.db.read() as db:
            pieces = db.scalars(select(UploadPiece).order_by(UploadPiece.start)).all()
        assert [piece.start for piece in pieces] == [0, *(piece.start + piece.length for piece in pieces[:-1])]
        assert len(pieces) <= 1 + start // SMALL_BYTES + 1
        assert len(objects_of(services)) == len(pieces)
    client.patch(address, 2 * SMALL_BYTES, body[2 * SMALL_BYTES :])


def test_a_base64_value_is_what_it_says():
    """The client of these tests writes what the specification shows."""
    assert metadata(filename="world_domination_plan.pdf") == "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg=="
    assert base64.b64decode("Kq5sNclPz7QV2+lfQIuc6R7oRu0=") == hashlib.sha1(b"hello world").digest()
    assert checksum(b"hello world", "sha1") == "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="
    assert VERSION == {"Tus-Resumable": "1.0.0"}
