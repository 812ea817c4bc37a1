"""Whose a phone's token is, what is no secret of a phone's, and what is kept of them."""

import base64
from uuid import uuid4

import pytest
from sqlalchemy import select

from konectom.errors import FieldInvalid, NotAuthenticated
from konectom.security import phones
from konectom.security.principal import Grant
from konectom.security.secrets import hash_of, new_secret
from konectom.storage.models import Base
from konectom.workflows.access.tokens import authenticate
from konectom.workflows.patients.devices import revoke_device
from konectom.workflows.patients.enrolments import enrol_device, exchange
from konectom.workflows.patients.renewals import renew
from tests.workflows.patients.enrolling import code, devices_of, holds, secret, services

__all__ = ["code", "services"]


def test_a_token_says_whose_phone_it_is(services, people, clock):
    study = people.study()
    patient = people.patient(study)
    phone = enrol_device(services, patient_id=patient)
    caller = authenticate(services, phone.access_token)
    assert (caller.kind, caller.id, caller.patient_id) == ("device", phone.device_id, patient)
    assert caller.grants == (Grant("device", study),)
    clock.forward(minutes=59, seconds=59)
    assert holds(services, phone.access_token)
    clock.forward(seconds=1)
    with pytest.raises(NotAuthenticated, match="expired"):
        authenticate(services, phone.access_token)


def test_shutting_out_takes_effect_at_once_and_once(services, patient, clock):
    phone = enrol_device(services, patient_id=patient)
    revoke_device(services, phone.device_id, reason="stolen")
    with pytest.raises(NotAuthenticated, match="revoked"):
        authenticate(services, phone.access_token)
    before = devices_of(services, patient)
    clock.forward(hours=1)
    revoke_device(services, phone.device_id, reason="lost")
    assert devices_of(services, patient) == before
    with pytest.raises(FieldInvalid):
        revoke_device(services, phone.device_id, reason="Mrs Smith lost it")


def test_no_other_secret_opens(services, patient, code):
    phone = enrol_device(services, patient_id=patient)
    for wrong in (
        phone.renewal,
        code,
        phone.access_token[:-1],
        phone.access_token + "A",
        phone.access_token.swapcase(),
        "kd_" + phone.renewal.removeprefix("kr_"),
        "ks_" + phone.access_token.removeprefix("kd_"),
        phone.access_token.removeprefix("kd_"),
        hash_of(phone.access_token),
        new_secret("access"),
    ):
        assert not holds(services, wrong)
    assert holds(services, phone.access_token)


def test_the_token_follows_from_secret_and_device_alone():
    mine, device = secret(), uuid4()
    assert phones.access_token(mine, device) == phones.access_token(mine, device)
    others = {phones.access_token(mine, uuid4()), phones.access_token(secret(), device)}
    assert len(others | {phones.access_token(mine, device)}) == 3
    assert all(len(each) == 46 and each.startswith("kd_") for each in others)


def test_no_secret_is_kept(services, patient, code):
    mine, following = secret(), secret()
    tokens = [exchange(services, code=code, renewal=mine)["access"]["token"]]
    tokens.append(renew(services, renewal=mine, next=following)["access"]["token"])
    with services.db.read() as db:
        kept = [
            str(value)
            for table in (
                Base.metadata.tables[name] for name in ("device", "device_credential", "enrolment", "renewal")
            )
            for row in db.execute(select(table))
            for value in row
        ]
    assert hash_of(following) in kept
    for each in (code, mine, following, *tokens):
        assert not [value for value in kept if each in value or each[3:] in value]
    assert mine not in repr(enrol_device(services, patient_id=patient))


WRONG_SECRETS = (
    "",
    "kr_",
    "kd_" + "A1" * 21 + "A",
    "kr_" + "A1" * 21,
    "kr_" + "A1" * 22,
    "kr_" + "A1" * 21 + "=",
    "kr_" + "A1" * 21 + "B",  # the last letter has bits that no byte holds
    "kr_" + "A+" * 21 + "A",
    "kr_" + "é" * 43,
    "kr_" + "A" * 43,
    "kr_" + base64.urlsafe_b64encode(b"\xff" * 32).rstrip(b"=").decode(),
    "kr_" + "A1" * 20 + "\0AA",
)


@pytest.mark.parametrize("wrong", WRONG_SECRETS)
def test_a_secret_that_is_none_is_refused_where_it_stands(services, patient, code, wrong):
    with pytest.raises(FieldInvalid) as refused:
        exchange(services, code=code, renewal=wrong)
    assert refused.value.at == "/renewal"
    enrolled = enrol_device(services, patient_id=patient)
    for told, at in (({"renewal": wrong, "next": secret()}, "/renewal"), ({"next": wrong}, "/next")):
        with pytest.raises(FieldInvalid) as refused:
            renew(services, **{"renewal": enrolled.renewal} | told)
        assert refused.value.at == at
