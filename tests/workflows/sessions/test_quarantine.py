"""What is refused is held, within limits and consent, tried again with the readers of now, and let go of."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import orjson
import pytest
import structlog
from sqlalchemy import func, select

from konectom.assessments import every_assessment
from konectom.errors import (
    AssessmentUnknown,
    ConsentMissing,
    DigestConflict,
    FieldMissing,
    KonectomError,
    NotFound,
    NotJson,
    PatientRestricted,
    QuarantineEnded,
    StoreUnavailable,
)
from konectom.storage.models import AuditRow, Blob, Consent, QuarantineRow, SessionRow
from konectom.workflows.consent.restrictions import restrict_patient, resume_patient
from konectom.workflows.erasing.erasure import finish_erasures
from konectom.workflows.sessions import quarantine
from konectom.workflows.sessions.discarding import discard, sweep_quarantine
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.listing import get_session, list_sessions
from konectom.workflows.sessions.quarantine import get_held, held_bytes, list_held, retry, retry_held, totals
from konectom.workflows.sessions.raw import raw_bytes
from tests.kept import kept
from tests.people import with_settings
from tests.probe import probe_recording, session_body

BAD = b'{"schema": "konectom.session/1"'


def send(services, patient, body=BAD, session_id=None, **how):
    """Return what the sender is told is held of what is refused."""
    with pytest.raises(KonectomError) as refused:
        ingest_session(services, session_id=session_id or uuid4(), patient_id=patient, body=body, **how)
    return refused.value.context["kept"]


def count(services, model):
    with services.db.read() as db:
        return db.scalar(select(func.count()).select_from(model))


def objects_of(services):
    return kept(services)


def decide(services, patient, data_type, state):
    now = services.clock()
    with services.db.write() as db:
        db.add(
            Consent(
                id=uuid4(), patient_id=patient, data_type=data_type, state=state, decided_at=now,
                entered_at=now + timedelta(microseconds=db.query(Consent).count()),
            )
        )  # fmt: skip


def unknown_test():
    return session_body({"assessment": "probe", "streams": {}})


@pytest.fixture
def not_yet_readable(services, patient, probe, monkeypatch):
    """A session of a test that this version does not know; afterwards it does."""
    body, session_id = session_body(probe_recording()), uuid4()
    with monkeypatch.context() as patch:
        patch.delitem(every_assessment(), "probe")
        kept = send(services, patient, body, session_id, media_type="application/json")
    return UUID(kept["id"]), session_id, body


def test_what_is_held_is_told_in_full(services, patient, people, clock):
    device, session_id = people.device(patient), uuid4()
    kept = send(
        services, patient, BAD, session_id, device_id=device, encoding="identity", media_type="application/json"
    )
    told = get_held(services, UUID(kept["id"]))
    assert told.pop("detail")
    assert told == {
        "id": kept["id"], "session": str(session_id), "digest": kept["digest"], "state": "held", "code": "not_json",
        "received_at": clock.now.isoformat(), "released_as": None, "patient": str(patient), "device": str(device),
        "size_bytes": len(BAD), "content_type": "application/json", "content_encoding": "identity", "at": None,
        "ended_at": None,
    }  # fmt: skip
    assert held_bytes(services, UUID(kept["id"])).body == BAD
    assert totals(services) == {"uploads": 1, "size_bytes": len(BAD), "patients": 1}


def test_the_same_bytes_are_held_once_for_each_id_and_are_one_object(services, patient):
    session_id, other = uuid4(), uuid4()
    first = send(services, patient, session_id=session_id)
    assert all(send(services, patient, session_id=session_id) == first for _ in range(3))
    assert send(services, patient, session_id=other)["id"] != first["id"]
    assert (count(services, QuarantineRow), count(services, Blob), len(objects_of(services))) == (2, 1, 1)


def test_threads_that_send_the_same_bad_bytes(services, patient):
    session_id = uuid4()
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda _: send(services, patient, session_id=session_id), range(16)))
    assert all(each == kept[0] for each in kept)
    assert (count(services, QuarantineRow), count(services, Blob), len(objects_of(services))) == (1, 1, 1)


def test_an_empty_body_is_nothing_to_hold(services, patient):
    assert send(services, patient, b"") is None
    assert count(services, QuarantineRow) == 0


def test_other_bytes_under_a_stored_id_are_held_too(services, patient, probe):
    session_id = uuid4()
    ingest_session(services, session_id=session_id, patient_id=patient, body=session_body())
    other = session_body(probe_recording(x=[9.0] * 5))
    with pytest.raises(DigestConflict) as refused:
        ingest_session(services, session_id=session_id, patient_id=patient, body=other)
    held = UUID(refused.value.context["kept"]["id"])
    again = retry(services, held)
    assert (again.session, again.error["code"]) == (None, "session_digest_conflict")
    new = uuid4()
    assert retry(services, held, session_id=new).session == new
    assert get_session(services, new)["digest"] == refused.value.context["received"]
    assert send(services, patient, other, session_id)["session"] == str(new)


# Limits.


@pytest.mark.parametrize(
    ("limit", "most"), [({"quarantine_max_bytes": 2 * len(BAD)}, 2), ({"quarantine_max_count": 3}, 3)]
)
def test_beyond_its_limit_nothing_is_held_and_the_error_is_the_same(services, people, patient, limit, most):
    small = with_settings(services, **limit)
    with structlog.testing.capture_logs() as log:
        kept = [send(small, patient) for _ in range(5)]
    assert [each is not None for each in kept] == [index < most for index in range(5)]
    assert (count(services, QuarantineRow), len(objects_of(services))) == (most, 1)
    full = [each for each in log if each["event"] == "quarantine.full"]
    assert len(full) == 5 - most
    assert str(patient) not in repr(full)
    assert send(small, people.patient()) is not None, "each patient has a limit of its own"


def test_room_is_made_by_discarding(services, patient):
    small = with_settings(services, quarantine_max_count=1)
    first = send(small, patient)
    assert send(small, patient) is None
    discard(small, UUID(first["id"]), reason="a test phone")
    assert send(small, patient) is not None


@pytest.mark.parametrize("fails", ["put", "write"])
def test_where_it_cannot_be_held_the_sender_comes_again(services, patient, monkeypatch, fails):
    def full(*_, **__):
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(*((type(services.objects), "put") if fails == "put" else (type(services.db), "write")), full)
    with pytest.raises(StoreUnavailable):
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=BAD)
    monkeypatch.undo()
    assert count(services, QuarantineRow) == 0


# Consent.


@pytest.mark.parametrize(
    ("consent", "decided", "held"),
    [
        ("elsewhere", {}, True),
        ("elsewhere", {"voice": "given"}, True),
        ("elsewhere", {"voice": "withdrawn"}, False),
        ("elsewhere", {"voice": "refused"}, False),
        ("elsewhere", {"voice": "restricted"}, False),
        ("elsewhere", {"other": "refused"}, False),
        ("elsewhere", {"clinical": "withdrawn"}, True),
        ("here", {}, False),
        ("here", {"touch": "given"}, False),
        ("here", {"touch": "given", "other": "given"}, True),
        ("here", {"touch": "given", "other": "given", "location": "refused"}, False),
        ("here", {"touch": "given", "other": "withdrawn"}, False),
    ],
    ids=lambda told: told if isinstance(told, str) else None if isinstance(told, bool) else "-".join(map(str, told)),
)
def test_what_cannot_be_read_may_hold_anything(services, people, consent, decided, held):
    patient = people.patient(people.study(consent=consent))
    for data_type, state in decided.items():
        decide(services, patient, data_type, state)
    assert (send(services, patient) is not None) == held
    assert len(objects_of(services)) == held


def test_of_what_can_be_read_each_type_is_asked_for(services, people, probe):
    """The test's type is known, but nothing in it can be used."""
    patient = people.patient(people.study(consent="here"))
    with pytest.raises(ConsentMissing) as refused:
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=unknown_test())
    assert "kept" not in refused.value.context
    (own,) = refused.value.context["data_types"]
    decide(services, patient, own, "given")
    decide(services, patient, "voice", "refused")
    assert send(services, patient, unknown_test()) is not None


def test_of_a_patient_who_is_restricted_nothing_is_held_or_shown(services, patient):
    held = UUID(send(services, patient)["id"])
    restrict_patient(services, patient, reason="asked for")
    with pytest.raises(PatientRestricted):
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=BAD)
    assert count(services, QuarantineRow) == 1
    for ask in (get_held, held_bytes):
        with pytest.raises(PatientRestricted):
            ask(services, held)
    with pytest.raises(PatientRestricted):
        list_held(services, patient_id=patient)
    assert list_held(services)["items"] == []
    assert retry(services, held).error["code"] == "patient_restricted"
    resume_patient(services, patient)
    assert held_bytes(services, held).body == BAD


def test_where_one_type_is_restricted_the_bytes_are_withheld(services, patient):
    held = UUID(send(services, patient)["id"])
    restrict_patient(services, patient, reason="asked for", data_types=["voice"])
    assert get_held(services, held)["code"] == "not_json"
    with pytest.raises(PatientRestricted):
        held_bytes(services, held)


# Trying again.


def test_what_can_be_read_now_becomes_a_session(services, not_yet_readable, patient, clock):
    held, session_id, body = not_yet_readable
    clock.forward(days=30)
    assert retry(services, held) == retry(services, held)
    receipt = get_session(services, session_id)
    assert (receipt["status"], receipt["patient"]) == ("processed", str(patient))
    assert receipt["received_at"] == clock.now.isoformat()
    assert receipt["held_since"] == (clock.now - timedelta(days=30)).isoformat()
    told = get_held(services, held)
    assert (told["state"], told["released_as"], told["ended_at"]) == (
        "released",
        str(session_id),
        clock.now.isoformat(),
    )
    with services.db.read() as db:
        assert raw_bytes(services, db.get(SessionRow, session_id)) == body
    with pytest.raises(NotFound):
        held_bytes(services, held)
    assert (count(services, SessionRow), count(services, Blob), len(objects_of(services))) == (1, 1, 1)
    again = ingest_session(services, session_id=session_id, patient_id=patient, body=body)
    assert (again.created, again.receipt) == (False, receipt)


def test_a_retry_is_as_an_upload_would_have_been(services, not_yet_readable, people):
    held, session_id, body = not_yet_readable
    retry(services, held)
    sent = ingest_session(services, session_id=uuid4(), patient_id=people.patient(), body=body).receipt
    released = get_session(services, session_id)
    assert released["recordings"] == sent["recordings"]
    assert released["digest"] == sent["digest"]


def test_what_still_cannot_be_used_stays(services, patient):
    held = UUID(send(services, patient)["id"])
    for _ in range(3):
        tried = retry(services, held)
        assert (tried.session, tried.error["code"]) == (None, "not_json")
    assert held_bytes(services, held).body == BAD
    assert (count(services, QuarantineRow), count(services, SessionRow)) == (1, 0)


def test_consent_is_asked_for_again(services, not_yet_readable, patient):
    held, session_id, _ = not_yet_readable
    decide(services, patient, "other", "withdrawn")
    domain = every_assessment()["probe"].domain
    decide(services, patient, domain, "withdrawn")
    assert retry(services, held).error["code"] == "consent_withdrawn"
    with pytest.raises(NotFound):
        get_session(services, session_id)


def test_session_and_row_are_written_together_or_not_at_all(services, not_yet_readable, monkeypatch):
    held, session_id, _ = not_yet_readable
    with monkeypatch.context() as patch:
        patch.setattr("konectom.workflows.sessions.keep._keep_results", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            retry(services, held)
    assert (get_held(services, held)["state"], count(services, SessionRow)) == ("held", 0)
    assert retry(services, held).session == session_id
    assert get_held(services, held)["state"] == "released"


def test_what_the_phone_has_brought_meanwhile_is_released_as_that(services, not_yet_readable, patient):
    held, session_id, body = not_yet_readable
    ingest_session(services, session_id=session_id, patient_id=patient, body=body)
    assert retry(services, held).session == session_id
    assert (get_held(services, held)["state"], count(services, SessionRow)) == ("released", 1)


def test_of_two_who_keep_one_upload_under_ids_of_their_own_one_wins(services, not_yet_readable, monkeypatch):
    """Both have read it while it was held; the other is told by whom, and so is whoever comes later."""
    held, _, _ = not_yet_readable
    first, second, reads = uuid4(), uuid4(), quarantine._receive

    def outrun(*how):
        monkeypatch.setattr(quarantine, "_receive", reads)
        assert retry(services, held, session_id=first).session == first
        return reads(*how)

    monkeypatch.setattr(quarantine, "_receive", outrun)
    for _ in range(2):
        with pytest.raises(QuarantineEnded, match=f"released already, as the session {first}") as told:
            retry(services, held, session_id=second)
        assert told.value.context == {"session": str(first)}
    assert retry(services, held).session == retry(services, held, session_id=first).session == first
    assert (count(services, SessionRow), count(services, Blob), len(objects_of(services))) == (1, 1, 1)


def test_threads_that_keep_one_upload_under_ids_of_their_own(services, not_yet_readable):
    held, _, _ = not_yet_readable

    def attempt(session_id):
        try:
            return retry(services, held, session_id=session_id).session
        except QuarantineEnded as ended:
            return UUID(ended.context["session"])

    with ThreadPoolExecutor(8) as pool:
        (kept_as,) = set(pool.map(attempt, [uuid4() for _ in range(8)]))
    with services.db.read() as db:
        assert db.scalars(select(SessionRow.id)).all() == [kept_as]


def test_what_is_discarded_while_it_is_read_is_no_session(services, not_yet_readable, monkeypatch):
    held, reads = not_yet_readable[0], quarantine._receive

    def outrun(*how):
        discard(services, held, reason="race")
        return reads(*how)

    monkeypatch.setattr(quarantine, "_receive", outrun)
    with pytest.raises((QuarantineEnded, NotFound)):
        retry(services, held)
    assert (count(services, SessionRow), count(services, Blob), len(objects_of(services))) == (0, 0, 0)


def test_threads_that_try_the_same_again(services, not_yet_readable):
    held, session_id, _ = not_yet_readable
    with ThreadPoolExecutor(8) as pool:
        assert {each.session for each in pool.map(lambda _: retry(services, held), range(8))} == {session_id}
    assert count(services, SessionRow) == 1


def test_all_that_is_held_is_tried_in_its_order(services, people, probe, monkeypatch):
    study = people.study()
    patients = [people.patient(study), people.patient(study), people.patient()]
    with monkeypatch.context() as patch:
        patch.delitem(every_assessment(), "probe")
        sent = [UUID(send(services, each, session_body())["id"]) for each in patients]
    spoiled = UUID(send(services, patients[0])["id"])
    tried = list(retry_held(services, study_id=study, codes=["assessment_unknown"]))
    assert [each.id for each in tried] == sent[:2]
    assert all(each.session for each in tried)
    rest = list(retry_held(services))
    assert [(each.id, each.error and each.error["code"]) for each in rest] == [(sent[2], None), (spoiled, "not_json")]
    assert totals(services)["uploads"] == 1


def test_what_is_released_comes_behind_what_a_phone_has_seen(services, not_yet_readable, patient, clock):
    """Its bytes came before, but it is new to whoever asks what is new."""
    clock.forward(hours=1)
    ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body())
    seen = list_sessions(services, patient_id=patient)
    held, session_id, _ = not_yet_readable
    retry(services, held)
    new = list_sessions(services, patient_id=patient, cursor=seen["position"])
    assert [each["id"] for each in new["items"]] == [str(session_id)]
    since = list_sessions(services, patient_id=patient, since=clock.now)
    assert str(session_id) in {each["id"] for each in since["items"]}


# Letting go.


def test_what_is_discarded_is_gone_and_stays_so(services, patient):
    session_id = uuid4()
    held = UUID(send(services, patient, session_id=session_id)["id"])
    told = discard(services, held, reason="a test phone")
    assert (told["state"], told["code"]) == ("discarded", "not_json")
    assert discard(services, held, reason="again") == told
    assert (count(services, Blob), objects_of(services)) == (0, [])
    assert send(services, patient, session_id=session_id) is None
    with pytest.raises(NotFound):
        held_bytes(services, held)
    with pytest.raises(QuarantineEnded):
        retry(services, held)
    with services.db.read() as db:
        changes = [row.change for row in db.query(AuditRow).filter_by(entity="quarantine").order_by(AuditRow.seq)]
    assert changes == ["insert", "update"]


def test_bytes_that_others_refer_to_stay(services, patient, probe):
    body, session_id = session_body(), uuid4()
    taken = uuid4()
    ingest_session(services, session_id=taken, patient_id=patient, body=session_body(probe_recording(x=[9.0] * 5)))
    held = UUID(send(services, patient, body, taken)["id"])
    ingest_session(services, session_id=session_id, patient_id=patient, body=body)
    assert len(objects_of(services)) == 2
    discard(services, held, reason="the same as another")
    assert len(objects_of(services)) == 2
    with services.db.read() as db:
        assert raw_bytes(services, db.get(SessionRow, session_id)) == body


def test_what_was_released_is_not_discarded(services, not_yet_readable):
    held, session_id, _ = not_yet_readable
    retry(services, held)
    with pytest.raises(QuarantineEnded) as refused:
        discard(services, held, reason="too late")
    assert refused.value.context["session"] == str(session_id)
    assert get_session(services, session_id)["status"] == "processed"


@pytest.mark.parametrize("reason", ["", " "])
def test_a_reason_is_needed(services, patient, reason):
    held = UUID(send(services, patient)["id"])
    with pytest.raises(FieldMissing) as refused:
        discard(services, held, reason=reason)
    assert refused.value.at == "/reason"


def test_what_is_held_too_long_goes_and_no_more(services, patient, clock):
    old = UUID(send(services, patient)["id"])
    clock.forward(days=364)
    young = UUID(send(services, patient, BAD + b"{")["id"])
    assert sweep_quarantine(services) == 0
    clock.forward(days=2)
    for each in objects_of(services):
        each.age(clock.now)
    assert finish_erasures(services)
    assert [get_held(services, each)["state"] for each in (old, young)] == ["discarded", "held"]
    assert held_bytes(services, young).body == BAD + b"{"
    assert len(objects_of(services)) == 1


def test_what_is_held_is_not_swept_as_an_orphan(services, patient):
    held = UUID(send(services, patient)["id"])
    for each in objects_of(services):
        each.age(datetime.fromtimestamp(0, UTC))
    assert finish_erasures(services)
    assert held_bytes(services, held).body == BAD


def test_uploads_retries_and_discards_at_once_lose_nothing(services, patient, probe):
    """The same bytes are refused under one id, kept under others, tried again and discarded, all at the same time."""
    taken, body = uuid4(), session_body()
    ingest_session(services, session_id=taken, patient_id=patient, body=session_body(probe_recording(x=[9.0] * 5)))

    def act(number):
        if number % 3 == 0:
            return ingest_session(services, session_id=uuid4(), patient_id=patient, body=body).created
        kept = send(services, patient, body, taken)
        if kept is not None and number % 3 == 1:
            discard(services, UUID(kept["id"]), reason="race")
        return False

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(act, range(30))) == 10
    with services.db.read() as db:
        rows = db.scalars(select(SessionRow).where(SessionRow.id != taken)).all()
    assert all(raw_bytes(services, row) == body for row in rows)


# The list.


def test_pages_join_to_the_whole_list(services, people):
    study = people.study()
    patients = [people.patient(study) for _ in range(3)]
    sent = [send(services, each)["id"] for each in patients * 3]
    found, cursor = [], None
    while True:
        page = list_held(services, study_id=study, cursor=cursor, limit=4)
        found += [each["id"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == sent
    assert list_held(services, cursor=page["position"])["items"] == []
    assert len(list_held(services, patient_id=patients[0])["items"]) == 3
    assert list_held(services, code="format_unknown")["items"] == []
    assert len(list_held(services, code="not_json", state="held")["items"]) == 9
    assert list_held(services, study_id=people.study())["items"] == []


def test_whoever_is_not_there_is_not_found(services):
    for ask in (get_held, held_bytes, retry):
        with pytest.raises(NotFound):
            ask(services, uuid4())
    with pytest.raises(NotFound):
        discard(services, uuid4(), reason="x")


@pytest.mark.parametrize("error", [NotJson, AssessmentUnknown])
def test_the_log_tells_neither_whose_nor_what(services, patient, error):
    body = BAD if error is NotJson else orjson.dumps(orjson.loads(session_body({"assessment": "secret-test"})))
    with structlog.testing.capture_logs() as log:
        send(services, patient, body)
    assert log == [{"event": "upload.held", "log_level": "info", "code": error.code, "size_bytes": len(body)}]
