"""Where raw uploads are kept: a directory, or a bucket of an S3-compatible store, by one setting."""

from __future__ import annotations

from pathlib import Path

from konectom.errors import SettingInvalid
from konectom.storage.objects.files import FileObjectStore
from konectom.storage.objects.protocol import ObjectStore
from konectom.storage.objects.s3 import S3ObjectStore
from konectom.storage.objects.s3_client import S3Access

__all__ = ["FileObjectStore", "ObjectStore", "S3Access", "S3ObjectStore", "open_store"]


def open_store(url: str, access: S3Access | None = None) -> ObjectStore:
    """Return the store at ``url``: ``file://DIRECTORY``, taken as it stands, or ``s3://BUCKET`` or ``…/PREFIX``.

    ``access`` says how a bucket is reached. Nothing is opened yet.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "file" and rest.startswith("/"):
        return FileObjectStore(Path(rest))
    bucket, _, prefix = rest.partition("/")
    if scheme == "s3" and bucket:
        return S3ObjectStore(bucket, prefix.strip("/"), access or S3Access())
    raise SettingInvalid("the object store's address must be file:// and an absolute directory, or s3:// and a bucket")
