"""Codes, what they are exchanged for, renewals, and whose a phone's token is."""

import base64
from datetime import timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, func, select

from konectom.errors import (
    EnrolmentRefused,
    EnrolmentUsed,
    FieldInvalid,
    NotAuthenticated,
    NotFound,
    RenewalRefused,
    RenewalSuperseded,
)
from konectom.security import acting, phones
from konectom.security.principal import Grant
from konectom.security.secrets import hash_of, new_secret
from konectom.settings import load_settings
from konectom.storage.database import GuardedSession
from konectom.storage.models import Base, Device, DeviceCredential, Renewal
from konectom.workflows import renewals
from konectom.workflows.credentials import COPIED
from konectom.workflows.devices import list_devices, revoke_device
from konectom.workflows.enrolments import (
    create_enrolment,
    enrol_device,
    exchange,
    list_enrolments,
    revoke_enrolment,
)
from konectom.workflows.renewals import renew
from konectom.workflows.services import Services
from konectom.workflows.tokens import authenticate


@pytest.fixture
def services(settings, clock):
    """Services with the lifetimes that are the default."""
    services = Services.open(load_settings({}, data_dir=settings.data_dir), clock=clock)
    yield services
    services.close()


@pytest.fixture
def code(services, patient):
    return create_enrolment(services, patient_id=patient)["code"]


def secret():
    return new_secret("renewal")


def devices_of(services, patient):
    return list_devices(services, patient_id=patient)["items"]


def only_enrolment(services, patient):
    (row,) = list_enrolments(services, patient_id=patient)["items"]
    return UUID(row["id"])


def holds(services, token):
    try:
        return authenticate(services, token).kind == "device"
    except NotAuthenticated:
        return False


# --- Codes ------------------------------------------------------------------------------------------------------------


def test_codes_are_long_and_never_the_same():
    codes = {phones.new_code() for _ in range(200)}
    assert len(codes) == 200
    for code in codes:
        letters = code.removeprefix("ke_").replace("-", "")
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


# --- Exchange ---------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("value", ["x" * 201, "a\0b"])
def test_what_a_phone_tells_of_itself_has_an_end(services, code, value):
    with pytest.raises(FieldInvalid) as refused:
        exchange(services, code=code, renewal=secret(), device={"model": value})
    assert refused.value.at == "/device/model"
    assert exchange(services, code=code, renewal=secret())  # the code was not used up by it


# --- Renewal ----------------------------------------------------------------------------------------------------------


def test_a_renewal_replaces_both_secrets(services, patient, clock):
    phone = enrol_device(services, patient_id=patient)
    following = secret()
    clock.forward(days=100)
    answer = renew(services, renewal=phone.renewal, next=following)
    assert answer["device"] == str(phone.device_id)
    assert answer["renewal"]["expires_at"] == (clock.now + timedelta(days=180)).isoformat()
    assert answer["access"]["expires_at"] == (clock.now + timedelta(hours=1)).isoformat()
    assert not holds(services, phone.access_token)
    assert holds(services, answer["access"]["token"])
    again = renew(services, renewal=following, next=secret())
    assert not holds(services, answer["access"]["token"])
    assert holds(services, again["access"]["token"])


def test_the_same_renewal_again_is_the_same_answer(services, patient, clock):
    phone, following = enrol_device(services, patient_id=patient), secret()
    first = renew(services, renewal=phone.renewal, next=following)
    clock.forward(days=3)
    assert renew(services, renewal=phone.renewal, next=following) == first


def test_an_older_renewal_that_comes_late_changes_nothing(services, patient):
    phone = enrol_device(services, patient_id=patient)
    chain = [phone.renewal, *(secret() for _ in range(4))]
    for old, new in pairwise(chain):
        last = renew(services, renewal=old, next=new)
    for old, new in pairwise(chain[:-1]):
        with pytest.raises(RenewalSuperseded):
            renew(services, renewal=old, next=new)
    assert holds(services, last["access"]["token"])


@pytest.mark.parametrize("thief_first", [True, False])
def test_a_secret_in_two_hands_opens_for_neither(services, patient, thief_first):
    phone = enrol_device(services, patient_id=patient)
    mine, his = secret(), secret()
    first, second = (his, mine) if thief_first else (mine, his)
    held = renew(services, renewal=phone.renewal, next=first)
    with pytest.raises(RenewalRefused):
        renew(services, renewal=phone.renewal, next=second)
    assert not holds(services, held["access"]["token"])
    for old in (first, second, phone.renewal):
        with pytest.raises(RenewalRefused):
            renew(services, renewal=old, next=secret())
    (device,) = devices_of(services, patient)
    assert device["revoked_for"] == COPIED


def test_an_older_secret_in_two_hands_is_found_out_as_well(services, patient):
    phone = enrol_device(services, patient_id=patient)
    second, third = secret(), secret()
    renew(services, renewal=phone.renewal, next=second)
    held = renew(services, renewal=second, next=third)
    with pytest.raises(RenewalRefused):
        renew(services, renewal=phone.renewal, next=secret())
    assert not holds(services, held["access"]["token"])


def test_the_next_secret_must_be_new(services, people, patient):
    phone = enrol_device(services, patient_id=patient)
    other = enrol_device(services, patient_id=people.patient())
    second = secret()
    renew(services, renewal=phone.renewal, next=second)
    for used in (second, phone.renewal, other.renewal):
        with pytest.raises(FieldInvalid) as refused:
            renew(services, renewal=second, next=used)
        assert refused.value.at == "/next"
    assert holds(services, other.access_token)
    assert renew(services, renewal=second, next=secret())


def test_a_phone_that_was_away_too_long_is_enrolled_anew(services, patient, clock):
    phone = enrol_device(services, patient_id=patient)
    clock.forward(days=179, hours=23)
    following = secret()
    renew(services, renewal=phone.renewal, next=following)
    clock.forward(days=180)
    with pytest.raises(RenewalRefused):
        renew(services, renewal=following, next=secret())


def test_every_refusal_of_a_renewal_reads_the_same(services, patient, clock):
    told = []
    phones_ = [enrol_device(services, patient_id=patient) for _ in range(3)]
    revoke_device(services, phones_[0].device_id)
    renew(services, renewal=phones_[1].renewal, next=secret())
    for each in (phones_[0].renewal, phones_[1].renewal, secret()):
        with pytest.raises(RenewalRefused) as refused:
            renew(services, renewal=each, next=secret())
        told.append(refused.value.as_dict())
    clock.forward(days=181)
    with pytest.raises(RenewalRefused) as refused:
        renew(services, renewal=phones_[2].renewal, next=secret())
    assert told == [refused.value.as_dict()] * 3


def test_what_is_kept_of_renewals_has_an_end(services, patient, clock, monkeypatch):
    monkeypatch.setattr(renewals, "PRUNED_AT_ONCE", 3)
    phone = enrol_device(services, patient_id=patient)
    other = enrol_device(services, patient_id=patient)
    others = secret()
    renew(services, renewal=other.renewal, next=others)
    held = phone.renewal
    counts = []
    for days in (0,) * 10 + (170, 20) + (1,) * 6:
        clock.forward(days=days)
        following = secret()
        renew(services, renewal=held, next=following)
        with services.db.read() as db:
            kept = select(func.count()).select_from(Renewal).where(Renewal.device_id == phone.device_id)
            counts.append(db.scalar(kept))
        assert renew(services, renewal=held, next=following)  # the last one is never forgotten
        held = following
    assert counts == [*range(1, 12), 9, 7, 5, 5, 6, 7, 8]
    with services.db.read() as db:
        assert db.get(Renewal, hash_of(other.renewal)) is not None


# --- Tokens -----------------------------------------------------------------------------------------------------------


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


# --- Who acts ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def actors(services):
    """Who acted as rows of these kinds were written."""
    noted = []

    def note(session, context):
        for row in (*session.new, *session.dirty):
            if isinstance(row, (Device, DeviceCredential)):
                noted.append(acting.acting())

    event.listen(GuardedSession, "after_flush", note)
    yield noted
    event.remove(GuardedSession, "after_flush", note)


def test_the_phone_acts_and_its_address_is_left_out(services, patient, code, actors):
    with acting.acting_as(acting.Acting(kind="anybody", request_id="r" * 8, address="192.0.2.1")):
        mine = secret()
        device = exchange(services, code=code, renewal=mine)["device"]
        renew(services, renewal=mine, next=secret())
        with pytest.raises(RenewalRefused):
            renew(services, renewal=mine, next=secret())
    assert [(each.kind, str(each.id), each.request_id, each.address) for each in actors] == [
        *[("device", device, "r" * 8, "")] * 3,
        ("server", "None", "r" * 8, ""),
    ]
    assert "two" in actors[-1].why
