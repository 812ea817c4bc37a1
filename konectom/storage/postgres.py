"""What is PostgreSQL's own: how a connection is made and kept alive, and what its failures mean.

A server that does not answer is given up after seconds, at another of several where the address names more; a
connection whose other end is gone is found out by the system, which asks while nothing is said. A server that turns out
to be a replica, as the one that was the primary until just now does, is left: the next connection looks for the
primary anew.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError

from konectom.errors import SettingInvalid

LOCK_TIMEOUT_MS = 30_000
"""How long a statement waits for a lock that another transaction holds."""

REST = timedelta(seconds=60)
"""How long a transaction may rest between two statements: so long a host that vanished keeps others waiting."""

LONG_REST = timedelta(minutes=10)
"""How long one may that reads for somebody who may be slow, such as an export."""

POOL_SIZE, MORE_AT_NEED = 8, 24
"""Connections that a process keeps, and how many more it makes while all are in use."""

ALIVE = {
    "connect_timeout": 5,  # seconds, for each of the servers
    "keepalives": 1,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # ms after which what was sent and not received is given up
}
"""How a dead server is found out; what the address says itself stands above it. See libpq's manual, 32.1.2."""

CANCELLED = "57014"
"""What PostgreSQL says where a statement took too long."""

READ_ONLY = "25006"
"""What it says where it is a replica or was told to keep still; the driver does not count that as operational."""

GAVE_WAY = ("40001", "40P01")
"""What it says where two transactions stood in each other's way: a serialization failure, a deadlock."""

WITHIN, RESTS = "konectom_within", "konectom_rests"


def postgres_url(text: str) -> URL:
    """Return the address of a database; ``host1:5432,host2:5432`` names several servers, of which one is the primary.

    Of several, the one that takes writes is used, unless the address says otherwise (``target_session_attrs``).
    """
    found = re.fullmatch(r"(postgresql\+psycopg://(?:[^@/]*@)?)([^/?@]*,[^/?@]*)(/.*)?", text)
    url = make_url(f"{found[1]}{found[3] or '/'}" if found else text)
    if found:
        url = url.update_query_pairs([("host", each) for each in found[2].split(",")], append=True)
    hosts = url.query.get("host", ())
    if (isinstance(hosts, tuple) and len(hosts) > 1) and "target_session_attrs" not in url.query:
        url = url.update_query_dict({"target_session_attrs": "read-write"})
    return url


def open_postgres(text: str, *, within: timedelta | None, **options: Any) -> Engine:
    """Return an engine on a PostgreSQL server; ``within`` limits each statement, without it nothing does."""
    try:
        url = postgres_url(text)
    except (ValueError, DBAPIError) as error:
        raise SettingInvalid("KONECTOM_DATABASE_URL: this is no address of a database") from error
    told = {name: value for name, value in ALIVE.items() if name not in url.query}
    more = url.query.get("options", "")
    settings = " ".join([*([more] if isinstance(more, str) else more), _settings(within)]).strip()
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=MORE_AT_NEED,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=told | {"options": settings},
        **options,
    )
    event.listen(engine, "handle_error", _leave_replica)
    if within is not None:
        _lengthen(engine, within)
    return engine


def _settings(within: timedelta | None) -> str:
    """Return the options of a connection: its time zone, and the limits for a statement, a lock, and doing nothing.

    The last ends what a process leaves open that was cut off. Where there are no limits, as for a backup, the server
    asks itself whether the other end is still there, as it does of all.
    """
    # Else times come back in the zone of the server, where the last hours of the year 9999 lie in no year at all.
    settings: dict[str, str | int] = {"TimeZone": "UTC"}
    settings |= {f"tcp_{name}": ALIVE[name] for name in ("keepalives_idle", "keepalives_interval", "keepalives_count")}
    if within is not None:
        settings |= {
            "statement_timeout": milliseconds(within),
            "lock_timeout": LOCK_TIMEOUT_MS,
            "idle_in_transaction_session_timeout": milliseconds(REST),
        }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _leave_replica(context: ExceptionContext) -> None:
    """Let go of all connections where a server takes no writes: the primary may be another by now."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def _lengthen(engine: Engine, usual: timedelta) -> None:
    """Give a session the time that it asks for, where that is not the usual, for a statement and between two."""

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        asked = connection.get_execution_options()
        within: timedelta | None = asked.get(WITHIN)
        if within is not None and within != usual:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds(within)}")
        if asked.get(RESTS):
            rest = milliseconds(LONG_REST)
            connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {rest}")


def milliseconds(span: timedelta) -> int:
    """Return a span in whole milliseconds."""
    return span // timedelta(milliseconds=1)


def is_away(error: DBAPIError) -> bool:
    """Tell whether an error says that the database cannot be used at present, whatever the driver calls it."""
    state = getattr(error.orig, "sqlstate", None) or ""
    return (
        isinstance(error, OperationalError | DisconnectionError)
        or error.connection_invalidated
        or state == READ_ONLY
        or state.startswith(("08", "53", "57P"))
    )


def gave_way(error: BaseException) -> bool:
    """Tell whether a transaction was ended so that another could go on: done again, it is likely to be kept."""
    cause = error.__cause__
    return isinstance(cause, DBAPIError) and getattr(cause.orig, "sqlstate", None) in GAVE_WAY
