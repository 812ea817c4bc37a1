"""Phones that upload through all of it, and note what they were told."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

PATIENCE_S = 20.0
FOR_A_WHILE = (502, 503, 504, 429, 408)
"""Answers after which a phone tries again later."""

GIVES_UP = 0.02
"""How often a phone forgets a session after a try that failed, as when the app is removed."""

SPOILED = 0.06
"""How many sessions a reader refuses."""


@dataclass
class Sent:
    """One session: what was sent, how often, and what came of it."""

    id: UUID
    patient: UUID
    body: bytes
    spoiled: bool
    tries: int = 0
    answers: list[int] = field(default_factory=list)
    told: dict[str, Any] | None = None

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.body).hexdigest()


class Phone(threading.Thread):
    """Uploads one session after the other, each until it is answered, or it gives up."""

    def __init__(
        self, number: int, port: int, token: str, patient: UUID, documents: list[dict[str, Any]], seed: int
    ) -> None:
        super().__init__(name=f"phone {number}", daemon=True)
        self.number, self.port, self.token, self.patient, self.documents = number, port, token, patient, documents
        self.random = random.Random(seed * 1000 + number)
        self.sent: list[Sent] = []
        self.surprises: list[str] = []
        self.stopping = threading.Event()
        self.hurry = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            batch = self.random.random() < 0.2
            sessions = [self._session() for _ in range(self.random.randint(2, 5) if batch else 1)]
            self.sent += sessions
            if batch:
                self._upload_batch(sessions)
            for each in sessions:
                self._upload(each)
            if self.random.random() < 0.2:
                self._repeat(self.random.choice(self.sent))

    def _session(self) -> Sent:
        document = dict(self.random.choice(self.documents))
        recordings = list(document["recordings"])
        self.random.shuffle(recordings)
        document["recordings"] = recordings[: self.random.randint(1, len(recordings))]
        at = datetime.fromisoformat(document["started_at"]) + timedelta(seconds=self.random.randrange(10**8))
        document["started_at"] = at.isoformat()
        body = gzip.compress(orjson.dumps(document), 1, mtime=0)
        spoiled = self.random.random() < SPOILED
        if spoiled:
            body = self._spoil(body)
        return Sent(UUID(int=self.random.getrandbits(128), version=4), self.patient, body, spoiled)

    def _spoil(self, body: bytes) -> bytes:
        at = self.random.randrange(len(body))
        kinds = [
            body[:at],
            b"\x00" + body,
            orjson.dumps({"schema": "konectom.session/1", "n": at}),
            b"{}" + bytes([at % 7]),
        ]
        return self.random.choice(kinds)

    def _upload(self, sent: Sent) -> None:
        """Send a session until the answer is final."""
        while sent.told is None:
            if self._try(sent) or (self.stopping.is_set() and self.hurry.is_set()):
                return
            if self.random.random() < GIVES_UP:
                return
            self.stopping.wait(self.random.uniform(0.05, 0.6))

    def _try(self, sent: Sent) -> bool:
        """Send a session once; tell whether the answer was final."""
        sent.tries += 1
        headers = {"Content-Encoding": "gzip"} if not sent.spoiled else {}
        path = f"/api/v1/sessions/{sent.id}?patient={sent.patient}"
        status, told = self._ask("PUT", path, sent.body, headers)
        if status is None or status in FOR_A_WHILE:
            return False
        sent.answers.append(status)
        if status in (200, 201):
            sent.told = told
            if told["digest"] != sent.digest or told["id"] != str(sent.id):
                self.surprises.append(f"session {sent.id}: told of {told['id']} {told['digest']}")
        elif not (400 <= status < 500 and sent.spoiled):
            self.surprises.append(f"session {sent.id}: {status} {told}")
        return True

    def _upload_batch(self, sessions: list[Sent]) -> None:
        """Send several at once; what is not acknowledged is sent again one by one."""
        mark = f"{self.random.getrandbits(128):032x}"
        body = b"".join(_part(mark, each) for each in sessions) + f"--{mark}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        status, told = self._ask("POST", f"/api/v1/sessions:batch?patient={self.patient}", body, headers)
        if status is None or status >= 300:
            if status is not None and status not in FOR_A_WHILE:
                self.surprises.append(f"batch: {status} {told}")
            return
        by_id = {each["id"]: each for each in told["sessions"]}
        for sent in sessions:
            answer = by_id.get(str(sent.id))
            if answer is not None and answer["status"] in (200, 201):
                sent.told = answer["receipt"]
                sent.answers.append(answer["status"])

    def _repeat(self, sent: Sent) -> None:
        """Send what was acknowledged once more, or other bytes under its id."""
        if sent.told is None:
            return
        other = self.random.random() < 0.5
        body = sent.body + b"\n" if other else sent.body
        status, told = self._ask("PUT", f"/api/v1/sessions/{sent.id}?patient={sent.patient}", body, {})
        if status is None or status in FOR_A_WHILE:
            return
        if status != (409 if other else 200):
            self.surprises.append(f"session {sent.id} again ({'other' if other else 'same'} bytes): {status} {told}")

    def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int | None, Any]:
        """Return status and JSON of an answer; None where there was none that is whole."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {self.token}", **headers})
            answer = connection.getresponse()
            return answer.status, orjson.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            return None, None
        finally:
            connection.close()


def _part(mark: str, sent: Sent) -> bytes:
    head = f'--{mark}\r\nContent-Disposition: form-data; name="{sent.id}"; filename="{sent.id}"\r\n'
    head += "Content-Type: application/json\r\n" + ("" if sent.spoiled else "Content-Encoding: gzip\r\n")
    return head.encode() + b"\r\n" + sent.body + b"\r\n"
