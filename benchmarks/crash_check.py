"""What must hold when all is quiet again; read from the stores themselves, beside the server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from crash_clients import Sent
from sqlalchemy import func, select
from sqlalchemy.orm import Session as DbSession

from konectom import formats
from konectom.assessments.base import Result
from konectom.recording import Rejected
from konectom.storage.models import Base, Blob, RecordingRow, ResultRow, ScoreRow, SessionRow
from konectom.workflows.audit.check import verify
from konectom.workflows.services import Services
from konectom.workflows.sessions.process import Extracted, extract_session
from konectom.workflows.sessions.raw import raw_bytes


@dataclass
class Found:
    """How many things were looked at, and each that is not as it must be."""

    counts: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def count(self, what: str, number: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + number

    def require(self, holds: bool, told: str) -> None:
        if not holds:
            self.faults.append(told)


def check(services: Services, sent: Iterable[Sent]) -> Found:
    """Compare what is stored with what was sent and told."""
    found = Found()
    by_id = {each.id: each for each in sent}
    with services.db.read() as db:
        stored = {row.id: row for row in db.scalars(select(SessionRow))}
    for each in by_id.values():
        found.count("acknowledged" if each.told is not None else "not acknowledged")
        if each.told is not None:
            found.require(each.id in stored, f"session {each.id} was acknowledged and is not there")
    for row in stored.values():
        if row.id not in by_id:
            found.require(False, f"session {row.id} was never sent")
        else:
            _check_session(services, row, by_id[row.id], found)
    found.count("stored", len(stored))
    found.count("stored without the phone knowing", sum(1 for id in stored if by_id[id].told is None))
    _check_whole(services, found)
    return found


def _check_session(services: Services, row: SessionRow, sent: Sent, found: Found) -> None:
    body = raw_bytes(services, row)
    found.require(body == sent.body, f"session {row.id} holds other bytes than were sent")
    found.require(row.digest == hashlib.sha256(body).hexdigest(), f"session {row.id} has another digest than its bytes")
    session = formats.read(body, encoding=row.encoding, media_type=row.media_type, limits=services.settings.limits)
    outcomes = extract_session(session)
    with services.db.read() as db:
        recordings = db.scalars(
            select(RecordingRow).where(RecordingRow.session_id == row.id).order_by(RecordingRow.index)
        ).all()
        found.require(
            [each.index for each in recordings] == list(range(len(outcomes))), f"session {row.id}: recordings missing"
        )
        for recording, outcome in zip(recordings, outcomes, strict=False):
            results = db.scalars(select(ResultRow).where(ResultRow.recording_id == recording.id)).all()
            if isinstance(outcome, Extracted):
                found.count("results")
                same = len(results) == 1 and recording.status == "processed" and _same(db, results[0], outcome.result)
                scores = db.scalar(
                    select(func.count())
                    .select_from(ScoreRow)
                    .where(ScoreRow.session_id == row.id, ScoreRow.index == recording.index)
                )
                same = same and scores == sum(1 for _ in outcome.result.scores())
            else:
                same = not results and recording.status == ("rejected" if isinstance(outcome, Rejected) else "failed")
            found.require(same, f"recording {row.id}/{recording.index} ({recording.status}): not what its bytes give")


def _same(db: object, row: ResultRow, result: Result) -> bool:
    return row.verdict == result.quality.verdict and bool(np.array_equal(row.features, result.features, equal_nan=True))


def _check_whole(services: Services, found: Found) -> None:
    """Look for what belongs to nothing, and at the audit."""
    with services.db.read() as db:
        for status, count in db.execute(select(SessionRow.status, func.count()).group_by(SessionRow.status)):
            found.count(f"status {status}", count)
            found.require(status in ("processed", "rejected", "failed"), f"{count} sessions are {status}")
        belonging(services, db, found)
    report = verify(services, rows=True)
    found.count("audit entries", report.entries)
    found.require(report.sound, f"the audit is not sound: {report.faults[:3]}")


def belonging(services: Services, db: DbSession, found: Found) -> None:
    """Require that each row and object belongs to something, and that none is missing."""
    referring = [
        column.table.c[column.name]
        for table in Base.metadata.tables.values()
        for column in table.columns
        if any(key.column.table.name == Blob.__tablename__ for key in column.foreign_keys)
    ]
    spoken_of: set[str] = set()
    for column in referring:
        spoken_of |= set(db.scalars(select(column).where(column.is_not(None))))
    blobs = set(db.scalars(select(Blob.object)))
    found.require(blobs == spoken_of, f"{len(blobs ^ spoken_of)} rows of blobs belong to nothing")
    missing = [name for name in blobs if not services.objects.exists(name)]
    found.require(not missing, f"{len(missing)} objects are missing")
    found.count("objects", len(blobs))
    lost = db.scalar(
        select(func.count()).select_from(RecordingRow).where(RecordingRow.session_id.not_in(select(SessionRow.id)))
    )
    found.require(lost == 0, f"{lost} recordings belong to no session")
