"""What an object store keeps, seen from behind: what lies there is listed, spoilt, aged and removed, past the store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from konectom.storage.objects import FileObjectStore, S3ObjectStore


@dataclass(frozen=True)
class FileKept:
    """An object, or what is left of one, in a directory."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    def exists(self) -> bool:
        return self.path.exists()

    def read_bytes(self) -> bytes:
        return self.path.read_bytes()

    def write_bytes(self, data: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(data)

    def unlink(self) -> None:
        self.path.unlink()

    def age(self, then: datetime) -> None:
        """Have been written then."""
        os.utime(self.path, (then.timestamp(), then.timestamp()))


@dataclass(frozen=True)
class S3Kept:
    """An object in a bucket of the store in this process."""

    store: S3ObjectStore
    key: str

    @property
    def _bucket(self) -> Any:
        from moto.s3.models import s3_backends

        return s3_backends["123456789012"]["aws"].buckets[self.store.bucket]

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]

    def exists(self) -> bool:
        return self.key in self._bucket.keys

    def read_bytes(self) -> bytes:
        return bytes(self._bucket.keys[self.key].value)

    def write_bytes(self, data: bytes) -> None:
        self.store._clients.within().put(self.key.removeprefix(f"{self.store.prefix}/"), data, mode="overwrite")

    def unlink(self) -> None:
        self._bucket.keys.pop(self.key)

    def age(self, then: datetime) -> None:
        """Have been written then."""
        self._bucket.keys[self.key].last_modified = then.astimezone(UTC).replace(tzinfo=None)

    def beside(self) -> Iterator[str]:
        yield from (key for key in list(self._bucket.keys) if key.startswith(f"{self.store.prefix}/"))


Kept = FileKept | S3Kept


def kept(services: Any) -> list[Kept]:
    """All that lies in the store, in the order of its names; not the object that only shows that it can be written."""
    store = services.objects
    found: list[Kept]
    if isinstance(store, FileObjectStore):
        found = [FileKept(path) for path in store.root.rglob("*") if path.is_file()]
    else:
        every = S3Kept(store, "").beside()
        found = [S3Kept(store, key) for key in every if not key.endswith("/writable")]
    return sorted(found, key=lambda each: each.name)


def place_of(services: Any, digest: str) -> Kept:
    """Where an object is, or would be."""
    store, below = services.objects, f"sha256/{digest[:2]}/{digest[2:4]}/{digest}"
    return (
        FileKept(store.root / below) if isinstance(store, FileObjectStore) else S3Kept(store, f"{store.prefix}/{below}")
    )
