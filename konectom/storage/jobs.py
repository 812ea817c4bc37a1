"""Nudges to compute a session: jobs of Procrastinate, in tables of its own on PostgreSQL. On SQLite there are none.

A job is written through the very transaction that writes the session, so that there is neither without the other, and
PostgreSQL wakes the workers (LISTEN and NOTIFY) when it commits. It holds the session's id and nothing else. What is
true stands in the session's row: a job that is lost, or is there twice, costs no more than a look.

Here are only Procrastinate's own SQL functions and tables: nobody but a worker imports the library.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, Integer, MetaData, String, Table, cast, exists, text
from sqlalchemy.orm import Session

from konectom.storage.models import SessionRow

QUEUE = "sessions"
TASK = "compute"
ARGUMENT = "session"
SILENT_S = 30
"""After so long without a sign of life a worker counts as dead."""

SWEEPING = 0x6B737770
"""Number of PostgreSQL's advisory lock under which one process at a time looks for what was left behind."""

_apart = MetaData()
JOBS = Table("procrastinate_jobs", _apart, Column("id", Integer), Column("queueing_lock", String))
EVENTS = Table("procrastinate_events", _apart, Column("id", Integer))
TABLES = (JOBS, EVENTS)
"""The tables in which a session's id may stand, or what became of its job."""

NO_JOB: ColumnElement[bool] = ~exists().where(JOBS.c.queueing_lock == cast(SessionRow.id, String))
"""That no job, neither waiting nor under way, is about a session."""

_DEFER = text("""
    SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
        :queue, :task, 0, NULL, :session, CAST(:arguments AS jsonb), CAST(:at AS timestamptz)
    )::procrastinate_job_to_defer_v1])
    WHERE NOT EXISTS (SELECT FROM procrastinate_jobs WHERE queueing_lock = :session AND status = 'todo')
""")
_REMOVE = text("DELETE FROM procrastinate_jobs WHERE queueing_lock = ANY(:sessions) AND status <> 'doing'")
_FORGET = text(
    "UPDATE procrastinate_jobs SET args = '{}', queueing_lock = NULL "
    "WHERE queueing_lock = ANY(:sessions) AND status = 'doing'"
)
_STALLED = text(f"""
    DELETE FROM procrastinate_jobs WHERE id IN (
        SELECT job.id FROM procrastinate_jobs job WHERE job.status <> 'todo' AND NOT EXISTS (
            SELECT FROM procrastinate_workers worker
            WHERE worker.id = job.worker_id AND worker.last_heartbeat > now() - interval '{SILENT_S} seconds'
        ) FOR UPDATE OF job SKIP LOCKED
    ) RETURNING queueing_lock
""")  # noqa: S608
"""Without those that a transaction still holds, such as one whose host has vanished: the others do not wait for it."""
_TABLE_OF_JOBS = text("SELECT to_regclass('procrastinate_jobs') IS NOT NULL")
_TAKES_JOBS = text("SELECT to_regprocedure('procrastinate_defer_jobs_v1(procrastinate_job_to_defer_v1[])') IS NOT NULL")


def has_jobs(db: Session) -> bool:
    """Tell whether this database is of the kind that has jobs."""
    return db.get_bind().dialect.name == "postgresql"


def defer(db: Session, session_id: UUID, *, at: datetime | None = None) -> None:
    """Have a session computed when this transaction commits, or not before ``at``; where it is to be already, nothing.

    Only for whoever holds the session's row, or has just made it.
    """
    if has_jobs(db):
        arguments = f'{{"{ARGUMENT}": "{session_id}"}}'
        said = {"queue": QUEUE, "task": TASK, "session": str(session_id), "arguments": arguments, "at": at}
        db.execute(_DEFER, said)


def remove(db: Session, sessions: Collection[UUID]) -> None:
    """Remove the jobs of these sessions that have not begun."""
    if sessions and has_jobs(db):
        db.execute(_REMOVE, {"sessions": [str(each) for each in sessions]})


def forget(db: Session, sessions: Sequence[UUID]) -> None:
    """Remove all that jobs hold of these sessions, which are erased; one that is under way ends without them."""
    remove(db, sessions)
    if sessions and has_jobs(db):
        db.execute(_FORGET, {"sessions": [str(each) for each in sessions]})


def take_stalled(db: Session) -> list[UUID]:
    """Remove jobs that nobody will end, their workers being dead, and return the sessions that they were about."""
    if not has_jobs(db):
        return []
    found = db.scalars(_STALLED).all()
    return [UUID(each) for each in found if each is not None]


def alone(db: Session) -> bool:
    """Tell whether nobody else looks for what was left behind; until this transaction ends, nobody else does."""
    taken = text("SELECT pg_try_advisory_xact_lock(:number)")
    return not has_jobs(db) or bool(db.scalar(taken, {"number": SWEEPING}))


def fault_of_tables(connection: Connection) -> str | None:
    """Return what is wrong with the tables of jobs; None where nothing is, or there are to be none."""
    if connection.dialect.name != "postgresql":
        return None
    if not connection.scalar(_TABLE_OF_JOBS):
        return "the tables of jobs (procrastinate_jobs) are missing"
    return None if connection.scalar(_TAKES_JOBS) else "the tables of jobs are of another version of Procrastinate"
