"""Two OpenID providers: a real one in a process of its own, and one in this process that misbehaves when told to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import requests
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

CLIENT = {"oidc_client_id": "konectom", "oidc_client_secret": "a secret & more", "oidc_name": "Test Hospital"}
PATIENCE_S = 30


class RealProvider:
    """oidc-provider-mock, spoken to over HTTP."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def knows(self, subject: str, **claims: Any) -> None:
        """Let there be somebody of this id there."""
        requests.put(f"{self.issuer}/users/{subject}", json=claims, timeout=PATIENCE_S).raise_for_status()

    def signs_in(self, address: str, subject: str) -> str:
        """Sign in there as ``subject`` and return the path to which the browser is led back."""
        answer = requests.post(address, data={"sub": subject}, allow_redirects=False, timeout=PATIENCE_S)
        assert answer.status_code == 302, answer.text
        return path_of(answer.headers["Location"])


@contextmanager
def real_provider() -> Iterator[RealProvider]:
    """Run the provider on a loopback port of its own choice."""
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", "0", "--require-nonce"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            found = next(match for line in process.stderr if (match := re.search(r"running on (http://\S+)", line)))
            # What it writes from now on is read, so that it never waits for somebody to.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield RealProvider(found[1])
        finally:
            process.kill()


def path_of(address: str) -> str:
    """Return path and query of an address."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


class Misbehaving:
    """A provider that does all as it should but for what a test changes.

    ``signing`` makes the signature, ``published`` are the keys that it shows; ``claims`` stand above those that an id
    token should have (None: left out), ``metadata`` above what it says of itself, ``answer`` in place of a token.
    """

    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.honest = RSAKey.generate_key(2048, {"kid": "1"})
        self.behave()

    def behave(self) -> None:
        """Do all as it should be from now on, and forget what was."""
        self.signing: Any = self.honest
        self.published: list[Any] = [self.honest]
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "1"}
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.answer: Any = None
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []

    def authorize(self, address: str, **changed: str) -> str:
        """Return where the browser is led back to from ``address``; the person there agrees at once."""
        asked = dict(parse_qsl(urlsplit(address).query))
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        told = {"code": code, "state": asked["state"]} | changed
        return f"{urlsplit(asked['redirect_uri']).path}?{urlencode(told)}"

    def get(self, path: str) -> tuple[int, Any]:
        self.asked.append(path)
        if path == "/jwks":
            return 200, KeySet(self.published).as_dict(private=False)
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
            } | self.metadata
        return 404, {}

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        """Exchange a code, once, for whoever holds the verifier and the client's secret."""
        self.asked.append("/token")
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or asked["code_challenge"] != challenge.decode().rstrip("="):
            return 400, {"error": "invalid_grant"}
        assert asked["code_challenge_method"] == "S256"
        assert authorization.startswith("Basic ")
        if self.answer is not None:
            return self.answer
        token = {"access_token": "unused", "token_type": "Bearer", "expires_in": 60}
        return 200, token | {"id_token": self.id_token(asked)}

    def id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": asked["client_id"],
            "sub": "248289761001",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "email": "ada@konectom.test",
            "email_verified": True,
            "amr": ["pwd", "mfa"],
        } | self.claims
        told = {name: value for name, value in claims.items() if value is not None}
        if self.header["alg"] == "none":
            return ".".join([*(_part(each) for each in (self.header, told)), ""])
        if self.header["alg"] == "HS256":
            return _signed_with_the_public_key(self.header, told, self.honest)
        registry = jws.JWSRegistry(algorithms=[self.header["alg"]], strict_check_header=False)
        return jwt.encode(self.header, told, self.signing, registry=registry)

    def signs_with_a_new_key(self, kid: str | None = "2", *, publish: bool = True) -> None:
        self.signing = ECKey.generate_key("P-256", {"kid": kid} if kid else None)
        self.header = {"alg": "ES256", **({"kid": kid} if kid else {})}
        if publish:
            self.published = [self.signing]


@contextmanager
def misbehaving_provider() -> Iterator[Misbehaving]:
    """Run the provider in a thread."""
    provider = Misbehaving()
    thread = threading.Thread(target=provider.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.server.shutdown()
        provider.server.server_close()
        thread.join(PATIENCE_S)


def _handler(provider: Misbehaving) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._tell(*provider.get(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._tell(*provider.token(form, self.headers.get("Authorization", "")))

        def _tell(self, status: int, told: Any) -> None:
            body = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _signed_with_the_public_key(header: dict[str, Any], claims: dict[str, Any], key: RSAKey) -> str:
    """The classic confusion of algorithms: an HMAC under what everybody knows, in the form in which it is published."""
    signed = f"{_part(header)}.{_part(claims)}"
    mac = hmac.digest(key.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def _part(told: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
