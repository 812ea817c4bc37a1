"""The database: connections made as each needs them, reads and writes kept apart.

SQLite runs in WAL mode. A write begins with ``BEGIN IMMEDIATE``: a transaction that reads first and asks for
the write lock later is refused at once, however long it was told to wait, if another wrote in between. Reads
begin plainly, so they neither wait for writes nor hold them up. But whoever asks for what is kept of patients waits all
the same: before the answer leaves, an entry of the audit is written, and that is a write. While the file is rewritten
after an erasure (:mod:`konectom.storage.compaction`) such answers wait as well, at most as long as any write does.

No statement runs without end: what takes longer than the database was told is stopped by the database itself, on
PostgreSQL every statement, on SQLite every one that reads (a write there is bounded by what it changes).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from konectom.errors import MigrationNeeded, StoreFull, StoreUnavailable, TooSlow
from konectom.metrics import CONNECTIONS
from konectom.storage.audit import TRAIL, audit
from konectom.storage.audit_trail import Trail
from konectom.storage.guard import guard
from konectom.storage.postgres import CANCELLED, MORE_AT_NEED, POOL_SIZE, RESTS, WITHIN, is_away, open_postgres
from konectom.storage.turns import Turns, begin_in_turn, end_turn

BUSY_TIMEOUT_MS = 30_000
"""How long a write waits for another to end."""

STATEMENT_LIMIT = timedelta(seconds=60)
"""How long one statement may take, where nobody says otherwise."""

LOOK_EVERY_STEPS = 20_000
"""After how many steps of SQLite's machine the clock is looked at: some tenths of a millisecond."""

TEMPORARY = "SQLITE_TMPDIR"
"""The variable that tells SQLite where temporary files belong."""

WRITES = "konectom_writes"
FULL = ("53100", "SQLITE_FULL")
"""What the databases say where there is no room to write."""


class GuardedSession(Session):
    """A session that refuses to change immutable rows, and tells the audit what it changes."""


guard(GuardedSession)
audit(GuardedSession)


class Database:
    """The tables behind ``url`` (``sqlite:///FILE`` or ``postgresql+psycopg://…``).

    Nothing is opened before it is needed, and each process opens its own: connections do not survive a fork. Without
    ``trail``, which keeps the audit, rows of which the audit tells cannot be written.
    """

    def __init__(self, url: str, *, trail: Trail | None = None, within: timedelta = STATEMENT_LIMIT) -> None:
        self.url, self.trail, self.within = url, trail, within
        self._lock = threading.Lock()
        self._pid = 0
        self._engine: Engine | None = None
        self._told: dict[tuple[tuple[str, Any], ...], Engine] = {}

    @property
    def engine(self) -> Engine:
        """Return this process's engine."""
        if self._engine is None or self._pid != os.getpid():
            with self._lock:
                if self._engine is None or self._pid != os.getpid():
                    if self._engine is not None:
                        self._engine.dispose(close=False)  # the parent still uses these connections
                    self._engine, self._pid = open_engine(self.url, within=self.within, in_turn=True), os.getpid()
                    self._told = {}
                    _count_connections(self._engine)
        return self._engine

    def _telling_engine(self, **options: Any) -> Engine:
        """Return the engine with options, made once for each: making one costs as much as a small question."""
        engine, key = self.engine, tuple(options.items())
        if key not in self._told:
            self._told[key] = engine.execution_options(**options)
        return self._told[key]

    @contextmanager
    def read(self, *, within: timedelta | None = None) -> Iterator[Session]:
        """Yield a session that sees one state of the database and cannot change it.

        A statement that takes longer than ``within`` (default: the database's own limit) raises :class:`TooSlow`. Who
        gives it may also rest for minutes between two statements, while somebody takes what was read; others are ended
        by PostgreSQL after one.
        """
        with self._telling(), GuardedSession(self._reading(within), info={"read_only": True}) as session:
            yield session

    @contextmanager
    def ask(self) -> Iterator[Connection]:
        """Yield a connection for the few questions that every request asks: as :meth:`read`, at half the cost."""
        with self._telling(), self._reading().connect() as connection:
            yield connection

    def _reading(self, within: timedelta | None = None) -> Engine:
        options: dict[str, Any] = {WITHIN: within or self.within, RESTS: within is not None}
        if self.engine.dialect.name != "sqlite":
            options["isolation_level"] = "REPEATABLE READ"
        return self._telling_engine(**options)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Yield a session whose changes are kept together at the end, or not at all where an error leaves."""
        engine = self._telling_engine(**{WRITES: True})
        info = {} if self.trail is None else {TRAIL: self.trail}
        with self._telling(), GuardedSession(engine, info=info) as session, session.begin():
            yield session

    def ping(self) -> None:
        """Raise :class:`StoreUnavailable` or :class:`MigrationNeeded` unless the database can be used."""
        from konectom.storage.migrate import require_head

        with self._telling(), self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            require_head(connection)

    def close(self) -> None:
        """Close this process's connections; they open again when needed."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose(close=self._pid == os.getpid())
            self._engine = None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn what only the operator can mend into errors that say so."""
        try:
            yield
        except DBAPIError as error:
            if _was_stopped(error):
                raise TooSlow("the database was stopped at its limit of time; ask for less") from error
            if _schema_is_another(error):
                raise MigrationNeeded("the database has another schema; run: konectom db upgrade") from error
            if _is_full(error):
                raise StoreFull("there is no room left for the database") from error
            if is_away(error):
                raise StoreUnavailable("the database cannot be used at present") from error
            raise
        except PoolTimeout as error:
            raise StoreUnavailable("all connections to the database are in use") from error


def keep_temporary_files_in(directory: Path, url: str) -> None:
    """Let SQLite write temporary files, such as the copy that VACUUM makes, to a directory for its owner only.

    Only before this process first uses SQLite, which then reads ``SQLITE_TMPDIR``; one that is set already stays.
    Source: https://www.sqlite.org/tempfiles.html, section 5.
    """
    if not url.startswith("sqlite") or TEMPORARY in os.environ:
        return
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
    except OSError as error:
        raise StoreUnavailable(f"the directory of temporary files cannot be made: {error.strerror}") from error
    os.environ[TEMPORARY] = str(directory.resolve())


def open_engine(
    url: str, *, foreign_keys: bool = True, within: timedelta | None = None, in_turn: bool = False
) -> Engine:
    """Return an engine on ``url``, set up as the module says. A new SQLite file is for its owner only.

    ``within`` limits each statement; without it (for migrations) nothing does. Writes to a file of SQLite wait
    ``in_turn`` (:mod:`konectom.storage.turns`), as has to be where others write as well.
    """
    options: dict[str, Any] = {"json_serializer": _dumps, "json_deserializer": orjson.loads}
    if not url.startswith("sqlite"):
        return open_postgres(url, within=within, **options)
    file = Path(make_url(url).database or "")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError as error:
        raise StoreUnavailable(f"the database cannot be opened: {error.strerror}") from error
    engine = create_engine(url, pool_size=POOL_SIZE, max_overflow=MORE_AT_NEED, hide_parameters=True, **options)

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, record: Any) -> None:
        # The driver's own transactions begin too late and plainly; from here on ours are the only ones.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            "secure_delete = ON",  # what a row held is overwritten when it goes
            "synchronous = FULL",
            "fullfsync = ON",  # only macOS needs telling that a flush means the disk's cache too
            f"foreign_keys = {'ON' if foreign_keys else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    turns = Turns(file) if in_turn and file.name else None  # without a name it is in memory

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get(WRITES):
            # Touches no file, so that it can neither wait nor fail.
            connection.connection.cursor().execute("BEGIN").close()
        elif turns is None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            begin_in_turn(connection, turns, BUSY_TIMEOUT_MS)

    if turns is not None:
        event.listen(engine, "checkin", lambda _, record: end_turn(record.info))
    if within is not None:
        _watch(engine)
    return engine


def _count_connections(engine: Engine) -> None:
    """Tell the metrics how many connections are at work."""
    event.listen(engine, "checkout", lambda *_: CONNECTIONS.add(1))
    event.listen(engine, "checkin", lambda *_: CONNECTIONS.add(-1))


def _watch(engine: Engine) -> None:
    """Let SQLite stop a statement of a reading session when its time is over."""

    @event.listens_for(engine, "connect")
    def look_at_the_clock(connection: Any, record: Any) -> None:
        info = record.info
        connection.set_progress_handler(lambda: time.monotonic() > info.get("deadline", float("inf")), LOOK_EVERY_STEPS)

    @event.listens_for(engine, "before_cursor_execute")
    def start(connection: Connection, *_: Any) -> None:
        within: timedelta | None = connection.get_execution_options().get(WITHIN)
        connection.info["deadline"] = float("inf") if within is None else time.monotonic() + within.total_seconds()


def _was_stopped(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == CANCELLED or (
        getattr(error.orig, "sqlite_errorname", None) == "SQLITE_INTERRUPT"
    )


def _is_full(error: DBAPIError) -> bool:
    said = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return said in FULL


def as_kept(value: Any) -> Any:
    """Return what a column of JSON gives back of a value."""
    return orjson.loads(_dumps(value))


def _dumps(value: Any) -> str:
    # Whatever an assessment puts into its evidence is written somehow: it must not cost the session. NaN is null.
    return orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()


def _schema_is_another(error: DBAPIError) -> bool:
    undefined_table_or_column = ("42P01", "42703")
    said = str(error.orig)
    return (
        getattr(error.orig, "sqlstate", None) in undefined_table_or_column
        or "no such table" in said
        or "no such column" in said
    )
