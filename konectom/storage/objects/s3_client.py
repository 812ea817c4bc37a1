"""The client of an S3-compatible store: how it is reached, how long it may take, and what its failures mean."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from konectom.errors import StoreUnavailable

if TYPE_CHECKING:
    from obstore.store import S3Store

FIRST_USE: list[int] = []
"""The process that first used the client's threads: they do not survive a fork, and whoever waits for them hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """How a bucket is reached; what is empty is found in the environment, or where the machine's own role is told."""

    endpoint: str = ""
    region: str = ""
    key_id: str = ""
    secret: str = field(default="", repr=False)
    virtual_hosts: bool = False
    time_limit: timedelta = timedelta(seconds=10)


class S3Clients:
    """The clients of one bucket: one for each limit of time, made when it is first needed. Shared by threads."""

    def __init__(self, bucket: str, prefix: str, access: S3Access) -> None:
        self.bucket, self.prefix, self.access = bucket, prefix, access
        self._lock = threading.Lock()
        self._clients: dict[timedelta, S3Store] = {}

    def within(self, limit: timedelta | None = None) -> S3Store:
        """Return the client whose questions take no longer than ``limit``, by default than is usual."""
        limit = min(limit or self.access.time_limit, self.access.time_limit)
        with self._lock:
            if not FIRST_USE:
                FIRST_USE.append(os.getpid())
            if FIRST_USE[0] != os.getpid():
                raise StoreUnavailable("this process was forked from one that used the object store; start it afresh")
            if limit not in self._clients:
                self._clients[limit] = _connect(self.bucket, self.prefix, self.access, limit)
            return self._clients[limit]


def _connect(bucket: str, prefix: str, access: S3Access, limit: timedelta) -> S3Store:
    """Return a client whose questions take no longer than ``limit``: none begins in the second half of it."""
    from obstore.store import S3Store

    endpoint = access.endpoint.rstrip("/")
    if endpoint and access.virtual_hosts:
        endpoint = endpoint.replace("://", f"://{bucket}.", 1)
    given = {
        "endpoint": endpoint,
        "region": access.region,
        "access_key_id": access.key_id,
        "secret_access_key": access.secret,
    }
    options: Any = {name: value for name, value in given.items() if value}
    return S3Store(
        bucket,
        prefix=prefix or None,
        virtual_hosted_style_request=access.virtual_hosts,
        disable_bulk_delete=True,  # not every store knows it
        client_options={
            "timeout": limit / 2,
            "connect_timeout": limit / 4,
            "allow_http": endpoint.startswith("http://"),
        },
        retry_config={
            "max_retries": 3,
            "retry_timeout": limit / 2,
            "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": limit / 8, "base": 2},
        },
        **options,
    )


def status(error: BaseException) -> str | None:
    """Return the status with which the store answered, None where it did not answer."""
    found = re.search(r"status code: ([0-9]{3})", str(error))
    return found[1] if found else None


def knows_no_conditions(error: BaseException) -> bool:
    """Tell whether the store refused the condition under which an object was to be made, and not the object."""
    return status(error) == "501" or "<Code>NotImplemented</Code>" in str(error)


def require_bucket(error: FileNotFoundError) -> None:
    """Raise the error again where it is the bucket that is not there."""
    if "NoSuchBucket" in str(error):
        raise error


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Turn what only the operator can mend into an error that says so, without addresses and names."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        raise StoreUnavailable(f"the object store cannot be used: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    if "NoSuchBucket" in str(error):
        return "there is no such bucket"
    answered = status(error)
    if answered in ("401", "403"):
        return "it refuses these credentials"
    return f"it answered with status {answered}" if answered else "it does not answer"
