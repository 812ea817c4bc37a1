"""The OpenAPI document, the pages that show it, and the health checks."""

import json
import re
import subprocess
import sys
from contextlib import closing
from uuid import uuid4

import pytest

from konectom import create_app, formats
from konectom.api import upload
from konectom.api.docs import ASSETS
from konectom.api.openapi import as_30
from konectom.assessments import every_assessment
from konectom.errors import CatalogueChanged, every_error
from konectom.settings import load_settings
from konectom.workflows.services import Services
from konectom.workflows.sessions.ingest import ingest_session
from tests.api.client import first_error
from tests.probe import session_body

PUBLIC_WITHOUT_DOCUMENT = {"/openapi.json", "/docs", "/docs/errors", "/docs/openapi.json", "/docs/{name}"}


@pytest.fixture
def document(anybody):
    return anybody.get("/openapi.json").json


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


def nodes(node):
    yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(inner)


def test_the_document_is_of_openapi_31(document):
    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"] == "konectom"


def test_every_endpoint_is_in_the_document(document, app):
    routed = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("dashboard.")  # pages, for people
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    routed.add(("/api/v1/uploads", "options"))  # what tus asks of a server
    told = {(path, method) for path, method, _ in operations(document)}
    assert {pair for pair in routed - told if pair[0] not in PUBLIC_WITHOUT_DOCUMENT} == set()
    assert told - routed == set()


def test_every_operation_says_what_it_is(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(operation["summary"].endswith((".", "?")) for _, _, operation in operations(document))


def test_every_reference_leads_somewhere(document):
    references = {node["$ref"] for node in nodes(document) if isinstance(node, dict) and "$ref" in node}
    assert len(references) > 20
    for reference in references:
        target = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def test_every_failure_is_documented_as_a_problem(document):
    def problem(response):
        while "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
        return response["content"]["application/problem+json"]["schema"]["$ref"].endswith("/Problem")

    for _, _, operation in operations(document):
        failures = {status for status in operation["responses"] if status[0] in "45d"}
        assert "default" in failures
        assert all(problem(operation["responses"][status]) for status in failures)


def test_what_is_not_public_asks_for_a_token(document):
    open_to_all = {
        path for path, method, operation in operations(document) if operation["security"] == [] and method != "options"
    }
    before_a_token = {"logins", "invitations/acceptance", "enrolments/exchange", "devices/renewal"}
    assert open_to_all == {"/healthz", "/readyz", *(f"/api/v1/{each}" for each in before_a_token)}
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_no_answer_forbids_new_fields(document):
    closed = {name for name, each in document["components"]["schemas"].items() if "additionalProperties" in each}
    sent = {
        *("NewPatient", "PatientChange", "NewStudy", "NewObservation", "Retraction", "NewSchedule", "NewPolicy"),
        *("Acknowledgement", "NewConsentForm", "NewDecision", "Withdrawal", "NewRestriction", "NewIdentity"),
        *("NewUser", "NewInvitation", "Acceptance", "UserState", "NewGrant", "NewToken"),
        *("NewLogin", "NewPassword", "OwnPassword", "OwnProof", "Confirmation"),
        *("NewSite", "NewTeam", "NewBreakGlass"),
    }
    sent |= {"HeldSession", "HeldSessions", "Discarding", "NewCampaign"}
    sent |= {"Exchange", "Renew", "DeviceFacts", "NewErasure", "StudyChange"}
    assert closed == (sent | {"Fault", "UploadedEvent", "RecordingError", "Problem"}) & closed
    assert sent <= closed


def test_the_assessments_are_enumerated(document):
    assert document["components"]["schemas"]["AssessmentName"]["enum"] == list(every_assessment())


def test_the_example_of_a_session_can_be_read():
    session = formats.read(json.dumps(upload.EXAMPLE).encode())
    assert [type(each).__name__ for each in session.recordings] == ["Recording"]


def test_the_session_schema_names_every_stream_and_unit(document):
    from konectom.formats._streams import KINDS

    streams = document["components"]["schemas"]["UploadedStreams"]["properties"]
    assert set(streams) == set(KINDS)
    assert streams["accelerometer"]["properties"]["unit"]["enum"] == ["m/s2", "g"]
    assert streams["touch"]["properties"]["phase"]["items"]["enum"] == ["down", "move", "up", None]
    assert set(streams["touch"]["required"]) == {"unit", "x", "y", "phase"}


def test_the_page_gets_the_document_in_words_that_it_reads(anybody):
    told = anybody.get("/docs/openapi.json").json
    assert told["openapi"] == "3.0.3"
    for node in nodes(told):
        if isinstance(node, dict) and "type" in node and "openapi" not in node:
            assert not isinstance(node["type"], list)
        if isinstance(node, dict) and "$ref" in node:
            assert set(node) == {"$ref"}


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        ({"type": ["number", "string"]}, {"oneOf": [{"type": "number"}, {"type": "string"}]}),
        ({"exclusiveMinimum": 0}, {"minimum": 0, "exclusiveMinimum": True}),
        ({"anyOf": [{"$ref": "#/a"}, {"type": "null"}]}, {"allOf": [{"$ref": "#/a"}], "nullable": True}),
        ({"properties": {"type": {"type": ["a", "null"]}}}, {"properties": {"type": {"type": "a", "nullable": True}}}),
        ({"example": {"type": ["a", "null"]}}, {"example": {"type": ["a", "null"]}}),
    ],
)  # fmt: skip
def test_newer_words_have_older_ones(newer, older):
    assert as_30(newer) == older


def test_the_page_loads_nothing_from_elsewhere_and_runs_no_inline_script(anybody):
    page = anybody.get("/docs")
    assert page.mimetype == "text/html"
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert "//" not in re.sub(r"<!--.*?-->", "", page.text)
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page.text, re.DOTALL)
    assert scripts
    assert all("src=" in attributes and not content for attributes, content in scripts)
    assert not re.search(r"\son\w+=|style=", page.text)


def test_everything_that_the_page_names_is_here(anybody):
    page = anybody.get("/docs").text
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(named) >= 4
    for name in named:
        assert anybody.get(f"/{name}" if name.startswith(("docs", "openapi")) else name).status_code == 200
    script = anybody.get("/docs/docs.js").text
    assert 'url: "docs/openapi.json"' in script
    assert all(anybody.get(f"/docs/{name}").status_code == 200 for name in ASSETS)


@pytest.mark.parametrize("name", ["index.html", "../app.py", "..%2fapp.py", "swagger-ui.js.map"])
def test_nothing_else_is_served_beside_the_page(anybody, name):
    assert first_error(anybody.get(f"/docs/{name}"))[:2] == (404, "not_found")


def test_every_error_has_its_place_on_the_page(anybody):
    page = anybody.get("/docs/errors").text
    for error in every_error():
        assert f'id="{error.code}"' in page


def test_alive(anybody):
    assert anybody.get("/healthz").json == {"status": "ok"}


def test_ready(anybody):
    assert anybody.get("/readyz").json["status"] == "ok"


def test_each_thing_that_is_needed_is_told_of(anybody, services, monkeypatch):
    told = anybody.get("/readyz").json
    names = ["database", "schema", "objects", "keys", "catalogues", "room"]
    assert told == {"status": "ok", "checks": [{"name": name, "status": "ok"} for name in names]}
    monkeypatch.setattr("konectom.workflows.sessions.room.free_bytes", lambda path: 0)
    limited = anybody.get("/readyz")
    assert (limited.status_code, limited.json["status"]) == (200, "limited")
    assert limited.json["checks"][-1] == {
        "name": "room",
        "status": "failed",
        "code": "store_full",
        "detail": "too little room is left to accept uploads; what is sent later is taken",
    }
    path = services.settings.data_dir / "keys.json"
    path.unlink()
    refused = anybody.get("/readyz")
    checks = {each["name"]: each for each in refused.json["checks"]}
    assert refused.status_code == 503
    assert checks["keys"]["code"] == "keys_missing"
    assert checks["database"] == {"name": "database", "status": "ok"}
    assert str(path.parent) not in refused.text


def test_not_ready_without_the_tables(anybody, services):
    with services.db.write() as db:
        db.connection().exec_driver_sql("DROP TABLE alembic_version")
    answer = anybody.get("/readyz")
    assert first_error(answer)[:2] == (503, "migration_needed")
    assert "Retry-After" in answer.headers


def test_not_ready_without_the_object_store(anybody, services):
    services.objects.root.parent.mkdir(parents=True, exist_ok=True)
    services.objects.root.write_text("a file where the directory should be")
    assert first_error(anybody.get("/readyz"))[:2] == (503, "store_unavailable")
    assert str(services.objects.root) not in anybody.get("/readyz").text


def test_lost_keys_are_told_without_telling_where_they_should_be(anybody, services):
    path = services.settings.data_dir / "keys.json"
    path.rename(path.with_name("elsewhere.json"))
    answer = anybody.get("/readyz")
    assert first_error(answer)[:2] == (503, "keys_missing")
    assert str(path) not in answer.text
    path.write_text("{}")
    path.chmod(0o600)
    answer = anybody.get("/readyz")
    assert first_error(answer)[:2] == (503, "keys_invalid")
    assert str(path) not in answer.text


def test_not_ready_and_not_started_on_a_declaration_that_changed(anybody, services, probe, people):
    """Results are stored under its version, and it measures something else now."""
    ingest_session(services, session_id=uuid4(), patient_id=people.patient(), body=session_body())
    assert anybody.get("/readyz").json["status"] == "ok"
    create_app(services=services)
    probe(version=1, unit="g")
    answer = anybody.get("/readyz")
    assert first_error(answer)[:2] == (503, "catalogue_changed")
    assert "probe version 1" in answer.json["detail"]
    with pytest.raises(CatalogueChanged, match="probe version 1"):
        create_app(services=services)
    probe(version=2, unit="g")
    assert create_app(services=services).test_client().get("/readyz").status_code == 200


def test_the_application_starts_where_no_database_is_set_up_yet(tmp_path):
    services = Services.open(load_settings({}, mode="development", data_dir=tmp_path / "none"))
    with closing(services):
        app = create_app(services=services)
        assert app.test_client().get("/healthz").status_code == 200
        answer = app.test_client().get("/readyz")
    assert first_error(answer)[:2] == (503, "migration_needed")
    assert answer.json["detail"] == "the database is not set up yet; run: konectom db upgrade"


def test_health_does_not_pay_for_the_maths(settings):
    """A process of its own: here scipy has long been imported."""
    script = f"""
import sys
from contextlib import closing
from konectom import create_app
from konectom.settings import load_settings
client = create_app(load_settings({{}}, mode="development", data_dir={str(settings.data_dir)!r})).test_client()
assert client.get("/healthz").status_code == 200, "healthz"
assert client.get("/readyz").status_code == 200, "readyz"
print([name for name in ("scipy", "pyarrow", "pandas") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_importing_the_package_does_not_import_flask():
    script = "import sys, konectom; print('flask' in sys.modules); konectom.create_app; print('flask' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
