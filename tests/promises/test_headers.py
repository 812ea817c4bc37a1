"""Every answer of every address tells browsers to keep their hands off, and only this server's name is answered to."""

from uuid import uuid4

import pytest
import structlog

from konectom.api.headers import FIXED, POLICY, UNLESS_TOLD
from konectom.app import create_app
from konectom.settings import load_settings
from konectom.workflows.services import Services
from tests.api.client import Callers, CheckedClient, first_error
from tests.backends import where_of
from tests.conftest import People

HOST = "konectom.hospital.example"
STRANGE_METHODS = ("TRACE", "BREW")


@pytest.fixture
def production(settings, clock):
    """The callers of an installation that is fit for patients' data."""
    chosen = load_settings(
        {}, **where_of(settings), public_url=f"https://{HOST}", rate_limit_device="1_000_000/minute",
        rate_limit_service="1_000_000/minute", rate_limit_address="1_000_000/minute", device_access_lifetime="30 d",
    )  # fmt: skip
    services = Services.open(chosen, clock=clock)
    app = create_app(services=services)
    app.test_client_class = CheckedClient
    client = app.test_client()
    yield Callers(client, services, People(services))
    structlog.reset_defaults()
    services.close()


def addresses(app):
    """Each address with the methods that are worth trying: its own, and two that nothing answers."""
    yield "/api/v1/nothing", ("GET", "POST")
    yield "/", ("GET",)
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        values = {name: "docs.js" if name == "name" else uuid4() for name in rule.arguments}
        methods = sorted(rule.methods or ())
        yield adapter.build(rule.endpoint, values, method=methods[0]), (*methods, *STRANGE_METHODS)


def test_every_answer_of_every_address_carries_them(production):
    callers = (production.anybody(), production.phone(), production.staff())
    seen = set()
    for path, methods in addresses(production.client.application):
        for method in methods:
            for caller in callers:
                headers = {"Host": HOST} | ({"Authorization": f"Bearer {caller.token}"} if caller.token else {})
                answer = caller.client.open(path, method=method, headers=headers)
                told = {name: answer.headers.get(name) for name in FIXED}
                assert told == FIXED, (method, path)
                assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
                assert [name for name in UNLESS_TOLD if name not in answer.headers] == []
                assert [name for name, _ in answer.headers if name.startswith("Access-Control")] == []
                assert "'unsafe" not in answer.headers["Content-Security-Policy"]
                assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
                assert "Set-Cookie" not in answer.headers or "/api/" not in path
                seen.add(answer.status_code)
    assert {200, 401, 403, 404, 405, 422} <= seen
    assert not {each for each in seen if each >= 500}


def test_no_site_is_let_in(production):
    for headers in ({"Origin": "https://elsewhere.example"}, {"Origin": "null"}):
        answer = production.phone().get("/sessions", headers=headers | {"Host": HOST})
        assert answer.status_code == 200
        assert [name for name, _ in answer.headers if name.startswith("Access-Control")] == []


def test_without_tls_browsers_are_not_told_to_use_it(anybody):
    assert "Strict-Transport-Security" not in anybody.get("/docs").headers


def test_trace_is_refused_everywhere(production):
    for path in ("/docs", "/healthz", "/api/v1/sessions", "/nothing"):
        answer = production.anybody().client.open(path, method="TRACE", headers={"Host": HOST})
        assert first_error(answer)[:2] == (405, "method_not_allowed")


@pytest.mark.parametrize("host", ["elsewhere.example", f"{HOST}.elsewhere.example", "127.0.0.1:8000", f"{HOST}:81", ""])
@pytest.mark.parametrize("path", ["/docs", "/api/v1/sessions", "/nothing"])
def test_another_host_is_refused(production, host, path):
    answer = production.anybody().client.get(path, headers={"Host": host})
    assert first_error(answer)[:2] == (400, "request_invalid")
    assert host == "" or host not in answer.json["detail"]


@pytest.mark.parametrize("host", [HOST, HOST.upper(), f"{HOST}:443"])
def test_its_own_name_is_answered_to(production, host):
    assert production.anybody().client.get("/docs", headers={"Host": host}).status_code == 200


def test_whatever_watches_the_server_asks_by_any_name(production):
    assert production.anybody().client.get("/readyz", headers={"Host": "10.1.2.3:8000"}).status_code == 200


def test_in_development_any_host_is_answered_to(anybody):
    assert anybody.client.get("/docs", headers={"Host": "192.0.2.1:8000"}).status_code == 200


def test_unknown_addresses_all_look_the_same(production):
    phone = production.phone()
    shape = set()
    for path in ("/nothing", f"/sessions/{uuid4()}/more", "/../etc/passwd", "/patients/1", "/.git/config"):
        answer = phone.get(path, headers={"Host": HOST})
        shape.add((answer.status_code, answer.json["detail"], tuple(answer.json)))
    assert len(shape) == 1
    assert next(iter(shape))[0] == 404


def test_the_policy_lets_nothing_in():
    assert POLICY.startswith("default-src 'none'")
