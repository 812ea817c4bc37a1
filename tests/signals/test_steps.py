from __future__ import annotations

import numpy as np
import pytest

from konectom.signals.steps import find_steps, step_rate_hz


def walk(rate_hz: float, step_hz: float, seconds: float = 30.0, g: float = 0.2) -> np.ndarray:
    t_s = np.arange(0, seconds, 1 / rate_hz)
    return g * (np.sin(2 * np.pi * step_hz * t_s) + 0.4 * np.sin(np.pi * step_hz * t_s))


@pytest.mark.parametrize("rate_hz", [20.0, 50.0, 100.0, 128.0])
@pytest.mark.parametrize("step_hz", [0.9, 1.4, 1.8, 2.4])
def test_every_step_is_found_at_its_time(rate_hz: float, step_hz: float) -> None:
    signal = walk(rate_hz, step_hz) + np.random.default_rng(1).normal(0, 0.02, round(30 * rate_hz))
    steps = find_steps(signal, rate_hz)
    assert steps.size == pytest.approx(30 * step_hz, abs=1)
    assert np.diff(steps).mean() / rate_hz == pytest.approx(1 / step_hz, rel=0.01)
    assert step_rate_hz(signal, rate_hz) == pytest.approx(step_hz, abs=0.11)


def test_a_pause_has_no_steps() -> None:
    steps = find_steps(np.concatenate([walk(50, 1.8, 10), np.zeros(500), walk(50, 1.8, 10)]), 50.0)
    assert steps.size == pytest.approx(36, abs=1)
    assert not np.any((steps > 525) & (steps < 975))


@pytest.mark.parametrize("n", [0, 1, 49, 50, 60, 150])
def test_stillness_has_no_steps(n: int) -> None:
    assert find_steps(np.zeros(n), 50.0).size == 0
    assert find_steps(np.random.default_rng(0).normal(0, 0.003, n), 50.0).size == 0
