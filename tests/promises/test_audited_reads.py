"""Of a thousand random calls by all kinds of callers, each successful read of a patient's data stands in the audit.

And of no call does anything stand there that it did not read; nor does any answer tell of a patient whom the caller may
not reach, whatever was asked in address, query or body.
"""

import random
from collections import Counter
from contextlib import nullcontext
from typing import Any

import pytest
import structlog

from konectom.app import create_app
from konectom.security.matrix import MATRIX
from konectom.storage.models import AuditRow
from konectom.workflows.audit.check import verify
from tests.promises.test_permissions import Operation, leaks, operations
from tests.world import World, build

CALLS = 1000

__all__ = ["operations"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: Any, installed: Any) -> Any:
    services = installed(tmp_path_factory.mktemp("audited"))
    yield build(services)
    services.close()


@pytest.fixture(scope="module")
def app(world: World) -> Any:
    yield create_app(services=world.services)
    structlog.reset_defaults()


def query(chance: random.Random, world: World) -> dict[str, str]:
    """Something to ask beside the address, sensible or not, naming patients and studies of anywhere."""
    if chance.random() < 0.8:
        return {}
    place = chance.choice(list(world.places.values()))
    choices = (
        {},
        {"patient": str(place.patient)},
        {"study": str(place.study)},
        {"code": chance.choice(sorted(place.marks) or ["X"])},
        {"measure": "tap.valid_taps"},
        {"limit": "1"},
        {"measures": "all"},
        {"since": "2026-01-01T00:00:00Z"},
        {"status": "all"},
    )
    return chance.choice(choices) | chance.choice(choices)


@pytest.mark.slow
def test_each_successful_read_is_in_the_audit(app, world, operations):
    chance = random.Random(20261122)
    client, reads, told, wrong = app.test_client(), {}, Counter(), []
    named = [each for each in operations if each.permission is not None]
    for _ in range(CALLS):
        who = chance.choice(world.callers)
        # Most calls are such as the caller may make, so that much is read.
        mine = [each for each in named if who.has(each.permission) and each.method in ("get", "head")]
        operation: Operation = chance.choice(mine if mine and chance.random() < 0.9 else named)
        place = world.places["own"] if chance.random() < 0.4 else chance.choice(list(world.places.values()))
        headers = {"Authorization": f"Bearer {who.token}"}
        body = {"json": {}} if operation.method in ("put", "post", "patch") else {}
        if operation.permission in ("patient.erase", "account.own", "user.edit", "token.edit", "device.revoke"):
            continue  # what would take the world away
        with world.unchanged() if operation.method in ("put", "post", "patch", "delete") else nullcontext():
            answer = client.open(
                operation.address(place),
                method=operation.method.upper(),
                headers=headers,
                query_string=query(chance, world),
                **body,
            )
        told[answer.status_code] += 1
        wrong += leaks(who, operation, place, world, answer)
        if answer.status_code < 300 and operation.method in ("get", "head"):
            reads[answer.headers["X-Request-Id"]] = (who, operation, place)
    assert wrong[:5] == []
    with world.services.db.read() as db:
        entries = {row.request_id: row for row in db.query(AuditRow).where(AuditRow.change == "read")}
    of_patients = {key: read for key, read in reads.items() if MATRIX[read[1].permission].data == "patient"}
    assert len(of_patients) > 200
    assert set(entries) == set(of_patients)
    for key, (who, operation, place) in of_patients.items():
        entry = entries[key]
        assert entry.action == operation.permission
        assert entry.actor_kind == {"device": "device", "service": "service"}.get(who.role, "user")
        if "patient_id" in operation.names:
            assert entry.patient_id == place.patient
    assert verify(world.services).sound
    print(f"\n{told} answers, {len(of_patients)} reads of patients' data, each in the audit")
