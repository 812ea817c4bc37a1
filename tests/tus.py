"""A client of tus 1.0.0, written from the specification: it knows nothing of the server but what the protocol says.

``send`` is whatever hands a request over: ``send(method, address, headers, body) -> (status, headers, body)``.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

VERSION = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"
Send = Callable[[str, str, Mapping[str, str], bytes], tuple[int, Mapping[str, str], Any]]


def metadata(**said: object) -> str:
    """Return the header's value: names, each with its value in base64."""
    return ",".join(f"{name} {base64.b64encode(str(value).encode()).decode()}" for name, value in said.items())


def checksum(data: bytes, algorithm: str = "sha256") -> str:
    """Return the header's value for these bytes."""
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


class Refused(Exception):
    """The server did not do what was asked: the status and what it said."""

    def __init__(self, status: int, told: Any) -> None:
        super().__init__(f"{status} {told}")
        self.status, self.told = status, told

    @property
    def code(self) -> str | None:
        """The error's code, where one was told."""
        return self.told.get("code") if isinstance(self.told, dict) else None


@dataclass
class Client:
    """Hands a file over, and goes on where it was cut off."""

    send: Send
    begin: str = "/api/v1/uploads"
    log: list[tuple[str, int]] = field(default_factory=list)

    def ask(
        self, method: str, address: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, Mapping[str, str], Any]:
        """Return an answer, whatever it is."""
        status, carried, told = self.send(method, address, {**VERSION, **(headers or {})}, body)
        self.log.append((method, status))
        return status, carried, told

    def create(self, length: int, session: UUID, body: bytes = b"", **more: Any) -> str:
        """Begin, perhaps with the first bytes, and return the upload's address."""
        checked = more.pop("checksum", None)
        headers = {"Upload-Length": str(length), "Upload-Metadata": metadata(session=session, **more)}
        if body:
            headers |= {"Content-Type": BYTES}
        if checked:
            headers |= {"Upload-Checksum": checked}
        status, carried, told = self.ask("POST", self.begin, headers, body)
        if status != 201:
            raise Refused(status, told)
        return carried["Location"]

    def offset(self, address: str) -> int:
        """Return how much the server has."""
        status, carried, told = self.ask("HEAD", address)
        if status not in (200, 204):
            raise Refused(status, told)
        return int(carried["Upload-Offset"])

    def patch(self, address: str, offset: int, body: bytes, checksum: str | None = None) -> Mapping[str, str]:
        """Hand bytes over and return the answer's headers."""
        headers = {"Content-Type": BYTES, "Upload-Offset": str(offset)}
        if checksum is not None:
            headers["Upload-Checksum"] = checksum
        status, carried, told = self.ask("PATCH", address, headers, body)
        if status != 204:
            raise Refused(status, told)
        return carried

    def upload(self, data: bytes, session: UUID, *, chunk: int = 1 << 20, **more: Any) -> Mapping[str, str]:
        """Hand all over and return the last answer's headers."""
        address = self.create(len(data), session, **more)
        while (offset := self.offset(address)) < len(data):
            carried = self.patch(address, offset, data[offset : offset + chunk])
        return carried


def sending(caller: Any) -> Send:
    """Return what hands requests over by a caller of :mod:`tests.api.client`."""

    def send(method: str, address: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], Any]:
        answer = caller(method, address, headers=headers, data=body)
        return answer.status_code, answer.headers, answer.json if answer.is_json and answer.data else answer.data

    return send
