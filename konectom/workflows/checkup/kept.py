"""What can be wrong with what is kept: keys, the audit, objects, sessions."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy import func, literal_column, select

from konectom.errors import AuditBroken, KeysInvalid, KeysMissing, NotFound, StoreUnavailable
from konectom.storage.models import Blob, QuarantineRow, Residue, SessionRow
from konectom.workflows.audit.check import anchor_of
from konectom.workflows.checkup.findings import Finding
from konectom.workflows.services import Services
from konectom.workflows.sessions.sweeping import AGE, AT_ONCE, MOST

WAITED = timedelta(minutes=15)
"""How long a session may wait before somebody should look why."""

PROBE_BYTES = 4096


def keys(services: Services) -> Iterator[Finding]:
    """Find whether all keys are there, and whether a copy of the data would carry them along."""
    services.require_keys()
    place = Path(services.keys.source.place)
    if place.is_absolute() and place.is_relative_to(services.settings.data_dir):
        yield Finding("keys_beside_data", f"{place} lies beside the data: whoever copies these can open them")


def audit(services: Services) -> Iterator[Finding]:
    """Find whether the head of the audit is as it was sealed; ``konectom audit verify`` walks all of it."""
    try:
        anchor_of(services)
    except AuditBroken as error:
        yield Finding("audit_broken", error.detail)
    except (KeysMissing, KeysInvalid):
        return  # told of the keys, without which nothing can be said of the audit


def store(services: Services) -> Iterator[Finding]:
    """Write an object, read it, and remove it."""
    services.objects.ping()
    data = secrets.token_bytes(PROBE_BYTES)
    digest = hashlib.sha256(data).hexdigest()
    try:
        services.objects.put(digest, data)
        if services.objects.get(digest) != data:
            yield Finding("store_unusable", "what is read is not what was written")
    finally:
        services.objects.delete(digest)
    if services.objects.exists(digest):
        yield Finding("store_unusable", "what was removed is still there")


def objects(services: Services, sample: int) -> Iterator[Finding]:
    """Read some uploads, each time others, and compare them with their digests."""
    first = secrets.token_hex(32)  # digests are as good as random, so those that follow one are too
    with services.db.read() as db:
        names = list(db.scalars(select(Blob.object).where(Blob.object >= first).order_by(Blob.object).limit(sample)))
        rest = sample - len(names)
        names += db.scalars(select(Blob.object).where(Blob.object < first).order_by(Blob.object).limit(rest))
    for name in names:
        try:
            services.objects.get(name)
        except NotFound:
            if _still_known(services, name):
                yield Finding("object_missing", f"the object {name} is not in the store")
        except StoreUnavailable as error:
            yield Finding("object_damaged", error.detail)


def _still_known(services: Services, name: str) -> bool:
    """Tell whether the object was not simply erased meanwhile."""
    with services.db.read() as db:
        return db.get(Blob, name) is not None


def orphans(services: Services, quick: bool) -> Iterator[Finding]:
    """Find objects of which no row speaks, older than any upload takes."""
    names = iter(services.objects.written_before(services.clock() - AGE, most=AT_ONCE if quick else MOST))
    count = 0
    while some := list(islice(names, AT_ONCE)):
        with services.db.read() as db:
            known = set(db.scalars(select(Blob.object).where(Blob.object.in_(some))))
        count += len(set(some) - known)
    if count:
        yield Finding("objects_orphaned", f"{count} objects of which no row speaks")


def sessions(services: Services) -> Iterator[Finding]:
    """Find sessions that nobody computes."""
    with services.db.read() as db:
        waiting = SessionRow.status == literal_column("'received'")
        late = waiting & (SessionRow.received_at < services.clock() - WAITED)
        count = db.scalar(select(func.count()).where(late)) or 0
        parked = db.scalar(select(func.count()).where(SessionRow.status == literal_column("'parked'"))) or 0
    if count:
        yield Finding("sessions_waiting", f"{count} sessions wait for more than {WAITED.seconds // 60} minutes")
    if parked:
        yield Finding("sessions_parked", f"{parked} sessions were given up")


def quarantine(services: Services) -> Iterator[Finding]:
    """Find uploads that were refused, and are kept until somebody decides."""
    with services.db.read() as db:
        count = db.scalar(select(func.count()).where(QuarantineRow.state == "held")) or 0
    if count:
        yield Finding("uploads_quarantined", f"{count} uploads are in quarantine")


def erasures(services: Services) -> Iterator[Finding]:
    """Find erasures that still have to remove something outside of the rows."""
    with services.db.read() as db:
        count = db.scalar(select(func.count(Residue.erasure_id.distinct()))) or 0
    if count:
        yield Finding("erasure_unfinished", f"{count} erasures are not finished")
