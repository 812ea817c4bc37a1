"""What goes to the workers of a campaign: sessions that are due, opened, some at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from konectom.assessments.base import Entry
from konectom.errors import KeyDestroyed, NotFound, SealBroken, StoreUnavailable
from konectom.recording import FloatArray
from konectom.storage.models import CatalogueRow, RecordingRow, ResultRow, SessionRow
from konectom.storage.queries import IS_CURRENT
from konectom.workflows.campaigns.choice import Choice, Mark, Unit, due
from konectom.workflows.campaigns.recompute import Task
from konectom.workflows.following.entries import entries_of
from konectom.workflows.patients.patient_keys import patient_key
from konectom.workflows.services import Services
from konectom.workflows.sessions.raw import unsealed_object

log = structlog.get_logger()

SESSIONS_AT_ONCE = 32
BYTES_AT_ONCE = 4_000_000
READERS = 4
"""Objects that are read at one time: a store elsewhere answers late, not slowly."""


@dataclass(frozen=True, slots=True, eq=False)
class Old:
    """The result that a recording has: of which catalogue, with which values and verdict."""

    assessment: str
    version: int
    entries: tuple[Entry, ...]
    features: FloatArray
    verdict: str


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """Sessions that are computed at one time: how many, their patients, and how far the campaign has come with them.

    ``statuses`` and ``olds`` are by session and index, ``olds`` only where they are compared. ``unreadable`` counts
    recordings whose bytes are damaged or gone. ``large`` are sessions that are not held in memory, and what is wanted.
    """

    sessions: int
    mark: Mark
    tasks: tuple[Task, ...]
    patients: Mapping[UUID, UUID]
    statuses: Mapping[tuple[UUID, int], str]
    olds: Mapping[tuple[UUID, int], Old] = field(default_factory=dict)
    unreadable: int = 0
    large: tuple[tuple[SessionRow, tuple[int, ...]], ...] = ()


def grouped(found: Iterable[Unit]) -> Iterator[tuple[Unit, ...]]:
    """Yield some sessions at a time: never a part of those after which the campaign has come equally far."""
    some: list[Unit] = []
    for unit in found:
        if some and unit.mark != some[-1].mark and _are_enough(some):
            yield tuple(some)
            some = []
        some.append(unit)
    if some:
        yield tuple(some)


def _are_enough(some: list[Unit]) -> bool:
    return len(some) >= SESSIONS_AT_ONCE or sum(unit.size_bytes for unit in some) >= BYTES_AT_ONCE


def loads(
    services: Services, choice: Choice, versions: Mapping[str, int], found: Iterable[Unit], *, compared: bool
) -> Generator[Load, None, None]:
    """Yield the sessions with their bytes, and, where they are ``compared``, with the results that they have.

    Raises :class:`StoreUnavailable` where the store cannot be reached; one that is damaged is told, and left out.
    """
    with ThreadPoolExecutor(READERS, thread_name_prefix="campaign") as readers:
        for some in grouped(found):
            yield _load(services, choice, versions, some, readers, compared=compared)


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A session whose bytes are still to be read."""

    row: SessionRow
    key: bytes
    wanted: tuple[int, ...]


def _load(
    services: Services,
    choice: Choice,
    versions: Mapping[str, int],
    some: tuple[Unit, ...],
    readers: ThreadPoolExecutor,
    *,
    compared: bool,
) -> Load:
    with services.db.read() as db:
        statement = (
            select(SessionRow, RecordingRow)
            .join(RecordingRow, RecordingRow.session_id == SessionRow.id)
            .where(SessionRow.id.in_([unit.session_id for unit in some]), due(db, choice, versions))
            .order_by(SessionRow.received_at, SessionRow.id, RecordingRow.index)
        )
        rows = [(session, recording) for session, recording in db.execute(statement)]
        most = services.settings.max_body_bytes
        too_large = {unit.session_id for unit in some if unit.size_bytes > most}
        found = list(_sealed(services, db, rows))
        sealed = [each for each in found if each.row.id not in too_large]
        olds = _olds(db, [recording for _, recording in rows]) if compared else {}
    bodies = list(readers.map(lambda each: _body(services, each), sealed))
    limits = services.settings.limits
    tasks = tuple(
        Task(each.row.id, body, each.row.encoding, each.row.media_type, each.wanted, limits)
        for each, body in zip(sealed, bodies, strict=True)
        if body is not None
    )
    return Load(
        sessions=len(some),
        mark=some[-1].mark,
        tasks=tasks,
        patients={session.id: session.patient_id for session, _ in rows},
        statuses={(recording.session_id, recording.index): recording.status for _, recording in rows},
        olds=olds,
        large=tuple((each.row, each.wanted) for each in found if each.row.id in too_large),
        unreadable=sum(len(each.wanted) for each, body in zip(sealed, bodies, strict=True) if body is None),
    )


def _sealed(services: Services, db: Session, rows: list[tuple[SessionRow, RecordingRow]]) -> Iterator[_Sealed]:
    wanted: dict[UUID, list[int]] = {}
    for session, recording in rows:
        wanted.setdefault(session.id, []).append(recording.index)
    keys: dict[UUID, bytes | None] = {}
    for session in dict.fromkeys(session for session, _ in rows):
        if session.patient_id not in keys:
            keys[session.patient_id] = _key(services, db, session.patient_id)
        key = keys[session.patient_id]
        if key is not None:
            yield _Sealed(session, key, tuple(wanted[session.id]))


def _key(services: Services, db: Session, patient_id: UUID) -> bytes | None:
    try:
        return patient_key(services, db, patient_id)
    except KeyDestroyed:  # erased meanwhile
        return None


def _body(services: Services, sealed: _Sealed) -> bytes | None:
    """Return a session's bytes, None where they are damaged or gone: that must not stop all others."""
    try:
        return unsealed_object(services, sealed.key, sealed.row.object)
    except (NotFound, SealBroken) as error:
        log.error("campaign.object_unreadable", reason=error.code)
    except StoreUnavailable as error:
        services.objects.ping()  # raises where it is the store, and not this object
        log.error("campaign.object_unreadable", reason=error.code)
    return None


def _olds(db: Session, recordings: list[RecordingRow]) -> dict[tuple[UUID, int], Old]:
    places = {each.id: (each.session_id, each.index) for each in recordings}
    statement = (
        select(ResultRow, CatalogueRow)
        .join(CatalogueRow, CatalogueRow.id == ResultRow.catalogue_id)
        .where(ResultRow.recording_id.in_(list(places)), IS_CURRENT)
        .options(undefer(ResultRow.features))
    )
    found: dict[tuple[UUID, int], Old] = {}
    for row in db.execute(statement):
        result, catalogue = row
        found[places[result.recording_id]] = _old(db, result, catalogue)
    return found


def _old(db: Session, result: Any, catalogue: CatalogueRow) -> Old:
    entries = entries_of(db, catalogue)
    return Old(catalogue.assessment, catalogue.version, entries, result.features, result.verdict)
