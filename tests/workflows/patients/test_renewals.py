"""How a phone renews its token, and what tells a repetition from a theft."""

from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import event, func, select

from konectom.errors import FieldInvalid, RenewalRefused, RenewalSuperseded
from konectom.security import acting
from konectom.security.secrets import hash_of
from konectom.storage.database import GuardedSession
from konectom.storage.models import Device, DeviceCredential, Renewal
from konectom.workflows.patients import renewals
from konectom.workflows.patients.credentials import COPIED
from konectom.workflows.patients.devices import revoke_device
from konectom.workflows.patients.enrolments import enrol_device, exchange
from konectom.workflows.patients.renewals import renew
from tests.workflows.patients.enrolling import code, devices_of, holds, secret, services

__all__ = ["code", "services"]


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


def test_of_a_phone_that_renews_without_end_the_newest_are_kept(services, patient, clock, monkeypatch):
    monkeypatch.setattr(renewals, "MOST_KEPT", 4)
    phone = enrol_device(services, patient_id=patient)
    chain = [phone.renewal, *(secret() for _ in range(12))]
    for old, new in pairwise(chain):
        clock.forward(seconds=1)
        first = renew(services, renewal=old, next=new)
        assert renew(services, renewal=old, next=new) == first
    with services.db.read() as db:
        assert set(db.scalars(select(Renewal.from_hash))) == {hash_of(each) for each in chain[-5:-1]}
    with pytest.raises(RenewalRefused):  # forgotten: it opens nothing, and shuts nobody out
        renew(services, renewal=chain[0], next=secret())
    assert holds(services, first["access"]["token"])
    with pytest.raises(RenewalRefused):  # the oldest that is known, with another next one: two hold it
        renew(services, renewal=chain[-5], next=secret())
    assert not holds(services, first["access"]["token"])


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
