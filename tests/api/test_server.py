"""The real server: its configuration, and what only a socket can show."""

import runpy
import signal
import socket
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import orjson
import pytest
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.workers.gthread import ThreadWorker

from konectom.api import server
from konectom.api.body import STEP_BYTES
from konectom.api.connections import HEAD_BYTES, Worker
from konectom.app import create_app
from konectom.settings import load_settings
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.listing import get_session
from konectom.workflows.sessions.rounds import Rounds
from tests.api.server_process import PATIENCE_S, serving
from tests.assessments.examples import example
from tests.backends import where_of

ROOT = Path(__file__).resolve().parents[2]


def configured(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["gunicorn", *arguments])
    return WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]").cfg


@pytest.mark.parametrize("how", ["command", "wsgi"])
def test_both_ways_to_start_have_the_same_configuration(monkeypatch, how):
    monkeypatch.chdir(ROOT)
    arguments = server.command(bind="127.0.0.1:9")[3:] if how == "command" else ["wsgi:application"]
    cfg = configured(monkeypatch, *arguments)
    assert cfg.worker_class is Worker
    assert not cfg.sendfile
    assert cfg.threads == server.threads > 1
    assert cfg.workers == server.workers
    assert not cfg.preload_app
    assert cfg.control_socket_disable
    assert cfg.graceful_timeout == server.graceful_timeout > 0
    assert cfg.accesslog is None
    assert (cfg.limit_request_line, cfg.limit_request_fields, cfg.limit_request_field_size) == (8190, 50, 8190)


def test_the_command_takes_address_and_size(monkeypatch):
    cfg = configured(monkeypatch, *server.command(bind="0.0.0.0:80", workers=3, threads=5)[3:])
    assert (cfg.address, cfg.workers, cfg.threads) == ([("0.0.0.0", 80)], 3, 5)


def test_wsgi_is_the_application(monkeypatch, tmp_path):
    monkeypatch.setenv("KONECTOM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("KONECTOM_MODE", "development")
    application = runpy.run_path(str(ROOT / "wsgi.py"))["application"]
    assert application.test_client().get("/healthz").status_code == 200


@pytest.fixture
def body():
    session = {
        "schema": "konectom.session/1",
        "started_at": "2026-11-21T09:12:03.250+01:00",
        "recordings": [example("balance")],
    }
    return orjson.dumps(session, option=orjson.OPT_SERIALIZE_NUMPY)


def begin(connection, token, **headers):
    connection.putrequest("PUT", f"/api/v1/sessions/{uuid4()}")
    for name, value in {"Authorization": f"Bearer {token}", **headers}.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()


def answer_of(connection):
    answer = connection.getresponse()
    return answer.status, orjson.loads(answer.read())


def test_what_only_a_socket_can_show(settings, phone, body):
    """One server for all of these: it takes seconds to start."""
    with serving(settings) as running:
        chunked(running, phone, body)
        refused_unread(running, phone, body)
        endless(running, phone)
        garbled(running, phone)
        stopped_gracefully(running, phone, body)


def test_an_upload_too_many_is_answered_and_its_connection_ends_in_order(settings, phone, body):
    """The answer arrives whole, whether the phone waits before it sends its bytes or not; they are taken later."""
    limited = load_settings(
        {}, mode="development", **where_of(settings), rate_limit_device="2/hour", device_access_lifetime="30 d"
    )
    with serving(limited) as running:
        for _ in range(2):
            assert running.ask("GET", "/api/v1/sessions", phone.token)[0] == 200
        for sent in (b"", body[:1000], body[:60_000]):
            connection = running.connect()
            begin(connection, phone.token, Content_Length=str(len(body)))
            connection.send(sent)
            answer = connection.getresponse()
            assert (answer.status, orjson.loads(answer.read())["code"]) == (429, "rate_limited")
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.headers.get_all("Server") == ["konectom"]
            connection.close()
        # As phones do: all of it at once, then the answer is read.
        connection = running.connect()
        connection.request("PUT", f"/api/v1/sessions/{uuid4()}", body, {"Authorization": f"Bearer {phone.token}"})
        status, told = answer_of(connection)
        assert (status, told["code"]) == (429, "rate_limited")
        connection.close()
        assert running.ask("GET", "/healthz", phone.token) == (200, {"status": "ok"})


ASSET = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


def test_neither_half_heads_nor_slow_readers_hold_others_up(settings, phone):
    """More of each than the server has threads; then it answers all the same, and they lose their connections."""
    limited = load_settings(
        {}, mode="development", **where_of(settings), header_time_limit="2 s", send_time_limit="1 s"
    )
    with serving(limited, threads=2) as running, ExitStack() as opened:
        assert running.ask("GET", "/healthz", phone.token)[0] == 200
        heads = [dial(running, opened, HEALTH[:30]) for _ in range(4)]
        kept = dial(running, opened, HEALTH + HEALTH[:30])  # the second one comes by halves, behind a whole one
        assert kept.recv(12) == b"HTTP/1.1 200"
        readers = [dial(running, opened, ASSET * 30, SO_RCVBUF=2048) for _ in range(4)]
        assert running.ask("GET", "/healthz", phone.token) == (200, {"status": "ok"})
        assert [received(each) for each in heads] == [b""] * 4
        assert received(kept).count(b"HTTP/1.1") == 0
        for each in readers:
            each.close()
        in_pieces(running, opened)
        too_long(running, opened)
        read_on(running, opened)


def dial(running, opened, sent, **options):
    """Connect, send, and read nothing."""
    connection = opened.enter_context(socket.socket())
    connection.settimeout(PATIENCE_S)
    for name, value in options.items():
        connection.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    connection.connect(("127.0.0.1", running.port))
    connection.sendall(sent)
    return connection


def received(connection, piece_bytes=65536):
    """All that comes until the server closes."""
    pieces = []
    with suppress(ConnectionResetError):
        while piece := connection.recv(piece_bytes):
            pieces.append(piece)
    return b"".join(pieces)


def in_pieces(running, opened):
    """A head may come in any pieces, and several requests at once; each is answered."""
    connection = dial(running, opened, b"\r\n")
    for start in range(0, len(HEALTH), 7):
        connection.sendall(HEALTH[start : start + 7])
    connection.sendall(HEALTH * 3)
    connection.shutdown(socket.SHUT_WR)
    assert received(connection).count(b"HTTP/1.1 200") == 4


def too_long(running, opened):
    """A head that does not end is refused."""
    connection = dial(running, opened, HEALTH[:-2] + b"x: y\r\n" * (HEAD_BYTES // 6))
    assert connection.recv(12) == b"HTTP/1.1 431"


def read_on(running, opened):
    """Who reads, in however small pieces, gets all of a large answer."""
    connection = dial(running, opened, ASSET.replace(b"1.1\r\n", b"1.1\r\nConnection: close\r\n"), SO_RCVBUF=32768)
    head, _, content = received(connection, 4000).partition(b"\r\n\r\n")
    assert f"content-length: {len(content)}" in head.decode().lower()
    assert len(content) > 500_000


def chunked(running, phone, body):
    connection = running.connect()
    begin(connection, phone.token, Transfer_Encoding="chunked")
    for start in range(0, len(body), 10_000):
        piece = body[start : start + 10_000]
        connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    connection.send(b"0\r\n\r\n")
    status, receipt = answer_of(connection)
    assert (status, receipt["status"]) == (201, "processed")
    connection.close()


def refused_unread(running, phone, body):
    """A body that is too large is refused on its declared length: not one byte of it was sent."""
    connection = running.connect()
    begin(connection, phone.token, Content_Length=str(10**12))
    status, told = answer_of(connection)
    assert (status, told["code"]) == (413, "body_too_large")
    connection.close()


def endless(running, phone):
    """A chunked body without end is refused when it exceeds the limit."""
    connection = running.connect()
    begin(connection, phone.token, Transfer_Encoding="chunked")
    piece = b"%x\r\n%b\r\n" % (STEP_BYTES, b" " * STEP_BYTES)
    sent = 0
    # The server closes the connection; on some systems the answer that it sent before is lost with it.
    with suppress(OSError):
        while sent < 4 * running.settings.max_body_bytes:
            connection.send(piece)
            sent += STEP_BYTES
    assert sent < 4 * running.settings.max_body_bytes
    with suppress(OSError):
        assert answer_of(connection)[0] == 413
    connection.close()
    assert running.ask("GET", "/healthz", phone.token) == (200, {"status": "ok"})


def garbled(running, phone):
    """Chunks that cannot be told apart, or that end in the middle, are told so, and cost nobody else anything."""
    for sent in (b"zz\r\nabc\r\n", b"3\r\nabcdef\r\n0\r\n\r\n", b"-1\r\n\r\n", b"5\r\nabc"):
        connection = running.connect()
        begin(connection, phone.token, Transfer_Encoding="chunked")
        connection.send(sent)
        connection.sock.shutdown(socket.SHUT_WR)
        status, told = answer_of(connection)
        assert (sent, status, told["code"]) == (sent, 400, "body_incomplete")
        connection.close()
    assert running.ask("GET", "/healthz", phone.token) == (200, {"status": "ok"})


def stopped_gracefully(running, phone, body):
    """A session that is on its way when the server is told to stop is finished first."""
    connection = running.connect()
    begin(connection, phone.token, Content_Length=str(len(body)), Expect="100-continue")
    assert connection.sock.recv(1000).startswith(b"HTTP/1.1 100")  # the server is at it
    running.process.send_signal(signal.SIGTERM)
    connection.send(body)
    status, receipt = answer_of(connection)
    assert (status, receipt["status"]) == (201, "processed")
    connection.close()
    assert running.process.wait(PATIENCE_S) == 0
    running.start()
    assert running.ask("GET", f"/api/v1/sessions/{receipt['id']}", phone.token) == (200, receipt)


def test_a_second_signal_in_the_middle_of_the_first_is_none(monkeypatch):
    """A terminal and the master both send one; the lock that the first holds is not to be waited for."""
    worker, asked = object.__new__(Worker), []
    worker.quitting = False

    def quit_once(self, sig, frame):
        asked.append(sig)
        self.handle_quit(signal.SIGQUIT, None)

    monkeypatch.setattr(ThreadWorker, "handle_quit", quit_once)
    worker.handle_quit(signal.SIGINT, None)
    assert asked == [signal.SIGINT]


def test_a_server_that_computes_sees_to_what_waited_for_workers(services, patient, monkeypatch):
    """Its setting was changed meanwhile."""
    told = {"mode": "development", "rate_limits": "off", "data_dir": services.settings.data_dir}
    before = replace(services, settings=load_settings({}, processing="workers", **told))
    session_id, session = uuid4(), {"schema": "konectom.session/1", "started_at": "2026-11-21T09:12:03.250+01:00"}
    body = orjson.dumps(session | {"recordings": [example("tap")]}, option=orjson.OPT_SERIALIZE_NUMPY)
    ingest_session(before, session_id=session_id, patient_id=patient, body=body)
    monkeypatch.setattr(server, "_rounds", [])
    monkeypatch.setattr(Rounds, "start", Rounds._round)
    for settings, status in ((before.settings, "received"), (services.settings, "processed")):
        running = replace(services, settings=settings)
        server.post_worker_init(SimpleNamespace(wsgi=create_app(services=running)))
        assert get_session(services, session_id)["status"] == status
