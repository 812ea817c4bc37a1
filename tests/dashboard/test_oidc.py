"""Signing in at an OpenID provider: with a real one, and with one that does what an attacker would have it do."""

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import structlog

from konectom.app import create_app
from konectom.dashboard import oidc
from konectom.errors import SettingInvalid
from konectom.settings import load_settings
from konectom.workflows.access.users import disable_user, get_user
from tests.dashboard.browser import ORIGIN, Browser
from tests.dashboard.provider import CLIENT, misbehaving_provider, path_of, real_provider
from tests.people import PASSWORD, with_settings

LOGIN = "__Host-konectom"
FLOW = f"{LOGIN}-oidc"
ADA = "ada@konectom.test"


@pytest.fixture(scope="module")
def real():
    with real_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def provider_process():
    with misbehaving_provider() as provider:
        yield provider


@pytest.fixture
def provider(provider_process):
    """The provider in this process, behaving again."""
    provider_process.behave()
    return provider_process


@pytest.fixture
def app_at(services):
    """Make the application of an installation whose staff sign in at a provider."""

    def make(issuer, **settings):
        told = {"oidc_issuer": issuer, "oidc_trust_second_factor": "yes"} | CLIENT | settings
        return create_app(services=with_settings(services, **told))

    yield make
    structlog.reset_defaults()


@pytest.fixture
def browser(app_at, provider):
    return Browser(app_at(provider.issuer))


@pytest.fixture
def ada(staff_members):
    """Known by the address alone: without a second factor here, so that the provider must have asked for one."""
    user = staff_members.user(ADA)
    staff_members.grant(user, "administrator")
    return user


def begin(browser, path="/login/oidc"):
    """Go to the provider; return its address."""
    return browser.open(path).location


def come_back(browser, path):
    return browser.open(path, headers={"Sec-Fetch-Site": "cross-site"})


def is_in(browser):
    return browser.cookie(LOGIN) is not None and browser.path != "/login/oidc/callback"


class TestWithARealProvider:
    def test_the_whole_way_there_and_back(self, real, app_at, ada, services):
        real.knows("subject-1", email=ADA, email_verified=True, amr=["mfa"])
        browser = Browser(app_at(real.issuer))
        browser.open("/account")
        link = next(each["href"] for each in browser.page.all("a") if each["href"].startswith("/login/oidc"))
        assert "Continue with Test Hospital" in browser.page.text
        address = begin(browser, link)
        assert address.startswith(f"{real.issuer}/oauth2/authorize?")
        asked = dict(parse_qsl(urlsplit(address).query))
        assert asked["redirect_uri"] == f"{ORIGIN}/login/oidc/callback"
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["state"]) >= 20
        assert len(asked["nonce"]) >= 20
        assert len(asked["code_challenge"]) == 43
        come_back(browser, real.signs_in(address, "subject-1"))
        assert browser.path == "/account"
        assert browser.cookie(FLOW) is None
        assert "Browser, through your institution" in browser.page.text
        user = get_user(services, ada)
        assert user["issuer"] == real.issuer

    def test_from_then_on_the_address_of_e_mail_does_not_count(self, real, app_at, ada, staff_members):
        app = app_at(real.issuer)
        real.knows("subject-2", email=ADA, email_verified=True)
        browser = Browser(app)
        come_back(browser, real.signs_in(begin(browser), "subject-2"))
        assert is_in(browser)
        real.knows("subject-3", email=ADA, email_verified=True)  # the address was given to somebody else
        other = Browser(app)
        come_back(other, real.signs_in(begin(other), "subject-3"))
        assert not is_in(other)
        real.knows("subject-2", email="ada.king@konectom.test", email_verified=False)
        again = Browser(app)
        come_back(again, real.signs_in(begin(again), "subject-2"))
        assert is_in(again)

    def test_who_is_unknown_disabled_or_unverified_is_told_the_same(self, real, app_at, ada, staff_members, services):
        app, told = app_at(real.issuer), set()
        gone = staff_members.user("gone@konectom.test")
        disable_user(services, gone)
        real.knows("nobody", email="nobody@konectom.test", email_verified=True)
        real.knows("gone", email="gone@konectom.test", email_verified=True)
        real.knows("unverified", email=ADA, email_verified=False)
        real.knows("verified-in-words", email=ADA, email_verified="true")
        real.knows("without", name="Ada")
        for subject in ("nobody", "gone", "unverified", "verified-in-words", "without"):
            browser = Browser(app)
            come_back(browser, real.signs_in(begin(browser), subject))
            assert browser.response.status_code == 401
            assert browser.cookie(LOGIN) is None
            told.add(browser.page.text)
        assert len(told) == 1
        assert "There is no account for you here. Please ask your administrator." in told.pop()

    def test_an_unknown_person_leaves_a_line_in_the_log(self, real, app_at, capsys):
        real.knows("stranger", email="stranger@konectom.test", email_verified=True)
        browser = Browser(app_at(real.issuer, log_format="json"))
        come_back(browser, real.signs_in(begin(browser), "stranger"))
        line = next(line for line in capsys.readouterr().err.splitlines() if "oidc.unknown" in line)
        assert '"subject":"stranger"' in line
        assert "@konectom.test" not in line

    def test_a_code_works_once(self, real, app_at, ada):
        real.knows("subject-4", email=ADA, email_verified=True)
        browser = Browser(app_at(real.issuer))
        address = begin(browser)
        flow = browser.cookie(FLOW)
        back = real.signs_in(address, "subject-4")
        come_back(browser, back)
        assert is_in(browser)
        browser.send("/logout")
        browser.carry(FLOW, flow)
        come_back(browser, back)
        assert not is_in(browser)
        assert browser.response.status_code == 401

    def test_who_says_no_there_is_not_in_here(self, real, app_at):
        browser = Browser(app_at(real.issuer))
        answer = requests.post(begin(browser), data={"action": "deny"}, allow_redirects=False, timeout=30)
        come_back(browser, path_of(answer.headers["Location"]))
        assert browser.response.status_code == 401
        assert "Signing in did not work" in browser.page.text

    def test_the_second_factor_of_the_provider_stands_in_for_ours_if_it_is_trusted(
        self, real, app_at, person, clock, services
    ):
        grace = person("grace@konectom.test")
        trusting, strict = app_at(real.issuer), app_at(real.issuer, oidc_trust_second_factor="no")
        told = {"email": grace.login, "email_verified": True}
        for app, claims, path in (
            (trusting, told, "/login/second-factor"),
            (trusting, told | {"amr": ["pwd"]}, "/login/second-factor"),
            (trusting, told | {"amr": ["otp"]}, "/login/second-factor"),
            (trusting, told | {"amr": ["hwk", "swk", "sc", "otp"]}, "/login/second-factor"),
            (trusting, told | {"amr": ["pwd", "pin", "fpt"]}, "/login/second-factor"),
            (trusting, told | {"acr": "phr"}, "/login/second-factor"),
            (trusting, told | {"amr": ["otp", "pwd"]}, "/"),
            (trusting, told | {"amr": ["hwk", "fpt"]}, "/"),
            (trusting, told | {"amr": ["pwd", "mfa"]}, "/"),
            (trusting, told | {"acr": "https://refeds.org/profile/mfa"}, "/"),
            (strict, told | {"amr": ["pwd", "mfa"]}, "/login/second-factor"),
        ):
            real.knows("grace", **claims)
            browser = Browser(app)
            come_back(browser, real.signs_in(begin(browser), "grace"))
            assert browser.path == path, claims
            if path != "/":
                assert browser.cookie(LOGIN) is None
                browser.send("/login/second-factor", code=grace.totp.at(clock()))
                assert browser.path == "/"
                clock.forward(minutes=1)

    def test_who_has_a_second_factor_here_shows_it_before_the_provider_knows_him(self, real, app_at, person, services):
        hopper = person("hopper@konectom.test")
        real.knows("hopper", email=hopper.login, email_verified=True, amr=["mfa"])
        browser = Browser(app_at(real.issuer))
        come_back(browser, real.signs_in(begin(browser), "hopper"))
        assert browser.path == "/login/second-factor"
        assert get_user(services, hopper.id)["issuer"] is None
        browser.send("/login/second-factor", code=hopper.recovery[0])
        assert browser.path == "/"
        assert get_user(services, hopper.id)["issuer"] == real.issuer

    def test_whoever_finishes_need_not_have_begun(self, real, app_at, ada):
        """Several workers: the browser alone carries what is under way."""
        real.knows("subject-5", email=ADA, email_verified=True)
        first, second = Browser(app_at(real.issuer)), Browser(app_at(real.issuer))
        address = begin(first)
        second.carry(FLOW, first.cookie(FLOW))
        come_back(second, real.signs_in(address, "subject-5"))
        assert is_in(second)


class TestWhatComesBack:
    """The provider is as it should be; what the browser brings is not."""

    def refused(self, browser):
        assert browser.response.status_code == 401
        assert browser.cookie(LOGIN) is None
        assert "Signing in did not work. Please try again." in browser.page.text

    def test_all_as_it_should_be(self, browser, provider, ada):
        come_back(browser, provider.authorize(begin(browser)))
        assert is_in(browser)

    @pytest.mark.parametrize("state", ["", "wrong", "é"])
    def test_another_state(self, state, browser, provider, ada):
        come_back(browser, provider.authorize(begin(browser), state=state))
        self.refused(browser)
        assert "/token" not in provider.asked

    def test_no_state_and_nothing_at_all(self, browser, provider, ada):
        for path in ("/login/oidc/callback", "/login/oidc/callback?code=x", "/login/oidc/callback?state=x"):
            begin(browser)
            come_back(browser, path)
            self.refused(browser)
        assert "/token" not in provider.asked

    def test_a_browser_that_began_nothing(self, app_at, browser, provider, ada):
        """An attacker who leads somebody into the attacker's own account."""
        path = provider.authorize(begin(browser))
        victim = Browser(browser.client.application)
        come_back(victim, path)
        self.refused(victim)
        assert "/token" not in provider.asked

    def test_the_flow_of_another_browser(self, browser, provider, ada):
        other = Browser(browser.client.application)
        begin(other)
        come_back(other, provider.authorize(begin(browser)))
        self.refused(other)

    def test_a_code_of_another_flow(self, browser, provider, ada):
        """Injected into a flow of the victim's: the verifier does not fit."""
        other = Browser(browser.client.application)
        theirs = dict(parse_qsl(urlsplit(provider.authorize(begin(other))).query))["code"]
        come_back(browser, provider.authorize(begin(browser), code=theirs))
        self.refused(browser)

    def test_a_flow_that_took_too_long(self, browser, provider, ada, clock):
        path = provider.authorize(begin(browser))
        clock.forward(minutes=10)
        come_back(browser, path)
        self.refused(browser)

    def test_another_issuer_in_the_answer(self, browser, provider, ada):
        """RFC 9207."""
        come_back(browser, provider.authorize(begin(browser), iss="https://evil.test"))
        self.refused(browser)
        come_back(browser, provider.authorize(begin(browser), iss=provider.issuer))
        assert is_in(browser)

    def test_a_flow_is_forgotten_whatever_came_of_it(self, browser, provider, ada):
        path = provider.authorize(begin(browser))
        come_back(browser, "/login/oidc/callback?state=wrong")
        come_back(browser, path)
        self.refused(browser)

    def test_nobody_is_led_elsewhere_afterwards(self, browser, provider, ada):
        for told in ("https://evil.test", "//evil.test"):
            come_back(browser, provider.authorize(begin(browser, f"/login/oidc?next={told}")))
            assert browser.path == "/"


def claims(**changed):
    return lambda provider: provider.claims.update(changed)


def header(**changed):
    return lambda provider: provider.header.update(changed)


def key(**how):
    return lambda provider: provider.signs_with_a_new_key(**how)


def answer(status, told):
    return lambda provider: setattr(provider, "answer", (status, told))


NOW = int(time.time())

FORGED = {
    "for another server": claims(aud="another"),
    "for nobody": claims(aud=None),
    "for several, this one is not who asked": claims(aud=["konectom", "another"], azp="another"),
    "for several, nobody asked": claims(aud=["konectom", "another"]),
    "for another server, asked for by this one": claims(aud="another", azp="konectom"),
    "of another provider": claims(iss="https://evil.test"),
    "of nobody": claims(iss=None),
    "for another flow": claims(nonce="another"),
    "for no flow": claims(nonce=None),
    "of an hour ago": claims(exp=NOW - 3600, iat=NOW - 7200),
    "without an end": claims(exp=None),
    "without a beginning": claims(iat=None),
    "of tomorrow": claims(iat=NOW + 86400, exp=NOW + 90000),
    "not yet": claims(nbf=NOW + 86400),
    "an end in words": claims(exp="tomorrow"),
    "about nobody": claims(sub=None),
    "about nobody in particular": claims(sub=""),
    "about a number": claims(sub=7),
    "about too long a name": claims(sub="x" * 256),
    "another access token": claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    "methods that are no list": claims(amr="mfa"),
    "by a key that nobody knows": key(publish=False),
    "by a key that claims to be the known one": key(kid="1", publish=False),
    "by a key without a name": key(kid=None, publish=False),
    "signed by nobody": header(alg="none"),
    "signed by nobody, under a name that is known": header(alg="none", kid="1"),
    "by the public key as a secret": header(alg="HS256"),
    "no id token": answer(200, {"access_token": "x", "token_type": "Bearer"}),
    "an id token that is none": answer(200, {"access_token": "x", "token_type": "Bearer", "id_token": "x"}),
    "an id token that is a number": answer(200, {"access_token": "x", "token_type": "Bearer", "id_token": 7}),
    "nothing": answer(200, {}),
    "a list": answer(200, []),
    "no JSON": answer(200, b"<html>"),
    "an error": answer(400, {"error": "invalid_client"}),
    "a failure": answer(500, b"oops"),
}


@pytest.mark.parametrize("how", FORGED)
def test_what_the_provider_gives_must_be_right(how, browser, provider, ada):
    come_back(browser, provider.authorize(begin(browser)))  # its keys are known from an honest time
    assert is_in(browser)
    browser.send("/logout")
    path = provider.authorize(begin(browser))
    FORGED[how](provider)
    come_back(browser, path)
    assert browser.response.status_code == 401, browser.page.text
    assert browser.cookie(LOGIN) is None
    assert "Signing in did not work. Please try again." in browser.page.text


class TestItsKeys:
    @pytest.mark.parametrize("kid", ["2", "1", None])
    def test_a_new_key_is_found(self, kid, browser, provider, ada):
        """Under a name of its own, under the old one's, or without."""
        come_back(browser, provider.authorize(begin(browser)))
        provider.signs_with_a_new_key(kid)
        come_back(browser, provider.authorize(begin(browser)))
        assert is_in(browser)
        assert provider.asked.count("/jwks") == 2

    def test_they_are_asked_for_once_else(self, browser, provider, ada):
        for _ in range(3):
            come_back(browser, provider.authorize(begin(browser)))
        assert provider.asked.count("/jwks") == 1
        assert provider.asked.count("/.well-known/openid-configuration") == 1

    def test_a_key_that_was_given_up_is_given_up_here_after_an_hour(self, browser, provider, ada, monkeypatch):
        come_back(browser, provider.authorize(begin(browser)))
        browser.send("/logout")
        provider.published = []
        monkeypatch.setattr(oidc, "METADATA_AGE_S", 0)
        come_back(browser, provider.authorize(begin(browser)))
        assert not is_in(browser)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.test"},
        {"issuer": None},
        {"authorization_endpoint": "ftp://127.0.0.1/"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": ""},
        {"jwks_uri": None},
        {"id_token_signing_alg_values_supported": ["none", "HS256"]},
    ],
)
def test_a_provider_that_is_not_what_the_setting_says_is_not_used(metadata, browser, provider):
    provider.metadata = metadata
    answer = browser.open("/login/oidc")
    assert answer.status_code == 503
    assert "Location" not in answer.headers
    assert browser.cookie(FLOW) is None


def test_a_provider_that_is_away_keeps_nobody_from_signing_in_here(app_at, person, enter):
    browser = Browser(app_at("http://127.0.0.1:1"))
    answer = browser.open("/login/oidc")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    enter(person(), browser)


@pytest.fixture
def silent():
    """A provider that takes connections and says nothing; call it for how many came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        came = []

        def count():
            with suppress(BlockingIOError):
                while True:
                    came.append(server.accept()[0])
            return len(came)

        count.issuer = f"http://127.0.0.1:{server.getsockname()[1]}"
        yield count
        for each in came:
            each.close()


def test_a_provider_that_is_silent_holds_one_thread_and_is_left_alone_for_a_while(silent, app_at, monkeypatch):
    monkeypatch.setattr(oidc, "TIME_LIMIT_S", 0.5)
    monkeypatch.setattr(oidc, "ASKED_WITHIN_S", 0.02)
    app = app_at(silent.issuer)
    with ThreadPoolExecutor(6) as pool:
        seen = list(pool.map(lambda _: Browser(app).open("/login/oidc").status_code, range(12)))
    assert seen == [503] * 12
    assert silent() == 1
    monkeypatch.setattr(oidc, "SILENT_S", 0)
    later = app_at(silent.issuer)
    for tried in (2, 3):  # once the while is over it is asked again
        assert Browser(later).open("/login/oidc").status_code == 503
        assert silent() == tried


def test_a_provider_that_falls_silent_is_left_alone_too(browser, provider, ada, monkeypatch):
    def away(*_, **__):
        asked.append("again")
        raise requests.ConnectionError

    come_back(browser, provider.authorize(begin(browser)))
    browser.send("/logout")
    path, asked = provider.authorize(begin(browser)), []
    monkeypatch.setattr(requests.Session, "request", away)
    come_back(browser, path)
    assert (browser.response.status_code, len(asked)) == (401, 1)
    assert browser.open("/login/oidc").status_code == 503
    assert len(asked) == 1


def test_a_provider_that_takes_the_secret_in_the_body(browser, provider, ada, monkeypatch):
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    seen = []
    monkeypatch.setattr(provider, "token", lambda form, header: seen.append((form, header)) or (400, {"error": "x"}))
    come_back(browser, provider.authorize(begin(browser)))
    ((form, header),) = seen
    assert (form["client_secret"], header) == (CLIENT["oidc_client_secret"], "")


def test_the_password_still_works_beside_the_provider(browser, person, enter):
    enter(person(), browser)
    assert browser.path == "/"


def test_without_a_provider_there_is_no_such_page(app):
    browser = Browser(app)
    assert browser.open("/login/oidc").status_code == 404
    assert browser.open("/login/oidc/callback").status_code == 404
    browser.open("/login")
    assert "Continue with" not in browser.page.text


WHOLE = {"oidc_issuer": "https://id.konectom.test", "oidc_client_id": "k", "oidc_client_secret": "s"}


class TestSettings:
    def test_the_provider_is_not_trusted_with_the_second_factor_unless_told_so(self):
        assert load_settings({}, **WHOLE).oidc_trust_second_factor == "no"

    @pytest.mark.parametrize("absent", WHOLE)
    def test_half_a_provider_is_refused(self, absent):
        with pytest.raises(SettingInvalid, match=f"KONECTOM_{absent.upper()} is not set"):
            load_settings({}, **{name: value for name, value in WHOLE.items() if name != absent})
        with pytest.raises(SettingInvalid, match="KONECTOM_OIDC_ISSUER is not set"):
            load_settings({}, oidc_name="Test Hospital")

    @pytest.mark.parametrize(
        "issuer",
        ["http://id.konectom.test", "id.konectom.test", "https://id.konectom.test?x", "http://127.0.0.1.evil.test",
         "https://", "https://user@id.konectom.test", "ftp://x"],
    )  # fmt: skip
    def test_an_issuer_in_the_clear_is_refused(self, issuer):
        with pytest.raises(SettingInvalid, match="KONECTOM_OIDC_ISSUER: must begin with https://"):
            load_settings({}, **WHOLE | {"oidc_issuer": issuer})

    def test_the_secret_is_never_shown(self):
        settings = load_settings({}, **WHOLE | {"oidc_client_secret": "very secret"})
        assert "very secret" not in repr(settings)

    @pytest.mark.parametrize("url", ["https://x.test/path", "x.test", "https://x.test?y", "https://", "https://a b"])
    def test_a_public_address_is_an_origin(self, url):
        with pytest.raises(SettingInvalid, match="KONECTOM_PUBLIC_URL"):
            load_settings({}, public_url=url)
        assert load_settings({}, public_url="https://Konectom.test:443/").public_url == "https://konectom.test"
        assert load_settings({}, public_url="http://localhost:8443").public_url == "http://localhost:8443"


def test_what_speaks_openid_loads_without_a_warning_and_only_where_it_is_used():
    script = "import sys, konectom.app; assert 'authlib' not in sys.modules; import konectom.dashboard.oidc"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_password_of_nobody_is_asked_for(browser, provider, ada):
    """An account of the provider's has no password here."""
    browser.open("/login")
    assert browser.send("/login", login=ADA, password=PASSWORD).status_code == 401
