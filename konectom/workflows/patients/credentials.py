"""What a phone holds, as enrolment and renewal find it: by a secret that is or was its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from konectom.security.acting import Acting, acting, acting_as
from konectom.security.phones import access_token
from konectom.storage.models import Device, DeviceCredential, Renewal
from konectom.workflows.pages import told
from konectom.workflows.services import Services

COPIED = "secret_copied"
"""Why a phone was shut out by konectom: two held its renewal secret."""


class SecretCopied(Exception):
    """A secret that was renewed already was shown by somebody who does not know with what."""

    def __init__(self, device_id: UUID) -> None:
        super().__init__(f"the renewal secret of device {device_id} is in two hands")
        self.device_id = device_id


def credential_of(db: Session, renewal_hash: str) -> DeviceCredential | None:
    """Return the credential to which a secret belongs or once belonged, locked until the end; or None."""
    device_id = db.scalar(select(DeviceCredential.device_id).where(DeviceCredential.renewal_hash == renewal_hash))
    if device_id is None:
        device_id = db.scalar(select(Renewal.device_id).where(Renewal.from_hash == renewal_hash))
    if device_id is None:
        return None
    return db.get(DeviceCredential, device_id, with_for_update=True, populate_existing=True)


def is_live(credential: DeviceCredential, now: datetime) -> bool:
    """Tell whether a phone may still renew."""
    return credential.revoked_at is None and credential.renewal_expires_at > now


def patient_of(db: Session, device_id: UUID) -> UUID:
    """Return whose phone it is."""
    return db.scalars(select(Device.patient_id).where(Device.id == device_id)).one()


def by_phone(device_id: UUID, action: str) -> Acting:
    """Return a phone that acts, without its network address, which would tell where the patient is."""
    return replace(acting(), kind="device", id=device_id, action=action, address="")


def shut_out_copied(services: Services, device_id: UUID) -> None:
    """Revoke the credential of a phone whose secret is in two hands: which of them is the phone cannot be told."""
    why = "a renewal secret that was renewed already was shown by somebody else: two held it"
    itself = replace(acting(), kind="server", action="device.revoke", address="", why=why)
    with acting_as(itself), services.db.write() as db:
        credential = db.get(DeviceCredential, device_id, with_for_update=True)
        if credential is not None and credential.revoked_at is None:
            credential.revoked_at, credential.revoked_for = services.clock(), COPIED


def shown_access(db: Session, credential: DeviceCredential, renewal: str) -> dict[str, Any]:
    """Return what a phone is answered that holds this renewal secret: the secret itself it never hears."""
    return {
        "device": str(credential.device_id),
        "patient": str(patient_of(db, credential.device_id)),
        "access": {
            "token": access_token(renewal, credential.device_id),
            "expires_at": told(credential.access_expires_at),
        },
        "renewal": {"expires_at": told(credential.renewal_expires_at)},
    }
