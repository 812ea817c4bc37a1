"""Headers: what every answer tells a browser, and what is believed of those that a request brings.

Answers are for this server's own pages and for programs: no other site may read, embed or script them (there is no
CORS here), and over HTTPS browsers are told to stay with it (RFC 6797).
"""

from __future__ import annotations

from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed as WerkzeugMethodNotAllowed
from werkzeug.middleware.proxy_fix import ProxyFix

from konectom.api.errors import MethodNotAllowed, RequestInvalid
from konectom.settings import Settings

# JSON, CSV and Parquet need nothing from a browser; pages that do bring their own policy.
POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
        "microphone=(), payment=(), usb=()"
    ),
}
"""On every answer."""

UNLESS_TOLD = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
"""On every answer of a view that has no word of its own on it."""

STRICT_TRANSPORT = ("Strict-Transport-Security", "max-age=31536000")
"""For a year; not for the hosts below this one, which are not ours to speak for."""

ANY_HOST = frozenset({"health", "metrics"})
"""Blueprints for whatever watches the server: it asks under the machine's own address."""

HTTPS_PORT = 443
_LOG = structlog.get_logger("konectom.api")


def _refused_trace() -> Exception:
    """Return the refusal of TRACE, with the methods that are possible where there are any (RFC 9110 section 15.5.6)."""
    if isinstance(request.routing_exception, WerkzeugMethodNotAllowed):
        return request.routing_exception
    return MethodNotAllowed("TRACE is not possible here.")


def init_app(app: Flask, settings: Settings) -> None:
    """Give ``app``'s answers their headers, and refuse requests that name another host."""
    proxies = settings.trusted_proxies
    if proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies
        )
    public = urlsplit(settings.public_url)
    if public.scheme == "https" and not proxies:  # TLS ends somewhere, and not here
        _LOG.warning("proxies.unknown", told="all callers count as one address: set KONECTOM_TRUSTED_PROXIES")
    carried = FIXED | (dict([STRICT_TRANSPORT]) if public.scheme == "https" else {})
    host = public.netloc.rpartition("@")[2].lower().removesuffix(f":{HTTPS_PORT}")
    hosts = {host, f"{host}:{HTTPS_PORT}"} if settings.mode == "production" else None

    def refuse() -> None:
        if request.method == "TRACE":  # it echoes what came, tokens too (RFC 9110 section 9.3.8)
            raise _refused_trace()
        if hosts is not None and request.blueprint not in ANY_HOST and request.host.lower() not in hosts:
            raise RequestInvalid("The request names another host than this server's.")

    def carry(response: Response) -> Response:
        for name, value in carried.items():
            response.headers[name] = value
        for name, value in UNLESS_TOLD.items():
            response.headers.setdefault(name, value)
        return response

    app.before_request(refuse)
    app.after_request(carry)
