"""One-time codes by time, against the values that RFC 6238 publishes."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from konectom.security.totp import (
    STEP_S,
    is_totp_code,
    new_recovery_codes,
    new_totp_secret,
    plain_recovery_code,
    step_of,
    totp_text,
    totp_uri,
)

SECRET = b"12345678901234567890"
"""RFC 6238, appendix B, the one for SHA-1."""

PUBLISHED = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}
"""Appendix B: seconds since 1970 -> eight digits, of which the last six are the code of six."""

AT = datetime.fromtimestamp(1111111111, UTC)
CODE = "050471"


@pytest.mark.parametrize(("seconds", "digits"), PUBLISHED.items())
def test_the_published_values(seconds, digits):
    assert step_of(SECRET, digits[-6:], datetime.fromtimestamp(seconds, UTC)) == seconds // STEP_S


def test_a_code_holds_one_step_before_and_after_its_own():
    step = 1111111111 // STEP_S
    start = datetime.fromtimestamp(step * STEP_S, UTC)
    for seconds, known in ((-31, False), (-30, True), (0, True), (29, True), (59, True), (60, False)):
        assert (step_of(SECRET, CODE, start + timedelta(seconds=seconds)) == step) is known


def test_a_step_counts_once():
    step = step_of(SECRET, CODE, AT)
    assert step_of(SECRET, CODE, AT, after=step - 1) == step
    assert step_of(SECRET, CODE, AT, after=step) is None
    assert step_of(SECRET, CODE, AT, after=step + 1) is None


@pytest.mark.parametrize("code", ["", "050472", "50471", "0504710", " 050471", "٠٥٠٤٧١", "\ud800", "x" * 1000])
def test_another_code_is_wrong(code):
    assert step_of(SECRET, code, AT) is None


def test_another_secret_makes_other_codes():
    assert step_of(new_totp_secret(), CODE, AT) is None


def test_an_app_reads_the_address():
    secret = new_totp_secret()
    assert len(secret) == 20
    address = urlsplit(totp_uri(secret, login="ada@example.org"))
    assert (address.scheme, address.netloc, address.path) == ("otpauth", "totp", "/konectom:ada%40example.org")
    assert parse_qs(address.query)["secret"] == [totp_text(secret)]
    assert parse_qs(address.query)["issuer"] == ["konectom"]


def test_recovery_codes_are_ten_and_have_80_bits():
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    assert {len(plain_recovery_code(code)) for code in codes} == {16}
    assert not any(is_totp_code(plain_recovery_code(code)) for code in codes)


def test_how_a_recovery_code_is_written_does_not_matter():
    (code, *_) = new_recovery_codes()
    assert plain_recovery_code(f" {code.upper().replace('-', ' ')}\n") == plain_recovery_code(code)
