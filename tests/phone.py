"""A phone as an app should be written, a network that is bad in every way there is, and somebody who copies phones.

The phone decides from what it has written down alone, so that it may be killed at any moment: what it is about to send
it writes down first, and what it finds written down it sends again, unchanged.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

from konectom.security.secrets import new_secret


class Request(NamedTuple):
    """What goes over the network."""

    method: str
    path: str
    body: dict[str, Any] | None = None
    token: str | None = None


class Answer(NamedTuple):
    status: int
    body: Any


Serve = Callable[[Request], Answer]


class NoAnswer(Exception):
    """The request was lost on its way, or its answer."""


@dataclass
class Network:
    """Drops requests and answers, sends them twice, holds them back and brings them when newer ones have come."""

    serve: Serve
    dice: random.Random
    seen: Counter[str]
    bad: bool = True
    late: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        """Return the answer; raises :class:`NoAnswer`."""
        if not self.bad:
            return self.serve(request)
        fate = self.dice.random()
        if fate < 0.15:
            self.seen["requests dropped"] += 1
            raise NoAnswer
        if fate < 0.25:
            self.seen["requests held back"] += 1
            self.late.append(request)
            raise NoAnswer
        answer = self.serve(request)
        if fate < 0.35:
            self.seen["requests doubled at once"] += 1
            twice = self.serve(request)
            assert request.path.startswith("/api/v1/sessions/") or twice == answer
        elif fate < 0.5:
            self.seen["requests doubled late"] += 1
            self.late.append(request)
        if self.dice.random() < 0.25:
            self.seen["answers dropped"] += 1
            raise NoAnswer
        return answer

    def bring_late_ones(self) -> None:
        """Let some of what was held back arrive, in any order. Nobody waits for the answers any more."""
        self.dice.shuffle(self.late)
        while self.late and self.dice.random() < 0.4:
            answer = self.serve(self.late.pop())
            self.seen["requests late"] += 1
            if answer.status == 401 and answer.body["code"] == "renewal_superseded":
                self.seen["requests late, after newer ones"] += 1


@dataclass
class Phone:
    """An app with its storage: ``disk`` is all that it knows."""

    network: Callable[[Request], Answer]
    disk: dict[str, Any] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    """Every renewal secret it ever made; for the tests, an app forgets them."""
    refused: int = 0

    @property
    def enrolled(self) -> bool:
        return "device" in self.disk

    def new_secret(self) -> str:
        self.secrets.append(new_secret("renewal"))
        return self.secrets[-1]

    @property
    def needs_code(self) -> bool:
        return "renewal" not in self.disk

    def scan(self, code: str) -> None:
        """Begin with a code: the secret is made and written down.

        It is kept where another code was scanned before: that one may have been exchanged with it, unheard.
        """
        begun = None if self.enrolled else self.disk.get("renewal", self.disk.get("begun"))
        self.disk = {"code": code, "renewal": begun or self.new_secret()}

    def enrol(self) -> None:
        """Exchange the code that was scanned; raises :class:`NoAnswer`. A refusal ends what was begun."""
        if "code" not in self.disk:
            self.renew()
            return
        secret = self.disk["renewal"]
        body = {"code": self.disk["code"], "renewal": secret, "device": {"platform": "ios"}}
        answer = self.network(Request("POST", "/api/v1/enrolments/exchange", body))
        if answer.status == 422 and answer.body["at"] == "/renewal":
            # An earlier code was exchanged with this secret, unheard, and that credential is no more.
            self.disk = self.disk | {"renewal": self.new_secret()}
            return
        self._take(answer, secret)

    def renew(self) -> None:
        """Get a new token; raises :class:`NoAnswer`. A refusal ends the enrolment."""
        if "next" not in self.disk:
            self.disk = self.disk | {"next": self.new_secret()}
        body = {"renewal": self.disk["renewal"], "next": self.disk["next"]}
        answer = self.network(Request("POST", "/api/v1/devices/renewal", body))
        self._take(answer, self.disk["next"])

    def _take(self, answer: Answer, renewal: str) -> None:
        if answer.status == 200:
            access = answer.body["access"]
            told = {name: answer.body[name] for name in ("device", "patient")}
            expires_at = datetime.fromisoformat(access["expires_at"])
            self.disk = told | {"renewal": renewal, "token": access["token"], "expires_at": expires_at}
            return
        assert answer.status == 401, answer
        if answer.body["code"] == "renewal_superseded":
            # Somebody else has renewed what is only ours. Renewing it as well tells the server so.
            kept = {name: self.disk[name] for name in ("device", "patient", "token", "expires_at") if name in self.disk}
            self.disk = kept | {"renewal": renewal}
            return
        self.refused += 1
        self.disk = {"begun": renewal} if "code" in self.disk else {}

    def call(self, method: str, path: str, body: Any = None, *, now: datetime | None) -> Answer | None:
        """Make a request with a token, renewed where ``now`` or the server says so; None where nothing is to be had.

        A phone whose clock is wrong goes by the server alone: ``now`` is None.
        """
        if now is not None and self.disk["expires_at"] <= now:
            self.renew()
        for _ in range(3):
            if not self.enrolled:
                return None
            answer = self.network(Request(method, path, body, self.disk["token"]))
            if answer.status != 401:
                return answer
            self.renew()
        return None


@dataclass
class Thief(Phone):
    """Somebody with a copy of a phone's storage, who renews with secrets of his own and never gives up."""

    @classmethod
    def of(cls, phone: Phone, serve: Serve, dice: random.Random) -> Thief:
        held = [phone.disk[name] for name in ("renewal", "next") if name in phone.disk]
        copied = {name: value for name, value in phone.disk.items() if name != "next"}
        return cls(serve, disk=copied | {"renewal": dice.choice(held)})

    def try_it(self) -> None:
        if "code" in self.disk:
            body = {"code": self.disk["code"], "renewal": self.disk["renewal"]}
            answer = self.network(Request("POST", "/api/v1/enrolments/exchange", body))
            if answer.status != 422:
                self._take(answer, self.disk["renewal"])
        self.renew()

    def _take(self, answer: Answer, renewal: str) -> None:
        if answer.status == 200:
            super()._take(answer, renewal)
            return
        assert answer.status == 401, answer
        self.refused += 1


def tap_session() -> tuple[str, dict[str, Any]]:
    """Return the address and body of a small session."""
    events = [{"type": "tap", "t": 0.2 + 0.3 * count, "zone": ("left", "right")[count % 2]} for count in range(4)]
    part = {"condition": {"hand": "left"}, "start_s": 0.0, "duration_s": 5.0, "events": events}
    recording = {"assessment": "tap", "offset_s": 0.0, "duration_s": 5.0, "parts": [part]}
    body = {"schema": "konectom.session/1", "started_at": "2026-11-20T09:12:03+01:00", "recordings": [recording]}
    return f"/api/v1/sessions/{uuid4()}", body
