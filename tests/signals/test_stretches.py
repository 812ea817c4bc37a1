"""Stretches filtered all at once are what each would be alone."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.signals.filters import detrend, low_pass
from konectom.signals.stretches import centred, detrended, gather, low_passed

SIGNAL = np.random.default_rng(3).normal(size=600).cumsum()
FIRST = np.array([0, 17, 100, 571])
SIZE = np.array([40, 16, 300, 29])


def test_each_row_holds_its_stretch() -> None:
    rows, meant = gather(SIGNAL, FIRST, SIZE)
    for row, mask, first, size in zip(rows, meant, FIRST, SIZE, strict=True):
        np.testing.assert_array_equal(row[mask], SIGNAL[first : first + size])
        assert mask.sum() == size


def test_a_stretch_is_detrended_as_if_alone() -> None:
    rows, meant = gather(SIGNAL, FIRST, SIZE)
    steady, level = detrended(rows, meant, SIZE), centred(rows, meant, SIZE)
    for i, (first, size) in enumerate(zip(FIRST, SIZE, strict=True)):
        alone = SIGNAL[first : first + size]
        np.testing.assert_allclose(steady[i, :size], detrend(alone), atol=1e-9)
        np.testing.assert_allclose(level[i, :size], alone - alone.mean(), atol=1e-9)


@pytest.mark.parametrize(("cutoff_hz", "order"), [(20.0, 4), (3.0, 2)])
def test_a_stretch_is_filtered_as_if_alone(cutoff_hz: float, order: int) -> None:
    rows, _ = gather(SIGNAL, FIRST, SIZE)
    smooth = low_passed(rows, SIZE, cutoff_hz, order, 50.0)
    for i, (first, size) in enumerate(zip(FIRST, SIZE, strict=True)):
        np.testing.assert_allclose(smooth[i, :size], low_pass(SIGNAL[first : first + size], cutoff_hz, order, 50.0))


def test_a_stretch_too_short_to_be_continued_is_unknown() -> None:
    rows, _ = gather(SIGNAL, FIRST, np.array([15, 16, 1, 20]))
    smooth = low_passed(rows, np.array([15, 16, 1, 20]), 20.0, 4, 50.0)
    assert [bool(np.isnan(row).all()) for row in smooth] == [True, False, True, False]
