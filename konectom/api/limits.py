"""How often anyone may ask: each phone, each member of staff, each program, and each address that brings no token.

Who brings a good token is counted by himself alone, so that nobody is shut out by others behind the same address: a
hospital, or the network of a phone company. Of what anybody may try from outside (logins, enrolments, renewals,
invitations) and of tokens what fails is counted by address. An address that failed too often is told so before any
secret that it sends is looked at. Tokens of such an address are still looked up, one question to the database each, for
a good one is never refused; a bad one is answered 429 in place of 401. A login, an enrolment or a renewal that succeeds
counts for the person or the phone that it turned out to be (:func:`count`), together with all else that these ask.

A request beyond the rate is answered 429 before its body is read; a phone keeps its session and sends it again.

Requests are counted in the present and the last span of time, the last one weighing less the longer it is over
("sliding window counter"): two numbers for each caller, that are forgotten afterwards, however many callers come.
"""

from __future__ import annotations

import ipaddress
import math
import time
from uuid import UUID

import structlog
from flask import Flask, Response, current_app, g, request
from flask_limiter import ApplicationLimit, Limiter
from flask_limiter.errors import RateLimitExceeded
from limits import RateLimitItem, parse
from limits.errors import ConfigurationError, StorageError

from konectom.api.counting import SCHEME
from konectom.api.errors import RateLimited, problem
from konectom.errors import ExtraMissing
from konectom.settings import Settings
from konectom.workflows.services import Admit, anybody

OWN = "memory://"
STRATEGY = "sliding-window-counter"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
UNCOUNTED = frozenset({"health"})
"""Blueprints for whatever watches the server: it asks often, and from one address."""

IPV6_NETWORK_BITS = 64
"""One customer's connection; who has it has 2 to the 64 addresses to ask from (RFC 6177)."""

_LOG = structlog.get_logger("konectom.api")


def init_app(app: Flask, settings: Settings) -> None:
    """Count the requests of ``app``; must follow the guards, which say who asks."""
    app.extensions["konectom.count"] = anybody
    if settings.rate_limits == "off":
        return
    counter = _Counter(settings)
    try:
        counter.limiter.init_app(app)
    except ConfigurationError as error:
        raise ExtraMissing("counting requests in Redis needs its client: pip install redis") from error
    app.register_error_handler(RateLimitExceeded, counter.refuse)
    app.after_request(counter.count_refused)
    app.extensions["konectom.count"] = counter.count


def count(kind: str, id: UUID) -> None:
    """Count for whoever has just been found out; raises :class:`RateLimited` where that is too often."""
    counted: Admit = current_app.extensions["konectom.count"]
    counted(kind, id)


class _Counter:
    """The rates of the settings, and where requests are counted."""

    def __init__(self, settings: Settings) -> None:
        self.rates: dict[str, str] = {
            "device": settings.rate_limit_device,
            "user": settings.rate_limit_user,
            "service": settings.rate_limit_service,
            "reader": settings.rate_limit_service,
            "address": settings.rate_limit_address,
        }
        asked = ApplicationLimit(
            lambda: self.rates[_kind()],
            key_function=_key,
            exempt_when=lambda: _kind() == "address" or request.blueprint in UNCOUNTED,
        )
        tried = ApplicationLimit(
            self.rates["address"],
            key_function=_key,
            exempt_when=lambda: _kind() != "address",
            deduct_when=lambda response: 400 <= response.status_code < 500,
        )
        self.limiter = Limiter(
            _key,
            application_limits=[asked, tried],
            strategy=STRATEGY,
            storage_uri=f"{SCHEME}://" if settings.rate_limit_storage == OWN else settings.rate_limit_storage,
            storage_options={"wrap_exceptions": True},
            in_memory_fallback_enabled=settings.rate_limit_storage != OWN,
        )

    def refuse(self, _exceeded: RateLimitExceeded) -> Response:
        """Return the answer to a request too many."""
        known = self.limiter.current_limit
        return problem(_limited(self.rates[_kind()], known.window.reset_time if known else 0))

    def count(self, kind: str, id: UUID) -> None:
        """Count for a caller that the guard did not know, together with what came with a token."""
        free_at = self._hit(kind, f"{kind}:{id}")
        if free_at is not None:
            raise _limited(self.rates[kind], free_at)

    def count_refused(self, response: Response) -> Response:
        """Count what the guard refused: a bad token against its address, a good one against its owner."""
        if response.status_code not in (401, 403, 404) or request.endpoint is None or self.limiter.current_limits:
            return response
        kind = "address" if response.status_code == 401 else _kind()
        free_at = self._hit(kind, _key(kind))
        return response if free_at is None else problem(_limited(self.rates[kind], free_at))

    def _hit(self, kind: str, name: str) -> float | None:
        """Count under a name; return None, or when it will be free again (s, Unix time) where it is one too many."""
        item: RateLimitItem = parse(self.rates[kind])
        # The same names as of requests that were let in, so that both count together.
        names = (name, "global")
        try:
            if self.limiter.limiter.hit(item, *names):
                return None
            return float(self.limiter.limiter.get_window_stats(item, *names).reset_time)
        except StorageError as error:
            _LOG.warning("limits.uncounted", cause=str(error.storage_error))
            return None


def _limited(rate: str, free_at: float) -> RateLimited:
    wait_s = max(1, math.ceil(free_at - time.time()) + 1)
    return RateLimited(f"more than {rate} requests came; wait {wait_s} s", retry_after_s=wait_s)


def _kind() -> str:
    caller = g.get("principal")
    if caller is not None:
        return str(caller.kind)
    return "reader" if request.method in SAFE_METHODS else "address"


def _key(kind: str | None = None) -> str:
    """Return under which name a request counts."""
    kind = kind or _kind()
    caller = g.get("principal")
    if caller is not None and kind == caller.kind:
        return f"{kind}:{caller.id}"
    return f"{kind}:{network_of(request.remote_addr)}"


def network_of(address: str | None) -> str:
    """Return what an address counts as: itself, or its network where it is of IPv6; ``unknown`` without one."""
    try:
        known = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known, IPV6_NETWORK_BITS), strict=False))
