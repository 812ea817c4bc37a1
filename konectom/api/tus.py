"""The words of tus 1.0.0, a protocol for uploads that are resumed: what its headers say, and what answers carry.

Spoken are the core protocol and the extensions creation, creation-with-upload, checksum, expiration and termination.
Source: https://tus.io/protocols/resumable-upload (version 1.0.0 of 2016-03-25).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any
from uuid import UUID

from flask import Flask, Response, request

from konectom.api.errors import MediaTypeUnsupported, RequestInvalid, TusVersionUnsupported
from konectom.errors import ChecksumUnsupported, FieldInvalid, FieldMissing
from konectom.workflows.pages import instant_of
from konectom.workflows.uploads.receiving import Checksum

VERSION = "1.0.0"
EXTENSIONS = ("creation", "creation-with-upload", "checksum", "expiration", "termination")
ALGORITHMS: dict[str, Callable[[], Any]] = {
    "sha256": hashlib.sha256,
    # The protocol asks for it; it shows what the network did, and is no proof against anybody.
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
}
BYTES = "application/offset+octet-stream"
OVERRIDE = "HTTP_X_HTTP_METHOD_OVERRIDE"
OVERRIDDEN = ("PATCH", "DELETE", "HEAD")

MOST_METADATA = 4000
KNOWN = ("session", "content_type", "content_encoding", "patient", "digest")

NUMBER = re.compile(r"[0-9]{1,18}")
SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What ``Upload-Metadata`` says, and how it was said."""

    told: str
    session: UUID
    patient: UUID | None
    content_type: str | None
    content_encoding: str | None
    digest: str | None


def init_app(app: Flask, prefix: str) -> None:
    """Let answers at and below ``prefix`` say what is spoken, and requests there name their method in a header.

    That is for networks that let only POST through.
    """
    app.after_request(lambda response: _carry(response) if request.path.startswith(prefix) else response)
    inner = app.wsgi_app

    def overridden(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method = environ.get(OVERRIDE, "").upper()
        if method not in OVERRIDDEN or environ["REQUEST_METHOD"] != "POST":
            return inner(environ, start_response)
        if not environ.get("PATH_INFO", "").startswith(f"{prefix}/"):
            return inner(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            if method == "HEAD":  # what is told of the length is of a body that does not come
                headers = [each for each in headers if each[0].lower() != "content-length"] + [("Content-Length", "0")]
            return start_response(status, headers, *rest)

        return inner(environ | {"REQUEST_METHOD": method}, start)

    app.wsgi_app = overridden  # type: ignore[method-assign]


def _carry(response: Response) -> Response:
    """Say in an answer which version is spoken; in one to OPTIONS, and where another was asked for, which there are."""
    if request.method != "OPTIONS":
        response.headers["Tus-Resumable"] = VERSION
    if request.method == "OPTIONS" or response.status_code == 412:
        response.headers["Tus-Version"] = VERSION
    return response


def abilities(most_bytes: int) -> dict[str, str]:
    """Return what an answer to OPTIONS says."""
    return {
        "Tus-Extension": ",".join(EXTENSIONS),
        "Tus-Max-Size": str(most_bytes),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }


def progress(upload: dict[str, Any]) -> dict[str, str]:
    """Return the headers that tell how far an upload has come."""
    headers = {"Upload-Offset": str(upload["offset"])}
    if upload["status"] == "open":
        headers["Upload-Expires"] = format_datetime(instant_of(upload["expires_at"]), usegmt=True)
    return headers


def require_version() -> None:
    """Raise :class:`TusVersionUnsupported` unless the request speaks the version that is spoken here."""
    asked = request.headers.get("Tus-Resumable")
    if asked != VERSION:
        told = "is missing" if asked is None else "names another version"
        raise TusVersionUnsupported(f"Tus-Resumable {told}; here {VERSION} is spoken")


def whole_number(name: str) -> int:
    """Return what a header says that is a whole number; raises :class:`RequestInvalid`."""
    said = request.headers.get(name, "")
    if not NUMBER.fullmatch(said):
        raise RequestInvalid(f"{name} must be a whole number of at least 0" if said else f"{name} is missing")
    return int(said)


def require_bytes() -> None:
    """Raise :class:`MediaTypeUnsupported` unless the body is declared to be bytes of an upload."""
    if request.mimetype != BYTES:
        raise MediaTypeUnsupported(f"bytes of an upload come as Content-Type: {BYTES}")


def checksum() -> Checksum | None:
    """Return what ``Upload-Checksum`` says; raises :class:`ChecksumUnsupported`."""
    said = request.headers.get("Upload-Checksum")
    if said is None:
        return None
    name, _, coded = said.partition(" ")
    if name not in ALGORITHMS:
        raise ChecksumUnsupported(f"a checksum is of one of: {', '.join(ALGORITHMS)}")
    computed = ALGORITHMS[name]()
    try:
        expected = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        raise ChecksumUnsupported("a checksum is an algorithm, a space, and its digest in base64") from None
    if len(expected) != computed.digest_size:
        raise ChecksumUnsupported(f"a digest of {name} has {computed.digest_size} bytes")
    return Checksum(expected, computed)


def metadata() -> Metadata:
    """Return what ``Upload-Metadata`` says; raises :class:`FieldInvalid`, :class:`FieldMissing`, and 400 where garbled.

    What is not known here is refused: it would be kept as it was said, and might name somebody.
    """
    told = request.headers.get("Upload-Metadata", "")
    if len(told) > MOST_METADATA:
        raise RequestInvalid(f"Upload-Metadata has more than {MOST_METADATA} characters")
    said: dict[str, str] = {}
    for pair in told.split(",") if told.strip() else ():
        name, _, coded = pair.strip().partition(" ")
        if not name or name in said:
            raise RequestInvalid("Upload-Metadata: a name is missing, or stands there twice")
        try:
            said[name] = base64.b64decode(coded, validate=True).decode()
        except (binascii.Error, ValueError):
            raise RequestInvalid(f"Upload-Metadata: the value of {name[:40]!r} is not base64 of UTF-8") from None
    for name in said:
        if name not in KNOWN:
            raise FieldInvalid(f"there is no such field; there are: {', '.join(KNOWN)}", at=_at(name))
    if "session" not in said:
        raise FieldMissing("say under which id the session is handed over", at=_at("session"))
    session = _uuid(said["session"], "session")
    patient = _uuid(said["patient"], "patient") if said.get("patient") else None
    found = SHA256.fullmatch(said.get("digest", ""))
    if said.get("digest") and found is None:
        raise FieldInvalid("a digest is the sha256 of the whole in hexadecimal", at=_at("digest"))
    return Metadata(
        told,
        session,
        patient,
        _text(said, "content_type"),
        _text(said, "content_encoding"),
        None if found is None else found[1],
    )


def _text(said: dict[str, str], name: str) -> str | None:
    text = said.get(name) or None
    if text is not None and (len(text) > 200 or not text.isprintable()):
        raise FieldInvalid("must be one line of at most 200 characters", at=_at(name))
    return text.split(";")[0].strip().lower() if text is not None and name == "content_type" else text


def _uuid(text: str, name: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise FieldInvalid("must be a UUID", at=_at(name)) from None


def _at(name: str) -> str:
    return f"/headers/Upload-Metadata/{name[:40].replace('~', '~0').replace('/', '~1')}"
