"""The demonstration's phones: each is enrolled over HTTP, as an app would, and renews its token when it runs out."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from konectom.commands._client import Answer, Client
from konectom.commands._server import Server, ServerFailed
from konectom.simulate.sessions import PHONE

if TYPE_CHECKING:
    from konectom.commands._demo_data import People

FACTS = {name: str(PHONE[name]) for name in ("platform", "model", "os", "app")}
JSON = "application/json"
AHEAD = timedelta(minutes=1)
"""How long before its end a token is renewed."""


class Phone:
    """A patient's phone. Threads may share it: one of them renews the token for all."""

    def __init__(self, client: Client, code: str) -> None:
        from konectom.security.secrets import new_secret

        self._lock = threading.Lock()
        self._renewal = new_secret("renewal")
        told = {"code": code, "renewal": self._renewal, "device": FACTS}
        self._take(client, "/api/v1/enrolments/exchange", told, self._renewal)

    def put_session(self, client: Client, session_id: object, body: bytes) -> Answer:
        """Upload a session; once more where another thread renewed the token meanwhile."""
        token = self._valid_token(client)
        answer = client.put_session(session_id, body, token)
        if answer.status == 401 and token != self._valid_token(client):
            answer = client.put_session(session_id, body, self._valid_token(client))
        return answer

    def _valid_token(self, client: Client) -> str:
        from konectom.security.secrets import new_secret

        with self._lock:
            if self._expires_at - AHEAD <= datetime.now(UTC):
                following = new_secret("renewal")
                told = {"renewal": self._renewal, "next": following}
                self._take(client, "/api/v1/devices/renewal", told, following)
            return self._token

    def _take(self, client: Client, path: str, told: dict[str, Any], renewal: str) -> None:
        answer = client.post(path, orjson.dumps(told), JSON)
        if answer.status != 200:
            raise ServerFailed(f"the server refused a phone: {answer.status} {answer.body}")
        self._token, self._renewal = str(answer.body["access"]["token"]), renewal
        self._expires_at = datetime.fromisoformat(answer.body["access"]["expires_at"])


def enrol_phones(server: Server, people: People) -> dict[str, Phone]:
    """Return a new phone for each patient, by code; phones of an earlier, interrupted run are shut out."""
    with server.client() as client:
        return {code: _enrolled(client, str(id), people.staff_token) for code, id in people.patient_ids.items()}


def _enrolled(client: Client, patient: str, staff_token: str) -> Phone:
    for earlier in client.get(f"/api/v1/patients/{patient}/devices", staff_token).body["items"]:
        client.delete(f"/api/v1/patients/{patient}/devices/{earlier['id']}?reason=replaced", staff_token)
    answer = client.post(f"/api/v1/patients/{patient}/enrolments", b"", JSON, staff_token)
    if answer.status != 201:
        raise ServerFailed(f"the server refused an enrolment: {answer.status} {answer.body}")
    return Phone(client, answer.body["code"])
