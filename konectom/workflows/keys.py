"""The keys of the installation and what lies sealed under them: which are needed, changing them, ending their use.

The order of a change is rotate, rewrap, retire. Servers run on meanwhile: before each use of the keys they look
whether these were changed. Each change leaves an entry in the audit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Table, func, select, text
from sqlalchemy.orm import Session

from konectom.errors import KeyInUse, MigrationNeeded
from konectom.security.acting import acting, acting_as
from konectom.security.keys import key_id_of
from konectom.security.totp import TOTP_PURPOSE
from konectom.storage.audit import note
from konectom.storage.models import AuditRow, PatientKey, User
from konectom.workflows.patients.patient_keys import rewrap_patient_key

if TYPE_CHECKING:
    from konectom.security.keyring import Ring
    from konectom.workflows.services import Services

BATCH = 500
"""Rows that are sealed anew in one transaction: others write in between, and what is done stays done."""


class Sealed(NamedTuple):
    """A table with secrets that are sealed under keys of the installation.

    ``key_ids`` tells under which, and ``rewrap`` seals up to :data:`BATCH` of those that lie under another key than the
    current one anew, and tells how many these were.
    """

    table: Any
    key_ids: Callable[[Session], set[str]]
    rewrap: Callable[[Services, Session], int]


def needed_keys(db: Session) -> set[str]:
    """Return the ids of all keys under which something is sealed."""
    return set().union(*(each.key_ids(db) for each in SEALED))


def require_keys(services: Services) -> None:
    """Raise :class:`~konectom.errors.KeysMissing` or :class:`~konectom.errors.KeysInvalid` unless all can be opened."""
    services.keys.check()
    with services.db.read() as db:
        for key_id in sorted(needed_keys(db)):
            services.keys.require(key_id)


def list_keys(services: Services) -> list[dict[str, Any]]:
    """Return the keys without their secrets: id, use, whether current, when made, whether something is sealed under."""
    ring = services.keys.ring
    with services.db.read() as db:
        needed = needed_keys(db)
    return [
        {
            "id": key.id,
            "use": key.use,
            "current": key.id == ring.current,
            "created_at": key.created_at,
            "in_use": key.id in needed,
        }
        for key in ring.keys.values()
    ]


def create(services: Services) -> str:
    """Make the first key and return its id; raises where there are keys, or something needs those that were lost."""
    require_unused(services)
    return services.keys.create(services.clock())


def require_unused(services: Services) -> None:
    """Raise :class:`KeyInUse` where the database was used with keys already."""
    with suppress(MigrationNeeded):  # one that is not set up yet was not
        if not is_unused(services):
            raise KeyInUse("this installation was used with other keys; restore them from their backup")


def is_unused(services: Services) -> bool:
    """Tell whether nothing in the database needs keys: nothing is sealed, and no audit was begun."""
    with services.db.read() as db:
        return not needed_keys(db) and db.scalar(select(AuditRow.seq).limit(1)) is None


def rotate(services: Services) -> str:
    """Add a key under which all that is new is sealed from now on, and return its id."""
    with services.db.write() as db:
        now = _later_than_all(services, db)
        services.keys.change(lambda ring: ring.with_new(now))
        _tell(db, "key.rotate", services.keys.current_id)  # the first entry that is sealed under it
    return services.keys.current_id


def rotated(services: Services) -> Ring:
    """Return the keys with a further one, for somebody to put in their place."""
    with services.db.write() as db:
        ring = services.keys.ring.with_new(_later_than_all(services, db))
        _tell(db, "key.rotate", ring.current, printed=True)
    return ring


def rewrap(services: Services) -> Iterator[int]:
    """Seal what lies under older keys under the current one, batch by batch; yield the number of secrets in each.

    May be broken off and begun again at any time.
    """
    for each in SEALED:
        while True:
            with services.db.write() as db:
                done = each.rewrap(services, db)
            if not done:
                break
            yield done


def retire(services: Services, key_id: str) -> None:
    """End the use of a key: it opens nothing any more, but the audit can still be verified with it.

    Raises :class:`KeyInUse` while something lies sealed under it. What old backups of the database hold under it is of
    no use from then on, once the old copies of the keys are destroyed too.
    """
    with nothing_under(services, key_id) as db:
        services.keys.change(lambda ring: ring.with_retired(key_id))
        _tell(db, "key.retire", key_id)


def retired(services: Services, key_id: str) -> Ring:
    """Return the keys with one retired, for somebody to put in their place; raises as :func:`retire` does."""
    with nothing_under(services, key_id) as db:
        _tell(db, "key.retire", key_id, printed=True)
        return services.keys.ring.with_retired(key_id)


@contextmanager
def nothing_under(services: Services, key_id: str) -> Iterator[Session]:
    """Hold off all that could be sealed under a key, and yield the session that does so.

    Raises :class:`KeyInUse` where something is already or the key is current, :class:`~konectom.errors.NotFound` for
    one that there is not.
    """
    services.keys.ring.with_retired(key_id)
    with services.db.write() as db:
        _lock(db, [each.table for each in SEALED])
        if key_id in needed_keys(db):
            raise KeyInUse(f"something is still sealed under the key {key_id}; run first: konectom keys rewrap")
        yield db


def _later_than_all(services: Services, db: Session) -> datetime:
    """Return the present, and nothing before any entry that is sealed under the key at hand: clocks are set back."""
    last = db.scalar(select(func.max(AuditRow.at)))
    return services.clock() if last is None else max(last, services.clock())


def _tell(db: Session, action: str, key_id: str, *, printed: bool = False) -> None:
    with acting_as(replace(acting(), action=action)):
        note(db, entity="key", entity_id=key_id, detail={"printed": True} if printed else None)


def _lock(db: Session, tables: list[Table]) -> None:
    """Let nobody else write these tables before the transaction ends. SQLite has one writer at a time anyway."""
    if db.get_bind().dialect.name == "postgresql":
        quoted = db.get_bind().dialect.identifier_preparer.quote
        db.execute(text(f"LOCK TABLE {', '.join(quoted(each.name) for each in tables)} IN SHARE ROW EXCLUSIVE MODE"))


def _patient_key_ids(db: Session) -> set[str]:
    # One seek in the index for each key, however many patients there are.
    found: set[str] = set()
    at = db.scalar(select(func.min(PatientKey.key)))
    while at is not None:
        found.add(at)
        at = db.scalar(select(func.min(PatientKey.key)).where(PatientKey.key > at))
    return found


def _rewrap_patient_keys(services: Services, db: Session) -> int:
    others = select(PatientKey).where(PatientKey.key != services.keys.current_id).limit(BATCH).with_for_update()
    rows = db.scalars(others).all()
    for row in rows:
        rewrap_patient_key(services, row)
    return len(rows)


def _totp_key_ids(db: Session) -> set[str]:
    sealed = db.scalars(select(User.totp_sealed).where(User.totp_sealed.is_not(None)))
    return {key_id_of(each) for each in sealed if each is not None}


def _rewrap_totp(services: Services, db: Session) -> int:
    current, done = services.keys.current_id, 0
    for row in db.scalars(select(User).where(User.totp_sealed.is_not(None)).with_for_update()):
        if row.totp_sealed is not None and key_id_of(row.totp_sealed) != current and done < BATCH:
            secret = services.keys.unseal_small(TOTP_PURPOSE, row.totp_sealed, bound_to=row.id.bytes)
            row.totp_sealed = services.keys.seal_small(TOTP_PURPOSE, secret, bound_to=row.id.bytes)
            done += 1
    return done


SEALED = (
    Sealed(PatientKey.__table__, _patient_key_ids, _rewrap_patient_keys),
    Sealed(User.__table__, _totp_key_ids, _rewrap_totp),
)
"""All tables with such secrets. One that is forgotten here would be lost when its key is retired."""
