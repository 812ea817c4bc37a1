"""Bodies are not waited for without end, and what is in them is bounded before it is believed."""

import socket
import threading
from datetime import timedelta
from uuid import uuid4

import orjson
import pytest
from flask import request

from konectom.api.access import public
from konectom.api.body import FORM_MAX_BYTES, FORMS, METADATA_WITHIN, STEP_BYTES
from konectom.api.contract import MAX_DEPTH
from konectom.api.deadlines import DEADLINES, Deadlines
from konectom.app import create_app
from konectom.settings import load_settings
from tests.api.client import first_error
from tests.tus import BYTES, VERSION, Client, sending

AT_ONCE = timedelta(milliseconds=20)


class Trickle:
    """A connection on which a byte comes now and then, for as long as anybody reads."""

    def __init__(self, connection):
        self.connection = connection
        self.read_bytes = 0

    def read(self, size):
        pieces = b""
        while len(pieces) < size:
            piece = self.connection.recv(1)
            if not piece:
                break
            pieces += piece
        self.read_bytes += len(pieces)
        return pieces


@pytest.fixture
def trickle():
    """The server's end of a connection on which bytes keep coming."""
    ours, theirs = socket.socketpair()
    over = threading.Event()

    def send():
        while not over.wait(0.002):
            try:
                theirs.send(b" ")
            except OSError:
                return

    sender = threading.Thread(target=send)
    sender.start()
    with ours, theirs:
        yield ours
        over.set()
        sender.join()


def over(connection, length):
    return {
        "environ_overrides": {
            "wsgi.input": Trickle(connection),
            "CONTENT_LENGTH": str(length),
            "gunicorn.socket": connection,
        }
    }


def test_an_upload_that_trickles_in_ends_at_its_limit(phone, trickle, monkeypatch):
    monkeypatch.setattr("konectom.settings.Settings.upload_time_limit", AT_ONCE)
    answer = phone.put(b"", uuid4(), **over(trickle, 10_000_000))
    assert first_error(answer)[:2] == (408, "body_stalled")
    assert "did not come whole within" in answer.json["detail"]


@pytest.mark.parametrize("limit", ["konectom.api.body.STEP_WITHIN", "konectom.settings.Settings.upload_time_limit"])
def test_a_piece_of_an_upload_that_trickles_in_ends_and_what_came_is_kept(phone, trickle, monkeypatch, limit):
    client = Client(sending(phone))
    address = client.create(10_000_000, uuid4())
    monkeypatch.setattr(limit, AT_ONCE)
    headers = VERSION | {"Content-Type": BYTES, "Upload-Offset": "0"}
    sent = over(trickle, 10_000_000)
    answer = phone("PATCH", address, headers=headers, **sent)
    assert first_error(answer)[:2] == (408, "body_stalled")
    assert client.offset(address) == sent["environ_overrides"]["wsgi.input"].read_bytes > 0


def test_a_piece_of_an_upload_whose_connection_breaks_is_kept(phone):
    class Breaking:
        steps = 0

        def read(self, size):
            self.steps += 1
            if self.steps > 3:
                raise ConnectionResetError
            return b" " * size

    client = Client(sending(phone))
    address = client.create(10_000_000, uuid4())
    headers = VERSION | {"Content-Type": BYTES, "Upload-Offset": "0"}
    broken = {"wsgi.input": Breaking(), "CONTENT_LENGTH": "10000000"}
    answer = phone("PATCH", address, headers=headers, environ_overrides=broken)
    assert first_error(answer)[:2] == (400, "body_incomplete")
    assert client.offset(address) == 3 * STEP_BYTES


def test_so_does_any_other_body(staff, trickle, monkeypatch):
    monkeypatch.setattr("konectom.api.body.METADATA_WITHIN", AT_ONCE)
    monkeypatch.setattr("konectom.api.body.received_body.__defaults__", (AT_ONCE,))
    headers = {"Content-Type": "application/json"}
    answer = staff.post("/studies", headers=headers, **over(trickle, 100_000))
    assert first_error(answer)[:2] == (408, "body_stalled")


def test_and_the_form_of_a_page(app, staff, trickle, monkeypatch):
    monkeypatch.setattr("konectom.api.body.received_body.__defaults__", (AT_ONCE,))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = staff.post("/studies", headers=headers, **over(trickle, 10_000))
    assert first_error(answer)[:2] == (408, "body_stalled")


@pytest.mark.parametrize("path", ["/login", "/invitation", "/login/second-factor", "/account/password", "/nowhere"])
@pytest.mark.parametrize("form", FORMS)
def test_a_form_that_is_too_large_is_refused_unread(path, form, services):
    class Unread:
        def read(self, *_):
            raise AssertionError("it was read")

    declared = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(FORM_MAX_BYTES + 1)}
    answer = create_app(services=services).test_client().post(path, content_type=form, environ_overrides=declared)
    assert answer.status_code == 413


def test_a_form_without_a_length_is_read_as_far_as_the_limit(services):
    class Endless:
        read_bytes = 0

        def read(self, size):
            self.read_bytes += size
            return b"x" * size

    sent = Endless()
    how = {"wsgi.input": sent, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    client = create_app(services=services).test_client()
    assert client.post("/login", content_type=FORMS[0], environ_overrides=how).status_code == 413
    assert sent.read_bytes == FORM_MAX_BYTES + 1


def test_a_form_is_read_whole(services):
    app = create_app(services=services)
    app.add_url_rule("/form", "form", public(lambda: request.form["login"]), methods=["POST"])
    assert app.test_client().post("/form", data={"login": "ada"}).text == "ada"


def test_a_connection_is_not_shut_once_the_body_is_there(phone):
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as stream:
        theirs.send(b"{}")
        sent = {"wsgi.input": stream, "CONTENT_LENGTH": "2", "gunicorn.socket": ours}
        assert first_error(phone.put(b"", environ_overrides=sent))[:2] == (415, "format_unknown")
        theirs.send(b"next")
        assert ours.recv(10) == b"next"
    assert [each for each in DEADLINES._due if each.act is not None] == []


def test_the_limits_are_those_of_the_settings():
    assert load_settings({}).upload_time_limit == timedelta(minutes=10)
    assert timedelta(minutes=1) == METADATA_WITHIN


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_no_nesting_makes_the_server_fail(staff, body):
    answer = staff.post("/studies", data=body, headers={"Content-Type": "application/json"})
    assert first_error(answer)[:2] == (400, "not_json")


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 200])
def test_what_is_nested_deeper_than_anything_that_is_kept_is_refused(staff, depth):
    value = "x"
    for _ in range(depth):
        value = [value]
    answer = staff.post("/studies", data=orjson.dumps(value), headers={"Content-Type": "application/json"})
    assert first_error(answer) == (422, "field_invalid", "")
    assert "nested" in answer.json["detail"]


def test_a_wide_body_is_not_a_deep_one(staff):
    answer = staff.post("/studies", json={"code": "A", "strange": [{} for _ in range(1000)]})
    assert first_error(answer) == (422, "field_invalid", "/strange")


def test_a_large_one_is_refused_unread(staff):
    class Unread:
        def read(self, *_):
            raise AssertionError("the body was read")

    sent = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(2**21)}
    answer = staff.post("/studies", headers={"Content-Type": "application/json"}, environ_overrides=sent)
    assert first_error(answer)[:2] == (413, "body_too_large")


def test_deadlines_are_kept_in_their_order_and_only_where_they_are_still_wanted():
    deadlines, done, over = Deadlines(), [], threading.Event()
    deadlines.set(0.02, lambda: done.append("second"))
    deadlines.set(0.03, over.set)
    deadlines.set(0.0, lambda: done.append("first"))
    deadlines.set(0.01, lambda: done.append("never")).cancel()
    assert over.wait(10)
    assert done == ["first", "second"]


def test_deadlines_that_are_not_wanted_any_more_are_forgotten():
    deadlines = Deadlines()
    for _ in range(100):
        deadlines.set(600, lambda: None).cancel()
    assert len(deadlines) <= 1
