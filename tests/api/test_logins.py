"""Logging in and out, and the own account, over HTTP."""

from uuid import UUID

import pyotp
import pytest

from tests.api.client import Caller, first_error
from tests.people import PASSWORD


@pytest.fixture
def ada(staff_members) -> UUID:
    return UUID(staff_members.with_password("ada", role="administrator")["id"])


@pytest.fixture
def log_in(anybody, callers):
    """Logs in; returns who can call then."""

    def log_in(login="ada", password=PASSWORD, code=None) -> Caller:
        opened = anybody.post("/logins", json={"login": login, "password": password, "code": code})
        assert opened.status_code == 201, opened.text
        return Caller(callers.client, opened.json["token"])

    return log_in


def test_all_that_is_wrong_is_told_alike(anybody, staff_members, ada):
    staff_members.user("invited")
    guarded = UUID(staff_members.with_password("guarded")["id"])
    staff_members.second_factor(guarded)
    told = set()
    for body in (
        {"login": "nobody", "password": PASSWORD},
        {"login": "ada", "password": "wrong password"},
        {"login": "invited", "password": PASSWORD},
        {"login": "guarded", "password": "wrong password"},
        {"login": "guarded", "password": PASSWORD, "code": "000000"},
        {"login": "", "password": ""},
    ):
        answer = anybody.post("/logins", json=body)
        telling = {name: value for name, value in answer.json.items() if name != "request_id"}
        headers = {name: value for name, value in answer.headers if name not in ("X-Request-Id", "Date")}
        told.add((answer.status_code, str(telling), str(headers)))
    assert len(told) == 1
    assert "not_authenticated" in str(told)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, (422, "field_missing", "/login")),
        ({"login": "ada"}, (422, "field_missing", "/password")),
        ({"login": "ada", "password": 7}, (422, "field_invalid", "/password")),
        ({"login": "ada", "password": "x" * 1025}, (422, "field_invalid", "/password")),
        ({"login": "ada", "password": PASSWORD, "remember": True}, (422, "field_invalid", "/remember")),
    ],
)
def test_what_is_no_login_is_refused_where_it_stands(anybody, body, error):
    assert first_error(anybody.post("/logins", json=body)) == error


def test_the_way_to_a_second_factor_and_in_with_it(anybody, callers, ada, log_in, clock):
    first = log_in()
    assert first.get("/me").json["needs_second_factor"]
    assert first_error(first.get("/users"))[:2] == (403, "not_permitted")
    started = first.post("/me/second-factor", json={"password": PASSWORD})
    assert started.status_code == 201
    totp = pyotp.TOTP(started.json["secret"])
    wrong = first("PUT", "/me/second-factor/confirmation", json={"code": "000000"})
    assert first_error(wrong) == (422, "field_invalid", "/code")
    confirmed = first("PUT", "/me/second-factor/confirmation", json={"code": totp.at(clock.now)})
    assert len(confirmed.json["recovery_codes"]) == 10
    assert first.get("/users").status_code == 200

    clock.forward(seconds=30)
    body = {"login": "ada", "password": PASSWORD}
    assert first_error(anybody.post("/logins", json=body))[:2] == (401, "second_factor_needed")
    second = log_in(code=totp.at(clock.now))
    assert second.get("/users").status_code == 200
    third = log_in(code=confirmed.json["recovery_codes"][0])
    assert third.get("/me").json["recovery_codes_left"] == 9

    clock.forward(seconds=30)
    renewed = third.post("/me/recovery-codes", json={"password": PASSWORD, "code": totp.at(clock.now)})
    assert renewed.status_code == 201
    assert third.get("/me").json["recovery_codes_left"] == 10
    clock.forward(seconds=30)
    removal = {"password": PASSWORD, "code": totp.at(clock.now)}
    assert third.post("/me/second-factor/removal", json=removal).status_code == 204
    assert third.get("/me").json["second_factor_at"] is None


def test_the_own_account_shows_roles_and_nothing_that_opens(ada, log_in):
    me = log_in().get("/me").json
    assert (me["id"], me["login"]) == (str(ada), "ada")
    assert [(grant["role"], grant["study"]) for grant in me["grants"]] == [("administrator", None)]
    assert not {"password_hash", "totp_sealed", "failures"} & set(me)


def test_who_has_no_role_yet_has_an_account_and_nothing_else(staff_members, callers, log_in, clock):
    staff_members.with_password("grace")
    grace = log_in("grace")
    assert grace.get("/me").json["grants"] == []
    started = grace.post("/me/second-factor", json={"password": PASSWORD}).json
    code = pyotp.TOTP(started["secret"].replace(" ", "")).at(clock.now)
    assert grace("PUT", "/me/second-factor/confirmation", json={"code": code}).status_code == 200
    assert grace.get("/studies").status_code == 403
    assert grace("DELETE", "/logins/current").status_code == 204
    assert grace.get("/me").status_code == 401


def test_logging_out_counts_at_once(ada, log_in):
    first, second = log_in(), log_in()
    assert first("DELETE", "/logins/current").status_code == 204
    assert first.get("/me").status_code == 401
    assert second.get("/me").status_code == 200
    third = log_in()
    assert len(third.get("/me/logins").json["items"]) == 2
    assert third("DELETE", "/me/logins").status_code == 204
    assert (second.get("/me").status_code, third.get("/me").status_code) == (401, 401)


def test_a_new_password_ends_all_logins(ada, log_in):
    first, second = log_in(), log_in()
    change = {"password": PASSWORD, "new": "quite another password"}
    wrong = first("PUT", "/me/password", json=change | {"password": "wrong password"})
    assert first_error(wrong) == (422, "field_invalid", "/password")
    weak = first("PUT", "/me/password", json=change | {"new": "ada ada ada ada"})
    assert first_error(weak) == (422, "field_invalid", "/new")
    assert first("PUT", "/me/password", json=change).status_code == 204
    assert (first.get("/me").status_code, second.get("/me").status_code) == (401, 401)
    assert log_in(password="quite another password").get("/me").status_code == 200


def test_phones_and_programs_have_no_account(phone, staff):
    for caller in (phone, staff):
        for method, path in (("GET", "/me"), ("DELETE", "/logins/current"), ("PUT", "/me/password")):
            assert caller(method, path, json={}).status_code == 403


def test_a_login_that_waited_too_long_is_asked_again(ada, log_in, clock):
    caller = log_in()
    clock.forward(minutes=31)
    answer = caller.get("/me")
    assert first_error(answer)[:2] == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
