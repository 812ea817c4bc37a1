"""What tests run on: what needs nothing installed (SQLite and a directory), or PostgreSQL and S3.

``KONECTOM_TEST_BACKEND=real`` takes the latter; else, or with ``embedded``, it is the former. A test marked
``embedded`` is about the file or the directory itself, and is left out on the other.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from sqlalchemy import make_url

from konectom.settings import Settings, load_settings
from konectom.storage import migrate
from tests.postgres import Postgres

ASKED, TAKEN = "KONECTOM_TEST_BACKEND", "TEST_BACKEND"
# No setting, and so no variable that a server under test may find; processes that run tests hand it on to others.
if ASKED in os.environ:
    os.environ[TAKEN] = os.environ.pop(ASKED)
BACKEND = os.environ.get(TAKEN, "embedded")
REAL = BACKEND == "real"
if BACKEND not in ("embedded", "real"):
    raise pytest.UsageError(f"{ASKED} must be embedded or real, not {BACKEND}")

BUCKET = "konectom"


@dataclass(frozen=True)
class Bucket:
    """A bucket at a store in this very process."""

    endpoint: str
    name: str = BUCKET

    def settings(self, prefix: str = "") -> dict[str, str]:
        """The settings with which an installation keeps its objects there."""
        return {
            "object_store_url": f"s3://{self.name}/{prefix}",
            "object_store_endpoint": self.endpoint,
            "object_store_region": "us-east-1",
            "object_store_key_id": "tests",
            "object_store_secret": "tests",
        }


@contextmanager
def bucket() -> Iterator[Bucket]:
    """A store in this process, with one bucket."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        made = Bucket(f"http://{host}:{port}")
        requests.put(f"{made.endpoint}/{made.name}", timeout=30).raise_for_status()
        yield made
    finally:
        server.stop()


class Embedded:
    """Each installation is a directory with a copy of a database that was set up once."""

    def __init__(self, migrated: Path) -> None:
        self.migrated = migrated

    def install(self, directory: Path) -> dict[str, Any]:
        """Make an installation; return the settings that say where its stores are, beside the directory."""
        shutil.copy(self.migrated, directory / "konectom.sqlite3")
        return {}

    def remove(self, settings: Settings) -> None:
        """Do nothing: the directory goes with the test's."""


class Real:
    """Each installation is a database of its own on one server, and a prefix of one bucket."""

    def __init__(self, server: Postgres, bucket: Bucket) -> None:
        self.server, self.bucket = server, bucket
        self.migrated = server.new()
        migrate.upgrade(server.url(self.migrated))

    def install(self, directory: Path) -> dict[str, Any]:
        """Make an installation; return the settings that say where its stores are."""
        name = self.server.new(self.migrated)
        return {"database_url": self.server.url(name)} | self.bucket.settings(uuid4().hex)

    def remove(self, settings: Settings) -> None:
        """Remove the database of an installation; those of all tests together would fill the disk."""
        self.server.drop(make_url(settings.database_url).database or "")


def installer(backend: Embedded | Real, key_file: Path) -> Callable[[Path], Settings]:
    """Return what makes an installation in a directory: its database is set up and empty."""

    def install(directory: Path) -> Settings:
        where = backend.install(directory)
        shutil.copy(key_file, directory / "keys.json")
        return load_settings(
            {},
            mode="development",
            rate_limits="off",
            data_dir=directory,
            device_access_lifetime="30 d",  # tests move their clock
            **where,
        )

    return install


WHERE = ("data_dir", "database_url", "keys_url", "object_store_url", "object_store_endpoint", "object_store_region")
WHERE += ("object_store_key_id", "object_store_secret")


def where_of(settings: Settings) -> dict[str, str]:
    """Return the settings that say where an installation is, for other settings of the same."""
    return {name: str(getattr(settings, name)) for name in WHERE}


def environ_of(settings: Settings) -> dict[str, str]:
    """Return the variables with which another process finds the same installation."""
    told = where_of(settings) | {"mode": settings.mode}
    return {f"KONECTOM_{name.upper()}": value for name, value in told.items()}
