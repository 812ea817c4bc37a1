"""Touch paths against closed forms, pandas and scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.signal import butter, filtfilt, find_peaks

from konectom.recording import Stream
from konectom.signals.filters import low_pass_rows
from konectom.signals.touches import Paths, Touches, first_peaks_s, gestures, interval_of, split_touches, touch_paths


def stream(*fingers: tuple[float, list[float], list[float], list[float]]) -> Stream:
    """Return touches of fingers, each with its number, times, x and y, as they arrive: in order of time."""
    rows = [
        (t, x, y, "down" if i == 0 else "up" if i == len(times) - 1 else "move", number)
        for number, times, xs, ys in fingers
        for i, (t, x, y) in enumerate(zip(times, xs, ys, strict=True))
    ]
    rows.sort(key=lambda row: row[0])
    t, x, y, phase, finger = (np.array(column) for column in zip(*rows, strict=True))
    return Stream("touch", t.astype(float), {"x": x, "y": y, "phase": phase, "finger": finger.astype(float)})


def cubic(duration_s: float = 0.4, rate_hz: float = 100.0) -> tuple[list[float], list[float]]:
    """Return times and a position with a constant third derivative of 6 per ms3."""
    t_s = np.round(np.arange(0, duration_s, 1 / rate_hz), 6)
    return t_s.tolist(), ((t_s * 1e3) ** 3).tolist()


def test_a_cubic_has_constant_jerk() -> None:
    t, x = cubic()
    path = touch_paths(stream((1, t, x, [0.0] * len(t))))
    acceleration = path.per_ms(path.speed_per_ms())
    jerk = path.per_ms(acceleration)
    # Differences of a cubic at even times are exact in the highest order.
    np.testing.assert_allclose(jerk[3:], 6.0, rtol=1e-6)
    assert np.isnan(jerk[:3]).all()
    assert path.mean(jerk**2)[0] == pytest.approx(36.0, rel=1e-6)


def test_rates_do_not_reach_from_one_contact_into_the_next_and_equal_those_of_pandas() -> None:
    rng = np.random.default_rng(1)
    fingers = []
    for number in (3, 7):
        t = np.sort(rng.choice(1000, 20, replace=False)) / 1e3
        fingers.append((float(number), t.tolist(), rng.normal(100, 9, 20).tolist(), rng.normal(100, 9, 20).tolist()))
    path = touch_paths(stream(*fingers))
    jerk = path.per_ms(path.per_ms(path.speed_per_ms()))
    for contact in range(2):
        own = path.contact == contact
        told = pd.DataFrame({"x": path.x[own], "y": path.y[own]}, index=path.t_s[own] * 1e3)
        lasted = told.index.to_series().diff()
        speed = told.diff().pow(2).sum(axis=1, skipna=False).pow(0.5) / lasted
        expected = (speed.diff() / lasted).diff() / lasted
        np.testing.assert_allclose(jerk[own], expected.to_numpy(), rtol=1e-9)


def test_contacts_are_those_of_split_touches_and_of_samples_at_one_time_the_last_counts() -> None:
    touched = stream((1, [0.0, 0.1, 0.2], [1, 2, 3], [0, 0, 0]), (2, [0.05, 0.1, 0.15], [7, 8, 9], [0, 0, 0]))
    path = touch_paths(touched)
    split = split_touches(touched)
    np.testing.assert_array_equal(path.touches.begin_s, split.begin_s)
    np.testing.assert_array_equal(path.touches.end_s, split.end_s)
    np.testing.assert_array_equal(touched["x"][path.row], path.x)
    doubled = Stream(
        "touch",
        np.array([0.0, 0.1, 0.1, 0.2]),
        {
            "x": np.array([1.0, 2.0, 5.0, 3.0]),
            "y": np.zeros(4),
            "phase": np.array(["down", "move", "move", "up"]),
            "finger": np.zeros(4),
        },
    )
    np.testing.assert_array_equal(touch_paths(doubled).x, [1.0, 5.0, 3.0])


def test_a_contact_whose_beginning_was_not_seen_is_left_out() -> None:
    touched = stream((1, [0.0, 0.1, 0.2], [1, 2, 3], [0, 0, 0]), (2, [0.3, 0.4], [7, 8], [0, 0]))
    path = touch_paths(touched.where(touched.t_s > 0.05))
    assert len(path) == 1
    np.testing.assert_array_equal(path.x, [7, 8])
    assert len(touch_paths(touched.where(touched.t_s > 9))) == 0


def test_movement_begins_where_the_place_first_changes() -> None:
    touched = stream((1, [0.0, 0.1, 0.2, 0.3], [5, 5, 5, 6], [4, 4, 4, 4]), (2, [0.0, 0.1, 0.2], [1, 1, 1], [1, 1, 1]))
    moved_s = touch_paths(touched).moved_s()
    assert moved_s[0] == 0.3
    assert np.isnan(moved_s[1])


def test_gestures_chain_contacts_that_overlap_and_end_at_what_they_belong_to() -> None:
    touched = Touches(np.array([0.0, 0.5, 2.0, 2.1, 2.2, 4.0]), np.array([1.0, 0.9, 2.5, 2.3, 2.25, 5.0]))
    assert gestures(touched).tolist() == [0, 0, 1, 1, 1, 2]
    assert gestures(touched, np.array([0, 1, 1, 1, 2, 2])).tolist() == [0, 1, 2, 2, 3, 4]


def test_intervals_hold_both_their_ends_and_nothing_where_they_have_none() -> None:
    starts, ends = np.array([0.0, 2.0, 4.0]), np.array([1.0, 3.0, np.nan])
    assert interval_of(np.array([-1.0, 0.0, 1.0, 1.5, 2.0, 3.0, 4.5]), starts, ends).tolist() == [
        -1,
        0,
        0,
        -1,
        1,
        1,
        -1,
    ]
    assert interval_of(np.array([1.0]), starts[:0], ends[:0]).tolist() == [-1]


def test_low_pass_of_rows_is_filtfilt_of_each() -> None:
    rng = np.random.default_rng(0)
    lengths = np.array([13, 40, 77, 200])
    rows = rng.normal(size=(4, 200))
    filtered = low_pass_rows(rows, lengths, 10.0, 3, 200.0)
    b, a = butter(3, 10.0 / 100.0)
    for row, length in enumerate(lengths):
        np.testing.assert_allclose(filtered[row, :length], filtfilt(b, a, rows[row, :length]), rtol=1e-9, atol=1e-12)


def test_the_first_peak_is_that_of_scipy() -> None:
    rng = np.random.default_rng(5)
    fingers = []
    for number in range(12):
        t = np.round(np.arange(0.003, rng.uniform(0.1, 0.6), 1 / 60), 3) + number
        fingers.append((float(number), t.tolist(), np.cumsum(rng.gamma(2, 3, t.size)).tolist(), [0.0] * t.size))
    path = touch_paths(stream(*fingers))
    found = first_peaks_s(path, np.arange(len(path)))
    peaks = [_first_peak(path, contact) for contact in range(len(path))]
    np.testing.assert_allclose(found, peaks, rtol=1e-9)
    assert np.isfinite(found).any()
    assert first_peaks_s(path, np.empty(0, dtype=np.intp)).shape == (0, 2)


def _first_peak(path: Paths, contact: int) -> tuple[float, float]:
    """Return the same by pandas and scipy, one contact at a time."""
    own = path.contact == contact
    speed = pd.Series(path.speed_per_ms()[own], index=pd.to_timedelta(path.t_s[own], unit="s"))[1:]
    grid = pd.timedelta_range(speed.index[0].floor("5ms"), speed.index[-1].floor("5ms"), freq="5ms")
    held = speed.reindex(grid, method="ffill").dropna()
    if len(held) <= 12:
        return np.nan, np.nan
    b, a = butter(3, 10.0 / 100.0)
    peaks, _ = find_peaks(filtfilt(b, a, held.to_numpy()))
    seconds = held.index.total_seconds()
    return grid[0].total_seconds(), float(seconds[peaks[0]]) if peaks.size else np.nan
