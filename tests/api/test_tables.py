"""Tables and archives over HTTP: the same receipt as for JSON; damaged, they are refused without a trace."""

from __future__ import annotations

import gzip
import random
from uuid import uuid4

import orjson
import pytest

from konectom.storage.models import SessionRow
from konectom.workflows.services import Services
from tests.api.client import Caller
from tests.api.test_foreign_bodies import REFUSALS, stored
from tests.formats.carried import FORMS, damaged
from tests.formats.test_session1 import SESSION

MEDIA_TYPES = {
    "stream": "application/vnd.apache.arrow.stream",
    "file": "application/vnd.apache.arrow.file",
    "parquet zstd": "application/vnd.apache.parquet",
    "archive": "application/vnd.konectom.session.v1+zip",
}


@pytest.mark.parametrize("form", MEDIA_TYPES)
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_the_receipt_is_that_of_json(phone: Caller, services: Services, form: str, encoding: str | None) -> None:
    plain = phone.put(orjson.dumps(SESSION), uuid4()).json
    session, body = uuid4(), FORMS[form](SESSION)
    headers = {"Content-Type": MEDIA_TYPES[form]} | ({"Content-Encoding": encoding} if encoding else {})
    answer = phone.put(gzip.compress(body) if encoding else body, session, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.json["format"] == "konectom.session/1"
    assert answer.json["recordings"] == plain["recordings"]
    with services.db.read() as db:
        row = db.get_one(SessionRow, session)
        assert (row.media_type, row.encoding) == (MEDIA_TYPES[form], encoding)


@pytest.mark.parametrize("form", MEDIA_TYPES)
def test_damaged_ones_leave_nothing_or_a_session(phone: Caller, services: Services, form: str) -> None:
    whole = FORMS[form](SESSION)
    for seed in range(25):
        before = stored(services)
        body = damaged(whole, random.Random(f"{form} {seed}"))
        answer = phone.put(body, uuid4(), headers={"Content-Type": MEDIA_TYPES[form]})
        sessions, *results, objects, files = (now - then for now, then in zip(stored(services), before, strict=True))
        if answer.status_code == 201:
            assert sessions == 1
            assert "failed" not in {each["status"] for each in answer.json["recordings"]}
        else:
            assert answer.status_code in REFUSALS, answer.text
            assert (sessions, *results) == (0, 0, 0)
            assert objects == files == ("kept" in answer.json), "what was refused left something behind"
