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
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from konectom.errors import FieldInvalid, RenewalRefused, RenewalSuperseded
from konectom.security.acting import acting_as
from konectom.security.phones import access_token, require_renewal_secret
from konectom.security.secrets import hash_of
from konectom.storage.models import DeviceCredential, Renewal
from konectom.workflows.patients.credentials import (
    SecretCopied,
    by_phone,
    credential_of,
    is_live,
    shown_access,
    shut_out_copied,
)
from konectom.workflows.services import Admit, Services, anybody

REFUSED = "this secret renews nothing, or no longer; the phone has to be enrolled anew"
"""The same for every cause."""

MAKE_ANOTHER = "make another next secret: this one was used before"

MOST_KEPT = 5000
"""Most renewals that are kept of a phone: more than one an hour makes in 180 days, so that only of a phone that renews
more often than its token expires the oldest are forgotten earlier."""

PRUNED_AT_ONCE = 100
"""Most old renewals that one renewal removes; each adds one, so that what is left over goes with the next."""


def renew(services: Services, *, renewal: str, next: str, admit: Admit = anybody) -> dict[str, Any]:
    """Give a phone a new access token, and let ``next`` be its renewal secret from now on; the old ones are void.

    ``admit`` is told which phone it is, and may refuse it by raising; then nothing changes.

    Raises :class:`RenewalSuperseded`, :class:`RenewalRefused` (unknown, expired, revoked, or just now found to be in
    two hands), and :class:`FieldInvalid`.
    """
    require_renewal_secret(renewal, "/renewal")
    require_renewal_secret(next, "/next")
    if renewal == next:
        raise FieldInvalid(MAKE_ANOTHER, at="/next")
    try:
        with ExitStack() as who, services.db.write() as db:
            credential = credential_of(db, hash_of(renewal))
            if credential is None or not is_live(credential, services.clock()):
                raise RenewalRefused(REFUSED)
            admit("device", credential.device_id)
            if credential.renewal_hash == hash_of(renewal):
                who.enter_context(acting_as(by_phone(credential.device_id, "device.renewal")))
                _rotate(services, db, credential, next)
            else:
                _require_repetition(db, credential, hash_of(renewal), hash_of(next))
            return shown_access(db, credential, next)
    except IntegrityError:  # two phones came with the same next secret at the same instant
        raise FieldInvalid(MAKE_ANOTHER, at="/next") from None
    except SecretCopied as found:
        shut_out_copied(services, found.device_id)
        raise RenewalRefused(REFUSED) from None


def _require_repetition(db: Session, credential: DeviceCredential, old: str, new: str) -> None:
    """Pass where the renewal that is asked for is the last that was made; else raise what it is instead."""
    made = db.get(Renewal, old)
    if made is None:  # pruned since it was looked up
        raise RenewalRefused(REFUSED)
    if made.to_hash != new:
        raise SecretCopied(credential.device_id)
    if credential.renewal_hash != new:
        raise RenewalSuperseded("this renewal was made, and another after it; go on from the secret that followed it")


def _rotate(services: Services, db: Session, credential: DeviceCredential, next: str) -> None:
    if credential_of(db, hash_of(next)) is not None:
        raise FieldInvalid(MAKE_ANOTHER, at="/next")
    now, settings = services.clock(), services.settings
    made = Renewal(device_id=credential.device_id, from_hash=credential.renewal_hash, to_hash=hash_of(next), at=now)
    db.add(made)
    credential.renewal_hash = hash_of(next)
    credential.access_hash = hash_of(access_token(next, credential.device_id))
    credential.access_expires_at = now + settings.device_access_lifetime
    credential.renewal_expires_at = now + settings.device_renewal_lifetime
    credential.renewed_at = now
    of_phone = select(Renewal.from_hash).where(
        Renewal.device_id == credential.device_id, Renewal.from_hash != made.from_hash
    )
    too_old = of_phone.where(Renewal.at < now - settings.device_renewal_lifetime).order_by(Renewal.at)
    too_many = of_phone.order_by(Renewal.at.desc()).offset(MOST_KEPT - 1)
    for forgotten in (too_old, too_many):
        db.execute(
            delete(Renewal).where(Renewal.from_hash.in_(forgotten.limit(PRUNED_AT_ONCE))),
            execution_options={"synchronize_session": False},
        )
