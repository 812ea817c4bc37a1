"""Codes, and what they are exchanged for."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from konectom.errors import EnrolmentRefused, EnrolmentUsed, FieldInvalid, NotFound, RenewalSuperseded
from konectom.security import phones
from konectom.workflows.patients.devices import revoke_device
from konectom.workflows.patients.enrolments import (
    create_enrolment,
    enrol_device,
    exchange,
    list_enrolments,
    revoke_enrolment,
)
from konectom.workflows.patients.renewals import renew
from tests.workflows.patients.enrolling import code, devices_of, holds, only_enrolment, secret, services

__all__ = ["code", "services"]


def test_codes_are_long_and_never_the_same():
    codes = {phones.new_code() for _ in range(200)}
    assert len(codes) == 200
    for each in codes:
        letters = each.removeprefix("ke_").replace("-", "")
        assert len(letters) * 5 >= 128
        assert set(letters) <= set(phones.ALPHABET)
    assert len(set(phones.ALPHABET)) == 32


def test_a_code_may_be_typed_as_people_type(services, code):
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert exchange(services, code=f" {typed}\n", renewal=secret())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda code: code[:-1],
        lambda code: code + "0",
        lambda code: code.removeprefix("ke_"),
        lambda code: "kr_" + code.removeprefix("ke_"),
        lambda code: code[:-1] + ("0" if code[-1] != "0" else "1"),
        lambda code: code[:-1] + "U",
        lambda code: code[:-1] + "é",
        lambda code: "",
        lambda code: "ke_" + "0" * 1_000_000,
        lambda code: "ke_\0",
        lambda code: "ke_\ud800",
    ],
)
def test_another_code_is_refused_in_the_same_words(services, code, wrong):
    with pytest.raises(EnrolmentRefused) as refused:
        exchange(services, code=wrong(code), renewal=secret())
    with pytest.raises(EnrolmentRefused) as unknown:
        exchange(services, code=phones.new_code(), renewal=secret())
    assert refused.value.detail == unknown.value.detail


def test_every_refusal_of_a_code_reads_the_same(services, patient, clock, code):
    told = []

    def refused(code):
        with pytest.raises(EnrolmentRefused) as error:
            exchange(services, code=code, renewal=secret())
        told.append(error.value.as_dict())

    exchange(services, code=code, renewal=secret())
    refused(code)  # used by another
    made = create_enrolment(services, patient_id=patient)
    revoke_enrolment(services, UUID(made["id"]))
    refused(made["code"])  # void
    late = create_enrolment(services, patient_id=patient)
    clock.forward(days=7)
    refused(late["code"])  # expired
    refused(phones.new_code())  # unknown
    assert [each == told[0] for each in told] == [True] * 4


def test_a_code_holds_for_its_lifetime(services, patient, clock, code):
    clock.forward(days=6, hours=23, minutes=59)
    assert exchange(services, code=code, renewal=secret())["patient"] == str(patient)


def test_a_new_code_makes_the_unused_one_void(services, people, patient, clock, code):
    clock.forward(minutes=1)
    other = create_enrolment(services, patient_id=people.patient())["code"]
    create_enrolment(services, patient_id=patient)
    with pytest.raises(EnrolmentRefused):
        exchange(services, code=code, renewal=secret())
    exchange(services, code=other, renewal=secret())
    assert [row["state"] for row in list_enrolments(services, patient_id=patient)["items"]] == ["revoked", "open"]


def test_the_list_tells_what_became_of_codes_and_not_the_codes(services, patient, clock, code):
    device = exchange(services, code=code, renewal=secret())["device"]
    clock.forward(days=1)
    second = create_enrolment(services, patient_id=patient)
    clock.forward(days=8)
    items = list_enrolments(services, patient_id=patient)["items"]
    assert [(row["state"], row["device"]) for row in items] == [("used", device), ("expired", None)]
    assert code not in str(items)
    assert second["code"] not in str(items)


def test_a_used_code_cannot_be_made_void_and_says_which_phone_used_it(services, patient, code):
    device = exchange(services, code=code, renewal=secret())["device"]
    with pytest.raises(EnrolmentUsed) as refused:
        revoke_enrolment(services, only_enrolment(services, patient))
    assert refused.value.context == {"device": device}


def test_of_another_patient_nothing_is_found(services, people, patient, code):
    other = people.patient()
    with pytest.raises(NotFound):
        revoke_enrolment(services, only_enrolment(services, patient), patient_id=other)
    enrolled = enrol_device(services, patient_id=patient)
    with pytest.raises(NotFound):
        revoke_device(services, enrolled.device_id, patient_id=other)
    with pytest.raises(NotFound):
        revoke_enrolment(services, uuid4())
    with pytest.raises(NotFound):
        revoke_device(services, uuid4())
    with pytest.raises(NotFound):
        create_enrolment(services, patient_id=uuid4())
    assert holds(services, enrolled.access_token)
    assert list_enrolments(services, patient_id=other)["items"] == []
    assert devices_of(services, other) == []


def test_a_phone_is_enrolled_with_what_it_tells(services, patient, clock, code):
    facts = {"platform": "ios", "model": "iPhone15,2", "os": "19.1", "app": None}
    answer = exchange(services, code=code, renewal=secret(), device=facts)
    assert answer["patient"] == str(patient)
    assert answer["access"]["expires_at"] == (clock.now + timedelta(hours=1)).isoformat()
    assert answer["renewal"] == {"expires_at": (clock.now + timedelta(days=180)).isoformat()}
    (device,) = devices_of(services, patient)
    assert {name: device[name] for name in facts} == facts
    assert (device["id"], device["enrolled_at"], device["revoked_at"]) == (
        answer["device"],
        clock.now.isoformat(),
        None,
    )


def test_the_same_exchange_again_is_the_same_answer(services, patient, clock, code):
    mine = secret()
    first = exchange(services, code=code, renewal=mine, device={"os": "1"})
    clock.forward(days=30)  # the code expired, and so did the token: the phone renews it then
    assert exchange(services, code=code, renewal=mine, device={"os": "2"}) == first
    assert len(devices_of(services, patient)) == 1
    assert devices_of(services, patient)[0]["os"] == "1"


def test_a_used_code_is_worth_nothing_to_another(services, patient, code):
    first = exchange(services, code=code, renewal=secret())
    with pytest.raises(EnrolmentRefused):
        exchange(services, code=code, renewal=secret())
    assert holds(services, first["access"]["token"])
    assert len(devices_of(services, patient)) == 1


def test_an_exchange_that_comes_late_changes_nothing(services, patient, code):
    mine, following = secret(), secret()
    exchange(services, code=code, renewal=mine)
    renewed = renew(services, renewal=mine, next=following)
    with pytest.raises(RenewalSuperseded):
        exchange(services, code=code, renewal=mine)
    assert holds(services, renewed["access"]["token"])


def test_a_phone_that_was_shut_out_does_not_come_back_by_its_code(services, patient, code):
    mine = secret()
    exchange(services, code=code, renewal=mine)
    shut_out_all(services, patient)
    with pytest.raises(EnrolmentRefused):
        exchange(services, code=code, renewal=mine)
    fresh = create_enrolment(services, patient_id=patient)["code"]
    with pytest.raises(FieldInvalid) as refused:
        exchange(services, code=fresh, renewal=mine)
    assert refused.value.at == "/renewal"
    assert exchange(services, code=fresh, renewal=secret())


def shut_out_all(services, patient):
    for row in devices_of(services, patient):
        revoke_device(services, UUID(row["id"]), reason="lost")


def test_a_second_code_to_a_phone_that_heard_nothing_of_the_first_makes_no_second_phone(services, patient, code):
    mine = secret()
    unheard = exchange(services, code=code, renewal=mine)
    second = create_enrolment(services, patient_id=patient)["code"]
    assert exchange(services, code=second, renewal=mine) == unheard
    assert exchange(services, code=second, renewal=mine) == unheard
    assert len(devices_of(services, patient)) == 1


def test_a_patient_may_have_two_phones(services, patient):
    first, second = (enrol_device(services, patient_id=patient) for _ in range(2))
    assert first.device_id != second.device_id
    assert holds(services, first.access_token)
    assert holds(services, second.access_token)
    revoke_device(services, first.device_id)
    assert not holds(services, first.access_token)
    assert holds(services, second.access_token)


def test_a_secret_of_another_patients_phone_enrols_nobody(services, people, patient, code):
    other = enrol_device(services, patient_id=people.patient())
    with pytest.raises(FieldInvalid):
        exchange(services, code=code, renewal=other.renewal)
    assert holds(services, other.access_token)
    assert devices_of(services, patient) == []
    assert exchange(services, code=code, renewal=secret())


def test_a_copied_secret_that_comes_with_a_new_code_shuts_its_phone_out(services, patient, code):
    mine = secret()
    exchange(services, code=code, renewal=mine)
    by_thief = renew(services, renewal=mine, next=secret())
    fresh = create_enrolment(services, patient_id=patient)["code"]
    with pytest.raises(FieldInvalid):
        exchange(services, code=fresh, renewal=mine)
    assert not holds(services, by_thief["access"]["token"])
    assert exchange(services, code=fresh, renewal=secret())


@pytest.mark.parametrize("value", ["x" * 201, "a\0b"])
def test_what_a_phone_tells_of_itself_has_an_end(services, code, value):
    with pytest.raises(FieldInvalid) as refused:
        exchange(services, code=code, renewal=secret(), device={"model": value})
    assert refused.value.at == "/device/model"
    assert exchange(services, code=code, renewal=secret())  # the code was not used up by it
