"""A database that is told to keep still is found out before it is written to."""

import os

import pytest
from sqlalchemy import create_engine, make_url

from konectom.errors import StoreUnavailable
from konectom.storage.database import Database
from konectom.storage.writable import require_writable

URL = os.environ.get("KONECTOM_TEST_POSTGRESQL_URL", "")


def test_a_file_that_is_there(services):
    require_writable(services.db)


@pytest.mark.parametrize("gone", ["file", "directory"])
def test_a_file_or_a_directory_that_takes_no_writes(services, monkeypatch, gone):
    def access(path, mode):
        return not (mode & os.W_OK and path.is_dir() == (gone == "directory"))

    monkeypatch.setattr("konectom.storage.writable.os.access", access)
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        require_writable(services.db)


@pytest.fixture
def still():
    """A database of PostgreSQL whose transactions may only read, as a replica's."""
    engine = create_engine(URL, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE IF EXISTS konectom_still")
        connection.exec_driver_sql("CREATE DATABASE konectom_still")
        connection.exec_driver_sql("ALTER DATABASE konectom_still SET default_transaction_read_only = on")
    database = Database(make_url(URL).set(database="konectom_still").render_as_string(hide_password=False))
    yield database
    database.close()
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE konectom_still")
    engine.dispose()


@pytest.mark.skipif(not URL, reason="no PostgreSQL server to test on")
def test_a_postgresql_that_only_reads(still):
    with pytest.raises(StoreUnavailable, match="takes no writes"):
        require_writable(still)
