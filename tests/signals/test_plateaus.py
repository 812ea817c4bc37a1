"""Plateaus: the vectorised search against the definition, sample by sample; and what it finds in a staircase."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.recording import FloatArray
from konectom.signals.plateaus import AHEAD, AVERAGED, BEHIND, EDGE, GAP, SHORTEST, find_plateaus, unrest


def by_the_book(pressure: FloatArray, usual: FloatArray) -> list[bool]:
    """Return the samples in plateaus by walking through the definition."""
    n = len(pressure)
    restless = unrest(pressure)
    held = [i < n - EDGE and bool(np.nanmean(restless[i : i + AVERAGED]) < usual[i]) for i in range(n)]
    for i in range(n - EDGE):
        if held[i] and held[i + GAP]:
            held[i : i + GAP] = [True] * GAP
    start = 0
    for i in range(1, n + 1):
        if i == n or held[i] != held[start]:
            if held[start] and i - start < SHORTEST:
                held[start:i] = [False] * (i - start)
            start = i
    value: list[float] = [float(one) for one in held]
    for i in range(AHEAD, n - AHEAD):
        before, after = pressure[max(0, i - BEHIND) : i], pressure[i : i + AHEAD]
        if value[i] == value[i + AHEAD] == 1 and abs(np.nanmean(after) - np.nanmean(before)) < 0.3:
            value[i : i + AHEAD] = after.tolist()
    return [one != 0 for one in value]


@pytest.mark.parametrize("seed", range(12))
def test_the_search_finds_what_the_definition_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(100, 900))
    # Steps of one sixtieth, resting and moving by turns; often around 1, which the definition treats apart.
    moving = np.repeat(rng.random(n // 20 + 1) < 0.5, 20)[:n]
    steps = rng.integers(-4, 5, n) * moving * (rng.random(n) < 0.4)
    pressure = np.maximum(np.cumsum(steps) / 60 + 1.0, 1 / 60)
    if seed % 3 == 0:
        pressure[0] = np.nan
    usual = np.repeat([np.nanmean(unrest(pressure)), 0.8 * np.nanmean(unrest(pressure))], [n // 2, n - n // 2])
    found, bridged = find_plateaus(pressure, usual)
    np.testing.assert_array_equal(found, by_the_book(pressure, usual))
    assert not (bridged & ~found).any()


def test_a_staircase_is_held_on_its_steps() -> None:
    step, climb = np.ones(300), np.linspace(0, 1, 50)
    pressure = np.concatenate([step, 1 + climb**2, 2 * step, 2 + climb**2, 3 * step])
    found, _ = find_plateaus(pressure, np.full(pressure.size, unrest(pressure).mean()))
    for middle in (150, 500, 850):
        assert found[middle - 100 : middle + 100].all()
    assert not found[305:345].any()
    assert not found[655:695].any()


@pytest.mark.parametrize("n", [0, 1, 19, 20, 21, 39, 81])
def test_short_series_have_no_plateau_or_a_short_one(n: int) -> None:
    found, bridged = find_plateaus(np.ones(n), np.ones(n))
    assert found.size == bridged.size == n
    assert found.any() == (n > EDGE + SHORTEST)
