"""Phones that ask at the same instant, and phones of a real server: what is promised of one at a time holds as well."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import Any

import orjson
import pytest

from konectom.errors import EnrolmentRefused, FieldInvalid, RenewalRefused
from konectom.security.secrets import new_secret
from konectom.workflows.patients.enrolments import create_enrolment, enrol_device, exchange
from konectom.workflows.patients.renewals import renew
from konectom.workflows.services import Services
from tests.api.server_process import serving
from tests.phone import Answer, Network, NoAnswer, Phone, Request
from tests.ward import client, hourly, ward

__all__ = ["client", "hourly", "ward"]


def at_once(count: int, ask: Any) -> list[Any]:
    """Call ``ask(0)``, ``ask(1)``, … in as many threads at the same instant; return answers and refusals."""
    gate = Barrier(count)

    def one(index: int) -> Any:
        gate.wait()
        try:
            return ask(index)
        except (EnrolmentRefused, RenewalRefused, FieldInvalid) as refusal:
            return refusal

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


TRIES = range(10)


@pytest.mark.parametrize("attempt", TRIES)
def test_of_many_phones_with_one_code_one_is_enrolled(ward, patient, attempt):
    code, secrets = create_enrolment(ward.services, patient_id=patient)["code"], new_secrets(4)
    told = at_once(4, lambda index: exchange(ward.services, code=code, renewal=secrets[index]))
    assert [type(each) for each in told if not isinstance(each, dict)] == [EnrolmentRefused] * 3
    assert len(ward.live(patient)) == 1


def test_one_phone_that_asks_many_times_at_once_is_one_phone(ward, patient):
    code, (secret, following) = create_enrolment(ward.services, patient_id=patient)["code"], new_secrets(2)
    told = at_once(4, lambda _: exchange(ward.services, code=code, renewal=secret))
    assert told == [told[0]] * 4
    told = at_once(4, lambda _: renew(ward.services, renewal=secret, next=following))
    assert told == [told[0]] * 4
    assert ward.opens(told[0]["access"]["token"])


@pytest.mark.parametrize("attempt", TRIES)
def test_of_two_who_renew_one_secret_at_once_neither_stays(ward, patient, attempt):
    held, following = enrol_device(ward.services, patient_id=patient).renewal, new_secrets(2)
    told = at_once(2, lambda index: renew(ward.services, renewal=held, next=following[index]))
    assert sorted(isinstance(each, RenewalRefused) for each in told) == [False, True]
    assert ward.live(patient) == []


@pytest.mark.parametrize("attempt", TRIES)
def test_two_codes_made_at_once_are_not_both_open(ward, patient, attempt):
    codes = [each["code"] for each in at_once(2, lambda _: create_enrolment(ward.services, patient_id=patient))]
    assert sorted(row.revoked_at is None for row in map(ward.enrolment, codes)) == [False, True]


@pytest.mark.parametrize("attempt", TRIES)
def test_two_phones_that_come_with_the_same_secret_at_once_are_not_both_enrolled(ward, people, attempt):
    codes = [create_enrolment(ward.services, patient_id=people.patient())["code"] for _ in range(2)]
    (secret,) = new_secrets(1)
    told = at_once(2, lambda index: exchange(ward.services, code=codes[index], renewal=secret))
    assert sorted(isinstance(each, FieldInvalid) for each in told) == [False, True]


def new_secrets(count: int) -> list[str]:
    return [new_secret("renewal") for _ in range(count)]


def test_over_a_real_server(settings, people, tmp_path):
    services = Services.open(settings)
    patient = people.patient()
    seen: Counter[str] = Counter()
    with serving(settings, workers=2) as server:

        def serve(request: Request) -> Answer:
            headers = {"Content-Type": "application/json"}
            if request.token is not None:
                headers["Authorization"] = f"Bearer {request.token}"
            connection = server.connect()
            connection.request(request.method, request.path, orjson.dumps(request.body), headers)
            answer = connection.getresponse()
            told = Answer(answer.status, orjson.loads(answer.read()))
            connection.close()
            return told

        dice = random.Random(1)
        network = Network(serve, dice, seen)
        phone = Phone(network)
        phone.scan(create_enrolment(services, patient_id=patient)["code"])
        for _ in range(60):
            with suppress(NoAnswer):
                phone.renew() if phone.enrolled else phone.enrol()
            network.bring_late_ones()
            assert not phone.needs_code
        network.bad = False
        phone.renew()
        answer = phone.call("GET", f"/api/v1/patients/{patient}", now=None)
    services.close()
    assert answer is not None
    assert answer.status == 200
    assert seen["requests late"]
    assert seen["answers dropped"]
