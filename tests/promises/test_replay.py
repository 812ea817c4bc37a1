"""However a session is sent, how often, in which order, wherever it is cut: it is stored once, whole, or not at all."""

import gzip
import hashlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from konectom.storage.models import Blob, QuarantineRow, RecordingRow, ResultRow, SessionRow
from konectom.workflows.sessions.raw import raw_bytes
from tests.api.client import app_for
from tests.api.server_process import serving
from tests.batching import BOUNDARY, HEADERS, batch, part
from tests.kept import kept
from tests.probe import probe_recording, session_body
from tests.tus import BYTES, metadata
from tests.world import tapping

MOST = 3
IN_PIECES = threading.Lock()
REPLAYS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def counts(services):
    with services.db.read() as db:
        tables = (SessionRow, RecordingRow, ResultRow, Blob, QuarantineRow)
        rows = [db.scalar(select(func.count()).select_from(each)) for each in tables]
    return (*rows, len(kept(services)))


def receipt_of(answer, session):
    """The receipt in an answer to ``PUT`` or to a batch; None where the session is not told as stored."""
    if answer.status_code not in (200, 201):
        return None
    told = [each["receipt"] for each in answer.json["sessions"]] if "sessions" in answer.json else [answer.json]
    return next((each for each in told if each["id"] == str(session)), None)


BODIES = st.lists(
    st.tuples(st.integers(1, 10_000), st.sampled_from(["json", "gzip"])),
    min_size=1,
    max_size=MOST,
    unique_by=lambda x: x[0],
)
"""What the sessions are: numbers that make them differ, and how each is packed, once for all."""

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "batch", "pieces", "cut put", "cut batch", "cut pieces"]),
        st.integers(0, MOST - 1),
        st.floats(0, 1),
    ),
    min_size=1,
    max_size=8,
)
"""What is sent, in order: by which way, the how-manieth session (a batch: from that one on), and where it is cut."""


def packed(number, how):
    body = session_body(probe_recording(x=[1 + number / 1e4] * 5))
    return (body, {}) if how == "json" else (gzip.compress(body, mtime=number), {"content_encoding": "gzip"})


def send(phone, sessions, step):
    """Send as one step says; return the answer, and the ids of those sessions that were sent whole."""
    way, first, share = step
    chosen = [*sessions[first % len(sessions) :], *sessions[: first % len(sessions)]]
    if way.endswith("pieces"):
        return send_in_pieces(phone, *chosen[0], share, whole=way == "pieces")
    if way.endswith("put"):
        session, body, how = chosen[0]
        headers = {name.replace("_", "-"): value for name, value in how.items()}
        cut = len(body) if way == "put" else int(share * (len(body) - 1))
        length = {"environ_overrides": {"CONTENT_LENGTH": str(len(body))}}
        return phone.put(body[:cut], session, headers=headers, **length), [session] if way == "put" else []
    its = [part(session, body, **how) for session, body, how in chosen]
    whole = batch(its)
    cut = len(whole) if way == "batch" else int(share * (len(whole) - 1))
    length = {"environ_overrides": {"CONTENT_LENGTH": str(len(whole))}}
    answer = phone.post("/sessions:batch", data=whole[:cut], headers=HEADERS, **length)
    ends = [sum(map(len, its[: index + 1])) + len(BOUNDARY) + 2 for index in range(len(its))]
    return answer, [each[0] for each, end in zip(chosen, ends, strict=True) if cut >= end]


def send_in_pieces(phone, session, body, how, share, *, whole):
    """Begin an upload, and hand over its bytes up to a place, then from there on, all but the last if not ``whole``.

    One at a time, for one that begins takes the place of another of the same session; other ways go on meanwhile.
    """
    told = {"Tus-Resumable": "1.0.0"}
    begin = told | {"Upload-Length": str(len(body)), "Upload-Metadata": metadata(session=session, **how)}
    cuts = [0, int(share * (len(body) - 1)), len(body) if whole else len(body) - 1]
    with IN_PIECES:
        address = f"/uploads/{phone.post('/uploads', headers=begin).json['id']}"
        for start, end in pairwise(cuts):
            headers = told | {"Upload-Offset": str(start), "Content-Type": BYTES}
            answer = phone("PATCH", address, headers=headers, data=body[start:end])
            assert answer.status_code == 204, answer.json
        if not whole:
            assert answer.headers["Konectom-Status"] == "open"
            assert phone("DELETE", address, headers=told).status_code == 204
            return answer, []
    assert answer.headers["Konectom-Status"] == "stored"
    return answer, [session]


def check(phone, services, sessions, sent, answers):
    """Hold what is stored against what was sent whole at least once, and all receipts against each other."""
    stored = {UUID(each["id"]): each for each in phone.get("/sessions?limit=500").json["items"]}
    assert {session for session, _, _ in sessions if session in stored} == sent
    for session, body, _ in sessions:
        receipts = [told for each in answers if (told := receipt_of(each, session)) is not None]
        if session not in sent:
            assert receipts == []
            assert phone.get(f"/sessions/{session}").status_code == 404
            continue
        with services.db.read() as db:
            row = db.get(SessionRow, session)
        assert raw_bytes(services, row) == body
        assert stored[session]["digest"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
        now = phone.get(f"/sessions/{session}").json
        assert all(each == now for each in receipts)


@REPLAYS
@given(bodies=BODIES, steps=STEPS, threads=st.sampled_from([1, 4]))
@pytest.mark.usefixtures("probe")
def test_any_way_any_order_any_cut(app, phone, services, bodies, steps, threads):
    sessions = [(uuid4(), *packed(*each)) for each in bodies]
    before = counts(services)
    with ThreadPoolExecutor(threads) as pool:
        told = list(pool.map(lambda step: send(phone, sessions, step), steps))
    sent = {session for _, whole in told for session in whole}
    check(phone, services, sessions, sent, [answer for answer, _ in told])
    rows = counts(services)
    new = len(sent)
    assert [rows[index] - before[index] for index in range(3)] == [new] * 3
    assert rows[3] - before[3] == rows[5] - before[5] <= new
    assert rows[4] == before[4] == 0
    assert app is app_for(services)


@pytest.fixture
def sent_in_pieces(settings, phone):
    """Hands over some bytes of a request to a real server, and ends the connection."""
    with serving(settings) as server:

        def send(method, path, body, cut, headers=()):
            told = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {phone.token}", *headers]
            head = "\r\n".join([*told, f"Content-Length: {len(body)}", "", ""]).encode()
            with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
                connection.sendall((head + body)[: len(head) + cut])
                connection.shutdown(socket.SHUT_WR)
                return connection.makefile("rb").read()

        yield server, send


@pytest.mark.slow
@pytest.mark.parametrize("packing", ["json", "gzip"])
def test_connections_that_are_cut_leave_nothing_until_the_last_byte(services, phone, sent_in_pieces, packing):
    server, send = sent_in_pieces
    plain = tapping("iPhone15,2")
    body = plain if packing == "json" else gzip.compress(plain, mtime=0)
    headers = ["Content-Type: application/json"] + (["Content-Encoding: gzip"] if packing == "gzip" else [])
    session = uuid4()
    path = f"/api/v1/sessions/{session}"
    for cut in sorted({0, 1, 2, len(body) // 3, len(body) // 2, len(body) - 2, len(body) - 1}):
        answer = send("PUT", path, body, cut, headers)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400"), answer[:200]
        assert counts(services) == (0, 0, 0, 0, 0, 0), cut
    first = send("PUT", path, body, len(body), headers)
    assert first.startswith(b"HTTP/1.1 201")
    assert counts(services)[0] == 1
    again = send("PUT", path, body, len(body), headers)
    assert again.startswith(b"HTTP/1.1 200")
    assert orjson.loads(first.split(b"\r\n\r\n", 1)[1]) == orjson.loads(again.split(b"\r\n\r\n", 1)[1])
    assert server.ask("GET", path, phone.token)[1]["digest"] == f"sha256:{hashlib.sha256(body).hexdigest()}"


@pytest.mark.slow
def test_a_batch_whose_connection_is_cut_keeps_what_was_whole(services, phone, sent_in_pieces):
    server, send = sent_in_pieces
    ids = [uuid4() for _ in range(4)]
    bodies = [tapping(f"model {index}") for index in range(4)]
    its = [part(*each) for each in zip(ids, bodies, strict=True)]
    whole, path = batch(its), "/api/v1/sessions:batch"
    headers = [f"{name}: {value}" for name, value in HEADERS.items()]
    for complete in range(4):
        # In the middle of the next part: those before have been stored, whoever hears of it.
        cut = sum(map(len, its[:complete])) + len(its[complete]) // 2
        send("POST", path, whole, cut, headers)
        listed = server.ask("GET", "/api/v1/sessions", phone.token)[1]["items"]
        assert [each["id"] for each in listed] == list(map(str, ids[:complete]))
    answer = send("POST", path, whole, len(whole), headers)
    told = orjson.loads(answer.split(b"\r\n\r\n", 1)[1])
    assert [each["status"] for each in told["sessions"]] == [200, 200, 200, 201]
    for session, body in zip(ids, bodies, strict=True):
        with services.db.read() as db:
            assert raw_bytes(services, db.get(SessionRow, session)) == body
    assert counts(services)[4] == 0
