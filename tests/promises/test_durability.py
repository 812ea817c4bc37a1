"""What was answered 201 is there, whatever happens to the server in the next instant."""

import hashlib
from uuid import UUID, uuid4

import orjson
import pytest

from konectom.storage.models import SessionRow
from konectom.workflows.sessions.raw import raw_bytes
from tests.api.server_process import serving
from tests.assessments.examples import example
from tests.tus import BYTES, VERSION, Client


@pytest.fixture
def body():
    session = {
        "schema": "konectom.session/1",
        "started_at": "2026-11-21T09:12:03.250+01:00",
        "time_zone": "Europe/Paris",
        "recordings": [example("balance"), example("u_turn")],
    }
    return orjson.dumps(session, option=orjson.OPT_SERIALIZE_NUMPY)


def test_a_session_outlives_a_kill_directly_after_its_receipt(services, settings, phone, body):
    path = f"/api/v1/sessions/{uuid4()}"
    with serving(settings) as server:
        status, receipt = server.ask("PUT", path, phone.token, body)
        server.kill()
        assert status == 201
        assert [each["status"] for each in receipt["recordings"]] == ["processed", "processed"]
        assert all(each["scores"] for each in receipt["recordings"])
        server.start()
        assert server.ask("GET", path, phone.token) == (200, receipt)
        assert server.ask("PUT", path, phone.token, body) == (200, receipt)
        assert [each["id"] for each in server.ask("GET", "/api/v1/sessions", phone.token)[1]["items"]] == [
            receipt["id"]
        ]
    assert receipt["digest"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
    with services.db.read() as db:
        assert raw_bytes(services, db.get(SessionRow, UUID(receipt["id"]))) == body


def test_a_kill_in_the_middle_leaves_nothing_half(settings, phone, body):
    """The connection breaks without an answer; sending again puts all right."""
    path = f"/api/v1/sessions/{uuid4()}"
    with serving(settings) as server:
        connection = server.connect()
        connection.putrequest("PUT", path)
        connection.putheader("Authorization", f"Bearer {phone.token}")
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Expect", "100-continue")
        connection.endheaders()
        assert connection.sock.recv(1000).startswith(b"HTTP/1.1 100")  # the server is at it
        connection.send(body[: len(body) // 2])
        server.kill()
        connection.close()
        server.start()
        assert server.ask("GET", path, phone.token)[0] == 404
        assert server.ask("PUT", path, phone.token, body)[0] == 201


def test_an_upload_in_pieces_outlives_kills_and_is_gone_on_with(services, settings, phone, body):
    """What was answered is kept; what a kill cut off is sent again, and it is the same session."""
    session, half = uuid4(), len(body) // 2
    with serving(settings, workers=2) as server:

        def send(method, address, headers, sent):
            connection = server.connect()
            try:
                connection.request(method, address, sent, {"Authorization": f"Bearer {phone.token}", **headers})
                answer = connection.getresponse()
                return answer.status, answer.headers, answer.read()
            finally:
                connection.close()

        client = Client(send)
        address = client.create(len(body), session)
        client.patch(address, 0, body[:half])
        server.kill()
        server.start()
        assert client.offset(address) == half
        connection = server.connect()
        connection.putrequest("PATCH", address)
        said = VERSION | {"Content-Type": BYTES, "Upload-Offset": str(half), "Content-Length": str(len(body) - half)}
        for name, value in {"Authorization": f"Bearer {phone.token}", "Expect": "100-continue", **said}.items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.sock.recv(1000).startswith(b"HTTP/1.1 100")  # the server is at it
        connection.send(body[half : half + 1000])
        server.kill()
        connection.close()
        server.start()
        offset = client.offset(address)
        assert client.patch(address, offset, body[offset:])["Konectom-Status"] == "stored"
        status, receipt = server.ask("GET", f"/api/v1/sessions/{session}", phone.token)
    assert (status, receipt["digest"]) == (200, f"sha256:{hashlib.sha256(body).hexdigest()}")
    assert receipt["status"] == "processed"
    with services.db.read() as db:
        assert raw_bytes(services, db.get(SessionRow, session)) == body
