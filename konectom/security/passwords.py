"""Passwords: kept as argon2id, judged by NIST SP 800-63B rev. 4, §3.1.1.

Length counts and composition does not. What is refused is what is tried first: words that everybody uses, the person's
own name, repetitions and runs. All Unicode is welcome; it is brought into form NFKC, so that what one keyboard composes
and another decomposes is the same password.
"""

from __future__ import annotations

import os
import secrets
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from konectom.errors import FieldInvalid, TooBusy

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 12, 256
LONGEST_SENT = 4 * LONGEST
"""Longer texts are no password of ours in any normal form, and are not looked at any further."""

SHORTEST_WORD = 3
FEWEST_CHARACTERS = 5
"""A password of fewer different characters is a repetition."""

_COMMON = """
abc abcd access admin administrator angel asdf asdfgh asdfghjkl azerty baseball basketball batman charlie computer
default demo dragon football freedom geheim guest hello hospital iloveyou jesus klinik konectom letmein liverpool
login love master michael michelle monkey mother mustang neurology ninja passe passw passwd password passwort patient
pokemon princess qazwsx qwer qwert qwerty qwertyuiop qwertz root secret service shadow soleil starwars summer sunshine
superman system temp test trustno user welcome whatever winter yxcvbnm zxcv zxcvbn zxcvbnm january february march
april june july august september october november december spring autumn
"""
COMMON = frozenset(_COMMON.split())
"""Words of which the most common passwords are made, alone, repeated, joined, or with figures and signs around them."""

ROWS = ("1234567890", "0123456789", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm")
WALKS = ("1q2w3e4r5t6y7u8i9o0p", "1qaz2wsx3edc4rfv5tgb6yhn7ujm", "q1w2e3r4t5y6u7i8o9p0", "zaq12wsxcde34rfv")
"""What fingers draw on a keyboard."""


AT_ONCE = min(2, os.cpu_count() or 1)
WAITING = 2
"""How many passwords a process looks at at once, and how many more may wait for it. Together they are fewer than the
server's threads, so that whoever sends passwords without end holds nobody up who has come in already."""


class Passwords:
    """Hashes and verifies; by default argon2id as the second recommended option of RFC 9106, §4.

    ``time_cost`` is the number of passes, ``memory_kib`` their memory in KiB, ``lanes`` how many may run at once.
    May be shared by threads; :data:`AT_ONCE` of them are at work at once, and ``waiting`` more may wait.
    """

    def __init__(
        self, *, time_cost: int = 3, memory_kib: int = 64 * 1024, lanes: int = 4, waiting: int = WAITING
    ) -> None:
        self._passes, self._memory_kib, self._lanes = time_cost, memory_kib, lanes
        self._places = threading.BoundedSemaphore(AT_ONCE + waiting)
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._mine = threading.local()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn; raises :class:`TooBusy` at once where too many wait already.

        What is done within has one turn for all its passwords.
        """
        if getattr(self._mine, "held", False):
            yield
            return
        if not self._places.acquire(blocking=False):
            raise TooBusy("too many passwords are being looked at; come again in a few seconds")
        try:
            with self._turns:
                self._mine.held = True
                try:
                    yield
                finally:
                    self._mine.held = False
        finally:
            self._places.release()

    @cached_property
    def _hasher(self) -> PasswordHasher:
        from argon2 import PasswordHasher, Type

        return PasswordHasher(self._passes, self._memory_kib, self._lanes, hash_len=32, salt_len=16, type=Type.ID)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe(32))

    def hash(self, password: str) -> str:
        """Return what is kept of a password, in the form of the PHC string format; raises :class:`TooBusy`."""
        with self.turn():
            return self._hasher.hash(_octets(password))

    def verify(self, kept: str | None, password: str) -> bool:
        """Tell whether ``password`` is the one of which ``kept`` was made.

        Where nothing is kept the answer is no, at the same cost: how long it takes does not tell whether there is a
        password to compare with. Raises :class:`TooBusy`.
        """
        from argon2.exceptions import VerifyMismatchError

        with self.turn():
            nobodys = self._nobodys  # made at the first call, whoever asks
            try:
                self._hasher.verify(kept or nobodys, _octets(password))
            except VerifyMismatchError:
                return False
        return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Tell whether ``kept`` was made with other parameters than those that hold now."""
        return self._hasher.check_needs_rehash(kept)


def check_password(password: str, *, about: Iterable[str] = (), at: str = "/password") -> None:
    """Raise :class:`FieldInvalid` at ``at`` unless it may be somebody's password; ``about`` are the person's names."""
    normal = _normalized(password)
    if not SHORTEST <= len(normal) <= LONGEST:
        raise FieldInvalid(f"a password has from {SHORTEST} to {LONGEST} characters", at=at)
    if _is_drawn(normal.casefold()) or _is_made_of(normal, _words(about)):
        raise FieldInvalid("this password is too easily guessed: use several words that do not belong together", at=at)


def _is_drawn(text: str) -> bool:
    """Tell whether a text is a repetition, a run such as ``abcdefghijkl``, or drawn on a keyboard."""
    if len(set(text)) < FEWEST_CHARACTERS:
        return True
    steps = [ord(after) - ord(before) for before, after in pairwise(text)]
    if sum(abs(step) <= 1 for step in steps) >= 0.75 * len(steps):
        return True
    drawn = [*ROWS, *(row[::-1] for row in ROWS), *WALKS]
    return any(text in line * 2 for line in WALKS) or _is_joined(text, drawn, shortest_part=SHORTEST_WORD)


def _is_made_of(text: str, words: frozenset[str]) -> bool:
    """Tell whether the letters of a text, without what is between them, are nothing but these words."""
    letters = "".join(character for character in text.casefold() if character.isalpha())
    return bool(letters) and _is_joined(letters, sorted(words))


def _is_joined(text: str, words: Sequence[str], *, shortest_part: int | None = None) -> bool:
    """Tell whether a text is a row of these words, or of parts of them that have at least ``shortest_part`` letters."""
    reached = {0}
    for start in range(len(text)):
        if start in reached:
            for word in words:
                if shortest_part is None:
                    if text.startswith(word, start):
                        reached.add(start + len(word))
                else:
                    ends = range(start + shortest_part, min(len(text), start + len(word)) + 1)
                    reached.update(end for end in ends if text[start:end] in word)
    return len(text) in reached


def _words(about: Iterable[str]) -> frozenset[str]:
    own: set[str] = set()
    for name in about:
        text = _normalized(name).casefold()
        parts = "".join(character if character.isalpha() else " " for character in text).split()
        own |= {*parts, "".join(parts)}
    return COMMON | {word for word in own if len(word) >= SHORTEST_WORD}


def _normalized(password: str) -> str:
    return unicodedata.normalize("NFKC", password[:LONGEST_SENT])


def _octets(password: str) -> bytes:
    return _normalized(password).encode("utf-8", "surrogatepass")
