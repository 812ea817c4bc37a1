"""A database that is told to keep still is found out before it is written to."""

import os

import pytest

from konectom.errors import StoreUnavailable
from konectom.storage.database import Database
from konectom.storage.writable import require_writable


def test_a_file_that_is_there(services):
    require_writable(services.db)


@pytest.mark.embedded
@pytest.mark.parametrize("gone", ["file", "directory"])
def test_a_file_or_a_directory_that_takes_no_writes(services, monkeypatch, gone):
    def access(path, mode):
        return not (mode & os.W_OK and path.is_dir() == (gone == "directory"))

    monkeypatch.setattr("konectom.storage.writable.os.access", access)
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        require_writable(services.db)


@pytest.fixture
def still(postgres):
    """A database of PostgreSQL whose transactions may only read, as a replica's."""
    name = postgres.new()
    postgres.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    database = Database(postgres.url(name))
    yield database
    database.close()
    postgres.drop(name)


def test_a_postgresql_that_only_reads(still):
    with pytest.raises(StoreUnavailable, match="takes no writes"):
        require_writable(still)
