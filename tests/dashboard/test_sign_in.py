"""Signing in and out: what a browser is given to keep, and what it is worth afterwards."""

from base64 import urlsafe_b64decode
from datetime import timedelta

import pytest
from sqlalchemy import select

from konectom.app import create_app
from konectom.storage.models import Login
from konectom.workflows.access.logins import authenticate_login, end_all_logins, end_login
from konectom.workflows.access.second_factor import change_password
from konectom.workflows.access.service_tokens import ALL, issue_service_token
from konectom.workflows.access.users import create_user, disable_user, invite_user
from tests.dashboard.browser import ORIGIN, Browser
from tests.people import PASSWORD, with_settings

LOGIN = "__Host-konectom"


def test_from_the_first_page_to_the_first_page(browser, person, clock):
    ada = person()
    browser.open("/")
    assert browser.path == "/login"
    browser.send("/login", login=ada.login, password=PASSWORD)
    assert browser.path == "/login/second-factor"
    assert browser.cookie(LOGIN) is None
    browser.send("/login/second-factor", code=ada.totp.at(clock()))
    assert browser.path == "/"
    assert browser.cookie(LOGIN).startswith("ku_")
    browser.send("/logout")
    assert browser.path == "/login"
    assert browser.cookie(LOGIN) is None


def test_the_cookies_are_out_of_the_reach_of_scripts_other_sites_and_other_hosts(browser, person, clock):
    ada, seen = person(), []
    browser.open("/login")
    seen += browser.response.headers.getlist("Set-Cookie")
    browser.send("/login", login=ada.login, password=PASSWORD, follow=False)
    seen += browser.response.headers.getlist("Set-Cookie")
    browser.open("/login/second-factor")
    browser.send("/login/second-factor", code=ada.totp.at(clock()), follow=False)
    seen += browser.response.headers.getlist("Set-Cookie")
    assert {each.split("=")[0] for each in seen} == {LOGIN, f"{LOGIN}-form", f"{LOGIN}-step"}
    for each in seen:
        attributes = {part.strip() for part in each.split(";")[1:]}
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= attributes
        assert not any(part.startswith("Domain") for part in attributes)
    login = next(each for each in seen if each.startswith(f"{LOGIN}=ku_"))
    assert "Max-Age" not in login  # gone with the browser's window


def test_without_https_the_cookies_have_names_that_browsers_take(services, person, enter):
    app = create_app(services=with_settings(services, public_url="http://127.0.0.1:8000"))
    browser = enter(person(), Browser(app, "http://127.0.0.1:8000"))
    assert browser.cookie("konectom").startswith("ku_")
    assert browser.cookie(LOGIN) is None


def test_each_login_has_a_token_of_its_own_that_the_browser_cannot_choose(browser, person, enter, services):
    ada = person()
    browser.carry(LOGIN, "ku_" + "A" * 43)
    enter(ada, browser)
    first = browser.cookie(LOGIN)
    assert first != "ku_" + "A" * 43
    browser.open("/login")
    browser.send("/login", login=ada.login, password=PASSWORD)
    browser.carry(f"{LOGIN}-form", "planted")
    enter(ada, browser)
    assert browser.cookie(LOGIN) != first
    thief = Browser(browser.client.application)
    thief.carry(LOGIN, first)  # the login that was replaced has ended
    thief.open("/account")
    assert thief.path == "/login"


def test_after_signing_out_the_token_is_worth_nothing_and_no_page_was_kept(browser, person, enter):
    enter(person(), browser)
    token = browser.cookie(LOGIN)
    browser.open("/account")
    assert browser.response.headers["Cache-Control"] == "no-store"
    browser.send("/logout", follow=False)
    assert browser.response.headers["Clear-Site-Data"] == '"cache"'
    browser.carry(LOGIN, token)
    browser.open("/account")
    assert browser.path == "/login"


@pytest.mark.parametrize(
    "how", ["expired", "idle", "ended", "all ended", "disabled", "shortened", "of a program", "empty"]
)
def test_a_login_that_does_not_hold_leads_to_the_page_of_sign_in(
    how, browser, person, enter, services, clock, staff_members
):
    ada = person()
    enter(ada, browser)
    token = browser.cookie(LOGIN)
    login = authenticate_login(services, token).login_id
    if how == "expired":
        for _ in range(30):
            clock.forward(minutes=25)
            browser.open("/account", follow=False)
    elif how == "idle":
        clock.forward(minutes=31)
    elif how == "ended":
        end_login(services, login)
    elif how == "all ended":
        end_all_logins(services, ada.id)
    elif how == "disabled":
        disable_user(services, ada.id)
    elif how == "shortened":
        browser.carry(LOGIN, token[:-1])
    elif how == "of a program":
        browser.carry(LOGIN, issue_service_token(services, name="x", permissions=[ALL]).token)
    elif how == "empty":
        browser.carry(LOGIN, "")
    answer = browser.open("/account?done=ended", follow=False)
    assert (answer.status_code, answer.location) == (303, "/login?next=/account?done%3Dended")
    assert f"{LOGIN}=;" in answer.headers["Set-Cookie"]
    browser.open(answer.location)
    assert browser.form("/login").fields["next"] == "/account?done=ended"


def test_one_comes_to_where_one_wanted_to_go(browser, person, clock):
    ada = person()
    browser.open("/account")
    browser.send("/login", login=ada.login, password=PASSWORD)
    browser.send("/login/second-factor", code=ada.totp.at(clock()))
    assert browser.path == "/account"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.test/", "//evil.test/", "/\\evil.test", "\\\\evil.test", "/\t/evil.test", "http:evil.test",
        "javascript:alert(1)", "account", "", "/%0d%0aSet-Cookie:x=y\r\n", "/" + "a" * 600, "/account#x",
        "///evil.test",
    ],
)  # fmt: skip
def test_nobody_is_led_elsewhere(elsewhere, browser, person):
    ada = person(second_factor=False)
    with_next = browser.open("/login", query_string={"next": elsewhere})
    assert with_next.status_code == 200
    assert browser.form("/login").fields["next"] == "/"
    answer = browser.send("/login", login=ada.login, password=PASSWORD, next=elsewhere, follow=False)
    assert answer.location == "/account/second-factor"  # which is still to be set up
    browser.open("/login")
    answer = browser.send("/login", login="nobody", password=PASSWORD, next=elsewhere)
    assert browser.form("/login").fields["next"] == "/"


def test_nobody_learns_who_has_an_account(browser, person, services):
    ada, gone, invited = person(), person(second_factor=False), person(second_factor=False)
    disable_user(services, gone.id)
    invite_user(services, invited.id)
    told = set()
    for login in (ada.login, gone.login, invited.login, "nobody", "x" * 200, "Ada Lovelace", "ada\u202e"):
        browser.open("/login")
        answer = browser.send("/login", login=login, password="not the password")
        assert answer.status_code == 401
        assert browser.form("/login").fields["login"] == login
        told.add(browser.page.text)
    assert len(told) == 1


def test_the_page_says_what_is_missing_and_keeps_what_was_typed_but_no_password(browser):
    browser.open("/login")
    answer = browser.send("/login", login="ada", password="")
    assert answer.status_code == 422
    assert browser.page.alert() == "told wrong"
    assert "The password is missing." in browser.page.text
    wrong = next(each for each in browser.page.all("input") if each.get("aria-invalid"))
    assert wrong["name"] == "password"
    browser.send("/login", login="ada", password="a secret that is wrong")
    assert "a secret" not in browser.response.text
    assert browser.form("/login").fields["login"] == "ada"


@pytest.mark.parametrize("typed", ["x" * 1025, "a\0b"])
def test_what_no_field_holds_is_refused(typed, browser):
    browser.open("/login")
    assert browser.send("/login", login=typed, password="x").status_code == 422


def test_a_form_has_an_end(browser):
    browser.open("/login")
    answer = browser.send("/login", login="ada", password="x" * 40_000)
    assert answer.status_code == 413
    assert browser.page is not None


def test_who_tries_too_often_is_told_so_on_a_page(services, person):
    app = create_app(services=with_settings(services, rate_limits="on", rate_limit_address="3/minute"))
    ada, browser, seen = person(), Browser(app), []
    for guess in range(5):
        browser.open("/login")
        seen.append(browser.send("/login", login=f"nobody{guess}", password="x").status_code)
    assert seen == [401, 401, 401, 429, 429]
    assert "Too many tries" in browser.page.text
    assert browser.response.headers["Retry-After"]
    browser.open("/login")
    assert browser.send("/login", login=ada.login, password=PASSWORD).status_code == 429


def test_whoever_is_signed_in_counts_alone(services, person):
    """Behind one address one person mistypes, and another goes on; each has the rate of a member of staff."""
    rates = {"rate_limit_address": "3/minute", "rate_limit_user": "20/minute"}
    app = create_app(services=with_settings(services, rate_limits="on", require_second_factor="no", **rates))
    one, other = Browser(app), Browser(app)
    for browser in (one, other):
        browser.sign_in(person(second_factor=False).login, PASSWORD)
        browser.open("/account")
    wrong = {"password": "not the one", "new": "several words that do not belong", "again": "another"}
    for _ in range(5):
        assert one.send("/account/password", **wrong).status_code == 422
    assert other.send("/logout", follow=False).status_code == 303
    seen = [one.open("/account").status_code for _ in range(20)]
    assert (seen[0], seen[-1]) == (200, 429)
    assert "Too many tries" in one.page.text


def test_what_another_site_sends_keeps_no_login_from_ending(browser, person, services, clock):
    """It comes with the cookie, and is nobody's all the same."""
    browser.sign_in(person(second_factor=False).login, PASSWORD)
    clock.forward(minutes=20)
    browser.client.post("/logout", base_url=ORIGIN, headers={"Origin": "https://elsewhere.example"})
    with services.db.read() as db:
        assert db.scalars(select(Login.seen_at)).one() < clock() - timedelta(minutes=19)


class TestSecondFactor:
    def test_a_wrong_code_is_refused_and_the_right_one_is_taken_once(self, app, person, clock):
        ada, first, second = person(), Browser(app), Browser(app)
        for browser in (first, second):
            browser.sign_in(ada.login, PASSWORD)
        code = ada.totp.at(clock())
        assert first.send("/login/second-factor", code="000000" if code != "000000" else "000001").status_code == 401
        assert first.page.alert() == "told wrong"
        first.send("/login/second-factor", code=code)
        assert first.path == "/"
        assert second.send("/login/second-factor", code=code).status_code == 401

    def test_a_recovery_code_stands_in_once(self, app, person):
        ada, first, second = person(), Browser(app), Browser(app)
        for browser in (first, second):
            browser.sign_in(ada.login, PASSWORD)
        first.send("/login/second-factor", code=ada.recovery[0].upper())
        assert first.path == "/"
        assert second.send("/login/second-factor", code=ada.recovery[0]).status_code == 401
        second.send("/login/second-factor", code=ada.recovery[1])
        assert second.path == "/"

    def test_guessing_locks_the_account(self, browser, person, clock):
        ada = person()
        browser.sign_in(ada.login, PASSWORD)
        for guess in range(6):
            browser.send("/login/second-factor", code=f"{guess:06}")
        assert browser.send("/login/second-factor", code=ada.totp.at(clock())).status_code == 401
        assert browser.sign_in(ada.login, PASSWORD).status_code == 401
        clock.forward(hours=2)
        browser.sign_in(ada.login, PASSWORD)
        assert browser.path == "/login/second-factor"

    def test_without_the_password_there_is_no_second_step(self, browser):
        browser.open("/login/second-factor")
        assert browser.response.status_code == 401
        assert "took too long" in browser.page.text

    def test_the_step_holds_for_five_minutes_and_is_of_one_kind(self, browser, person, clock, app):
        ada = person()
        browser.sign_in(ada.login, PASSWORD)
        step = browser.cookie(f"{LOGIN}-step")
        other = Browser(app)
        other.carry(f"{LOGIN}-oidc", step)
        other.open("/login/second-factor")
        assert other.response.status_code == 401
        for changed in (step[:-4], step[:40] + ("A" if step[40] != "A" else "B") + step[41:], "", "x" * 4000, "é"):
            other.carry(f"{LOGIN}-step", changed)
            assert other.open("/login/second-factor").status_code == 401
        other.carry(f"{LOGIN}-step", step)
        assert other.open("/login/second-factor").status_code == 200
        clock.forward(minutes=5)
        answer = browser.send("/login/second-factor", code=ada.totp.at(clock()))
        assert answer.status_code == 401
        assert browser.cookie(LOGIN) is None

    def test_the_step_tells_nobody_whose_it_is(self, browser, person):
        ada = person()
        browser.sign_in(ada.login, PASSWORD)
        carried = urlsafe_b64decode(browser.cookie(f"{LOGIN}-step"))
        assert ada.login.encode() not in carried
        assert PASSWORD.encode() not in carried

    def test_a_step_from_before_the_password_was_changed_leads_nowhere(self, browser, person, services, clock):
        ada = person()
        browser.sign_in(ada.login, PASSWORD)
        change_password(services, ada.id, password=PASSWORD, new="quite another password")
        answer = browser.send("/login/second-factor", code=ada.totp.at(clock()))
        assert answer.status_code == 401
        assert browser.cookie(LOGIN) is None

    def test_who_was_disabled_in_between_stays_out(self, browser, person, services, clock):
        ada = person()
        browser.sign_in(ada.login, PASSWORD)
        disable_user(services, ada.id)
        assert browser.send("/login/second-factor", code=ada.totp.at(clock())).status_code == 401

    def test_who_needs_one_is_led_to_set_it_up_and_can_do_nothing_else(self, browser, person, enter):
        enter(person(second_factor=False, role="administrator"), browser)
        assert browser.path == "/account/second-factor"
        browser.open("/")
        assert "First set up a second factor" in browser.page.text


def test_who_has_no_role_yet_sets_up_the_second_factor_and_signs_out(browser, person, enter):
    enter(person(role=None, second_factor=False), browser)
    assert browser.path == "/account/second-factor"
    assert browser.response.status_code == 200
    assert browser.send("/account/second-factor", password=PASSWORD).status_code == 200
    browser.open("/account")
    assert browser.response.status_code == 200
    browser.send("/logout")
    assert browser.path == "/login"


class TestInvitation:
    def test_a_code_sets_a_password_once(self, browser, services, staff_members, enter):
        _, invitation = create_user(services, login="grace@konectom.test", name="Grace")
        browser.open("/invitation")
        fields = {"code": f" {invitation.code} ", "password": PASSWORD, "again": PASSWORD}
        browser.send("/invitation", **fields)
        assert browser.path == "/login"
        assert browser.page.alert() == "told done"
        browser.send("/login", login="Grace@Konectom.test", password=PASSWORD)
        assert browser.path == "/account/second-factor"
        browser.open("/invitation")
        assert browser.send("/invitation", **fields).status_code == 401
        assert browser.cookie(LOGIN)

    def test_every_code_that_does_not_hold_is_told_alike(self, browser, services, clock):
        codes = ["ki_" + "A" * 43, "ks_" + "A" * 43, "x"]
        _, expired = create_user(services, login="grace", name="Grace")
        clock.forward(days=8)
        codes.append(expired.code)
        browser.open("/invitation")
        told = set()
        for code in codes:
            assert browser.send("/invitation", code=code, password=PASSWORD, again=PASSWORD).status_code == 401
            told.add(browser.page.text)
        assert len(told) == 1

    def test_a_weak_password_or_a_slip_leaves_the_code_as_it_was(self, browser, services):
        _, invitation = create_user(services, login="grace", name="Grace")
        browser.open("/invitation")
        code = invitation.code
        assert browser.send("/invitation", code=code, password="short", again="short").status_code == 422
        assert browser.send("/invitation", code=code, password=PASSWORD, again=PASSWORD + ".").status_code == 422
        assert "The two passwords differ." in browser.page.text
        browser.send("/invitation", code=code, password=PASSWORD, again=PASSWORD)
        assert browser.path == "/login"


def test_a_browser_in_another_language_of_case_and_blanks_is_the_same(browser, person):
    ada = person("ada.lovelace@konectom.test")
    browser.sign_in(" Ada.Lovelace@KONECTOM.test ", PASSWORD)
    assert browser.path == "/login/second-factor"
    assert browser.origin == ORIGIN
    assert ada.totp is not None
