"""Simulated questionnaires and days: what was planted is found again."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.simulate.alsfrs_r import AlsfrsRTruth, simulate_alsfrs_r
from konectom.simulate.mood import MoodTruth, simulate_mood
from konectom.simulate.msis29 import Msis29Truth, simulate_msis29
from konectom.simulate.neuroqol import FUNCTIONS, SYMPTOMS, NeuroqolTruth, simulate_neuroqol
from konectom.simulate.passive import PassiveTruth, simulate_passive
from konectom.simulate.pdq39 import ITEMS, Pdq39Truth, simulate_pdq39
from tests.assessments.answering import values
from tests.assessments.examples import run

SEEDS = range(8)


@pytest.mark.parametrize("impact", [5.0, 33.0, 71.0, 100.0])
def test_the_impact_of_ms_comes_back_to_half_a_point(impact: float) -> None:
    for seed in SEEDS:
        truth = Msis29Truth(impact, 100.0 - impact)
        told = values(simulate_msis29(truth, np.random.default_rng(seed)))
        assert told["physical_impact"] == pytest.approx(impact, abs=0.84)
        assert told["psychological_impact"] == pytest.approx(100.0 - impact, abs=1.86)


def test_each_domain_of_the_pdq_comes_back_to_half_a_point() -> None:
    for seed in SEEDS:
        told = values(simulate_pdq39(truth := Pdq39Truth(social_support=70.0), np.random.default_rng(seed)))
        for domain, items in ITEMS.items():
            assert told[domain] == pytest.approx(getattr(truth, domain), abs=12.5 / items + 1e-9)


@pytest.mark.parametrize("gastrostomy", [False, True])
def test_als_function_comes_back_exactly(gastrostomy: bool) -> None:
    for seed in SEEDS:
        truth = AlsfrsRTruth(bulbar=5, fine_motor=3, gross_motor=0, respiratory=12, gastrostomy=gastrostomy)
        told = values(simulate_alsfrs_r(truth, np.random.default_rng(seed)))
        assert (told["bulbar"], told["fine_motor"], told["gross_motor"], told["respiratory"]) == (5, 3, 0, 12)
        assert told["total"] == truth.total == 20
        assert told["cut_with_gastrostomy"] == gastrostomy


def test_the_mood_comes_back_exactly() -> None:
    told = values(simulate_mood(MoodTruth(25.0, 100.0), np.random.default_rng(0)))
    assert (told["psychological_state"], told["physical_state"]) == (25.0, 100.0)


def test_doubts_and_returns_are_found() -> None:
    truth = Msis29Truth(doubts=0, returns=3)
    told = values(simulate_msis29(truth, np.random.default_rng(3)))
    counts = [value for key, value in told.items() if key.startswith("answer_count")]
    assert sorted(counts)[-4:] == [1, 2, 2, 2]
    assert told["changed_items"] == 3
    once = values(simulate_msis29(Msis29Truth(doubts=4, returns=0), np.random.default_rng(3)))
    assert once["changed_items"] == 4
    assert {value for key, value in once.items() if key.startswith("answer_count")} == {1}


def test_the_time_of_an_answer_comes_back_within_5_percent() -> None:
    found = [
        values(simulate_pdq39(Pdq39Truth(answer_s=5.0), np.random.default_rng(seed)))["item_time.mean"]
        for seed in range(30)
    ]
    assert np.mean(found) == pytest.approx(5.0, rel=0.05)


def test_t_scores_come_back_within_their_own_error() -> None:
    truth = NeuroqolTruth(function_t=38.0, symptom_t=61.0, standard_error=0.2)
    told = [values(simulate_neuroqol(truth, np.random.default_rng(seed))) for seed in range(20)]
    for subtest in (*FUNCTIONS, *SYMPTOMS):
        planted = truth.function_t if subtest in FUNCTIONS else truth.symptom_t
        # The mean of 20 has an error of 2 / sqrt(20); four of those.
        assert np.mean([each[f"t_score[{subtest}]"] for each in told]) == pytest.approx(planted, abs=1.8)


def test_a_day_comes_back() -> None:
    for seed in SEEDS:
        truth = PassiveTruth(steps=8000, cadence_spm=100.0, step_length_m=0.7)
        told = values(simulate_passive(truth, np.random.default_rng(seed)))
        assert told["steps"] == 8000
        assert told["cadence.mean"] == pytest.approx(100.0, rel=0.02)
        assert told["active_duration"] == 80
        assert told["distance"] == pytest.approx(5600.0)
        assert told["active_pace.median"] == pytest.approx(60 / 70, rel=0.05)


def test_ordinary_ones_are_valid() -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        for wire in (
            simulate_mood(MoodTruth(), rng),
            simulate_msis29(Msis29Truth(), rng),
            simulate_pdq39(Pdq39Truth(), rng),
            simulate_alsfrs_r(AlsfrsRTruth(), rng),
            simulate_neuroqol(NeuroqolTruth(), rng),
            simulate_passive(PassiveTruth(), rng),
        ):
            assert run(wire).quality.verdict == "valid", wire["assessment"]
