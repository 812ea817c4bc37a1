"""How a phone renews its token: it shows its renewal secret, and the next one, which it made and wrote down before.

Of each renewal it is kept which secret followed which. So what comes is one of four:

* the secret that holds, and a new one: renewed;
* the last renewal once more, since its answer was lost: the same answer, nothing changes;
* an older renewal once more, late on its way: :class:`RenewalSuperseded`, nothing changes;
* a secret that was renewed already, with another next one: two hold it. Which of them is the phone cannot be told, so
  the credential is revoked, and the phone has to be enrolled anew (as for refresh tokens in RFC 9700, 4.14.2).
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from konectom.errors import FieldInvalid, RenewalRefused, RenewalSuperseded
from konectom.security.acting import Acting, acting, acting_as
from konectom.security.phones import access_token, require_renewal_secret
from konectom.security.secrets import hash_of
from konectom.storage.models import Device, DeviceCredential, Renewal
from konectom.workflows.devices import COPIED, is_live, shown_access, was_used
from konectom.workflows.services import Services

REFUSED = "this secret renews nothing, or no longer; the phone has to be enrolled anew"
"""The same for every cause."""

PRUNED_AT_ONCE = 100
"""Most old renewals that one renewal removes; each adds one, so that what is left over goes with the next."""


def renew(services: Services, *, renewal: str, next: str) -> dict[str, Any]:
    """Give a phone a new access token, and let ``next`` be its renewal secret from now on; the old ones are void.

    Raises :class:`RenewalSuperseded`, :class:`RenewalRefused` (unknown, expired, revoked, or just now found to be in
    two hands), and :class:`FieldInvalid`.
    """
    require_renewal_secret(renewal, "/renewal")
    require_renewal_secret(next, "/next")
    if renewal == next:
        raise FieldInvalid("the next secret must be a new one", at="/next")
    old, new, now = hash_of(renewal), hash_of(next), services.clock()
    copied = False
    try:
        with ExitStack() as who, services.db.write() as db:
            credential = _live_credential(db, old, now)
            if credential.renewal_hash == old:
                who.enter_context(acting_as(_the_phone(credential.device_id)))
                _rotate(services, db, credential, new, access_token(next, credential.device_id))
            elif not _is_repetition(db, old, new):
                who.enter_context(acting_as(_konectom_itself()))
                credential.revoked_at, credential.revoked_for = now, COPIED
                copied = True
            elif credential.renewal_hash != new:
                raise RenewalSuperseded("this renewal was made, and another after it")
            answer = shown_access(credential, _patient_of(db, credential.device_id), next)
    except IntegrityError:  # two phones came with the same next secret at the same instant
        raise FieldInvalid("the next secret must be a new one", at="/next") from None
    if copied:
        raise RenewalRefused(REFUSED)
    return answer


def _live_credential(db: Session, renewal_hash: str, now: datetime) -> DeviceCredential:
    """Return the credential to which a secret belongs or once belonged, locked until the end."""
    device_id = db.scalar(select(DeviceCredential.device_id).where(DeviceCredential.renewal_hash == renewal_hash))
    if device_id is None:
        device_id = db.scalar(select(Renewal.device_id).where(Renewal.from_hash == renewal_hash))
    credential = None
    if device_id is not None:
        credential = db.get(DeviceCredential, device_id, with_for_update=True, populate_existing=True)
    if credential is None or not is_live(credential, now):
        raise RenewalRefused(REFUSED)
    return credential


def _is_repetition(db: Session, old: str, new: str) -> bool:
    """Tell whether this very renewal was made already; raises :class:`RenewalRefused` where it is forgotten."""
    made = db.get(Renewal, old)
    if made is None:
        raise RenewalRefused(REFUSED)
    return made.to_hash == new


def _rotate(services: Services, db: Session, credential: DeviceCredential, new: str, token: str) -> None:
    if was_used(db, new):
        raise FieldInvalid("the next secret must be a new one", at="/next")
    now, settings = services.clock(), services.settings
    db.add(Renewal(device_id=credential.device_id, from_hash=credential.renewal_hash, to_hash=new, at=now))
    credential.renewal_hash, credential.access_hash = new, hash_of(token)
    credential.access_expires_at = now + settings.device_access_lifetime
    credential.renewal_expires_at = now + settings.device_renewal_lifetime
    credential.renewed_at = now
    forgotten = (
        select(Renewal.from_hash)
        .where(Renewal.device_id == credential.device_id, Renewal.at < now - settings.device_renewal_lifetime)
        .order_by(Renewal.at)
        .limit(PRUNED_AT_ONCE)
    )
    db.execute(
        delete(Renewal).where(Renewal.from_hash.in_(forgotten)), execution_options={"synchronize_session": False}
    )


def _patient_of(db: Session, device_id: UUID) -> UUID:
    return db.scalars(select(Device.patient_id).where(Device.id == device_id)).one()


def _the_phone(device_id: UUID) -> Acting:
    # Without its network address, which would tell where the patient is.
    return replace(acting(), kind="device", id=device_id, action="device.renewal", address="")


def _konectom_itself() -> Acting:
    why = "a renewal secret that was renewed already came with another next one: two held it"
    return replace(acting(), kind="server", action="device.renewal", address="", why=why)
