"""The second factor: one-time codes by time (RFC 6238), as the usual apps make them; codes for when the app is lost.

Codes have six digits and change every 30 s, under SHA-1 and a secret of 160 bits: that is what the apps can do. One
step before and after the present one is accepted (RFC 6238, §5.2), and each step once.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from datetime import datetime

TOTP_PURPOSE = b"totp"
"""What the secrets are sealed for; each is bound to its user's id, so that it passes for nobody else's."""

DIGITS, STEP_S, WINDOW_STEPS = 6, 30, 1
SECRET_BYTES = 20
RECOVERY_CODES = 10
RECOVERY_BYTES = 10
"""80 random bits, so that a plain hash of a recovery code is enough."""


def new_totp_secret() -> bytes:
    """Return a new secret (20 random bytes; RFC 4226, §4, R6)."""
    return secrets.token_bytes(SECRET_BYTES)


def totp_uri(secret: bytes, *, login: str, issuer: str = "konectom") -> str:
    """Return the address that an app reads from a QR code: ``otpauth://totp/…``."""
    import pyotp

    totp = pyotp.TOTP(totp_text(secret), digits=DIGITS, interval=STEP_S, name=login, issuer=issuer)
    return totp.provisioning_uri()


def totp_text(secret: bytes) -> str:
    """Return the secret as it is typed into an app: base32."""
    return base64.b32encode(secret).decode().rstrip("=")


def step_of(secret: bytes, code: str, at: datetime, *, after: int | None = None) -> int | None:
    """Return the time step to which ``code`` belongs at the instant ``at``; None where it is wrong.

    A step up to and with ``after``, the last that was used, does not count again.
    """
    import pyotp

    totp = pyotp.TOTP(totp_text(secret), digits=DIGITS, interval=STEP_S)
    now = int(at.timestamp()) // STEP_S
    given = code.encode("utf-8", "surrogatepass")
    found = None
    for step in range(now - WINDOW_STEPS, now + WINDOW_STEPS + 1):
        right = hmac.compare_digest(totp.generate_otp(step).encode(), given)
        if right and (after is None or step > after):
            found = step
    return found


def is_totp_code(code: str) -> bool:
    """Tell whether a code has the form of one that an app makes; any other may be a recovery code."""
    return re.fullmatch(r"[0-9]{6}", code) is not None


def new_recovery_codes() -> list[str]:
    """Return ten new recovery codes, each of four groups of four letters and digits."""
    return [_grouped(secrets.token_bytes(RECOVERY_BYTES)) for _ in range(RECOVERY_CODES)]


def plain_recovery_code(code: str) -> str:
    """Return a recovery code as it is hashed: what people write between the groups, and capitals, do not matter."""
    return re.sub(r"[\s-]", "", code).lower()


def _grouped(data: bytes) -> str:
    text = base64.b32encode(data).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))
