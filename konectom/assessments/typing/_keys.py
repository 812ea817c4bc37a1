"""The words that were shown and the keys that were typed under them, and which keys were right, wrong or corrections.

After each key the input is *right* if the word begins with it. A key is *right* if the input then is, or if it is the
first under a new word; *correcting* if it is Backspace and the input before was wrong; else *wrong*.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray, Part, Stream
from konectom.signals.responses import BoolArray

RIGHT, WRONG, CORRECTING = 0, 1, 2
BACKSPACE = "Backspace"
LONGEST_TEXT = 64
"""Of longer words and inputs the rest is not looked at: no such word is shown."""

MOST_EVENTS = 5000
"""More words or keys than that nobody types in a minute: the rest is left out, unseen."""

IntArray = NDArray[np.intp]
_SPELT_OUT = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ı": "i"})


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """w words in order of appearance; an end that is not known is NaN, as is whether a word was typed in time."""

    text: list[str]
    begin_s: FloatArray
    end_s: FloatArray
    limit: FloatArray
    right: BoolArray

    @classmethod
    def of(cls, stream: Stream) -> Words:
        """Return the words of a part, each once."""
        _, first = np.unique(stream.t_s, return_index=True)
        first = first[:MOST_EVENTS]
        text = [str(word)[:LONGEST_TEXT] for word in stream["word"][first]]
        return cls(
            text, stream.t_s[first], stream["ends_at_s"][first], stream["limit"][first], stream["right"][first] == 1
        )

    @property
    def duration_s(self) -> FloatArray:
        """How long each word was shown; NaN where its end is not known or before its begin."""
        shown_s = np.round(self.end_s - self.begin_s, 9)
        return np.where(shown_s >= 0, shown_s, np.nan)


@dataclass(frozen=True, eq=False)
class Keys:
    """k keys in order of time, none after the last word; ``word`` is the number of the word shown, -1 without one."""

    words: Words
    t_s: FloatArray
    text: list[str]
    input: list[str]
    word: IntArray

    @classmethod
    def of(cls, part: Part) -> Keys:
        """Return the keys of a part under its words."""
        words, typed = Words.of(part.events["word"]), part.events["key"]
        order = np.argsort(typed.t_s, kind="stable")
        last_s = words.end_s[-1] if words.end_s.size and np.isfinite(words.end_s[-1]) else np.inf
        order = order[typed.t_s[order] <= last_s][:MOST_EVENTS]
        t_s = typed.t_s[order]
        word = np.searchsorted(words.begin_s, t_s, side="left") - 1
        shown = (word >= 0) & ~(t_s >= words.end_s[word])  # one of unknown end is still shown
        return cls(
            words,
            t_s,
            [str(key)[:LONGEST_TEXT] for key in typed["key"][order]],
            [str(text)[:LONGEST_TEXT] for text in typed["input"][order]],
            np.where(shown, word, -1),
        )

    def __len__(self) -> int:
        return int(self.t_s.size)

    @cached_property
    def interval_s(self) -> FloatArray:
        """Time since the key before; NaN for the first."""
        return np.round(np.diff(self.t_s, prepend=np.nan), 9)

    @cached_property
    def letter(self) -> BoolArray:
        """Which keys are letters or Backspace, as the published measures count them."""
        return np.array([key.isalpha() for key in self.text], dtype=np.bool_)

    @cached_property
    def single(self) -> BoolArray:
        """Which keys are single letters."""
        return np.array([len(key) == 1 and key.isalpha() for key in self.text], dtype=np.bool_)

    @cached_property
    def wrong_letter(self) -> BoolArray:
        """Which keys are single letters that made or left the input wrong."""
        return self.single & (self.word >= 0) & ~self.good

    @cached_property
    def completed(self) -> BoolArray:
        """Which keys came from the keyboard's own suggestions: several letters at once."""
        return np.array([len(key) != 1 and not key.startswith(BACKSPACE) for key in self.text], dtype=np.bool_)

    @cached_property
    def under_right(self) -> BoolArray:
        """Which keys were typed under a word that was right in the end."""
        right: BoolArray = np.append(self.words.right, False)[self.word]
        return right

    @cached_property
    def first(self) -> BoolArray:
        """Which keys are the first under their word."""
        first: BoolArray = np.diff(self.word, prepend=-2) != 0
        return first

    @cached_property
    def good(self) -> BoolArray:
        """After which keys the input was right: that with which the word shown begins."""
        folded = [without_accents(word) for word in self.words.text]
        begun = (
            number >= 0 and folded[number].startswith(without_accents(text))
            for number, text in zip(self.word.tolist(), self.input, strict=True)
        )
        return np.fromiter(begun, dtype=np.bool_, count=len(self))

    @cached_property
    def state(self) -> IntArray:
        """Whether each key was right, wrong or correcting."""
        good = self.good
        changed = self.first.copy()
        changed[:1] = False
        backspace = np.array([key == BACKSPACE for key in self.text], dtype=np.bool_)
        wrong_before = ~np.roll(good, 1)
        return np.where(changed | good, RIGHT, np.where(wrong_before & backspace, CORRECTING, WRONG))

    def stretches(self) -> tuple[IntArray, IntArray]:
        """Return the first key of each stretch of one state under one word, and one after its last."""
        state = self.state
        begins = np.flatnonzero(self.first | (np.diff(state, prepend=-1) != 0))
        return begins, self._ends(begins)

    def spans(self) -> list[tuple[int, slice]]:
        """Return, for each word that keys were typed under, its number and the keys."""
        begins = np.flatnonzero(self.first)
        return [
            (int(self.word[begin]), slice(int(begin), int(end)))
            for begin, end in zip(begins, self._ends(begins), strict=True)
            if self.word[begin] >= 0
        ]

    def _ends(self, begins: IntArray) -> IntArray:
        return np.append(begins[1:], len(self)) if begins.size else begins


def without_accents(text: str) -> str:
    """Return a text in plain letters: "tête" becomes "tete"."""
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text.translate(_SPELT_OUT))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
