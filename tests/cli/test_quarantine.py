"""``konectom quarantine``: see, try again, discard."""

from uuid import UUID, uuid4

import pytest

from konectom.assessments import every_assessment
from konectom.errors import KonectomError
from konectom.workflows.sessions.ingest import ingest_session
from tests.probe import session_body

BAD = b"{"


@pytest.fixture
def held(services, patient, probe, monkeypatch):
    """Two uploads that were refused: one that can be read now, and one that never will."""

    def send(body):
        with pytest.raises(KonectomError) as refused:
            ingest_session(services, session_id=uuid4(), patient_id=patient, body=body)
        return refused.value.context["kept"]["id"]

    with monkeypatch.context() as patch:
        patch.delitem(every_assessment(), "probe")
        return send(session_body()), send(BAD)


def test_what_is_held_is_listed_and_shown(konectom, held, patient, tmp_path):
    rows = konectom.json("quarantine", "list")
    assert [row["id"] for row in rows] == list(held)
    assert [row["code"] for row in konectom.json("quarantine", "list", "--code", "not_json")] == ["not_json"]
    assert konectom.json("quarantine", "list", "--patient", patient, "--state", "released") == []
    target = tmp_path / "bytes"
    told = konectom("quarantine", "show", held[1], "-o", target).stdout
    assert "not_json" in told
    assert target.read_bytes() == BAD


def test_all_that_can_be_used_now_is_released(konectom, held):
    tried = konectom.json("quarantine", "retry")
    assert [(row["id"], row["session"] is not None, row.get("code")) for row in tried] == [
        (held[0], True, None), (held[1], False, "not_json"),
    ]  # fmt: skip
    assert "released 0 of 1" in konectom("quarantine", "retry").stdout
    assert [row["state"] for row in konectom.json("quarantine", "list")] == ["released", "held"]


def test_one_is_tried_under_another_id(konectom, held):
    session = uuid4()
    (tried,) = konectom.json("quarantine", "retry", held[0], "--session", session)
    assert UUID(tried["session"]) == session
    assert "say which upload" in konectom("quarantine", "retry", "--session", session, status=1).output


def test_one_is_discarded_for_good(konectom, held):
    konectom("quarantine", "discard", held[1], "--reason", "a test phone")
    assert konectom.json("quarantine", "show", held[1])["state"] == "discarded"
    assert "quarantine_ended" in konectom("quarantine", "retry", held[1], status=1).output
    assert "not_found" in konectom("quarantine", "show", uuid4(), status=1).output


def test_who_looked_and_why_it_went_stands_in_the_audit(konectom, held, services):
    from konectom.storage.models import AuditRow

    konectom("quarantine", "list")
    konectom("quarantine", "discard", held[1], "--reason", "a test phone")
    with services.db.read() as db:
        entries = [(row.action, row.entity, row.change) for row in db.query(AuditRow).order_by(AuditRow.seq)]
    assert ("quarantine list", "command", "read") in entries
    assert entries[-1] == ("quarantine discard", "quarantine", "update")
