"""An installation with a row in every table, and others elsewhere, of either kind, with the same keys."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from konectom.settings import load_settings
from konectom.storage.database import open_engine
from konectom.storage.models import Base
from konectom.workflows.audit.check import verify
from konectom.workflows.services import Services
from konectom.workflows.transfer.contents import contents_of
from tests.erasing import populate
from tests.people import QUICK
from tests.postgres import Postgres

KINDS = ("sqlite", "postgresql")
EACH = 5
"""Objects of each person that is made for the tests."""

ALL, OF_TWO = 3 * EACH, 2 * EACH


@pytest.fixture
def empty_database(postgres: Postgres) -> Callable[[], str]:
    """Makes a PostgreSQL database without anything in it, and returns its address."""
    return lambda: postgres.url(postgres.new())


@pytest.fixture
def study(people: Any) -> Any:
    return people.study()


@pytest.fixture
def persons(services: Services, study: Any, probe: Any) -> Any:
    """Three patients with rows in every table of patients."""
    return [populate(services, study) for _ in range(3)]


@pytest.fixture
def elsewhere(services: Services, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Services]]:
    """Opens an installation that is not there yet: of a kind of database, with the same keys."""
    opened: list[Services] = []

    def open_new(kind: str = "sqlite") -> Services:
        directory = tmp_path / f"elsewhere-{len(opened)}"
        directory.mkdir()
        shutil.copy(services.settings.data_dir / "keys.json", directory / "keys.json")
        url = request.getfixturevalue("empty_database")() if kind == "postgresql" else None
        named = {} if url is None else {"database_url": url}
        settings = load_settings({}, mode="development", rate_limits="off", data_dir=directory, **named)
        there = replace(Services.open(settings, clock=services.clock), passwords=QUICK)
        opened.append(there)
        return there

    yield open_new
    for each in opened:
        each.close()


def mind_no_references(connection: Connection) -> None:
    """Let this connection write rows that refer to nothing; SQLite has to be opened so."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET session_replication_role = replica")


@contextmanager
def behind(services: Services) -> Iterator[Connection]:
    """Yield a connection through which anything can be changed, and the audit knows nothing of it."""
    engine = open_engine(services.settings.database_url, foreign_keys=False)
    try:
        with engine.begin() as connection:
            mind_no_references(connection)
            yield connection
    finally:
        engine.dispose()


def contents(services: Services) -> dict[str, Any]:
    """What each table holds."""
    with services.db.engine.connect() as connection:
        return dict(contents_of(connection))


def but_the_audit(found: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in found.items() if not name.startswith("audit")}


def rows(services: Services) -> dict[str, list[Any]]:
    """All rows as the models' own types read them, which is not how they were copied."""
    with services.db.engine.connect() as connection:
        return {
            name: sorted(repr([_shown(each) for each in row]) for row in connection.execute(table.select()))
            for name, table in Base.metadata.tables.items()
        }


def _shown(value: Any) -> Any:
    return value.tobytes() if hasattr(value, "tobytes") else value


def require_sound(services: Services) -> None:
    """Every entry of the audit, and every row that it tells of, is as it should be; and the server would start."""
    assert verify(services, rows=True).faults == []
    services.ping()
