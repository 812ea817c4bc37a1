"""Readiness: every lack is found and named, nothing hangs, and asking often costs nothing."""

import os
import threading
from types import SimpleNamespace

import pytest

from konectom.errors import KeysMissing, StoreFull, StoreUnavailable
from konectom.storage import writable
from konectom.storage.writable import require_writable
from konectom.workflows import readiness
from konectom.workflows.readiness import PROBES, Check, Readiness
from konectom.workflows.sessions import room


@pytest.fixture
def probes(monkeypatch):
    """Checks of our own in place of the real ones."""

    def install(**given):
        monkeypatch.setattr(readiness, "PROBES", given)

    return install


def told(checks):
    return {each.name: each.error and each.error.code for each in checks}


def test_all_is_well(services):
    checks = services.readiness.look(services)
    assert told(checks) == dict.fromkeys(PROBES)
    assert not any(each.fatal for each in checks)


def test_each_lack_is_told_under_its_name_and_costs_the_others_nothing(probes):
    def lacking(services):
        raise KeysMissing("a key is not here")

    def broken(services):
        raise ZeroDivisionError("a secret")

    probes(database=lambda services: None, keys=lacking, objects=broken)
    checks = Readiness().look(None)
    assert told(checks) == {"database": None, "keys": "keys_missing", "objects": "store_unavailable"}
    assert [each.fatal for each in checks] == [False, True, True]
    assert "secret" not in checks[2].error.detail
    assert isinstance(checks[2].error.__cause__, ZeroDivisionError)


def test_a_check_that_hangs_fails_in_time_and_is_not_begun_again(probes):
    began, go_on = [], threading.Event()

    def hanging(services):
        began.append(threading.current_thread())
        go_on.wait()

    probes(database=hanging, keys=lambda services: None)
    state = Readiness(within_s=0.01, kept_s=0.0)
    for _ in range(3):
        checks = state.look(None)
        assert told(checks) == {"database": "store_unavailable", "keys": None}
        assert "no answer" in checks[0].error.detail
    assert len(began) == 1
    go_on.set()
    began[0].join()
    probes(database=lambda services: None)
    assert told(state.look(None)) == {"database": None}
    assert told(state.look(None)) == {"database": None}


def test_however_often_somebody_asks_it_is_looked_once_a_second(probes, monkeypatch):
    now, looked = SimpleNamespace(at=100.0), []
    monkeypatch.setattr(readiness.time, "monotonic", lambda: now.at)
    probes(database=looked.append)
    state = Readiness()
    for _ in range(50):
        state.look("services")
    now.at += 0.99
    state.look("services")
    assert looked == ["services"]
    now.at += 0.02
    state.look("services")
    assert looked == ["services"] * 2


def test_many_at_once_are_answered_by_one_look(probes):
    looked = []
    probes(database=looked.append)
    state = Readiness(kept_s=600)
    threads = [threading.Thread(target=state.look, args=("services",)) for _ in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert looked == ["services"]


def test_after_a_fork_it_begins_anew(probes, monkeypatch):
    looked = []
    probes(database=looked.append)
    state = Readiness(kept_s=600)
    state.look("parent")
    monkeypatch.setattr(readiness.os, "getpid", lambda: -1)
    state.look("child")
    assert looked == ["parent", "child"]


def test_want_of_room_alone_takes_no_server_away():
    assert not Check("room", StoreFull("little")).fatal
    assert Check("room", StoreUnavailable("cannot be told")).fatal
    assert Check("objects", StoreFull("none at all")).fatal


@pytest.mark.embedded
def test_a_file_that_cannot_be_written_is_not_ready(services, monkeypatch):
    require_writable(services.db)
    monkeypatch.setattr(writable.os, "access", lambda path, mode: not mode & os.W_OK)
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        require_writable(services.db)
    assert told(services.readiness.look(services))["database"] == "store_unavailable"


def test_room_is_what_the_settings_ask_for(services, monkeypatch):
    monkeypatch.setattr(room, "free_bytes", lambda path: services.settings.min_free_bytes - 1)
    checks = services.readiness.look(services)
    assert told(checks) == dict.fromkeys(PROBES) | {"room": "store_full"}
    assert not any(each.fatal for each in checks)
