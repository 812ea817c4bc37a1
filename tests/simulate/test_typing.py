"""The simulated keys are what their truth says, seen without any of the analysis."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.simulate.typing import TypingTruth, simulate_typing


def test_letters_come_at_their_interval_and_words_end_with_their_last_letter() -> None:
    truth = TypingTruth(irregularity=0, wrong_share=0)
    events = simulate_typing(truth, np.random.default_rng(0))["events"]
    words = [event for event in events if event["type"] == "word"]
    for word in words[:-1]:
        keys = [event for event in events if event["type"] == "key" and word["t"] < event["t"] < word["ends_at"]]
        assert "".join(key["key"] for key in keys) == word["word"] == keys[-1]["input"]
        times = [key["t"] for key in keys]
        assert times[0] - word["t"] == pytest.approx(truth.first_letter_s, abs=0.002)
        np.testing.assert_allclose(np.diff(times), truth.letter_interval_s, atol=0.002)
        assert word["right"]


def test_a_share_of_letters_is_wrong_and_taken_back() -> None:
    truth = TypingTruth(wrong_share=0.2, letter_interval_s=0.1)
    keys = [event["key"] for event in simulate_typing(truth, np.random.default_rng(0))["events"] if "key" in event]
    assert keys.count("Backspace") / (len(keys) - keys.count("Backspace")) == pytest.approx(0.17, abs=0.05)


def test_a_slow_hand_misses_words() -> None:
    events = simulate_typing(TypingTruth(letter_interval_s=2), np.random.default_rng(0))["events"]
    shown = [event for event in events if event["type"] == "word"]
    assert any(not word["right"] for word in shown)
    assert all(word["ends_at"] - word["t"] <= word["limit"] + 0.001 for word in shown)


def test_the_same_seed_gives_the_same_recording() -> None:
    one, same, other = (simulate_typing(TypingTruth(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other
