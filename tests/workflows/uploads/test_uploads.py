"""Uploads in pieces: cut anywhere, at once, twice, in vain; withdrawn, expired, crashed; and large."""

import hashlib
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as drawn
from hypothesis import strategies as st
from sqlalchemy import func, select

from konectom import formats
from konectom.errors import (
    BodyTooLarge,
    ChecksumMismatch,
    ConsentWithdrawn,
    FormatUnknown,
    KonectomError,
    NotFound,
    PatientRestricted,
    SealBroken,
    StoreUnavailable,
    UploadGone,
    UploadOffsetWrong,
)
from konectom.settings import load_settings
from konectom.simulate.carriers import as_archive, as_arrow, as_parquet
from konectom.storage.models import QuarantineRow, SessionRow, Upload, UploadPiece
from konectom.workflows.consent.decisions import withdraw_consent
from konectom.workflows.consent.restrictions import restrict_patient
from konectom.workflows.erasing.erasure import erase_patient
from konectom.workflows.sessions import large, raw
from konectom.workflows.sessions.compute import compute_session
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.listing import get_session, session_bytes
from konectom.workflows.sessions.quarantine import held_bytes, retry
from konectom.workflows.sessions.raw import opened_upload, raw_bytes
from konectom.workflows.uploads import clearing, completing, pieces, receiving
from konectom.workflows.uploads.clearing import sweep_uploads
from konectom.workflows.uploads.completing import look_at_upload
from konectom.workflows.uploads.opening import Wanted, get_upload, open_upload
from konectom.workflows.uploads.receiving import Checksum, receive
from tests.backends import where_of
from tests.probe import probe_recording, session_body

WRITTEN = {"arrow": as_arrow, "parquet": as_parquet, "archive": as_archive}


class Cut(KonectomError):
    """The connection ended."""

    status = 400


@pytest.fixture(autouse=True)
def of_the_probe(probe):
    """The sessions that are handed over are of it."""


@pytest.fixture
def body():
    return session_body(probe_recording(x=[float(value) for value in range(200)]))


def begin(services, patient, body, session_id=None, **more):
    wanted = Wanted(
        session_id=session_id or uuid4(), patient_id=patient, device_id=None, length=len(body), told="", **more
    )
    return UUID(open_upload(services, wanted)["id"])


def whole(data):
    return lambda most: iter([data])


def cut(data, step=64):
    """Bytes that come in steps, and then no more."""

    def coming(most):
        for start in range(0, len(data), step):
            yield data[start : start + step]
        raise Cut("cut off")

    return coming


def objects_of(services):
    return sorted(services.objects.written_before(datetime.now(UTC) + timedelta(days=1)))


def count(services, table, *where):
    with services.db.read() as db:
        return db.scalar(select(func.count()).select_from(table).where(*where))


def digest_of(services, session_id):
    with services.db.read() as db:
        row = db.get_one(SessionRow, session_id)
    return hashlib.sha256(raw_bytes(services, row)).hexdigest()


def small_pieces(monkeypatch, size=256):
    monkeypatch.setattr(receiving, "PIECE_BYTES", size)
    monkeypatch.setattr(receiving, "SMALL_BYTES", size // 4)


@pytest.mark.parametrize("at", [0, 1, 63, 64, 65, 255, 256, 257, 1000])
def test_what_came_before_a_cut_is_kept(services, patient, body, monkeypatch, at):
    small_pieces(monkeypatch)
    session = uuid4()
    upload = begin(services, patient, body, session)
    with pytest.raises(Cut):
        receive(services, upload, cut(body[:at]), offset=0)
    assert get_upload(services, upload)["offset"] == at
    assert receive(services, upload, whole(body[at:]), offset=at)["status"] == "stored"
    assert digest_of(services, session) == hashlib.sha256(body).hexdigest()


def test_with_a_checksum_nothing_is_kept_of_what_is_cut(services, patient, body, monkeypatch):
    small_pieces(monkeypatch)
    upload = begin(services, patient, body)
    for coming, error in ((cut(body), Cut), (whole(body[:-1]), ChecksumMismatch)):
        checksum = Checksum(hashlib.sha256(body).digest(), hashlib.sha256())
        with pytest.raises(error):
            receive(services, upload, coming, offset=0, checksum=checksum)
        assert get_upload(services, upload)["offset"] == 0
        assert objects_of(services) == []


def test_what_has_come_of_a_slow_one_is_kept_before_it_is_a_piece(services, patient, body, monkeypatch):
    monkeypatch.setattr(receiving, "KEPT_EVERY_S", 0.0)
    upload = begin(services, patient, body)
    seen = []

    def coming(most):
        for start in range(0, 640, 64):
            yield body[start : start + 64]
            seen.append(get_upload(services, upload)["offset"])

    receive(services, upload, coming, offset=0)
    assert seen == list(range(64, 641, 64))
    assert count(services, UploadPiece) == 1


def test_of_two_at_once_the_later_goes_on_and_nothing_is_mixed(services, patient, body, monkeypatch):
    small_pieces(monkeypatch)
    session = uuid4()
    upload = begin(services, patient, body, session)

    def first(most):
        yield body[:300]  # a piece is kept of it
        second = receive(services, upload, whole(body[300:700]), offset=300)
        assert second["offset"] == 700
        yield b"?" * 600

    with pytest.raises(UploadOffsetWrong):
        receive(services, upload, first, offset=0)
    assert get_upload(services, upload)["offset"] == 700
    receive(services, upload, whole(body[700:]), offset=700)
    assert digest_of(services, session) == hashlib.sha256(body).hexdigest()
    assert len(objects_of(services)) == 1


def test_many_at_once_keep_one(services, patient, body):
    session = uuid4()
    upload, wrong, barrier = begin(services, patient, body, session), [], threading.Barrier(4)

    def send():
        barrier.wait()
        try:
            receive(services, upload, whole(body), offset=0)
        except UploadOffsetWrong as error:
            wrong.append(error)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert look_at_upload(services, upload)["status"] == "stored"
    assert digest_of(services, session) == hashlib.sha256(body).hexdigest()
    assert count(services, SessionRow) == 1
    assert len(objects_of(services)) == 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "cut", "wrong offset", "bad checksum", "good checksum", "twice", "restart", "ask"]),
        st.integers(0, 900),
        st.integers(1, 300),
    ),
    max_size=8,
)


@drawn(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happens_it_is_one_session_with_the_right_digest(services, patient, body, monkeypatch, steps):
    """Cuts, repeats, wrong offsets, wrong checksums, two at once, new servers, in any order; then the rest."""
    small_pieces(monkeypatch)
    session = uuid4()
    upload, has, server = begin(services, patient, body, session), 0, services
    for what, size, most in steps:
        wrong = None
        piece = body[has : has + size]
        try:
            match what:
                case "send":
                    receive(server, upload, whole(piece), offset=has)
                case "cut":
                    receive(server, upload, cut(piece, most), offset=has)
                case "wrong offset":
                    receive(server, upload, whole(piece), offset=has + 1)
                case "bad checksum":
                    receive(server, upload, whole(piece), offset=has, checksum=Checksum(b"", hashlib.sha256()))
                case "good checksum":
                    checksum = Checksum(hashlib.sha256(piece).digest(), hashlib.sha256())
                    receive(server, upload, whole(piece), offset=has, checksum=checksum)
                case "twice":
                    receive(server, upload, whole(piece), offset=has)
                    receive(server, upload, whole(piece), offset=has)
                case "restart":
                    server.db.close()
                    server = replace(services, db=type(services.db)(services.db.url, trail=services.db.trail))
                case "ask":
                    look_at_upload(server, upload)
        except KonectomError as error:
            wrong = None if error.status in (400, 409, 413, 460) else (what, error)
        assert wrong is None
        has = get_upload(server, upload)["offset"]
        kept = pieces.contents(server, pieces.key_of(server, patient), pieces.pieces_of(server, upload))
        assert body.startswith(b"".join(kept))
    told = look_at_upload(server, upload)
    if told["status"] == "open":
        told = receive(server, upload, whole(body[has:]), offset=has)
    assert told["status"] == "stored"
    assert digest_of(server, session) == hashlib.sha256(body).hexdigest()
    assert count(server, SessionRow, SessionRow.id == session) == 1
    assert count(server, UploadPiece, UploadPiece.upload_id == upload) == 0
    server.db.close()


# What is cut off in the middle of becoming a session is finished by whoever comes next.


@pytest.mark.parametrize("how", ["asked", "patched", "swept"])
def test_a_session_that_a_crash_kept_from_being_made_is_made(services, patient, body, clock, monkeypatch, how):
    session = uuid4()
    upload = begin(services, patient, body, session)

    class Crash(BaseException):
        pass

    def crash(*_, **__):
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(completing, "_keep", crash)
        patched.setattr(completing, "_release", lambda *_: None)  # the process is gone
        with pytest.raises(Crash):
            receive(services, upload, whole(body), offset=0)
    assert look_at_upload(services, upload)["status"] == "open"  # somebody may be at it
    clock.forward(minutes=11)
    match how:
        case "asked":
            look_at_upload(services, upload)
        case "patched":
            receive(services, upload, whole(b""), offset=len(body))
        case "swept":
            assert sweep_uploads(services)
    assert get_upload(services, upload)["status"] == "stored"
    assert get_session(services, session)["status"] == "processed"
    assert len(objects_of(services)) == 1


def test_a_store_that_is_away_costs_no_byte(services, patient, body, monkeypatch):
    session = uuid4()
    upload = begin(services, patient, body, session)
    receive(services, upload, whole(body[:500]), offset=0)

    def away(*_):
        raise StoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(type(services.objects), "put", away)
        with pytest.raises(StoreUnavailable):
            receive(services, upload, whole(body[500:]), offset=500)
    assert receive(services, upload, whole(body[500:]), offset=500)["status"] == "stored"
    assert digest_of(services, session) == hashlib.sha256(body).hexdigest()


# What may not be collected, or is over, is removed.


def test_withdrawing_stops_it(services, patient, body):
    upload = begin(services, patient, body)
    with pytest.raises(ConsentWithdrawn):
        receive(services, upload, withdrawing(services, patient, body), offset=0)
    assert objects_of(services) == []
    for _ in range(2):
        with pytest.raises(ConsentWithdrawn):
            get_upload(services, upload)
    with pytest.raises(ConsentWithdrawn):
        begin(services, patient, body)


def withdrawing(services, patient, body):
    from konectom.workflows.consent.data_types import every_data_type

    def coming(most):
        yield body[:500]
        withdraw_consent(services, patient, data_types=list(every_data_type()))

    return coming


def test_so_does_restricting_and_the_sweep_removes_what_came(services, patient, body):
    upload = begin(services, patient, body)
    receive(services, upload, whole(body[:500]), offset=0)
    restrict_patient(services, patient, reason="asked")
    assert sweep_uploads(services)
    assert objects_of(services) == []
    with pytest.raises(PatientRestricted):
        get_upload(services, upload)


def test_erasing_leaves_nothing_of_it(services, patient, body):
    upload = begin(services, patient, body)
    receive(services, upload, whole(body[:500]), offset=0)

    def erasing(most):
        yield body[500:600]
        erase_patient(services, patient, reason="withdrawn")

    with pytest.raises(NotFound):
        receive(services, upload, erasing, offset=500)
    assert (objects_of(services), count(services, Upload), count(services, UploadPiece)) == ([], 0, 0)


def test_the_sweep_clears_what_is_over(services, patient, body, clock):
    over = begin(services, patient, body)
    receive(services, over, whole(body[:500]), offset=0)
    stored = begin(services, patient, body)
    receive(services, stored, whole(body), offset=0)
    left = services.settings.data_dir / "temporary" / "upload-left"
    left.parent.mkdir(exist_ok=True)
    left.touch()
    clock.forward(days=8)
    assert sweep_uploads(services)
    assert len(objects_of(services)) == 1
    with pytest.raises(UploadGone):
        get_upload(services, over)
    assert get_upload(services, stored)["status"] == "stored"
    assert left.exists()  # it is young
    clock.forward(days=8)
    assert sweep_uploads(services)
    assert count(services, Upload) == 0
    assert count(services, SessionRow) == 1


def left_whole(services, upload, body, monkeypatch):
    """All bytes are there, and the process ended before it made a session of them."""
    with monkeypatch.context() as patched:
        patched.setattr(receiving, "complete_upload", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            receive(services, upload, whole(body), offset=0)


@pytest.mark.parametrize("days", [6, 8, 15, 400])
def test_one_that_is_whole_becomes_a_session_however_late_the_sweep_comes(
    services, patient, body, clock, monkeypatch, days
):
    session = uuid4()
    upload = begin(services, patient, body, session)
    left_whole(services, upload, body, monkeypatch)
    clock.forward(days=days)
    assert sweep_uploads(services)
    assert digest_of(services, session) == hashlib.sha256(body).hexdigest()
    clock.forward(days=15)
    assert sweep_uploads(services)
    assert (count(services, Upload), count(services, SessionRow), len(objects_of(services))) == (0, 1, 1)


def test_one_that_is_whole_and_cannot_be_read_is_held_with_the_reason(services, patient, clock, monkeypatch):
    upload = begin(services, patient, b"{" * 600)
    left_whole(services, upload, b"{" * 600, monkeypatch)
    clock.forward(days=15)
    assert sweep_uploads(services)
    with services.db.read() as db:
        (held,) = db.scalars(select(QuarantineRow)).all()
    assert held.code == "not_json"
    assert held_bytes(services, held.id).body == b"{" * 600


@pytest.mark.parametrize("fault", [StoreUnavailable("away"), TypeError("ours")], ids=["store", "fault"])
def test_one_that_is_whole_stays_until_it_can_be_kept_and_holds_up_no_other(
    services, patient, body, clock, monkeypatch, fault
):
    session, other = uuid4(), begin(services, patient, body)
    upload = begin(services, patient, body, session)
    left_whole(services, upload, body, monkeypatch)
    clock.forward(days=1)
    later = begin(services, patient, body)
    receive(services, later, whole(body[:500]), offset=0)
    clock.forward(days=15)

    def failing(*_, **__):
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(completing.ingest, "ingest_session", failing)
        assert not sweep_uploads(services)
    with services.db.read() as db:
        assert [db.get(Upload, each) is not None for each in (other, upload, later)] == [False, True, False]
    assert sweep_uploads(services)
    assert digest_of(services, session) == hashlib.sha256(body).hexdigest()


def test_one_that_is_whole_is_not_replaced_by_one_that_is_begun_anew(services, patient, body, monkeypatch):
    session = uuid4()
    left_whole(services, begin(services, patient, body, session), body, monkeypatch)
    begin(services, patient, body, session)
    assert sweep_uploads(services)
    assert digest_of(services, session) == hashlib.sha256(body).hexdigest()


def test_one_that_is_whole_is_not_told_as_gone_when_its_time_is_over(services, patient, body, clock, monkeypatch):
    upload = begin(services, patient, body)
    left_whole(services, upload, body, monkeypatch)
    clock.forward(days=8)
    assert look_at_upload(services, upload)["status"] == "stored"


@pytest.mark.embedded
def test_one_that_is_whole_and_damaged_waits_for_an_operator_and_not_for_ever(
    services, patient, body, clock, monkeypatch
):
    upload = begin(services, patient, body)
    left_whole(services, upload, body, monkeypatch)
    (name,) = objects_of(services)
    (file,) = services.objects.root.rglob(name)
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    clock.forward(days=8)
    assert not sweep_uploads(services)
    assert (count(services, Upload, Upload.status == "open"), count(services, UploadPiece)) == (1, 1)
    clock.forward(days=8)
    assert not sweep_uploads(services)
    with pytest.raises(SealBroken):
        get_upload(services, upload)
    assert sweep_uploads(services)
    assert count(services, UploadPiece) == 0


@pytest.mark.parametrize("days", [8, 15])
def test_one_whose_last_byte_comes_while_it_expires_is_kept(services, patient, body, clock, monkeypatch, days):
    upload = begin(services, patient, body)
    receive(services, upload, whole(body[:500]), offset=0)
    close = clearing.close_upload

    def outrun(services, upload_id, status):
        with services.db.write() as db:  # as by a request that began in time
            db.get(Upload, upload_id).offset = len(body)
        close(services, upload_id, status)

    monkeypatch.setattr(clearing, "close_upload", outrun)
    clock.forward(days=days)
    assert sweep_uploads(services)
    assert (count(services, Upload, Upload.status == "open"), count(services, UploadPiece)) == (1, 1)


# Large sessions: never in memory as a whole.


@pytest.fixture
def narrow(services):
    """Whatever has more than 3000 bytes is large; workers compute."""
    return narrowed(services)


def narrowed(services, **more):
    told = {"mode": "development", "rate_limits": "off", "processing": "workers", "max_body_bytes": "3000"} | more
    return replace(services, settings=load_settings({}, **where_of(services.settings), **told))


def large_session(form, recordings=3):
    chance = np.random.default_rng(1)
    made = [probe_recording(x=chance.normal(0, 1, 400).tolist()) for _ in range(recordings)]
    return WRITTEN[form](orjson.loads(session_body(*made)))


@pytest.mark.parametrize("form", WRITTEN)
def test_a_large_session_is_the_same_as_a_small_one(narrow, services, people, form):
    body, session = large_session(form), uuid4()
    patient, other = people.patient(), people.patient()
    upload = begin(narrow, patient, body, session)
    assert receive(narrow, upload, whole(body), offset=0)["status"] == "stored"
    assert get_session(narrow, session)["status"] == "received"
    assert compute_session(narrow, session) == "processed"
    small = ingest_session(services, session_id=uuid4(), patient_id=other, body=body).receipt
    receipt = get_session(narrow, session)
    same = ("digest", "status", "started_at", "format", "recordings")
    assert {name: receipt[name] for name in same} == {name: small[name] for name in same}
    assert len(receipt["recordings"]) == 3
    # And its object is what sealing it in memory would have made.
    assert digest_of(narrow, session) == hashlib.sha256(body).hexdigest()
    with services.db.read() as db:
        row = db.get_one(SessionRow, session)
    with opened_upload(narrow, row) as file:
        assert file.read() == body
    assert list((narrow.settings.data_dir / "temporary").glob("upload-*")) == []


def test_a_large_session_put_before_is_the_same(narrow, services, patient):
    body, session = large_session("arrow"), uuid4()
    receipt = ingest_session(services, session_id=session, patient_id=patient, body=body).receipt
    upload = begin(narrow, patient, body, session)
    assert receive(narrow, upload, whole(body), offset=0)["status"] == "stored"
    assert get_session(narrow, session) == receipt


def test_what_can_only_be_read_as_a_whole_is_no_large_session(narrow, patient):
    body = session_body(probe_recording(x=[0.5] * 2000))
    upload = begin(narrow, patient, body)
    with pytest.raises(FormatUnknown, match="arrow"):
        receive(narrow, upload, whole(body), offset=0)
    assert count(narrow, SessionRow) == 0


def refused_large(services, patient, body, session=None):
    """What is told of a large session that is refused; nothing but what is held is left of it."""
    upload = begin(services, patient, body, session)
    with pytest.raises(KonectomError) as refused:
        receive(services, upload, whole(body), offset=0)
    with pytest.raises(type(refused.value)) as again:
        get_upload(services, upload)
    assert again.value.context["kept"] == refused.value.context["kept"]
    assert count(services, UploadPiece) == 0
    assert list((services.settings.data_dir / "temporary").glob("upload-*")) == []
    return refused.value.context["kept"]


def test_a_large_session_that_is_refused_is_held_and_can_be_used_later(narrow, patient, monkeypatch):
    body, session = large_session("archive"), uuid4()
    with monkeypatch.context() as patch:
        patch.setattr(formats, "FORMATS", tuple(each for each in formats.FORMATS if each.name != "archive"))
        held = refused_large(narrow, patient, body, session)
        assert held["digest"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
        assert refused_large(narrow, patient, body, session) == held
        assert retry(narrow, UUID(held["id"])).error["code"] == "format_unknown"
    assert held_bytes(narrow, UUID(held["id"])).body == body
    assert len(objects_of(narrow)) == count(narrow, QuarantineRow) == 1
    assert retry(narrow, UUID(held["id"])).session == session
    assert compute_session(narrow, session) == "processed"
    assert digest_of(narrow, session) == hashlib.sha256(body).hexdigest()
    assert len(objects_of(narrow)) == 1


def test_a_large_session_is_held_within_the_bounds_of_the_quarantine_and_consent(services, people):
    body = b"{" * 4000
    assert refused_large(narrowed(services, quarantine_max_bytes="3999"), people.patient(), body) is None
    careful = people.patient()
    withdraw_consent(services, careful, data_types=["voice"])
    assert refused_large(narrowed(services), careful, body) is None
    assert objects_of(services) == []
    assert refused_large(narrowed(services, quarantine_max_bytes="4000"), people.patient(), body) is not None


def test_what_is_large_is_handed_out_in_pieces(narrow, patient, monkeypatch):
    monkeypatch.setattr(raw, "COPIED_BYTES", 1000)
    body, session = large_session("arrow"), uuid4()
    receive(narrow, begin(narrow, patient, body, session), whole(body), offset=0)
    monkeypatch.setattr(raw, "raw_bytes", None)
    with closing(session_bytes(narrow, session)) as found:
        pieces = list(found.pieces)
        assert found.size_bytes == len(body)
    assert max(map(len, pieces)) == 1000
    assert b"".join(pieces) == body


def test_consent_is_asked_of_what_a_large_session_carries(narrow, patient):
    body = large_session("parquet")
    upload = begin(narrow, patient, body)

    def coming(most):
        withdraw_consent(narrow, patient, data_types=["none"])  # the probe's type, and no other
        yield body

    with pytest.raises(ConsentWithdrawn) as refused:
        receive(narrow, upload, coming, offset=0)
    assert refused.value.at == "/recordings/0"
    assert objects_of(narrow) == []


def test_a_damaged_large_object_is_found_out(narrow, services, patient):
    body, session = large_session("arrow"), uuid4()
    receive(narrow, begin(narrow, patient, body, session), whole(body), offset=0)
    with services.db.read() as db:
        row = db.get_one(SessionRow, session)
    sealed = bytearray(services.objects.get(row.object))
    sealed[-1] ^= 1
    other = hashlib.sha256(sealed).hexdigest()
    services.objects.put(other, bytes(sealed))
    row.object = other
    with pytest.raises(SealBroken), opened_upload(narrow, row):
        pass


def test_without_workers_a_process_of_its_own_computes(narrow, patient, monkeypatch):
    """The process itself is run by benchmarks/large_upload.py; here what it does is done at once."""
    alone, started = replace(narrow, settings=embedded(narrow)), []

    class Process:
        exitcode = 0

        def __init__(self, target, args, **_):
            self.target, self.args = target, args

        def start(self):
            started.append(self.target(*self.args))

        def join(self):
            pass

    class Context:
        def __init__(self, how):
            assert how == "spawn"
            self.Process = Process

    monkeypatch.setattr(large.multiprocessing, "get_context", Context)
    body, session = large_session("arrow"), uuid4()
    receive(alone, begin(alone, patient, body, session), whole(body), offset=0)
    alone.background.join()
    assert len(started) == 1
    assert get_session(alone, session)["status"] == "processed"


def embedded(services):
    return load_settings(
        {}, **where_of(services.settings), mode="development", rate_limits="off", max_body_bytes="3000"
    )


def test_what_is_larger_than_told_is_not_taken(services, patient):
    wanted = Wanted(session_id=uuid4(), patient_id=patient, device_id=None, length=2**40, told="")
    with pytest.raises(BodyTooLarge):
        open_upload(services, wanted)
