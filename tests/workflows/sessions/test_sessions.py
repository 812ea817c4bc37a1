from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from konectom.errors import NotFound
from konectom.security.principal import EVERYTHING, Scope
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.listing import get_session, list_sessions
from tests.probe import probe_recording, session_body


@pytest.fixture
def send(services, patient, probe):
    def send(patient_id=patient, **more):
        body = more.pop("body", None) or session_body(**more)
        return ingest_session(services, session_id=uuid4(), patient_id=patient_id, body=body).receipt

    return send


def ids(page):
    return [item["id"] for item in page["items"]]


def within(study):
    return Scope(places=frozenset({(study, None)}))


def test_a_session_is_found_within_its_patient_and_study_only(services, people, send):
    study = people.study()
    patient = people.patient(study)
    receipt = send(patient)
    session_id = UUID(receipt["id"])
    for scope in (EVERYTHING, Scope(patient_id=patient), within(study)):
        assert get_session(services, session_id, scope=scope) == receipt
    strangers = (Scope(patient_id=people.patient(study)), within(people.study()), Scope())
    for scope in strangers:
        with pytest.raises(NotFound):
            get_session(services, session_id, scope=scope)
    with pytest.raises(NotFound):
        get_session(services, uuid4())


def test_all_measures_are_told_on_request(services, patient, send):
    receipt = send(body=session_body(probe_recording(x=[1.0, 2.0, 3.0]), probe_recording(x=[5.0], hand="right")))
    session_id = UUID(receipt["id"])
    first, second = get_session(services, session_id, measures=True)["recordings"]
    assert first["measures"] == [
        {"measure": "probe.samples", "condition": {}, "statistic": None, "value": 3.0, "unit": "1", "aliases": {}},
        {"measure": "probe.level", "condition": {"hand": "left"}, "statistic": "mean", "value": 2.0, "unit": "m/s2"}
        | {"aliases": {"dispel": "pr-left-mean"}},
        {"measure": "probe.level", "condition": {"hand": "left"}, "statistic": "sd", "value": 1.0, "unit": "m/s2"}
        | {"aliases": {"dispel": "pr-left-std"}},
    ]
    assert first["absent"] == {}
    assert second["absent"] == {"probe.level[right].sd": "too_few_values"}
    assert "measures" not in receipt["recordings"][0]


def test_what_is_there_is_listed_in_the_order_received(services, patient, send, clock):
    sent = []
    for day in (3, 1, 2):  # the order in which they were recorded is another
        sent.append(send(started_at=f"2026-11-0{day}T10:00:00+01:00"))
        clock.forward(minutes=1)
    page = list_sessions(services, patient_id=patient)
    assert ids(page) == [each["id"] for each in sent]
    assert page["items"][0] == {name: value for name, value in sent[0].items() if name != "recordings"}


def test_since_asks_for_what_came_later(services, patient, send, clock):
    send()
    clock.forward(minutes=1)
    at = clock.now
    second = send()
    clock.forward(minutes=1)
    third = send()
    assert ids(list_sessions(services, since=at)) == [second["id"], third["id"]]
    assert ids(list_sessions(services, since=at + timedelta(microseconds=1))) == [third["id"]]


def test_sessions_are_listed_by_patient_and_by_study(services, people, send):
    study = people.study()
    ann, ben, other = people.patient(study), people.patient(study), people.patient()
    mine, his, others = send(ann), send(ben), send(other)
    assert ids(list_sessions(services, patient_id=ann)) == [mine["id"]]
    assert set(ids(list_sessions(services, scope=within(study)))) == {mine["id"], his["id"]}
    assert ids(list_sessions(services, patient_id=other, scope=within(study))) == []
    assert len(ids(list_sessions(services))) == 3
    assert others["id"] in ids(list_sessions(services))


def test_sessions_come_in_pages(services, patient, send, clock):
    sent = [send()["id"] for _ in range(5)]  # all at the same instant
    first = list_sessions(services, patient_id=patient, limit=3)
    second = list_sessions(services, patient_id=patient, limit=3, cursor=first["next"])
    assert set(ids(first)) | set(ids(second)) == set(sent)
    assert (len(ids(first)), len(ids(second)), second["next"]) == (3, 2, None)
