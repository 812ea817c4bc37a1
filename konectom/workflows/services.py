"""What every workflow works with, made once and handed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from konectom.security.keys import Keychain
from konectom.security.passwords import Passwords
from konectom.settings import Settings
from konectom.storage.audit_trail import Trail
from konectom.storage.database import Database, keep_temporary_files_in
from konectom.storage.objects import ObjectStore, S3Access, open_store
from konectom.workflows.background import Background
from konectom.workflows.following.entries import require_same_catalogues
from konectom.workflows.keys import require_keys
from konectom.workflows.readiness import Readiness

Clock = Callable[[], datetime]
Admit = Callable[[str, UUID], None]
"""Told who has just proved who he is, the kind of principal and its id; refuses by raising."""


def system_clock() -> datetime:
    """Return the present instant in UTC."""
    return datetime.now(UTC)


def anybody(_kind: str, _id: UUID) -> None:
    """Admit anybody."""


def store_access(settings: Settings) -> S3Access:
    """Return how the settings say that a bucket is reached."""
    return S3Access(
        endpoint=settings.object_store_endpoint,
        region=settings.object_store_region,
        key_id=settings.object_store_key_id,
        secret=settings.object_store_secret,
        virtual_hosts=settings.object_store_addressing == "host",
        time_limit=settings.object_store_time_limit,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Services:
    """The settings, the database, the raw bytes, the keys, what time it is, how passwords are kept, and later work.

    May be shared by threads and survives a fork.
    """

    settings: Settings
    db: Database
    objects: ObjectStore
    keys: Keychain
    clock: Clock = system_clock
    passwords: Passwords = field(default_factory=Passwords)
    background: Background = field(default_factory=Background)
    readiness: Readiness = field(default_factory=Readiness)

    @classmethod
    def open(cls, settings: Settings, *, clock: Clock = system_clock) -> Services:
        """Return the services that the settings describe; nothing is connected before it is needed."""
        keep_temporary_files_in(settings.data_dir / "temporary", settings.database_url)
        keys = Keychain.open(settings.keys_url)
        db = Database(settings.database_url, trail=Trail(keys, clock), within=settings.read_time_limit)
        return cls(settings, db, open_store(settings.object_store_url, store_access(settings)), keys, clock)

    def ping(self) -> None:
        """Raise an :class:`~konectom.errors.OperationError` unless all is ready for work."""
        self.ping_stores()
        self.require_keys()
        self.require_same_catalogues()

    def ping_stores(self) -> None:
        """Raise :class:`StoreUnavailable` or :class:`MigrationNeeded` unless both stores can be used."""
        self.db.ping()
        self.objects.ping()

    def require_keys(self) -> None:
        """Raise :class:`~konectom.errors.KeysMissing` or :class:`~konectom.errors.KeysInvalid` unless all are there.

        All are those under which the database holds something sealed.
        """
        require_keys(self)

    def require_same_catalogues(self) -> None:
        """Raise :class:`~konectom.errors.CatalogueChanged` where an assessment changed and its version did not."""
        with self.db.read() as db:
            require_same_catalogues(db)

    def close(self) -> None:
        """Wait for what is done in the background, and close this process's connections."""
        self.background.join()
        self.db.close()
