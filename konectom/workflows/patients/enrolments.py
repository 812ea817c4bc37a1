"""How a phone becomes a patient's: staff make a code, the phone exchanges it, once, for a credential.

The phone makes its renewal secret and writes it down before it asks. So an answer that was lost is asked for again,
with the same code and the same secret, and is the same; with another secret the code is used up.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from konectom.errors import EnrolmentRefused, EnrolmentUsed, FieldInvalid, NotFound, RenewalSuperseded
from konectom.security.acting import acting_as
from konectom.security.phones import access_token, code_hash, new_code, require_renewal_secret
from konectom.security.secrets import hash_of, new_secret
from konectom.storage.models import Device, DeviceCredential, Enrolment, Patient
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, id_if_any, instant_of, page, told, told_if_any
from konectom.workflows.patients.credentials import (
    SecretCopied,
    by_phone,
    credential_of,
    is_live,
    patient_of,
    shown_access,
    shut_out_copied,
)
from konectom.workflows.patients.people import checked_text
from konectom.workflows.services import Admit, Services, anybody

FACTS = ("platform", "model", "os", "app")
REFUSED = "this code cannot be used, or not by this phone; ask for a new one"
"""The same for every cause, so that nobody learns from it which codes there are."""

MAKE_ANOTHER = "make another renewal secret: this one was used before"


def create_enrolment(services: Services, *, patient_id: UUID) -> dict[str, Any]:
    """Make a code with which one phone becomes the patient's. It is shown this once; an earlier unused one is void.

    Raises :class:`NotFound`.
    """
    code, now = new_code(), services.clock()
    row = Enrolment(
        id=uuid4(),
        patient_id=patient_id,
        code_hash=code_hash(code),
        created_at=now,
        expires_at=now + services.settings.enrolment_lifetime,
    )
    shown = _shown(row, now)
    with services.db.write() as db:
        # No stronger than it must be: phones are added to the patient meanwhile.
        if db.get(Patient, patient_id, with_for_update={"key_share": True}) is None:
            raise NotFound("there is no such patient")
        for earlier in _unused(db, patient_id):
            earlier.revoked_at = now
        db.add(row)
    return shown | {"code": code, "qr": qr_text(services, code)}


def qr_text(services: Services, code: str) -> str:
    """Return what the QR code says: where the server is, and the code."""
    said = {"konectom": 1, "url": services.settings.public_url.rstrip("/"), "code": code}
    return orjson.dumps(said).decode()


def list_enrolments(
    services: Services, *, patient_id: UUID, cursor: str | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Return a page of the codes that were made for a patient, oldest first, each with what became of it."""
    statement, now = select(Enrolment).where(Enrolment.patient_id == patient_id), services.clock()
    with services.db.read() as db:
        order = (Enrolment.created_at, Enrolment.id)
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, statement, order, BY_TIME_AND_ID, lambda row: _shown(row, now), asked)


def revoke_enrolment(services: Services, enrolment_id: UUID, *, patient_id: UUID | None = None) -> None:
    """Make a code void; again changes nothing.

    Raises :class:`NotFound`, also where the code is another patient's, and :class:`EnrolmentUsed`, which names the
    phone that has used it: that one is to be shut out instead.
    """
    with services.db.write() as db:
        row = db.get(Enrolment, enrolment_id, with_for_update=True)
        if row is None or patient_id not in (None, row.patient_id):
            raise NotFound("there is no such enrolment")
        if row.used_at is not None:
            raise EnrolmentUsed("a phone was enrolled with this code; revoke the phone", device=str(row.device_id))
        if row.revoked_at is None:
            row.revoked_at = services.clock()


def exchange(
    services: Services,
    *,
    code: str,
    renewal: str,
    device: Mapping[str, str | None] | None = None,
    admit: Admit = anybody,
) -> dict[str, Any]:
    """Make the phone that knows ``code`` the patient's; return what it may hold.

    ``renewal`` is the secret that the phone made; ``device`` what it tells of itself: platform, model, os, app. The
    same code and secret again are answered the same, as long as no renewal followed (then :class:`RenewalSuperseded`).
    Raises :class:`EnrolmentRefused` where the code is unknown, expired, void, or used by another phone, and
    :class:`FieldInvalid`. ``admit`` is told which phone it is, and may refuse it by raising; then nothing changes.
    """
    require_renewal_secret(renewal, "/renewal")
    facts = _checked_facts(device or {})
    try:
        with ExitStack() as who, services.db.write() as db:
            row = _asked_for(db, code)
            if row.used_at is not None:
                credential = _of_used_code(db, row, renewal, services.clock())
            elif _state(row, services.clock()) == "open":
                earlier = _unheard(db, row, renewal, services.clock())
                device_id = uuid4() if earlier is None else earlier.device_id
                who.enter_context(acting_as(by_phone(device_id, "enrolment.exchange")))
                credential = earlier or _new_phone(services, db, device_id, row.patient_id, renewal, facts)
                row.used_at, row.device_id = services.clock(), device_id
            else:
                raise EnrolmentRefused(REFUSED)
            admit("device", credential.device_id)
            return shown_access(db, credential, renewal)
    except IntegrityError:  # the same secret, with another code, at the same instant
        raise FieldInvalid(MAKE_ANOTHER, at="/renewal") from None
    except SecretCopied as found:
        shut_out_copied(services, found.device_id)
        raise FieldInvalid(MAKE_ANOTHER, at="/renewal") from None


def _asked_for(db: Session, code: str) -> Enrolment:
    """Return the row of a code, locked until the end; raises :class:`EnrolmentRefused` where there is none."""
    known = code_hash(code)
    row = None
    if known is not None:
        row = db.scalar(select(Enrolment).where(Enrolment.code_hash == known).with_for_update())
    if row is None:
        raise EnrolmentRefused(REFUSED)
    return row


def _of_used_code(db: Session, row: Enrolment, renewal: str, now: datetime) -> DeviceCredential:
    """Return the credential of the phone that has used a code, and may not have heard so."""
    credential = credential_of(db, hash_of(renewal))
    if credential is None or credential.device_id != row.device_id or not is_live(credential, now):
        raise EnrolmentRefused(REFUSED)
    if credential.renewal_hash != hash_of(renewal):
        raise RenewalSuperseded("this secret was renewed since; go on from the one that followed it")
    return credential


def _unheard(db: Session, row: Enrolment, renewal: str, now: datetime) -> DeviceCredential | None:
    """Return the credential of a phone that comes with a second code, since it heard nothing of the first; else None.

    Raises :class:`FieldInvalid` where the secret was used otherwise, and :class:`SecretCopied`.
    """
    earlier = credential_of(db, hash_of(renewal))
    if earlier is None:
        return None
    if not is_live(earlier, now) or patient_of(db, earlier.device_id) != row.patient_id:
        raise FieldInvalid(MAKE_ANOTHER, at="/renewal")
    if earlier.renewal_hash != hash_of(renewal):
        raise SecretCopied(earlier.device_id)
    return earlier


def _new_phone(
    services: Services, db: Session, device_id: UUID, patient_id: UUID, renewal: str, facts: Mapping[str, str]
) -> DeviceCredential:
    now, settings = services.clock(), services.settings
    db.add(Device(id=device_id, patient_id=patient_id, enrolled_at=now, **facts))
    db.flush()  # what follows refers to it
    credential = DeviceCredential(
        device_id=device_id,
        renewal_hash=hash_of(renewal),
        access_hash=hash_of(access_token(renewal, device_id)),
        access_expires_at=now + settings.device_access_lifetime,
        renewal_expires_at=now + settings.device_renewal_lifetime,
        renewed_at=now,
    )
    db.add(credential)
    return credential


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A phone that was enrolled, with what it holds."""

    device_id: UUID
    access_token: str
    renewal: str
    access_expires_at: datetime

    def __repr__(self) -> str:
        return f"Enrolled({self.device_id})"


def enrol_device(services: Services, *, patient_id: UUID, **facts: str | None) -> Enrolled:
    """Enrol a phone as it would itself: make a code, and exchange it. For a phone that runs in this very process."""
    renewal = new_secret("renewal")
    code = create_enrolment(services, patient_id=patient_id)["code"]
    answer = exchange(services, code=code, renewal=renewal, device=facts)
    access = answer["access"]
    return Enrolled(UUID(answer["device"]), access["token"], renewal, instant_of(access["expires_at"]))


def _checked_facts(device: Mapping[str, str | None]) -> dict[str, str]:
    facts = {name: device.get(name) for name in FACTS}
    return {name: checked_text(value, name, within="/device") for name, value in facts.items() if value is not None}


def _unused(db: Session, patient_id: UUID) -> list[Enrolment]:
    statement = select(Enrolment).where(
        Enrolment.patient_id == patient_id, Enrolment.used_at.is_(None), Enrolment.revoked_at.is_(None)
    )
    return list(db.scalars(statement.with_for_update()))


def _state(row: Enrolment, now: datetime) -> str:
    if row.used_at is not None:
        return "used"
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at <= now else "open"


def _shown(row: Enrolment, now: datetime) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "patient": str(row.patient_id),
        "state": _state(row, now),
        "created_at": told(row.created_at),
        "expires_at": told(row.expires_at),
        "used_at": told_if_any(row.used_at),
        "revoked_at": told_if_any(row.revoked_at),
        "device": id_if_any(row.device_id),
    }
