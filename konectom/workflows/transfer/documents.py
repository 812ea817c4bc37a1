"""Documents of a backup: JSON in one form only, with a digest that anybody can check and a seal that needs the keys.

The digest is over all but itself, and the bytes of the file must be those that its content is written as: no bit of it
can change unnoticed. The seal (HMAC-SHA256 under a key of the installation) tells it from one that somebody made up.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from konectom.errors import BackupInvalid
from konectom.security.chain import Keys
from konectom.workflows.transfer.files import write_whole

Document = Mapping[str, Any]


def write_document(path: Path, content: Document, keys: Keys, purpose: bytes) -> str:
    """Write a document in one step, durably, and return its digest."""
    key, mac = keys.mac(purpose, _bytes_of(content))
    sealed = dict(content) | {"seal": {"key": key, "mac": mac}}
    digest = hashlib.sha256(_bytes_of(sealed)).hexdigest()
    write_whole(path, _bytes_of(sealed | {"digest": digest}))
    return digest


def read_document(path: Path, schema: str) -> Document:
    """Return a document that is as it was written, seal and digest and all; raises :class:`BackupInvalid`."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BackupInvalid(f"there is no {path}") from None
    try:
        content = orjson.loads(data)
        told = content["digest"]
        right = hashlib.sha256(_bytes_of({name: each for name, each in content.items() if name != "digest"}))
        whole = data == _bytes_of(content) and right.hexdigest() == told
    except (orjson.JSONDecodeError, KeyError, TypeError):
        whole = False
    if not whole:
        raise BackupInvalid(f"{path} was changed or damaged")
    if content.get("schema") != schema:
        raise BackupInvalid(f"{path} is not what it should be, or of another version: {content.get('schema')}")
    return dict(content)


def require_seal(path: Path, content: Document, keys: Keys, purpose: bytes) -> None:
    """Raise :class:`BackupInvalid` unless the installation whose keys these are wrote the document.

    Raises :class:`~konectom.errors.KeysMissing` where the key under which it is sealed is not among them.
    """
    plain = {name: each for name, each in content.items() if name not in ("seal", "digest")}
    _, mac = keys.mac(purpose, _bytes_of(plain), content["seal"]["key"])
    if not hmac.compare_digest(mac, str(content["seal"]["mac"])):
        raise BackupInvalid(f"{path} was not written by this installation")


def _bytes_of(content: Document) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
