"""Damaged files of foreign formats over HTTP are taken or refused; none makes us fail, none refused leaves a trace.

The files are those of the readers' own fuzz tests: real ones cut to a few rows and made-up ones, one for each task.
"""

from __future__ import annotations

import contextlib
import copy
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from konectom.storage.models import Blob, RecordingRow, ResultRow, SessionRow
from konectom.workflows.services import Services
from tests.api.client import Caller
from tests.formats import test_apdm, test_fuzz
from tests.kept import kept

REFUSALS = (400, 409, 413, 415, 422)
FOREIGN = sorted(name for name in test_fuzz.documents() if name != "session1")
MEDIA_TYPES = ("application/json", "application/vnd.konectom2+json", "application/octet-stream", "text/plain")

quick = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def stored(services: Services) -> tuple[int, ...]:
    """Return how many rows and files there are."""
    with services.db.read() as db:
        rows = tuple(db.query(table).count() for table in (SessionRow, RecordingRow, ResultRow, Blob))
    return (*rows, len(kept(services)))


def put(phone: Caller, services: Services, body: bytes, session: UUID, media_type: str) -> TestResponse:
    """Hand a body over and check what every answer owes."""
    before = stored(services)
    answer = phone.put(body, session, headers={"Content-Type": media_type})
    after = stored(services)
    if answer.status_code == 201:
        assert after[0] == before[0] + 1
        assert answer.json["recordings"], "a session without a recording is refused"
        assert "failed" not in {each["status"] for each in answer.json["recordings"]}
    else:
        assert answer.status_code in REFUSALS, answer.text
        assert after[:3] == before[:3], "what was refused made a session"
        held = answer.json["kept"] is not None
        new = after[3] - before[3], after[4] - before[4]
        assert new in {(0, 0), (held, held)}, (
            "what was refused is one object in quarantine, and the same bytes no other"
        )
    return answer


def named(document: Any, session: UUID) -> Any:
    """Return the document under an id of its own: that of the session, where its format has one."""
    if "header" in document:
        document["header"]["id"] = str(session)
    elif "uuid" in document:
        document["uuid"] = str(session)
    return document


@pytest.mark.parametrize("name", FOREIGN)
def test_the_files_are_taken_as_they_are(phone: Caller, services: Services, name: str) -> None:
    session = uuid4()
    body = orjson.dumps(named(orjson.loads(test_fuzz.documents()[name]), session))
    assert put(phone, services, body, session, "application/json").status_code == 201


@settings(quick, max_examples=300)
@given(st.data())
def test_a_damaged_file_is_taken_or_refused(phone: Caller, services: Services, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FOREIGN), label="task")
    session = uuid4()
    document = named(orjson.loads(test_fuzz.documents()[name]), session)
    hurts = st.tuples(
        st.sampled_from(test_fuzz.places_of(name)),
        st.sampled_from(["leave out", "shorten", "double", "insert", "replace", "replace"]),
        test_fuzz.WRONG,
    )
    for place, how, value in data.draw(st.lists(hurts, min_size=1, max_size=4), label="damage"):
        test_fuzz.damage(document, place, how, copy.deepcopy(value))
    nested = b"[" * 900 + b"]" * 900
    body = orjson.dumps(document).replace(orjson.dumps(test_fuzz.DEEP), nested)
    put(phone, services, body, session, data.draw(st.sampled_from(MEDIA_TYPES), label="media type"))


@settings(quick, max_examples=100)
@given(st.data())
def test_a_file_cut_or_changed_in_its_bytes_is_taken_or_refused(
    phone: Caller, services: Services, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(FOREIGN), label="task")
    session = uuid4()
    body = bytearray(orjson.dumps(named(orjson.loads(test_fuzz.documents()[name]), session)))
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3), label="places"):
        body[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(body)), label="cut")
    put(phone, services, bytes(body[:cut]), session, "application/json")


def _remove(path: str) -> Any:
    def change(file: Any) -> None:
        del file[path]

    return change


def _replace(path: str, values: Any) -> Any:
    def change(file: Any) -> None:
        held = dict(file[path].attrs)
        del file[path]
        file[path] = values
        file[path].attrs.update(held)

    return change


def _attribute(path: str, name: str, value: Any) -> Any:
    def change(file: Any) -> None:
        file[path].attrs[name] = value

    return change


SENSOR = "Sensors/17"
DATASETS = (f"{SENSOR}/Time", f"{SENSOR}/Accelerometer", f"{SENSOR}/Gyroscope", "Processed/17/Orientation")
PLACES = (*DATASETS, SENSOR, "Sensors", "Processed", f"{SENSOR}/Configuration")
WRONG_VALUES = st.sampled_from(
    [
        *(7, -1.5, b"text", [], [1.0], [[1.0, 2.0]], [[float("nan")] * 3] * 5, [[1e300] * 3] * 5),
        *([b"a", b"b"], [0] * 5, [2**63] * 5, [[[0.0]]], [[0.0] * 4] * 5),
    ]
)
HARM = st.one_of(
    st.sampled_from(PLACES).map(_remove),
    st.tuples(st.sampled_from(DATASETS), WRONG_VALUES).map(lambda told: _replace(*told)),
    st.tuples(
        st.sampled_from(PLACES),
        st.sampled_from(["Units", "Label 0", "Timezone Offset"]),
        st.sampled_from([b"", b"x", b"m/s^2", 7, [1, 2], b"99.00"]),
    ).map(lambda told: _attribute(*told)),
)


@settings(quick, max_examples=100)
@given(st.data())
def test_a_damaged_hdf5_file_is_taken_or_refused(phone: Caller, services: Services, data: st.DataObject) -> None:
    def hurt(file: Any) -> None:
        for change in data.draw(st.lists(HARM, min_size=1, max_size=3), label="damage"):
            with contextlib.suppress(KeyError):  # an earlier one took the place away
                change(file)

    body = bytearray(test_apdm.written(hurt))
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3), label="places"):
        body[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(body)), label="cut")
    put(phone, services, bytes(body[:cut]), uuid4(), "application/x-hdf5")


def test_a_whole_hdf5_file_is_taken(phone: Caller, services: Services) -> None:
    assert put(phone, services, test_apdm.written(rows=500), uuid4(), "application/x-hdf5").status_code == 201
