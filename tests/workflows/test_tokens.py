import hashlib
import sqlite3
from contextlib import closing
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import event, select

from konectom.errors import FieldInvalid, NotAuthenticated, NotFound
from konectom.storage.models import Credential
from konectom.workflows.tokens import (
    Principal,
    authenticate,
    issue_device_token,
    issue_staff_token,
    list_tokens,
    revoke_token,
)


def test_a_phone_speaks_for_its_patient(services, people):
    study = people.study()
    patient = people.patient(study)
    device = people.device(patient)
    issued = issue_device_token(services, device_id=device, name="phone")
    assert issued.token.startswith("kd_")
    who = authenticate(services, issued.token)
    assert who == Principal("device", issued.credential_id, device, patient, study, "phone")


def test_staff_speak_for_one_study_or_all(services, people):
    study = people.study()
    one = issue_staff_token(services, name="Ann", study_id=study)
    every = issue_staff_token(services, name="Bob")
    assert one.token.startswith("ks_")
    assert authenticate(services, one.token) == Principal("staff", one.credential_id, None, None, study, "Ann")
    assert authenticate(services, every.token) == Principal("staff", every.credential_id, None, None, None, "Bob")


def test_a_token_has_256_random_bits_and_only_its_hash_is_kept(services, people, settings):
    device = people.device()
    tokens = {issue_device_token(services, device_id=device).token for _ in range(20)}
    assert len(tokens) == 20
    assert {len(token) for token in tokens} == {3 + 43}
    with services.db.read() as db:
        kept = set(db.scalars(select(Credential.token_hash)))
    assert kept == {hashlib.sha256(token.encode()).hexdigest() for token in tokens}
    services.close()
    with closing(sqlite3.connect(settings.data_dir / "konectom.sqlite3")) as connection:
        dump = "\n".join(connection.iterdump())
    assert not any(token[3:] in dump for token in tokens)


def test_a_token_is_not_printed_by_accident(services, people):
    issued = issue_device_token(services, device_id=people.device())
    assert issued.token[3:] not in repr(issued)


@pytest.mark.parametrize("token", ["", "kd_", "ks_" + "x" * 43, "\ud800", "é" * 50, "x" * 100_000])
def test_an_unknown_token_opens_nothing(services, token):
    with pytest.raises(NotAuthenticated, match="not known"):
        authenticate(services, token)


def test_neither_a_hash_nor_another_kinds_prefix_opens_anything(services, people):
    issued = issue_device_token(services, device_id=people.device())
    for wrong in (hashlib.sha256(issued.token.encode()).hexdigest(), "ks_" + issued.token[3:], issued.token[3:]):
        with pytest.raises(NotAuthenticated):
            authenticate(services, wrong)


def test_a_token_expires(services, people, clock):
    issued = issue_device_token(services, device_id=people.device(), lifetime=timedelta(days=1))
    assert issued.expires_at == clock.now + timedelta(days=1)
    clock.forward(days=1, microseconds=-1)
    authenticate(services, issued.token)
    clock.forward(microseconds=1)
    with pytest.raises(NotAuthenticated, match="expired at 2026-11-22T09:00:00"):
        authenticate(services, issued.token)


def test_how_long_is_a_setting(services, people, clock):
    device = issue_device_token(services, device_id=people.device())
    staff = issue_staff_token(services, name="Ann")
    assert device.expires_at - clock.now == services.settings.device_token_lifetime
    assert staff.expires_at - clock.now == services.settings.staff_token_lifetime


def test_a_token_is_revoked_and_stays_so(services, people, clock):
    device = people.device()
    first, second = (issue_device_token(services, device_id=device) for _ in range(2))
    revoke_token(services, first.credential_id)
    clock.forward(hours=1)
    revoke_token(services, first.credential_id)
    with pytest.raises(NotAuthenticated, match="revoked"):
        authenticate(services, first.token)
    authenticate(services, second.token)
    (told,) = [each for each in list_tokens(services)["items"] if each["id"] == str(first.credential_id)]
    assert told["revoked_at"] == "2026-11-21T09:00:00+00:00"
    with pytest.raises(NotFound):
        revoke_token(services, uuid4())


def test_tokens_are_listed_without_what_opens(services, people):
    device = people.device()
    issue_staff_token(services, name="Ann")
    issued = issue_device_token(services, device_id=device)
    assert len(list_tokens(services)["items"]) == 2
    (told,) = list_tokens(services, device_id=device)["items"]
    assert set(told) == {"id", "kind", "device", "study", "name", "created_at", "expires_at", "revoked_at"}
    assert issued.token not in str(told)


def test_to_authenticate_writes_nothing(services, people):
    issued = issue_device_token(services, device_id=people.device())
    statements = []
    event.listen(services.db.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    authenticate(services, issued.token)
    assert len([each for each in statements if each.startswith("SELECT")]) == 1
    assert not [each for each in statements if each.startswith(("INSERT", "UPDATE", "BEGIN IMMEDIATE"))]


def test_a_name_has_an_end(services):
    with pytest.raises(FieldInvalid):
        issue_staff_token(services, name="x" * 201)


def test_nobody_gets_a_token_who_does_not_exist(services):
    with pytest.raises(NotFound):
        issue_device_token(services, device_id=uuid4())
    with pytest.raises(NotFound):
        issue_staff_token(services, name="Ann", study_id=uuid4())
