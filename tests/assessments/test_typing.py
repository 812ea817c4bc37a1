"""Typing: by hand, against the simulator's truth, on real recordings, and its quality rules."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence

import numpy as np
import pytest

from konectom import formats
from konectom.assessments._outcome import Result
from konectom.assessments.typing import extract as typing
from konectom.assessments.typing._keys import CORRECTING, RIGHT, WRONG, Keys, without_accents
from konectom.recording import Part, Recording, Stream
from konectom.simulate.typing import TypingTruth, simulate_typing
from tests.assessments.examples import parse
from tests.shared import KONECTOM, SHARED, inflated, needs_shared

Word = tuple[str, float, float, bool]
Key = tuple[float, str, str]


def part(words: Sequence[Word], keys: Sequence[Key], duration_s: float = 60.0) -> Part:
    """A part with words (text, begin, end, right) and keys (time, key, input)."""
    word = Stream(
        "word",
        np.array([one[1] for one in words]),
        {
            "word": np.array([one[0] for one in words]),
            "limit": np.full(len(words), 10.0),
            "ends_at_s": np.array([one[2] for one in words]),
            "right": np.array([float(one[3]) for one in words]),
        },
    )
    columns = {"key": np.array([one[1] for one in keys]), "input": np.array([one[2] for one in keys])}
    key = Stream("key", np.array([one[0] for one in keys]), columns)
    return Part({}, 0.0, duration_s, {}, {"word": word, "key": key})


# "cat" with one mistake, taken back; "dog" without; "sun" not in time.
WORDS: tuple[Word, ...] = (("cat", 0.0, 4.0, True), ("dog", 4.1, 6.0, True), ("sun", 6.1, 9.0, False))
KEYS: tuple[Key, ...] = (
    *((1.0, "c", "c"), (1.2, "q", "cq"), (1.9, "Backspace", "c"), (2.5, "a", "ca"), (2.8, "t", "cat")),
    *((5.0, "d", "d"), (5.25, "o", "do"), (5.55, "g", "dog")),
    *((7.0, "s", "s"), (7.4, "i", "si"), (7.5, "n", "sin")),
    (9.5, "x", "sinx"),  # after the last word
)


def run(words: Sequence[Word] = WORDS, keys: Sequence[Key] = KEYS, duration_s: float = 60.0) -> Result:
    return typing.run(Recording("typing", (part(words, keys, duration_s),)))


def values(result: Result) -> dict[str, float]:
    return {entry.key.removeprefix("typing."): value for entry, value in result.measures()}


def codes(result: Result) -> set[str]:
    return {flag.code.removeprefix("typing.") for flag in result.quality.flags}


def test_keys_are_right_wrong_or_correcting() -> None:
    keys = Keys.of(part(WORDS, KEYS))
    assert len(keys) == 11
    assert keys.word.tolist() == [0] * 5 + [1] * 3 + [2] * 3
    expected = [RIGHT, WRONG, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, WRONG, WRONG]
    assert keys.state.tolist() == expected
    twice = Keys.of(
        part((("cat", 0, 4, True),), ((1, "c", "c"), (2, "x", "cx"), (3, "y", "cxy"), (3.5, "Backspace", "cx")))
    )
    assert twice.state.tolist() == [RIGHT, WRONG, WRONG, CORRECTING]


def test_what_is_measured_by_hand() -> None:
    found = values(run())
    assert found["words_right"] == 2
    assert found["words_wrong"] == 1
    assert found["word_duration.mean"] == pytest.approx(statistics.mean([4.0, 1.9, 2.9]))
    assert found["word_duration[0].median"] == pytest.approx(statistics.median([4.0, 1.9]))
    assert found["first_right_letter_time.median"] == pytest.approx(statistics.median([1.0, 0.9, 0.9]))
    assert found["words_without_error"] == 1
    assert found["words_with_error"] == 1
    assert found["run_without_error"] == 1
    assert found["right_keys"] == 8
    assert found["wrong_letter_share"] == pytest.approx(100 * 3 / 10)
    assert found["keys_per_letter.mean"] == pytest.approx((5 / 3 + 1) / 2)
    assert found["words_per_key"] == pytest.approx(2 / 11)
    # One right letter after another within a word: a-t, d-o, o-g; not c-q, nor what follows Backspace.
    assert found["letter_interval.median"] == pytest.approx(0.3)
    assert found["letter_interval.min"] == pytest.approx(0.25)
    assert found["error_duration.mean"] == pytest.approx(0.2)
    assert found["key_interval[wrong].median"] == pytest.approx(0.4)
    assert found["likeness.mean"] == pytest.approx(2 * 2 / 6)  # "sin" and "sun"
    assert found["key_interval_before_mistake.mean"] == pytest.approx((0.25 + 0.3) / 2)
    slopes = [((0.25 + 0.3) / 2 - 1.8 / 4) / 4.1, (0.5 / 2 - (0.25 + 0.3) / 2) / 2.0]
    assert found["typing_slowing"] == pytest.approx(statistics.mean(slopes))


def test_accents_count_neither_in_the_word_nor_in_what_was_typed() -> None:
    assert without_accents("tête-à-cœur") == "tete-a-coeur"
    for text in ("tete", "tête"):
        keys = tuple((1 + 0.1 * place, text[place], text[: place + 1]) for place in range(4))
        assert set(Keys.of(part((("tête", 0, 4, True),), keys)).state.tolist()) == {RIGHT}


def test_a_word_that_is_shown_twice_counts_twice() -> None:
    words = (("ab", 0.0, 2.0, True), ("ab", 2.1, 4.0, False))
    found = values(run(words, ((1.0, "a", "a"), (1.5, "b", "ab"), (3.0, "a", "a"))))
    assert found["word_duration[0].mean"] == 2.0
    assert found["keys_per_letter.mean"] == 1.0


@pytest.mark.parametrize(
    "truth", [TypingTruth(), TypingTruth(letter_interval_s=0.5, first_letter_s=1.2, wrong_share=0.15)]
)
def test_the_simulators_truth_comes_back(truth: TypingTruth) -> None:
    """Times within a tenth, rhythm within a third, the share of wrong letters within 4 in 100."""
    result = typing.run(parse(simulate_typing(truth, np.random.default_rng(2))))
    found = values(result)
    assert result.quality.verdict == "valid"
    assert found["letter_interval.median"] == pytest.approx(truth.letter_interval_s, rel=0.1)
    assert found["first_right_letter_time.median"] == pytest.approx(truth.first_letter_s, rel=0.1)
    assert found["rhythm_irregularity"] == pytest.approx(truth.irregularity, rel=0.33)
    assert found["wrong_letter_share"] == pytest.approx(100 * truth.wrong_share / (1 + truth.wrong_share), abs=4)
    assert found["acceleration_peak_frequency[x]"] == pytest.approx(truth.tremor_hz, abs=0.2)


def test_what_disturbs_the_test_is_flagged() -> None:
    good = simulate_typing(TypingTruth(), np.random.default_rng(0))
    assert codes(typing.run(parse(good))) == set()
    assert "too_few_words" in codes(run())
    assert "wrong_duration" in codes(run(duration_s=20))
    assert "auto_completed" in codes(run(keys=(*KEYS[:-1], (8.0, "sun", "sun"))))
    assert "auto_completed" not in codes(run())
    late = (("cat", 0.0, 4.0, True), ("dog", 20.0, 30.0, False))
    keys = ((1.0, "c", "c"), (1.5, "a", "ca"), (2.0, "t", "cat"), (25.0, "x", "x"))
    assert "pause" in codes(run(late, keys))
    assert "keys_without_word" in codes(run(late, (*keys[:3], (10.0, "e", "e"), (25.0, "x", "x"))))
    wrong = tuple((0.1 * place, "x", "x" * place) for place in range(1, 20))
    assert "many_errors" in codes(run(keys=wrong))


def test_a_flood_of_keys_ends() -> None:
    keys = tuple((0.001 * place, "x", "x" * 200) for place in range(1, 8000))
    assert values(run((("y" * 200, 0.0, 60.0, False),), keys))["words_right"] == 0


@needs_shared
def test_an_unfinished_test_is_measured_and_flagged() -> None:
    (recording,) = formats.read(inflated(KONECTOM / "bdh/TYPING/typing-example-cancelled.json.gz")).recordings
    assert isinstance(recording, Recording)
    result = typing.run(recording)
    found = values(result)
    assert {"unfinished", "wrong_duration"} <= codes(result)
    assert result.quality.verdict == "limited"
    assert found["words_right"] == 6
    assert found["words_without_error"] == 6


@needs_shared
def test_keys_on_another_keyboard_come_at_the_speed_that_others_found() -> None:
    """neuroQWERTY: the median time between letters goes with the typing speed that its authors give, keys a minute."""
    from pyarrow import parquet

    table = parquet.read_table(SHARED / "data/typing/neuroqwerty_keystrokes.parquet").to_pydict()
    with (SHARED / "data/typing/neuroqwerty_ground_truth.csv").open(newline="") as rows:
        told = [row for row in csv.DictReader(rows) if row["typingSpeed"]]
    speed = {row[file]: float(row["typingSpeed"]) for row in told for file in ("file_1", "file_2") if row[file]}
    sessions: dict[str, list[tuple[float, str]]] = {}
    for file, key, press_s in zip(table["file"], table["key"], table["press_s"], strict=True):
        name = file.rsplit("/", 1)[-1]
        if name in speed and press_s > 0:
            sessions.setdefault(name, []).append((press_s, key.strip("'\"")))
    assert len(sessions) > 50
    ours, theirs = [], []
    for name, typed in list(sessions.items()):
        typed.sort()
        # As if one endless word were shown, of which every key is right.
        keys = [(at_s, key, "") for at_s, key in typed[:3000]]
        words = (("a", keys[0][0] - 1, keys[-1][0] + 1, True),)
        ours.append(values(run(words, keys))["letter_interval.median"])
        theirs.append(speed[name])
    from scipy.stats import spearmanr

    assert spearmanr(ours, theirs).statistic < -0.8
