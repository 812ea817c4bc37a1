"""How a phone becomes a patient's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from konectom.errors import NotAuthenticated
from konectom.security.principal import Grant, Principal
from konectom.security.secrets import hash_of, new_secret
from konectom.storage.models import Device, DeviceCredential, Patient
from konectom.workflows.people import create_device
from konectom.workflows.services import Services


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A phone that was enrolled, with what it holds."""

    device_id: UUID
    access_token: str
    renewal: str
    access_expires_at: datetime

    def __repr__(self) -> str:
        return f"Enrolled({self.device_id})"


def enrol_device(
    services: Services,
    *,
    patient_id: UUID,
    platform: str | None = None,
    model: str | None = None,
    os: str | None = None,
    app: str | None = None,
) -> Enrolled:
    """Enrol a patient's phone."""
    made = create_device(services, patient_id=patient_id, platform=platform, model=model, os=os, app=app)
    device_id, now = UUID(made["id"]), services.clock()
    access, renewal = new_secret("access"), new_secret("renewal")
    expires_at = now + services.settings.device_access_lifetime
    with services.db.write() as db:
        db.add(
            DeviceCredential(
                device_id=device_id,
                renewal_hash=hash_of(renewal),
                access_hash=hash_of(access),
                access_expires_at=expires_at,
                renewal_expires_at=now + services.settings.device_renewal_lifetime,
                renewed_at=now,
            )
        )
    return Enrolled(device_id, access, renewal, expires_at)


def revoke_device(services: Services, device_id: UUID, *, reason: str = "") -> None:
    """Shut a phone out from now on. What it sent before stays."""
    with services.db.write() as db:
        row = db.get(DeviceCredential, device_id)
        if row is not None and row.revoked_at is None:
            row.revoked_at, row.revoked_for = services.clock(), reason


def authenticate_device(services: Services, token: str) -> Principal:
    """Return the phone that holds ``token``; raises :class:`NotAuthenticated`. Nothing is written."""
    statement = (
        select(DeviceCredential, Patient.id, Patient.study_id)
        .join(Device, Device.id == DeviceCredential.device_id)
        .join(Patient, Patient.id == Device.patient_id)
        .where(DeviceCredential.access_hash == hash_of(token))
    )
    with services.db.read() as db:
        found = db.execute(statement).one_or_none()
    if found is None:
        raise NotAuthenticated("the token is not known")
    credential, patient_id, study_id = found
    if credential.revoked_at is not None:
        raise NotAuthenticated("the token was revoked")
    if credential.access_expires_at <= services.clock():
        raise NotAuthenticated("the token expired; renew it")
    return Principal(
        kind="device",
        id=credential.device_id,
        name="",
        grants=(Grant("device", study_id),),
        patient_id=patient_id,
    )
