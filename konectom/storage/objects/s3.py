"""Objects in a bucket of an S3-compatible store.

A small object goes in one request that makes it only where there is none (``If-None-Match: *``); a large one in parts,
which the store puts together once all are there, so that nobody ever sees half of it. Equal names hold equal bytes:
where a store knows no such condition, writing an object again does no harm.

No request waits for ever: the limit of time (:mod:`konectom.storage.objects.s3_client`) is for one question with all
its repetitions. Large objects are read and written in many requests of some megabytes each.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import structlog

from konectom.errors import NotFound, StoreUnavailable
from konectom.metrics import measured
from konectom.storage.objects.files import pieces_of, size_of
from konectom.storage.objects.protocol import PIECE, key_of
from konectom.storage.objects.reading import stream_of
from konectom.storage.objects.s3_client import S3Access, S3Clients, knows_no_conditions, require_bucket, status, telling

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import S3Store

log = structlog.get_logger()

AT_ONCE = 4
"""Parts of one object on their way at once."""

TRIES = 3
"""How often an object is asked for and put again that others, at the same instant, make and remove."""

PING_LIMIT = timedelta(seconds=3)
"""How long the store may take to say that it is there: who asks does not wait long either."""

WRITABLE = "writable"
"""The object by which :meth:`S3ObjectStore.ping` finds out whether objects can be written."""


class S3ObjectStore:
    """Objects ``PREFIX/sha256/ab/cd/<digest>`` of a bucket. Shared by threads; nothing is opened before its use."""

    def __init__(self, bucket: str, prefix: str, access: S3Access) -> None:
        self.bucket, self.prefix = bucket, prefix
        self._clients = S3Clients(bucket, prefix, access)

    @measured("put")
    def put(self, digest: str, data: bytes) -> bool:
        """Keep ``data`` durably; tell whether it was new. An object of the wrong size is written again."""
        key = key_of(digest)
        if len(data) <= PIECE:
            return self._put_small(key, digest, data)
        return self._put_large(key, digest, len(data), (data[at : at + PIECE] for at in range(0, len(data), PIECE)))

    @measured("put")
    def put_file(self, digest: str, path: Path) -> bool:
        """Keep the bytes of a file, in parts where it is large; it is given up where they turn out to be others."""
        key, size = key_of(digest), size_of(path)
        if size <= PIECE:
            return self._put_small(key, digest, b"".join(pieces_of(path, digest)))
        return self._put_large(key, digest, size, pieces_of(path, digest))

    def _put_small(self, key: str, digest: str, data: bytes) -> bool:
        from obstore.exceptions import AlreadyExistsError

        with telling():
            for _ in range(TRIES):
                try:
                    return self._create(key, data)
                except AlreadyExistsError:
                    size = self._size(key)
                    if size == len(data):
                        return False
                    if size is not None:
                        log.error("object.damaged", digest=digest, size_bytes=size, expected_bytes=len(data))
                        break
            self._client.put(key, data, mode="overwrite", use_multipart=False)
        return True

    def _create(self, key: str, data: bytes) -> bool:
        from obstore.exceptions import GenericError, NotSupportedError

        try:
            self._client.put(key, data, mode="create")
            return True
        except (GenericError, NotSupportedError) as error:
            if not knows_no_conditions(error):
                raise
        new = self._size(key) != len(data)
        if new:
            self._client.put(key, data, mode="overwrite", use_multipart=False)
        return new

    def _put_large(self, key: str, digest: str, length: int, pieces: Iterator[bytes]) -> bool:
        with telling():
            size = self._size(key)
            if size == length:
                return False
            if size is not None:
                log.error("object.damaged", digest=digest, size_bytes=size, expected_bytes=length)
            self._client.put(key, pieces, chunk_size=PIECE, max_concurrency=AT_ONCE)
        return True

    @measured("get")
    def get(self, digest: str) -> bytes:
        """Return the bytes, compared with their digest."""
        with self.open(digest) as stream:
            return stream.read()

    def open(self, digest: str) -> BinaryIO:
        """Return a stream of the bytes, compared with their digest at its end."""
        key = key_of(digest)
        found = self._piece(key, 0)
        if found is None:
            raise NotFound(f"there is no object {digest}")
        first, size = found
        return stream_of(digest, chain((first,), self._further(key, size)))

    def _further(self, key: str, size: int) -> Iterator[bytes]:
        for start in range(PIECE, size, PIECE):
            found = self._piece(key, start)
            if found is None:
                raise StoreUnavailable("the object was removed while it was read")
            yield found[0]

    def _piece(self, key: str, start: int) -> tuple[bytes, int] | None:
        """Return a piece of an object and the size of the whole, None where there is no such object."""
        from obstore.exceptions import GenericError

        with telling():
            try:
                found = self._client.get(key, options={"range": (start, start + PIECE)})
                return bytes(found.bytes()), found.meta["size"]
            except FileNotFoundError as error:
                require_bucket(error)
                return None
            except GenericError as error:
                if start == 0 and status(error) == "416":  # there is no first byte: the object is empty
                    return b"", 0
                raise

    def exists(self, digest: str) -> bool:
        """Tell whether the object is kept here."""
        with telling():
            return self._size(key_of(digest)) is not None

    @measured("delete")
    def delete(self, digest: str) -> None:
        """Remove the object, if it is here."""
        with telling():
            try:
                self._client.delete(key_of(digest))
            except FileNotFoundError as error:
                require_bucket(error)

    def written_before(self, instant: datetime, *, most: int | None = None) -> Iterator[str]:
        """Yield the digests of objects that were written before ``instant``; looks at ``most`` objects."""
        middle = f"sha256/{secrets.token_hex(1)}/{secrets.token_hex(1)}"
        for each in islice(chain(self._listed(middle, None), self._listed(None, middle)), most):
            digest = each["path"].rpartition("/")[2]
            if re.fullmatch("[0-9a-f]{64}", digest) and each["last_modified"] < instant:
                yield digest

    def _listed(self, after: str | None, until: str | None) -> Iterator[ObjectMeta]:
        with telling():
            for some in self._client.list("sha256", offset=after):
                for each in some:
                    if until is not None and each["path"] > until:
                        return
                    yield each

    def ping(self) -> None:
        """Raise :class:`StoreUnavailable` unless objects can be written.

        An object is made that is there already but for the first time: that shows the bucket and the permission, and
        writes nothing.
        """
        from obstore.exceptions import AlreadyExistsError, GenericError, NotSupportedError

        client = self._clients.within(PING_LIMIT)
        with telling(), contextlib.suppress(AlreadyExistsError):
            try:
                client.put(WRITABLE, b"", mode="create")
            except (GenericError, NotSupportedError) as error:
                if not knows_no_conditions(error):
                    raise
                client.put(WRITABLE, b"", mode="overwrite", use_multipart=False)

    def room(self) -> None:
        """Return None: a bucket does not tell."""
        return

    def _size(self, key: str) -> int | None:
        try:
            return self._client.head(key)["size"]
        except FileNotFoundError:
            # The answer has no body: it could be the bucket that is not there.
            found = self._piece(key, 0)
            return None if found is None else found[1]

    @property
    def _client(self) -> S3Store:
        return self._clients.within()
