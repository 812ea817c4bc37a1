from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konectom.signals.lee_steps import averaged, find_lee_steps


def sample_by_sample(a: np.ndarray, rate_hz: float) -> list[int]:
    """Return Lee's steps as the paper tells them: every sample is judged in its turn."""
    peaks, valleys = [1], []
    peak, valley, level = np.nan, 0.0, np.nanmean(a)
    wait = {"peak": 0.25, "valley": 0.025}
    last = "peak"

    def usual(found: list[int]) -> float:
        spans = np.diff(found)[-10:] / rate_hz
        if spans.size == 0:
            return 0.25
        return float(spans.mean() - 3 * (spans.std(ddof=1) if spans.size > 1 else 0.0))

    for i in range(2, a.size - 1):
        before = a[max(0, i - 26) : i - 1]
        before = before[np.isfinite(before)]
        margin = before.std(ddof=1) / 4 if before.size > 1 else np.nan
        beside = [a[i - 1], a[i + 1]] if np.isfinite(a[i + 1]) else [a[i - 1]]
        if a[i] > max(beside) and not a[i] <= level + margin:
            late = (i - peaks[-1]) / rate_hz > wait["peak"]
            if last == "valley" and late:
                peaks.append(i)
                level = (a[i] + valley) / 2
            elif last == "peak" and not late and a[i] > peak:
                peaks[-1] = i
            else:
                continue
            last, peak, wait["peak"] = "peak", a[i], usual(peaks)
        elif a[i] < min(beside) and not a[i] >= level - margin:
            late = (i - (valleys[-1] if valleys else 0)) / rate_hz > wait["valley"]
            if last == "peak" and late:
                valleys.append(i)
                level = (peak + a[i]) / 2
            elif last == "valley" and not late and a[i] <= valley:
                valleys[-1] = i
            else:
                continue
            last, valley, wait["valley"] = "valley", a[i], usual(valleys)
    return peaks


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(6, 400),
    step_hz=st.floats(0.5, 3.0),
    noise=st.floats(0.001, 1.0),
    rate_hz=st.sampled_from([20.0, 50.0, 100.0]),
)
def test_judging_extrema_only_finds_what_judging_every_sample_finds(
    seed: int, n: int, step_hz: float, noise: float, rate_hz: float
) -> None:
    rng = np.random.default_rng(seed)
    signal = averaged(np.sin(2 * np.pi * step_hz * np.arange(n) / rate_hz) + rng.normal(0, noise, n))
    assert find_lee_steps(signal, rate_hz).tolist() == sample_by_sample(signal, rate_hz)


def test_an_irregular_walk_is_counted() -> None:
    rng = np.random.default_rng(4)
    made_s = np.cumsum(rng.normal(0.55, 0.08, 60))
    t_s = np.arange(0, made_s[-1], 0.02)
    signal = np.sin(2 * np.pi * np.interp(t_s, np.append(0, made_s), np.arange(61))) + rng.normal(0, 0.1, t_s.size)
    assert find_lee_steps(averaged(signal), 50.0).size == pytest.approx(61, abs=6)


@pytest.mark.parametrize("n", [0, 1, 4, 5])
def test_what_is_too_short_to_average_has_no_steps(n: int) -> None:
    assert find_lee_steps(averaged(np.ones(n)), 50.0).size == 0
