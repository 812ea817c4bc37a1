"""How often anyone may ask: each phone, each member of staff, each program, and each address that brings no token.

Who brings a good token is counted by himself alone, so that nobody is shut out by others behind the same address: a
hospital, or the network of a phone company. Of what anybody may try from outside (logins, enrolments, renewals,
invitations) and of tokens what fails is counted, by address; an address that failed too often is told so before
anything that it tries is looked at.

A request beyond the rate is answered 429 before its body is read; a phone keeps its session and sends it again.

Requests are counted in the present and the last span of time, the last one weighing less the longer it is over
("sliding window counter"): two numbers for each caller, that are forgotten afterwards, however many callers come.
"""

from __future__ import annotations

import ipaddress
import math
import time

import structlog
from flask import Flask, Response, g, request
from flask_limiter import ApplicationLimit, Limiter
from flask_limiter.errors import RateLimitExceeded
from limits import RateLimitItem, parse
from limits.errors import ConfigurationError, StorageError

from konectom.api.counting import SCHEME
from konectom.api.errors import RateLimited, problem
from konectom.errors import ExtraMissing
from konectom.settings import Settings

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
    if settings.rate_limits == "off":
        return
    counter = _Counter(settings)
    try:
        counter.limiter.init_app(app)
    except ConfigurationError as error:
        raise ExtraMissing("counting requests in Redis needs its client: pip install redis") from error
    app.register_error_handler(RateLimitExceeded, counter.refuse)
    app.after_request(counter.count_refused)


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
        return _refusal(self.rates[_kind()], known.window.reset_time if known else 0)

    def count_refused(self, response: Response) -> Response:
        """Count what the guard refused: a bad token against its address, a good one against its owner."""
        if response.status_code not in (401, 403, 404) or request.endpoint is None or self.limiter.current_limits:
            return response
        kind = "address" if response.status_code == 401 else _kind()
        item: RateLimitItem = parse(self.rates[kind])
        # The same names as of requests that were let in, so that both count together.
        names = (_key(kind), "global")
        try:
            if self.limiter.limiter.hit(item, *names):
                return response
            return _refusal(self.rates[kind], self.limiter.limiter.get_window_stats(item, *names).reset_time)
        except StorageError as error:
            _LOG.warning("limits.uncounted", cause=str(error.storage_error))
            return response


def _refusal(rate: str, free_at: float) -> Response:
    wait_s = max(1, math.ceil(free_at - time.time()) + 1)
    return problem(RateLimited(f"more than {rate} requests came; wait {wait_s} s", retry_after_s=wait_s))


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
