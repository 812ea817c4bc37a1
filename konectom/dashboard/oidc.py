"""Signing in at an OpenID provider: the authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636).

What comes back counts only if the browser carries the flow in which it was asked for (state), and if the id token is
signed by a key of the provider, and made by it, for this server, for this flow (nonce), and not long ago.
"""

from __future__ import annotations

import hmac
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import structlog
from authlib.integrations.base_client.errors import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.flask_client import OAuth  # type: ignore[import-untyped]
from authlib.integrations.flask_client.apps import FlaskOAuth2App  # type: ignore[import-untyped]
from authlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]
from flask import Flask
from joserfc.errors import ClaimError, JoseError

from konectom.errors import NotAuthenticated, StoreUnavailable
from konectom.settings import Settings

SEVERAL_FACTORS = "mfa"
"""The method (``amr``, RFC 8176) that says that there were several."""
POSSESSIONS = frozenset({"otp", "hwk", "swk", "sc"})
"""Methods by which somebody shows what he or she has. One alone is one factor, as a password alone is."""
KNOWLEDGE_OR_BODY = frozenset({"pwd", "pin", "face", "fpt", "iris", "retina", "vbm"})
"""Methods by which somebody shows what he or she knows or is: with a possession, these are two factors."""
SECOND_FACTOR_CLASSES = frozenset(
    {"https://refeds.org/profile/mfa", "http://schemas.openid.net/pape/policies/2007/06/multi-factor"}
)
"""Classes (``acr``) that mean several factors by their definition: REFEDS MFA, PAPE.

Not ``phr`` and ``phrh`` (OpenID EAP ACR Values 1.0): what cannot be phished may be one factor.
"""

TIME_LIMIT_S = 10
METADATA_AGE_S = 3600
"""How long what the provider says of itself is believed: a key that it gave up is given up here after that."""
SILENT_S = 10
"""How long a provider that could not be reached is not asked again: anybody can have it asked, and each who waits for
an answer holds a thread."""
ASKED_WITHIN_S = 2
"""How long somebody waits while another thread asks what the provider says of itself."""
LEEWAY_S = 60
# With the provider's public keys only. "none" signs nothing, and HS256 would take a public key for a secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")

_LOG = structlog.get_logger("konectom.dashboard")


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider knows: ``subject`` is its id of the person, which alone identifies."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    second_factor: bool


class Provider:
    """The OpenID provider of the settings. Nothing is asked of it before somebody signs in."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self.name = settings.oidc_name or "your institution"
        self.issuer = settings.oidc_issuer
        self.redirect_uri = f"{settings.public_url}/login/oidc/callback"
        self._silence = _Silence()
        self._trusts_second_factor = settings.oidc_trust_second_factor == "yes"
        self._client = _Registry(app).register(
            "provider",
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret,
            server_metadata_url=f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid email profile",
                "code_challenge_method": "S256",
                "default_timeout": TIME_LIMIT_S,
            },
        )
        self._client.issuer = settings.oidc_issuer
        self._client.silence = self._silence

    def begin(self) -> tuple[str, dict[str, str]]:
        """Return where to send the browser, and what it has to carry until it comes back."""
        try:
            with self._silence.heard():
                flow = self._client.create_authorization_url(self.redirect_uri)
        except (_Refused, requests.RequestException, ValueError) as error:
            _LOG.warning("oidc.unavailable", why=type(error).__name__, said=str(error)[:200])
            raise StoreUnavailable("The sign-in service cannot be reached. Try again in a while.") from error
        return flow["url"], {name: flow[name] for name in ("state", "nonce", "code_verifier")}

    def finish(self, flow: dict[str, str] | None, came_back: dict[str, str]) -> Person:
        """Return who signed in; raises :class:`NotAuthenticated` for whatever is not as it must be.

        ``flow`` is what the browser carried, ``came_back`` the query with which the provider sent it here.
        """
        try:
            with self._silence.heard():
                claims = self._claims(flow, came_back)
        except (_Refused, OAuthError, OAuth2Error, JoseError, requests.RequestException, ValueError) as error:
            _LOG.warning("oidc.refused", why=type(error).__name__, said=str(error)[:200])
            raise NotAuthenticated("Signing in did not work. Please try again.") from error
        email = claims.get("email")
        return Person(
            issuer=self.issuer,
            subject=claims["sub"],
            email=email if isinstance(email, str) else None,
            email_verified=claims.get("email_verified") is True,
            second_factor=self._trusts_second_factor and _second_factor_in(claims),
        )

    def _claims(self, flow: dict[str, str] | None, came_back: dict[str, str]) -> dict[str, Any]:
        if flow is None:
            raise _Refused("this browser began no flow, or too long ago")
        if not hmac.compare_digest(flow["state"].encode(), came_back.get("state", "").encode()):
            raise _Refused("this is not the flow that the browser began")
        if came_back.get("iss", self.issuer) != self.issuer:  # RFC 9207
            raise _Refused("another provider answers")
        if "code" not in came_back:
            raise _Refused(f"the provider says {came_back.get('error', 'nothing')}")
        token = self._client.fetch_access_token(
            self.redirect_uri, code=came_back["code"], code_verifier=flow["code_verifier"]
        )
        claims: dict[str, Any] | None = self._client.parse_id_token(token, nonce=flow["nonce"], leeway=LEEWAY_S)
        if claims is None:
            raise _Refused("the provider gives no id token")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise _Refused("the id token says not who it is")
        return claims


class _Refused(Exception):
    """The provider, or what came back from it, is not as it must be."""


class _Silence:
    """That the provider could not be reached a moment ago, and who is finding it out: one thread, not all."""

    def __init__(self) -> None:
        self.asking = threading.Lock()
        self._until = -math.inf

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Ask the provider within; raises :class:`_Refused` where it was silent a moment ago."""
        if time.monotonic() < self._until:
            raise _Refused("the provider could not be reached a moment ago")
        try:
            yield
        except (requests.ConnectionError, requests.Timeout):
            self._until = time.monotonic() + SILENT_S
            raise


class _Client(FlaskOAuth2App):  # type: ignore[misc]  # Authlib carries no types
    """Authlib's client, which believes the provider only what it must."""

    issuer: str
    server_metadata: dict[str, Any]
    silence: _Silence

    def load_server_metadata(self) -> dict[str, Any]:
        """Return what the provider says of itself, asked again from time to time; raises :class:`_Refused`."""
        if self._is_fresh():
            return self.server_metadata
        if not self.silence.asking.acquire(timeout=ASKED_WITHIN_S):
            raise _Refused("the provider is slow to say what it is")
        try:
            if not self._is_fresh():
                with self.silence.heard(), self._get_session() as session:
                    answer = session.request("GET", self._server_metadata_url, withhold_token=True)
                answer.raise_for_status()
                self.server_metadata = self._checked(answer.json())
        finally:
            self.silence.asking.release()
        return self.server_metadata

    def _is_fresh(self) -> bool:
        known = self.server_metadata
        return bool(known) and time.monotonic() - known["asked_at"] < METADATA_AGE_S

    def _checked(self, told: Any) -> dict[str, Any]:
        # OpenID Connect Discovery 1.0, 4.3: the issuer must be the one that was asked for.
        if not isinstance(told, dict) or told.get("issuer") != self.issuer:
            raise _Refused("the provider calls itself by another name than its setting does")
        here = urlsplit(self.issuer)
        for name in _ENDPOINTS:
            address = urlsplit(str(told.get(name, "")))
            if not address.netloc or address.scheme not in {"https", here.scheme}:
                raise _Refused(f"the provider has no {name} that can be used")
        offered = told.get("id_token_signing_alg_values_supported", ["RS256"])
        algorithms = [name for name in ALGORITHMS if name in offered]
        if not algorithms:
            raise _Refused("the provider signs with nothing that is accepted here")
        # The specification's default is the header; some take the secret in the body only.
        methods = told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        return {
            **{name: told[name] for name in ("issuer", *_ENDPOINTS)},
            "id_token_signing_alg_values_supported": algorithms,
            "token_endpoint_auth_method": method,
            "asked_at": time.monotonic(),
        }

    def parse_id_token(self, token: dict[str, Any], nonce: str, **how: Any) -> Any:
        """Return the claims of the id token; raises :class:`JoseError`. Keys that changed are asked for once more."""
        exactly = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self.client_id},
            "sub": {"essential": True},
        }
        try:
            return super().parse_id_token(token, nonce, claims_options=exactly, **how)
        except ClaimError:
            raise
        except JoseError:  # a new key under the old key's id, or keys without ids
            self.fetch_jwk_set(force=True)
            return super().parse_id_token(token, nonce, claims_options=exactly, **how)


class _Registry(OAuth):  # type: ignore[misc]  # Authlib carries no types
    oauth2_client_cls = _Client


def _second_factor_in(claims: dict[str, Any]) -> bool:
    told = claims.get("amr")
    methods = set(map(str, told)) if isinstance(told, list) else set()
    two = bool(methods & POSSESSIONS) and bool(methods & KNOWLEDGE_OR_BODY)
    return two or SEVERAL_FACTORS in methods or str(claims.get("acr")) in SECOND_FACTOR_CLASSES
