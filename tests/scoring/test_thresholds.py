"""How large a change must be: each kind at, below and above its edge, and the published changes."""

from __future__ import annotations

import json
from math import inf

import numpy as np
import pytest

from konectom.errors import FieldMissing
from konectom.scoring.thresholds import (
    Absolute,
    Both,
    ByDirection,
    Direction,
    Either,
    Given,
    Important,
    Noise,
    Share,
    Threshold,
    edss_steps,
    important_changes,
    important_threshold,
)


def reaches(threshold: Threshold, reference: float, change: float, direction: Direction = "worsening") -> bool:
    return bool(threshold.reached(np.array([change]), reference, direction)[0])


@pytest.mark.parametrize(
    ("one_point_to", "reference", "amount"),
    [
        (5.0, 0.0, 1.5),
        (5.0, 1.0, 1.0),
        (5.0, 5.0, 1.0),
        (5.0, 5.5, 0.5),
        (5.0, 6.0, 0.5),
        (5.0, 9.5, 0.5),
        (5.5, 5.0, 1.0),
        (5.5, 5.5, 1.0),
        (5.5, 6.0, 0.5),
        (5.5, 0.0, 1.5),
    ],
)
def test_edss_steps(one_point_to: float, reference: float, amount: float) -> None:
    steps = edss_steps(one_point_to)
    assert steps.amount(reference, "worsening") == amount
    assert reaches(steps, reference, amount)
    assert not reaches(steps, reference, amount - 0.5)


@pytest.mark.parametrize(("reference", "value"), [(5.5, 6.6), (6.5, 7.8), (4.9, 5.88), (0.7, 0.84), (23.3, 27.96)])
def test_equality_is_not_left_to_the_last_bit(reference: float, value: float) -> None:
    assert reaches(Share(0.2), reference, value - reference)
    assert not reaches(Share(0.2), reference, value - reference - 1e-6)
    assert not reaches(Absolute(value - reference, beyond=True), reference, value - reference)


def test_a_share_of_nothing_is_no_threshold() -> None:
    assert Share(0.2).amount(0.0, "worsening") == inf
    assert not reaches(Share(0.2), 0.0, 100.0)
    assert Either((Absolute(4.0), Share(0.2))).amount(0.0, "improvement") == 4.0


def test_no_threshold_counts_a_change_of_nothing() -> None:
    assert not reaches(Absolute(0.0), 10.0, 0.0)
    assert not Important().reached(np.array([0.0]), 10.0, "worsening")[0]
    assert Important().reached(np.array([0.1]), 10.0, "worsening")[0]


def test_more_than_an_amount_is_not_the_amount() -> None:
    more = Absolute(2.0, beyond=True)
    assert not reaches(more, 30.0, 2.0)
    assert reaches(more, 30.0, 2.5)
    assert reaches(Absolute(2.0), 30.0, 2.0)


def test_either_takes_the_smaller_and_both_the_larger() -> None:
    parts = (Absolute(4.0), Share(0.1))
    assert Either(parts).amount(60.0, "worsening") == 4.0
    assert Either(parts).amount(30.0, "worsening") == pytest.approx(3.0)
    assert Both(parts).amount(60.0, "worsening") == pytest.approx(6.0)
    assert reaches(Either(parts), 60.0, 4.0)
    assert not reaches(Both(parts), 60.0, 4.0)
    assert reaches(Both(parts), 60.0, 6.0)


def test_a_direction_of_its_own() -> None:
    tug = ByDirection(Share(0.31), Share(0.24))
    assert not reaches(tug, 10.0, 3.0)
    assert reaches(tug, 10.0, 3.1)
    assert reaches(tug, 10.0, 2.4, "improvement")


def test_noise_and_importance_come_from_the_score() -> None:
    larger = Both((Noise(), Important()))
    assert larger.amount(50.0, "worsening", Given(noise=5.0)) == 5.0
    assert larger.amount(50.0, "worsening", Given(5.0, Absolute(8.0))) == 8.0
    assert larger.amount(50.0, "worsening", Given(5.0, Share(0.05))) == 5.0
    with pytest.raises(FieldMissing) as refused:
        larger.amount(50.0, "worsening")
    assert refused.value.at == "/noise"


@pytest.mark.parametrize("threshold", [Noise(), Both((Absolute(1.0), Noise())), ByDirection(Noise(), Absolute(1.0))])
def test_what_needs_the_noise_says_so(threshold: Threshold) -> None:
    assert threshold.needs_noise


@pytest.mark.parametrize("threshold", [Absolute(1.0), edss_steps(5.0), Either((Share(0.2), Important()))])
def test_what_does_not_need_it_does_not(threshold: Threshold) -> None:
    assert not threshold.needs_noise


def test_a_threshold_tells_itself_as_json() -> None:
    told = Both((Noise(), ByDirection(Share(0.2), Absolute(2.0, beyond=True)), edss_steps(5.0))).as_dict()
    assert json.loads(json.dumps(told)) == {
        "kind": "both",
        "of": [
            {"kind": "noise"},
            {
                "kind": "by_direction",
                "worsening": {"kind": "share", "share": 0.2},
                "improvement": {"kind": "absolute", "size": 2.0, "beyond": True},
            },
            {"kind": "steps", "steps": [[0.0, 1.5], [5.0, 1.0], [10.0, 0.5]]},
        ],
    }


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("obs.t25fw.time", {("worsening", "important", 0.20), ("improvement", "important", 0.20)}),
        ("obs.nhpt.dominant", {("worsening", "important", 0.20), ("improvement", "important", 0.20)}),
        ("obs.sixmwt.distance", {("worsening", "important", 0.20), ("improvement", "important", 0.20)}),
        ("obs.tug.time", {("worsening", "important", 0.31), ("improvement", "important", 0.24)}),
        (
            "obs.sdmt.correct",
            {("worsening", "important", 4.0), ("improvement", "important", 4.0), ("worsening", "reliable", 8.0)},
        ),
        ("obs.msws12.impact", {("improvement", "important", 8.0)}),
        ("obs.hfmse.total", {("worsening", "important", 2.0), ("improvement", "important", 2.0)}),
    ],
)
def test_published_changes(key: str, told: set[tuple[str, str, float]]) -> None:
    changes = important_changes(key)
    assert {(one.direction, one.meaning, one.amount or one.share) for one in changes} == told
    assert all(one.source for one in changes)
    assert json.dumps([one.as_dict() for one in changes])


def test_a_score_without_publication_has_no_important_change() -> None:
    assert important_changes("tap.rate") == ()
    assert important_threshold("tap.rate") is None


def test_one_threshold_for_both_directions() -> None:
    assert important_threshold("obs.t25fw.time") == Share(0.20)
    assert important_threshold("obs.tug.time") == ByDirection(Share(0.31), Share(0.24))
    assert important_threshold("obs.sdmt.correct") == Absolute(4.0)
    assert important_threshold("obs.msws12.impact") is None, "worsening was not studied"
