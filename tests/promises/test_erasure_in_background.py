"""Over HTTP nobody waits while the database is rewritten, and a server that starts finishes what another left."""

import threading
from uuid import UUID

import pytest

from konectom.app import create_app
from konectom.workflows.background import Background
from konectom.workflows.erasing import erasure
from konectom.workflows.erasing.certificates import get_certificate, verify_certificate
from konectom.workflows.erasing.erasure import erase_patient
from tests.erasing import populate
from tests.world import build

DONE = {"objects": 0, "database": False}


@pytest.fixture
def held(monkeypatch):
    """Holds up the rewriting of the database until it is set."""
    go, compact = threading.Event(), erasure.compact

    def waiting(*how):
        assert go.wait(60)
        return compact(*how)

    monkeypatch.setattr(erasure, "compact", waiting)
    yield go
    go.set()


def test_the_answer_does_not_wait_for_the_database_to_be_rewritten(services, probe, held):
    world = build(services)
    client = create_app(services=services).test_client()
    own = world.places["own"]
    (manager,) = [each for each in world.callers if each.name == "study_manager here"]
    headers = {"Authorization": f"Bearer {manager.token}"}
    code = client.get(f"/api/v1/patients/{own.patient}", headers=headers).json["code"]
    told = client.post(
        f"/api/v1/patients/{own.patient}/erasure", json={"code": code, "reason": "asked_by_patient"}, headers=headers
    )
    assert told.status_code == 200
    assert told.json["residue"]["database"] is True
    address = f"/api/v1/studies/{own.study}/erasures/{told.json['certificate']['id']}"
    assert client.get(address, headers=headers).json["residue"]["database"] is True
    held.set()
    services.background.join()
    assert client.get(address, headers=headers).json["residue"] == DONE
    assert verify_certificate(services, UUID(told.json["certificate"]["id"])).holds


def test_a_server_that_starts_finishes_what_another_left(services, people, probe):
    gone = populate(services, people.study(), sessions=1)
    told = erase_patient(services, gone.id, reason="asked_by_patient", finish=False)
    assert told["residue"] == {"objects": 3, "database": True}
    create_app(services=services)
    services.background.join()
    assert get_certificate(services, gone.id)["residue"] == DONE


def test_one_piece_of_work_at_a_time_and_of_each_kind_the_last_that_was_asked_for():
    background, begun, go, done = Background(), threading.Event(), threading.Event(), []
    background.start("sweep", lambda: (begun.set(), go.wait(60), done.append("first")))
    assert begun.wait(60)
    background.start("sweep", lambda: done.append("second"))
    background.start("erase", lambda: done.append("another"))
    background.start("sweep", lambda: done.append("third"))
    go.set()
    background.join()
    assert done == ["first", "third", "another"]


def test_work_that_fails_stops_nothing():
    background, done = Background(), []
    background.start("fails", lambda: 1 / 0)
    background.join()
    background.start("works", lambda: done.append(1))
    background.join()
    assert done == [1]
