"""Nothing is done that no form of ours asked for: each unsafe address, against each way of forging what is sent."""

from uuid import uuid4

import pytest

from konectom.app import create_app
from konectom.dashboard.access import PUBLIC, SIGNED_IN
from konectom.security.matrix import MATRIX
from tests.dashboard.browser import ORIGIN, Browser
from tests.people import PASSWORD, with_settings

LOGIN = "__Host-konectom"
EVIL = "https://evil.test"
SAFE = {"GET", "HEAD", "OPTIONS"}
BROWSERS_WORD = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


def rules(app):
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("dashboard.")]


def unsafe(app):
    """Each method and address that changes something, and whether it is open to all."""
    for rule in rules(app):
        path = rule.rule.replace("<uuid:login_id>", str(uuid4()))
        for method in sorted(rule.methods - SAFE):
            yield method, path, app.view_functions[rule.endpoint].permission == PUBLIC


def forgeries(own, others):
    """Ways to send a form that a page of another site might try, by name: headers, fields."""
    token = {"form_token": own}
    return {
        "no token": (BROWSERS_WORD, {}),
        "an empty token": (BROWSERS_WORD, {"form_token": ""}),
        "a token made up": (BROWSERS_WORD, {"form_token": "abc." + "0" * 64}),
        "a token without its half": (BROWSERS_WORD, {"form_token": own.partition(".")[0]}),
        "a token with another half": (BROWSERS_WORD, {"form_token": "x" + own}),
        "a token that is no ASCII": (BROWSERS_WORD, {"form_token": "é.é"}),
        "another login's token": (BROWSERS_WORD, {"form_token": others}),
        "from another site": ({"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}, token),
        "from another site, says its origin": ({"Origin": EVIL}, token),
        "from another host of ours": ({"Origin": "https://www.konectom.test", "Sec-Fetch-Site": "same-site"}, token),
        "from our host without https": ({"Origin": "http://konectom.test"}, token),
        "from our host at another port": ({"Origin": f"{ORIGIN}:8443"}, token),
        "from a name that begins like ours": ({"Origin": f"{ORIGIN}.evil.test"}, token),
        "from nowhere": ({"Origin": "null"}, token),
        "without a word from where": ({}, token),
        "same site, says the browser": ({"Sec-Fetch-Site": "same-site"}, token),
        "by a bookmark": ({"Sec-Fetch-Site": "none"}, token),
        "both words differ": ({"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}, token),
    }


def test_every_forgery_at_every_address_is_refused(app, person, enter):
    browser, other = enter(person()), enter(person())
    tried, places = 0, list(unsafe(app))
    assert len(places) >= 10
    for method, path, is_public in places:
        page = "/invitation" if is_public else "/account"
        for each in (browser, other):
            each.open(page)
        own, others = (each.page.forms[-1].fields["form_token"] for each in (browser, other))
        for name, (headers, fields) in forgeries(own, others).items():
            sent = {"Origin": None, "Sec-Fetch-Site": None} | headers
            answer = browser.open(path, method=method, headers=sent, data=fields, follow=False)
            assert answer.status_code == 403, (method, path, name)
            assert "This form did not come from a page of this server" in browser.page.text
            tried += 1
    assert tried == len(places) * 18
    browser.open("/account")
    assert browser.path == "/account"  # all of it has ended no login and changed no password


def test_the_right_token_is_let_through_at_every_address(app, person, enter):
    """Else the test above would show nothing."""
    for method, path, is_public in unsafe(app):
        browser = enter(person())
        browser.open("/invitation" if is_public else "/account")
        data = {"form_token": browser.page.forms[-1].fields["form_token"]}
        answer = browser.open(path, method=method, data=data, follow=False)
        assert answer.status_code != 403, path


def test_a_browser_that_says_one_of_the_two_is_believed(browser, person):
    ada = person()
    for headers in ({"Sec-Fetch-Site": None}, {"Origin": None}):
        browser.open("/login")
        browser.send("/login", login=ada.login, password=PASSWORD, headers=headers)
        assert browser.path == "/login/second-factor"


def test_a_form_of_an_earlier_login_is_worth_nothing(browser, person, enter):
    ada = person()
    enter(ada, browser)
    browser.open("/account")
    stale = browser.form("/logout").fields["form_token"]
    browser.send("/logout")
    enter(ada, browser)
    assert browser.open("/logout", method="POST", data={"form_token": stale}).status_code == 403


def test_no_form_holds_the_secret_or_the_same_token_twice(browser, person, enter):
    enter(person(), browser)
    browser.open("/account")
    tokens = [form.fields["form_token"] for form in browser.page.forms]
    browser.open("/account")
    tokens += [form.fields["form_token"] for form in browser.page.forms]
    assert len(set(tokens)) == len(tokens) >= 4
    assert browser.cookie(LOGIN) not in browser.response.text


def test_a_planted_cookie_for_forms_opens_nothing_without_https_names(app):
    """On https only the name with the prefix counts, which no other host can set."""
    browser = Browser(app)
    browser.carry("konectom-form", "planted")
    browser.open("/login")
    assert browser.cookie(f"{LOGIN}-form") not in (None, "planted")


def test_without_https_a_server_is_known_by_any_name_of_the_machine(services, person):
    app = create_app(services=with_settings(services, public_url="http://127.0.0.1:8000"))
    ada = person()
    for origin in ("http://127.0.0.1:8000", "http://localhost:8123"):
        browser = Browser(app, origin)
        browser.sign_in(ada.login, PASSWORD)
        assert browser.path == "/login/second-factor"
        browser.open("/login")
        refused = browser.send("/login", login="a", password="b", headers={"Origin": EVIL})
        assert refused.status_code == 403


@pytest.mark.parametrize("path", ["/account/password", "/logout", "/account/recovery-codes"])
def test_a_form_sent_without_a_login_leads_to_the_page_of_sign_in(browser, path):
    answer = browser.open(path, method="POST", follow=False)
    assert (answer.status_code, answer.location) == (303, "/login")


class TestPermissions:
    def test_every_page_says_who_may_see_it(self, app):
        told = {rule.endpoint: getattr(app.view_functions[rule.endpoint], "permission", None) for rule in rules(app)}
        assert None not in told.values()
        assert set(told.values()) <= {PUBLIC, SIGNED_IN, *MATRIX}
        assert {name for name, permission in told.items() if permission == PUBLIC} == {
            f"dashboard.{name}"
            for name in (
                "sheet", "login_page", "login", "second_factor_page", "second_factor", "oidc_begin", "oidc_callback",
                "invitation_page", "invitation",
            )
        }  # fmt: skip
        assert {name for name, permission in told.items() if permission == SIGNED_IN} == {
            "dashboard.home",
            "dashboard.sign_out",
        }

    def test_a_page_that_says_nothing_is_closed(self, services, person, enter):
        app = create_app(services=services)
        app.add_url_rule("/forgotten", "dashboard.forgotten", lambda: "everything")
        browser = enter(person(), Browser(app))
        assert browser.open("/forgotten").status_code == 403

    def test_no_page_is_shown_without_a_login(self, app, browser):
        asked = 0
        for rule in rules(app):
            if app.view_functions[rule.endpoint].permission == PUBLIC:
                continue
            for method in rule.methods:
                path = rule.rule.replace("<uuid:login_id>", str(uuid4()))
                answer = browser.open(path, method=method, follow=False)
                assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/login"), (method, path)
                asked += 1
        assert asked > 15

    def test_the_cookie_is_nothing_to_the_interface_and_a_bearer_token_nothing_to_the_pages(
        self, app, person, enter, browser
    ):
        enter(person(role="administrator"), browser)
        token = browser.cookie(LOGIN)
        answer = browser.client.get("/api/v1/studies", base_url=ORIGIN)
        assert answer.status_code == 401
        stranger = Browser(app)
        stranger.open("/account", headers={"Authorization": f"Bearer {token}"})
        assert stranger.path == "/login"

    def test_without_a_role_one_sees_the_first_page_and_the_own_account_and_can_leave(self, browser, person, enter):
        enter(person(role=None), browser)
        assert "You have no role here yet" in browser.page.text
        assert browser.open("/account").status_code == 200
        browser.send("/logout")
        assert browser.path == "/login"
