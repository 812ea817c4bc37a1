"""A small client of the REST interface: one kept-alive connection, JSON answers."""

from __future__ import annotations

import http.client
from types import TracebackType
from typing import Any, NamedTuple

import orjson

TIMEOUT_S = 60.0


class Answer(NamedTuple):
    """The status of an answer, and its JSON document."""

    status: int
    body: Any


class Client:
    """A connection to a server at ``host`` and ``port``. Not to be shared by threads."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def get(self, path: str, token: str | None = None) -> Answer:
        """Return the answer to a GET."""
        return self._send("GET", path, None, _headers(token))

    def put_session(self, session_id: object, body: bytes, token: str) -> Answer:
        """Upload a gzip-compressed session."""
        headers = _headers(token) | {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        return self._send("PUT", f"/api/v1/sessions/{session_id}", body, headers)

    def delete(self, path: str, token: str) -> Answer:
        """Return the answer to a DELETE."""
        return self._send("DELETE", path, None, _headers(token))

    def post(self, path: str, body: bytes, form: str, token: str | None = None) -> Answer:
        """Return the answer to a POST of something that can be sent again: what is there is not made twice."""
        return self._send("POST", path, body, _headers(token) | {"Content-Type": form})

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        try:
            return self._once(method, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            # The server may close a connection that idled. Each of these requests is safe to repeat.
            self._connection.close()
            return self._once(method, path, body, headers)

    def _once(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        content = response.read()
        is_json = "json" in (response.headers.get("Content-Type") or "")
        return Answer(response.status, orjson.loads(content) if is_json and content else content)


def _headers(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}
