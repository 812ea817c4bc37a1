"""The interface is what its OpenAPI document says: each operation, tried with what the document allows and forbids.

Statuses, bodies, headers and media types of the answers must be declared, what is not allowed must be refused, and no
answer may be 500 or above. What the document cannot say (that a cursor is one that a page has given, or a word one of
today's tests) is refused in declared ways: that is taken for an answer to allowed data, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle
from typing import Any

import pytest
import schemathesis
import structlog
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode

from konectom import logs
from konectom.app import create_app
from konectom.workflows.access.service_tokens import ALL, issue_service_token
from tests.conftest import People
from tests.world import user

EXAMPLES = int(os.environ.get("KONECTOM_TEST_CONTRACT_EXAMPLES", "4"))
"""How many requests are made up for an operation, beside those that follow from the document alone."""

CONFIG = """
seed = 1
[generation]
deterministic = true
no-shrink = true
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 400, 401, 403, 404, 409, 410, 412, 413, 415, 422, 429, 460, 501]
[checks.missing_required_header]
expected-statuses = [400, 401, 403, 406, 412, 415, 422]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 411, 412, 413, 415, 422, 428, 429]
"""

schemathesis.serializer("application/offset+octet-stream")(lambda _, value: value)


@pytest.fixture(scope="module")
def described(installed: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    services = installed(tmp_path_factory.mktemp("contract"))
    study = People(services).study()
    token = issue_service_token(
        services, name="contract", permissions=[ALL], study_id=study, lifetime=timedelta(days=300)
    ).token
    staff = [user(services, "administrator")[1], user(services, "study_manager", study=study)[1]]
    app = create_app(services=services)
    logs.configure("console", level=50)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, config=SchemathesisConfig.from_str(CONFIG))
    yield schema, cycle([token, *staff])
    structlog.reset_defaults()
    services.close()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"])
def test_the_interface_is_what_its_document_says(described: Any, mode: GenerationMode) -> None:
    document, tokens = described
    wrong: dict[str, str] = {}
    operations = [each.ok() for each in document.get_all_operations()]
    assert len(operations) > 100
    for operation in operations:
        try:
            _try(operation, mode, tokens)
        except FailureGroup as failures:
            wrong[operation.label] = "; ".join(f"{each.title}: {each.message}" for each in failures.exceptions)
        except Unsatisfiable:  # there is nothing that its document forbids
            continue
    assert wrong == {}


def _try(operation: Any, mode: GenerationMode, tokens: Iterator[str]) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    def attempt(case: Any) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {next(tokens)}"})

    attempt()
