"""One's own account: what is changed there, what it takes, and that it is one's own."""

import re
from base64 import b32decode
from uuid import UUID, uuid4

import pyotp
import pytest
import segno

from konectom.workflows.access.invitations import accept_invitation
from konectom.workflows.access.logins import authenticate_login, log_in, open_login
from konectom.workflows.access.users import create_user
from tests.dashboard.browser import Browser
from tests.people import PASSWORD

LOGIN = "__Host-konectom"
NEW = "another horse battery staple"


@pytest.fixture
def ada(person):
    return person()


def test_the_account_says_who_one_is(browser, ada, enter):
    enter(ada, browser)
    browser.open("/account")
    assert ada.login in browser.page.text
    assert re.search(r"monitor in S\w{8}", browser.page.text)
    assert "(this one)" in browser.page.text


def test_a_password_is_changed_and_all_logins_end(app, ada, enter):
    first, second = enter(ada, Browser(app)), enter(ada, Browser(app))
    first.open("/account")
    first.send("/account/password", password=PASSWORD, new=NEW, again=NEW)
    assert first.path == "/login"
    assert "Your password is changed" in first.page.text
    second.open("/account")
    assert second.path == "/login"
    assert first.sign_in(ada.login, PASSWORD).status_code == 401
    first.sign_in(ada.login, NEW)
    assert first.path == "/login/second-factor"


@pytest.mark.parametrize(
    ("changed", "at", "status"),
    [
        ({"password": "wrong"}, "password", 422),
        ({"password": ""}, "password", 422),
        ({"new": "short", "again": "short"}, "new", 422),
        ({"again": "something else"}, "again", 422),
    ],
)
def test_a_password_that_is_not_changed(changed, at, status, browser, ada, enter):
    enter(ada, browser)
    browser.open("/account")
    answer = browser.send("/account/password", **({"password": PASSWORD, "new": NEW, "again": NEW} | changed))
    assert answer.status_code == status
    assert browser.page.alert() == "told wrong"
    assert [each["name"] for each in browser.page.all("input") if each.get("aria-invalid")] == [at]
    browser.open("/account")
    assert browser.path == "/account"


def test_another_login_of_ones_own_is_ended(app, ada, enter):
    first, second = enter(ada, Browser(app)), enter(ada, Browser(app))
    first.open("/account")
    ends = [form.action for form in first.page.forms if form.action.endswith("/end")]
    assert len(ends) == 1
    first.send(ends[0])
    assert first.page.alert() == "told done"
    assert not [form for form in first.page.forms if form.action.endswith("/end")]
    second.open("/account")
    assert second.path == "/login"


def test_anothers_login_is_not_there(app, ada, enter, person):
    browser, other = enter(ada, Browser(app)), enter(person(), Browser(app))
    further = enter(ada, Browser(app))
    assert further.path == "/"
    browser.open("/account")
    token = browser.page.forms[0].fields
    other.open("/account")
    for login in (uuid4(), *_ids(app, other)):
        answer = browser.open(f"/account/logins/{login}/end", method="POST", data=token)
        assert answer.status_code == 404
    other.open("/account")
    assert other.path == "/account"


def _ids(app, browser):
    """The id of the login of a browser."""
    return [authenticate_login(app.extensions["konectom"], browser.cookie(LOGIN)).login_id]


class TestSecondFactor:
    @pytest.fixture
    def grace(self, person):
        return person(second_factor=False)

    def start(self, browser, grace, enter):
        enter(grace, browser)
        assert browser.path == "/account/second-factor"
        browser.send("/account/second-factor", password=PASSWORD)
        secret = re.search(r"<code>([A-Z2-7 ]+)</code>", browser.response.text)[1].replace(" ", "")
        assert len(b32decode(secret)) == 20
        return pyotp.TOTP(secret)

    def test_it_is_set_up_and_asked_for_from_then_on(self, browser, grace, enter, clock, services):
        totp = self.start(browser, grace, enter)
        picture = browser.page.all("img")[0]["src"]
        assert picture.startswith("data:image/svg+xml")
        browser.send("/account/second-factor/confirm", code=totp.at(clock()))
        codes = re.findall(r"<li>([a-z2-7-]{19})</li>", browser.response.text)
        assert len(set(codes)) == 10
        browser.open("/")
        assert "First set up" not in browser.page.text
        browser.open("/account")
        assert codes[0] not in browser.response.text
        browser.send("/logout")
        browser.sign_in(grace.login, PASSWORD)
        assert browser.path == "/login/second-factor"
        browser.send("/login/second-factor", code=codes[0])
        assert browser.path == "/"

    def test_the_picture_is_the_secret(self, browser, grace, enter):
        totp = self.start(browser, grace, enter)
        uri = pyotp.TOTP(totp.secret, name=grace.login, issuer="konectom").provisioning_uri()
        expected = segno.make(uri, micro=False).svg_data_uri(scale=4, border=4, dark="#000", light="#fff")
        assert browser.page.all("img")[0]["src"] == expected

    def test_it_does_not_count_before_it_is_confirmed(self, browser, grace, enter, clock):
        totp = self.start(browser, grace, enter)
        wrong = "000000" if totp.at(clock()) != "000000" else "000001"
        assert browser.send("/account/second-factor/confirm", code=wrong).status_code == 422
        assert browser.page.alert() == "told wrong"
        browser.send("/logout")
        browser.sign_in(grace.login, PASSWORD)
        assert browser.path == "/account/second-factor"

    def test_it_takes_the_password(self, browser, grace, enter):
        enter(grace, browser)
        assert browser.send("/account/second-factor", password="wrong").status_code == 422
        assert not browser.page.all("img")

    def test_confirming_ends_other_logins(self, app, grace, enter, clock):
        other = enter(grace, Browser(app))
        browser = Browser(app)
        totp = self.start(browser, grace, enter)
        browser.send("/account/second-factor/confirm", code=totp.at(clock()))
        other.open("/account")
        assert other.path == "/login"
        browser.open("/account")
        assert browser.path == "/account"

    def test_codes_are_renewed_and_the_old_ones_end(self, browser, ada, enter, clock):
        enter(ada, browser)
        browser.open("/account/second-factor")
        browser.send("/account/recovery-codes", password=PASSWORD, code=ada.totp.at(clock()))
        codes = re.findall(r"<li>([a-z2-7-]{19})</li>", browser.response.text)
        assert len(set(codes) - set(ada.recovery)) == 10
        browser.send("/logout")
        browser.sign_in(ada.login, PASSWORD)
        assert browser.send("/login/second-factor", code=ada.recovery[3]).status_code == 401
        browser.send("/login/second-factor", code=codes[3])
        assert browser.path == "/"

    def test_it_is_removed_with_password_and_code(self, browser, ada, enter, clock):
        enter(ada, browser)
        browser.open("/account/second-factor")
        assert browser.send("/account/second-factor/remove", password=PASSWORD, code="123456").status_code == 422
        browser.send("/account/second-factor/remove", password=PASSWORD, code=ada.totp.at(clock()))
        assert browser.path == "/account"
        assert "The second factor is removed." in browser.page.text

    def test_who_comes_through_a_provider_alone_has_no_password_to_tell(self, app, staff_members, clock):
        user = staff_members.user("alone@konectom.test")
        staff_members.grant(user, "administrator")
        browser = Browser(app)
        browser.carry(LOGIN, open_login(app.extensions["konectom"], user, "oidc").token)
        browser.open("/account")
        assert not [each for each in browser.page.all("input") if each["type"] == "password"]
        browser.open("/account/second-factor")
        assert "can do no more than see to your account" in browser.page.text
        browser.send("/account/second-factor")
        secret = re.search(r"<code>([A-Z2-7 ]+)</code>", browser.response.text)[1].replace(" ", "")
        browser.send("/account/second-factor/confirm", code=pyotp.TOTP(secret).at(clock()))
        assert "Recovery codes" in browser.page.text
        browser.open("/account/second-factor")
        assert browser.send("/account/second-factor/remove", code="123456").status_code == 422
        clock.forward(minutes=1)
        browser.send("/account/second-factor/remove", code=pyotp.TOTP(secret).at(clock()))
        assert "The second factor is removed." in browser.page.text


def test_the_account_lists_programs_that_are_logged_in_too(browser, ada, enter, services, clock):
    log_in(services, login=ada.login, password=PASSWORD, code=ada.recovery[0])
    enter(ada, browser)
    browser.open("/account")
    assert "Program" in browser.page.text


class TestHome:
    def test_one_sees_ones_own_studies_and_no_other(self, browser, person, enter, people, staff_members):
        grace = person()
        other = people.study("OTHER")
        mine = people.study("MINE")
        staff_members.grant(grace.id, "clinician", mine)
        enter(grace, browser)
        assert "MINE" in browser.page.text
        assert "OTHER" not in browser.page.text
        assert str(other) not in browser.response.text

    def test_an_administrator_sees_all(self, browser, person, enter, people):
        people.study("OTHER")
        enter(person(role="administrator"), browser)
        assert "OTHER" in browser.page.text

    def test_what_people_call_themselves_is_text(self, browser, services, staff_members):
        user, invitation = create_user(services, login="mallory", name="<script>alert(1)</script>")
        accept_invitation(services, code=invitation.code, password=PASSWORD)
        staff_members.grant(UUID(user["id"]), "administrator")
        browser.sign_in("mallory", PASSWORD)
        browser.open("/account")  # the page is checked: no script
        assert "&lt;script&gt;" in browser.response.text
