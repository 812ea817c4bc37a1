"""Simulated symbol-digit tests: what was planted is found again."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.simulate.cps import CpsTruth, simulate_cps
from tests.assessments.examples import run

SITTINGS = 40


def found(truth: CpsTruth, quantity: str, **condition: str) -> float:
    """Return the mean of a quantity over many simulated tests."""
    values = []
    for seed in range(SITTINGS):
        result = run(simulate_cps(truth, np.random.default_rng(seed)))
        values += [
            value
            for entry, value in result.measures()
            if entry.quantity == quantity and dict(entry.condition) == condition and entry.statistic in ("", "mean")
        ]
    assert len(values) == SITTINGS
    return float(np.mean(values))


@pytest.mark.parametrize("symbol_s", [1.2, 2.5])
@pytest.mark.parametrize("digit_s", [0.7, 1.1])
def test_reaction_times_are_found_within_2_percent(symbol_s: float, digit_s: float) -> None:
    truth = CpsTruth(symbol_reaction_s=symbol_s, digit_reaction_s=digit_s)
    assert found(truth, "reaction_time", mode="symbol_to_digit") == pytest.approx(symbol_s, rel=0.02)
    assert found(truth, "reaction_time", mode="digit_to_digit") == pytest.approx(digit_s, rel=0.02)
    # The answer that the end of the level cut off was rather a slow one: both means are a little short.
    assert found(truth, "substitution_time") == pytest.approx(truth.substitution_s, abs=0.04)


def test_the_number_of_answers_follows_from_the_speed() -> None:
    truth = CpsTruth(symbol_reaction_s=1.5, error_share=0.0)
    assert found(truth, "correct", mode="symbol_to_digit") == pytest.approx(90 / 1.505, rel=0.03)
    assert found(truth, "accuracy", mode="symbol_to_digit") == 100.0


def test_care_and_steadiness_are_found() -> None:
    truth = CpsTruth(error_share=0.1, unsteadiness=0.3)
    assert found(truth, "accuracy", mode="symbol_to_digit") == pytest.approx(90.0, abs=2.0)
    assert found(truth, "unsteadiness", mode="symbol_to_digit") == pytest.approx(0.3, rel=0.08)


def test_slowing_is_found_between_the_middles_of_the_outer_thirds() -> None:
    truth = CpsTruth(slowing_s=0.9)
    assert found(truth, "slowing", mode="symbol_to_digit") == pytest.approx(0.9 * 2 / 3, abs=0.08)


@pytest.mark.parametrize("key", ["fixed_1", "fixed_2", "fixed_3", "random"])
@pytest.mark.parametrize("sequence", ["predefined", "random"])
def test_every_form_of_the_test_is_valid(key: str, sequence: str) -> None:
    for seed in range(5):
        result = run(simulate_cps(CpsTruth(key=key, sequence=sequence), np.random.default_rng(seed)))
        assert result.quality.verdict == "valid"
        assert len(list(result.scores())) == 8


def test_a_predefined_sequence_is_the_same_each_time() -> None:
    truth = CpsTruth(sequence="predefined")
    first, second = (simulate_cps(truth, np.random.default_rng(seed))["parts"][0]["events"] for seed in (1, 2))
    both = list(zip(first, second, strict=False))
    assert all(one["shown"] == other["shown"] for one, other in both)
    assert any(one["t"] != other["t"] for one, other in both)


def test_guessing_is_told_from_trying() -> None:
    result = run(simulate_cps(CpsTruth(error_share=8 / 9), np.random.default_rng(0)))
    assert result.quality.verdict == "invalid"
