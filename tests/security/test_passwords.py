"""Passwords: what is kept of them, what it costs to try one, and which are refused."""

import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from konectom.errors import FieldInvalid, TooBusy
from konectom.security.passwords import AT_ONCE, LONGEST, Passwords, check_password
from tests.people import QUICK

GOOD = "correct horse battery staple"


def test_the_default_is_the_second_recommended_option_of_rfc_9106():
    used = extract_parameters(Passwords().hash(GOOD))
    assert (used.type, used.version, used.time_cost, used.memory_cost, used.parallelism) == (Type.ID, 19, 3, 65536, 4)
    assert (used.salt_len, used.hash_len) == (16, 32)


def test_a_password_is_verified_and_another_is_not():
    kept = QUICK.hash(GOOD)
    assert QUICK.verify(kept, GOOD)
    for wrong in ("", GOOD + " ", GOOD.upper(), GOOD[:-1]):
        assert not QUICK.verify(kept, wrong)


def test_the_same_password_is_kept_differently_each_time():
    assert QUICK.hash(GOOD) != QUICK.hash(GOOD)
    assert GOOD not in QUICK.hash(GOOD)


def test_what_a_keyboard_composes_and_another_decomposes_is_the_same_password():
    password = "Größenordnung über Köln"
    kept = QUICK.hash(unicodedata.normalize("NFD", password))
    assert QUICK.verify(kept, unicodedata.normalize("NFC", password))


@pytest.mark.parametrize("odd", ["\ud800" * 12, "a\0b" * 8, "🦓" * 20, "x" * 100_000])
def test_odd_passwords_are_verified_like_others(odd):
    assert not QUICK.verify(QUICK.hash(GOOD), odd)


def test_where_nothing_is_kept_nothing_opens_at_the_same_cost(monkeypatch):
    passwords = Passwords(time_cost=1, memory_kib=64, lanes=1)
    verified = []
    hasher = passwords._hasher
    monkeypatch.setattr(type(hasher), "verify", _recording(type(hasher).verify, verified))
    assert not passwords.verify(None, GOOD)
    assert not passwords.verify(None, "")
    assert len(verified) == 2
    assert [extract_parameters(kept) for kept in verified] == 2 * [extract_parameters(passwords.hash(GOOD))]


def _recording(verify, verified):
    def recording(self, kept, password):
        verified.append(kept)
        return verify(self, kept, password)

    return recording


def test_a_hash_of_other_parameters_still_opens_and_is_known_as_outdated():
    older = Passwords(time_cost=1, memory_kib=32, lanes=1).hash(GOOD)
    assert QUICK.verify(older, GOOD)
    assert QUICK.is_outdated(older)
    assert not QUICK.is_outdated(QUICK.hash(GOOD))


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "all lower case letters",
        "Ada wrote the first programme",
        "zebra-umbrella-42-lathe",
        "x7Gk29qLm3Zt",
        "почему трава зелёная",
        "今日は天気がとても良いですね、散歩に行きましょう",
        "the year was 1984 in autumn",
        "ab" + "e7k9" * 60,
    ],
)
def test_length_counts_and_composition_does_not(password):
    check_password(password, about=("ada.lovelace@example.org", "Ada Lovelace"))


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "elevenchar1",
        "x7Gk29qLm3Z",
        "y" * LONGEST + "z7a!b",
        "ﷺ" * 30,  # 30 characters that become 540
    ],
)
def test_what_is_too_short_or_too_long_is_refused(password):
    with pytest.raises(FieldInvalid, match="from 12 to 256") as refused:
        check_password(password, at="/new")
    assert refused.value.at == "/new"


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Passwort!2026",
        "PASSWORDpassword",
        "konectom2026!",
        "Konectom-Konectom",
        "welcome.konectom.1",
        "adalovelace1815",
        "Ada.Lovelace@1815!",
        "lovelace lovelace",
        "Lovelace.password.99",
        "aaaaaaaaaaaaaa",
        "ababababababab",
        "123456789012",
        "987654321098",
        "0123456789 10",
        "abcdefghijkl",
        "zyxwvutsrqponm",
        "qwertyuiop123",
        "qwertz123456",
        "1q2w3e4r5t6y",
        "1qaz2wsx3edc",
        "ｐａｓｓｗｏｒｄ１２３４",
    ],
)
def test_what_is_tried_first_is_refused(password):
    with pytest.raises(FieldInvalid, match="easily guessed"):
        check_password(password, about=("ada.lovelace", "Ada Lovelace"))


def test_a_refusal_does_not_repeat_the_password():
    with pytest.raises(FieldInvalid) as refused:
        check_password("adalovelace1815", about=("Ada Lovelace",))
    assert "lovelace" not in str(refused.value.as_dict())


def test_words_that_overlap_are_judged_in_no_time():
    check_password("ax" * 110 + "qzkr7d!e", about=("axa", "axax", "axaxa", "xax"))


def test_few_passwords_are_looked_at_at_once_and_whoever_may_not_wait_is_sent_away():
    passwords = Passwords(time_cost=1, memory_kib=64, lanes=1, waiting=0)
    inside, over = threading.Barrier(AT_ONCE + 1, timeout=60), threading.Event()

    def hold():
        with passwords.turn():
            inside.wait()
            assert over.wait(60)
            return passwords.verify(None, "x")  # within one's turn there is no other to wait for

    with ThreadPoolExecutor(AT_ONCE) as pool:
        holding = [pool.submit(hold) for _ in range(AT_ONCE)]
        inside.wait()
        for act in (lambda: passwords.verify(None, "x"), lambda: passwords.hash("x")):
            with pytest.raises(TooBusy):
                act()
        over.set()
        assert [each.result(60) for each in holding] == [False] * AT_ONCE
    assert passwords.verify(passwords.hash("x"), "x")
