"""Phones: whose token this is, which a patient has, and how one is shut out."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select

from konectom.errors import FieldInvalid, NotAuthenticated, NotFound
from konectom.security.principal import Grant, Principal
from konectom.security.secrets import hash_of
from konectom.storage.models import Device, DeviceCredential, Patient
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, page, told, told_if_any
from konectom.workflows.services import Services

REASONS = ("lost", "stolen", "replaced", "ended", "other")
"""Why staff shut a phone out: a word, since free text could say more of a patient than a log should hold."""


# Made once: putting the question together takes longer than the answer.
_HOLDER = (
    select(
        DeviceCredential.device_id,
        DeviceCredential.revoked_at,
        DeviceCredential.access_expires_at,
        Patient.id,
        Patient.study_id,
    )
    .join(Device, Device.id == DeviceCredential.device_id)
    .join(Patient, Patient.id == Device.patient_id)
    .where(DeviceCredential.access_hash == bindparam("access_hash"))
)


def authenticate_device(services: Services, token: str) -> Principal:
    """Return the phone that holds ``token``; raises :class:`NotAuthenticated`. Nothing is written."""
    with services.db.ask() as connection:
        found = connection.execute(_HOLDER, {"access_hash": hash_of(token)}).one_or_none()
    if found is None:
        raise NotAuthenticated("the token is not known, or was renewed")
    device_id, revoked_at, expires_at, patient_id, study_id = found
    if revoked_at is not None:
        raise NotAuthenticated("the token was revoked")
    if expires_at <= services.clock():
        raise NotAuthenticated(f"the token expired at {told(expires_at)}")
    grants = (Grant("device", study_id),)
    return Principal(kind="device", id=device_id, name="", grants=grants, patient_id=patient_id)


def list_devices(
    services: Services, *, patient_id: UUID, cursor: str | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Return a page of a patient's phones, in the order in which they were enrolled."""
    statement = select(Device).where(Device.patient_id == patient_id)
    with services.db.read() as db:
        order = (Device.enrolled_at, Device.id)
        asked = Asked.of(services.settings, cursor, limit)
        found = page(db, statement, order, BY_TIME_AND_ID, lambda row: {"device": row}, asked)
        rows = [item["device"] for item in found["items"]]
        theirs = select(DeviceCredential).where(DeviceCredential.device_id.in_(row.id for row in rows))
        credentials = {each.device_id: each for each in db.scalars(theirs)}
        return found | {"items": [_shown(row, credentials.get(row.id)) for row in rows]}


def revoke_device(
    services: Services, device_id: UUID, *, reason: str = "other", patient_id: UUID | None = None
) -> None:
    """Shut a phone out from now on; again changes nothing. What it sent before stays.

    Raises :class:`NotFound`, also where the phone is another patient's, and :class:`FieldInvalid`.
    """
    if reason not in REASONS:
        raise FieldInvalid(f"reason must be one of {', '.join(REASONS)}", at="/query/reason")
    with services.db.write() as db:
        device = db.get(Device, device_id)
        credential = db.get(DeviceCredential, device_id, with_for_update=True)
        if device is None or credential is None or patient_id not in (None, device.patient_id):
            raise NotFound("there is no such device")
        if credential.revoked_at is None:
            credential.revoked_at, credential.revoked_for = services.clock(), reason


def _shown(row: Device, credential: DeviceCredential | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": str(row.id),
        "patient": str(row.patient_id),
        "platform": row.platform,
        "model": row.model,
        "os": row.os,
        "app": row.app,
        "enrolled_at": told(row.enrolled_at),
        "renewed_at": None,
        "renewal_expires_at": None,
        "revoked_at": None,
        "revoked_for": None,
    }
    if credential is not None:
        shown["renewed_at"] = told(credential.renewed_at)
        shown["renewal_expires_at"] = told(credential.renewal_expires_at)
        shown["revoked_at"] = told_if_any(credential.revoked_at)
        shown["revoked_for"] = credential.revoked_for
    return shown
