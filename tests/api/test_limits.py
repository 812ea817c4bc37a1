"""Callers are slowed down: each by its own count, and nobody for his neighbours."""

import threading
import time
from dataclasses import replace
from itertools import pairwise
from uuid import uuid4

import pytest
import structlog
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from structlog.testing import capture_logs

from konectom.api.access import public
from konectom.api.counting import ProcessStorage
from konectom.api.limits import network_of
from konectom.app import create_app
from konectom.errors import ExtraMissing, NotAuthenticated
from konectom.security.secrets import new_secret
from konectom.settings import load_settings
from konectom.storage.models import Login
from konectom.workflows.patients.enrolments import enrol_device
from konectom.workflows.services import Services
from tests.api.client import Caller, Callers, CheckedClient, first_error
from tests.backends import where_of
from tests.conftest import People
from tests.people import PASSWORD, QUICK, Staff
from tests.probe import session_body

RATES = {
    "rate_limit_device": "5/minute",
    "rate_limit_user": "7/minute",
    "rate_limit_service": "6/minute",
    "rate_limit_address": "3/minute",
}


class Wall:
    """The wall clock by which requests are counted."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.25  # the beginning of a minute, nearly

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    clock = Wall()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture
def limited(settings, clock, wall):
    """An application that slows callers down; called with further settings, another one on the same data."""
    opened = []

    def make(**further) -> Flask:
        chosen = load_settings(
            {}, mode="development", **where_of(settings), device_access_lifetime="30 d", **RATES | further
        )
        services = Services.open(chosen, clock=clock)
        opened.append(services)
        app = create_app(services=services)
        app.test_client_class = CheckedClient
        return app

    yield make
    structlog.reset_defaults()
    for services in opened:
        services.close()


def callers_of(app):
    services = app.extensions["konectom"]
    return Callers(app.test_client(), services, People(services))


@pytest.fixture
def app(limited):
    return limited()


@pytest.fixture
def callers(app):
    return callers_of(app)


def statuses(ask, count):
    return [ask().status_code for _ in range(count)]


def from_(address):
    return {"environ_base": {"REMOTE_ADDR": address}}


def login_of(app, answer):
    """Place a view to which anybody may send a secret, as logins and enrolments are."""

    @public
    def try_secret():
        if answer():
            return "", 204
        raise NotAuthenticated("no")

    app.add_url_rule("/api/v1/secrets", "secrets", try_secret, methods=["POST"])


def test_a_phone_that_asks_too_often_is_told_when_to_come_again(callers, wall):
    phone = callers.phone()
    assert statuses(lambda: phone.get("/sessions"), 5) == [200] * 5
    answer = phone.get("/sessions")
    assert first_error(answer) == (429, "rate_limited", None)
    wait_s = int(answer.headers["Retry-After"])
    assert answer.json["retry_after_s"] == wait_s
    assert 1 <= wait_s <= 61
    wall.now += wait_s
    assert phone.get("/sessions").status_code == 200


def test_the_rate_holds_over_the_turn_of_a_minute(callers, wall):
    phone = callers.phone()
    wall.now += 59
    assert statuses(lambda: phone.get("/sessions"), 5) == [200] * 5
    wall.now += 2
    assert statuses(lambda: phone.get("/sessions"), 5).count(200) == 1
    wall.now += 60
    assert 200 in statuses(lambda: phone.get("/sessions"), 5)
    wall.now += 121
    assert statuses(lambda: phone.get("/sessions"), 5) == [200] * 5


def test_each_phone_counts_for_itself(callers):
    busy, quiet = callers.phone(), callers.phone()
    assert 429 in statuses(lambda: busy.get("/sessions"), 8)
    assert quiet.get("/sessions").status_code == 200


def test_a_program_has_a_rate_of_its_own(callers):
    program = callers.staff()
    assert statuses(lambda: program.get("/studies"), 7) == [200] * 6 + [429]


@pytest.mark.usefixtures("probe")
def test_an_upload_too_many_is_refused_unread_and_taken_later(callers, wall):
    class Unread:
        def read(self, *_):
            raise AssertionError("the body was read")

    phone, session, body = callers.phone(), uuid4(), session_body()
    statuses(lambda: phone.get("/sessions"), 5)
    unread = phone.put(b"", session, environ_overrides={"wsgi.input": Unread(), "CONTENT_LENGTH": str(len(body))})
    assert first_error(unread)[:2] == (429, "rate_limited")
    wall.now += int(unread.headers["Retry-After"])
    assert phone.put(body, session).status_code == 201


def test_what_the_guard_refuses_counts_too(callers):
    """Or ids could be tried without end: patients of others are 404, what a phone may not do is 403."""
    phone = callers.phone()
    assert statuses(lambda: phone.get(f"/patients/{uuid4()}"), 6) == [404] * 5 + [429]
    assert phone.get("/sessions").status_code == 429
    other = callers.phone()
    assert statuses(lambda: other.post("/studies", json={"code": "A"}), 6) == [403] * 5 + [429]


def test_bad_tokens_count_against_their_address_and_against_nobody_else(app, callers):
    good = callers.phone()
    bad = [Caller(app.test_client(), f"kd_{'A' * 42}{n}") for n in range(5)]
    assert [each.get("/sessions").status_code for each in bad] == [401] * 3 + [429] * 2
    assert bad[0].get("/sessions", **from_("192.0.2.7")).status_code == 401
    # A good token is never refused for what others at its address tried.
    assert good.get("/sessions").status_code == 200


def test_secrets_that_anybody_may_try_are_counted_where_they_fail(app, callers):
    tried = []
    right = [False]
    login_of(app, lambda: tried.append(1) or right[0])
    anybody = callers.anybody()
    assert statuses(lambda: anybody.post("/secrets"), 6) == [401] * 3 + [429] * 3
    assert len(tried) == 3  # beyond the rate a secret is not even looked at
    right[0] = True
    assert anybody.post("/secrets").status_code == 429
    assert statuses(lambda: anybody.post("/secrets", **from_("192.0.2.7")), 10) == [204] * 10


def test_bad_tokens_and_secrets_are_one_count(app, callers):
    login_of(app, lambda: False)
    bad = Caller(app.test_client(), f"kd_{'A' * 43}")
    statuses(lambda: bad.get("/sessions"), 2)
    assert statuses(lambda: callers.anybody().post("/secrets"), 2) == [401, 429]


def test_logins_that_succeed_count_for_the_user(app, callers):
    services = app.extensions["konectom"] = replace(app.extensions["konectom"], passwords=QUICK)
    ada, grace = (Staff(services).with_password(login)["login"] for login in ("ada", "grace"))
    seen = statuses(lambda: callers.anybody().post("/logins", json={"login": ada, "password": PASSWORD}), 9)
    assert seen == [201] * 7 + [429] * 2
    with services.db.read() as db:
        assert db.scalar(select(func.count()).select_from(Login)) == 7
    other = callers.anybody().post("/logins", json={"login": grace, "password": PASSWORD}, **from_("192.0.2.7"))
    assert other.status_code == 201


def test_renewals_that_succeed_count_for_the_phone(app, callers, wall):
    services = app.extensions["konectom"]
    phone = enrol_device(services, patient_id=People(services).patient())
    chain = [phone.renewal, *(new_secret("renewal") for _ in range(6))]

    def renew(old, new):
        return callers.anybody().post("/devices/renewal", json={"renewal": old, "next": new})

    seen = [renew(*step) for step in pairwise(chain)]
    assert [answer.status_code for answer in seen] == [200] * 5 + [429]
    assert Caller(app.test_client(), seen[4].json["access"]["token"]).get("/sessions").status_code == 429
    # What was refused was not made: the same renewal is taken later.
    wall.now += 121
    assert renew(*chain[5:]).status_code == 200


def test_reading_without_a_token_is_counted_by_address(callers):
    anybody = callers.anybody()
    assert statuses(lambda: anybody.get("/docs"), 7) == [200] * 6 + [429]
    assert anybody.get("/docs", **from_("192.0.2.7")).status_code == 200


def test_whatever_watches_the_server_is_not_counted(callers):
    assert set(statuses(lambda: callers.anybody().get("/healthz"), 20)) == {200}


def test_a_forged_address_is_not_believed(app, callers):
    def ask(n):
        return callers.anybody().get("/docs", headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code

    assert [ask(n) for n in range(7)] == [200] * 6 + [429]


def test_behind_a_proxy_what_it_says_is_believed_and_no_more(limited):
    anybody = callers_of(limited(trusted_proxies=1)).anybody()

    def ask(forged, real):
        return anybody.get("/docs", headers={"X-Forwarded-For": f"{forged}, {real}"}).status_code

    assert [ask(f"198.51.100.{n}", "192.0.2.1") for n in range(7)] == [200] * 6 + [429]
    assert ask("198.51.100.1", "192.0.2.2") == 200


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        (None, "unknown"),
        ("not an address", "unknown"),
    ],
)
def test_what_an_address_counts_as(address, counted):
    assert network_of(address) == counted


def test_names_that_are_over_are_forgotten(wall):
    """Or whoever comes from ever new addresses fills the memory."""
    storage = ProcessStorage()
    for n in range(1000):
        assert storage.acquire_sliding_window_entry(f"name {n}", 5, 60)
    wall.now += 121
    assert storage.acquire_sliding_window_entry("another", 5, 60)
    assert storage.reset() == 1


def test_counting_starts_no_threads(callers):
    phone = callers.phone()
    before = threading.active_count()
    assert statuses(lambda: phone.get("/sessions"), 5) == [200] * 5
    assert threading.active_count() == before


@given(st.lists(st.tuples(st.floats(0, 90), st.integers(1, 3)), max_size=60), st.integers(1, 8))
def test_never_more_than_twice_the_rate_in_any_minute(steps, limit):
    """What a sliding window counter promises in the worst case; on average it is the rate itself."""
    storage, now, taken = ProcessStorage(), 1_800_000_000.0, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: now)
        for wait_s, amount in steps:
            now += wait_s
            if storage.acquire_sliding_window_entry("name", limit, 60, amount):
                taken += [now] * amount
    assert all(sum(at <= each < at + 60 for each in taken) <= 2 * limit for at in taken)


def test_limits_that_are_off_count_nothing(limited):
    phone = callers_of(limited(rate_limits="off")).phone()
    assert statuses(lambda: phone.get("/sessions"), 12) == [200] * 12


def test_counting_in_redis_says_what_it_needs(limited, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "redis", None)
    with pytest.raises(ExtraMissing, match="pip install redis"):
        limited(rate_limit_storage="redis://127.0.0.1:1/0")


class TestCountingElsewhere:
    """Requests that are counted by all processes together, in a store that may be away."""

    @pytest.fixture
    def away(self, limited, monkeypatch):
        from limits.storage import MemoryStorage
        from limits.strategies import SlidingWindowCounterRateLimiter

        first = []
        usual = MemoryStorage.acquire_sliding_window_entry

        def fail(storage, *arguments, **named):
            first.append(storage) if not first else None
            if storage is first[0]:
                from limits.errors import StorageError

                raise StorageError(ConnectionError("the store is away"))
            return usual(storage, *arguments, **named)

        assert SlidingWindowCounterRateLimiter
        monkeypatch.setattr(MemoryStorage, "acquire_sliding_window_entry", fail)
        monkeypatch.setattr(MemoryStorage, "check", lambda _: False)
        return limited(rate_limit_storage="memory://elsewhere")

    def test_each_process_counts_for_itself_while_the_store_is_away(self, away):
        phone = callers_of(away).phone()
        assert statuses(lambda: phone.get("/sessions"), 6) == [200] * 5 + [429]

    def test_a_bad_token_is_refused_all_the_same(self, away):
        bad = Caller(away.test_client(), f"kd_{'A' * 43}")
        with capture_logs() as lines:
            assert bad.get("/sessions").status_code == 401
        assert "limits.uncounted" in {line["event"] for line in lines}


def test_every_operation_documents_it_once(callers):
    document = callers.anybody().get("/openapi.json").json
    assert "429" not in document["paths"]["/healthz"]["get"]["responses"]
    told = {
        operation["responses"]["429"]["$ref"]
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if isinstance(operation, dict) and path not in ("/healthz", "/readyz")
    }
    assert told == {"#/components/responses/RateLimited"}
    assert "Retry-After" in document["components"]["responses"]["RateLimited"]["headers"]
