"""A session that is kept, read again: all at once where it is small, one recording after the other where it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from konectom import formats
from konectom.errors import KeyDestroyed
from konectom.recording import Recording, Rejected, Session
from konectom.storage.models import Blob, SessionRow
from konectom.workflows.services import Services
from konectom.workflows.sessions.keep import Outcome
from konectom.workflows.sessions.large import limits_of, outline_large
from konectom.workflows.sessions.process import extract_recording
from konectom.workflows.sessions.raw import opened_upload, raw_bytes


@dataclass(frozen=True, slots=True)
class Readable:
    """A session, of which a large one has no samples, and what gives a recording with them."""

    session: Session
    recording: Callable[[int], Recording | Rejected]

    def outcome(self, index: int) -> Outcome:
        """Return what comes of a recording; its samples are let go of."""
        found = self.recording(index)
        outcome = found if isinstance(found, Rejected) else extract_recording(found, index)
        if isinstance(outcome, Rejected):
            return outcome
        return replace(outcome, recording=replace(outcome.recording, parts=()))


@contextmanager
def read_session(services: Services, session_id: UUID) -> Iterator[Readable]:
    """Yield a session, to be read as long as this lasts.

    Raises as :func:`konectom.formats.read` and :func:`~konectom.workflows.sessions.raw.raw_bytes`; of a large one some
    of it only when a recording is asked for.
    """
    settings = services.settings
    with services.db.read() as db:
        row = db.get(SessionRow, session_id)
        if row is None:
            raise KeyDestroyed("there is no such session any more")
        size_bytes = db.get_one(Blob, row.object).size_bytes
    how = {"encoding": row.encoding, "media_type": row.media_type}
    if size_bytes <= settings.max_body_bytes:
        session = formats.read(raw_bytes(services, row), **how, limits=settings.limits)
        yield Readable(session, session.recordings.__getitem__)
        return
    with opened_upload(services, row) as file:
        session = outline_large(services, file, row.media_type)

        def recordings() -> Iterator[Recording | Rejected]:
            return formats.recordings(file, **how, limits=limits_of(services))

        yield Readable(session, _InTurn(recordings))


class _InTurn:
    """Recordings that come one after the other: to go back is to begin anew."""

    def __init__(self, begin: Callable[[], Iterator[Recording | Rejected]]) -> None:
        self._begin = begin
        self._next, self._coming = 0, begin()

    def __call__(self, index: int) -> Recording | Rejected:
        if index < self._next:
            self._next, self._coming = 0, self._begin()
        while self._next < index:
            next(self._coming)
            self._next += 1
        self._next += 1
        return next(self._coming)
