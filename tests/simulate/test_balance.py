"""The simulated sway is what its truth says, seen without any of the analysis."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.recording import STANDARD_GRAVITY_MPS2
from konectom.simulate.balance import BalanceTruth, simulate_balance


def settled_mg(truth: BalanceTruth, seed: int = 0) -> np.ndarray:
    """Return sideways and forward acceleration after the first five seconds, the phone's tilt undone by hand."""
    stream = simulate_balance(truth, np.random.default_rng(seed))["streams"]["accelerometer"]
    t_s, x, y, z = (np.array(stream[name]) for name in ("t", "x", "y", "z"))
    tilt = np.radians(truth.tilt_deg)
    forward = x * np.sin(tilt) + z * np.cos(tilt)
    return np.column_stack([y, forward])[t_s >= 5] / STANDARD_GRAVITY_MPS2 * 1e3


def test_size_shape_and_area_are_exact_once_settled() -> None:
    truth = BalanceTruth(sway_rms_mg=5, elongation=2, noise_mg=0, jitter_s=0)
    sideways, forward = settled_mg(truth).T
    assert np.hypot(sideways.std(), forward.std()) == pytest.approx(5, rel=0.01)
    assert forward.std() / sideways.std() == pytest.approx(2, rel=0.01)
    assert abs(np.corrcoef(sideways, forward)[0, 1]) < 0.03
    assert truth.area_mg2 == pytest.approx(5.9915 * np.pi * forward.std() * sideways.std(), rel=0.02)


def test_the_path_is_that_of_a_normal_process_up_to_chance() -> None:
    truth = BalanceTruth(noise_mg=0, jitter_s=0, rate_hz=100)
    rates = [np.linalg.norm(np.diff(settled_mg(truth, seed), axis=0), axis=1).mean() * 100 for seed in range(12)]
    assert np.mean(rates) == pytest.approx(truth.path_rate_mgps, rel=0.05)


def test_at_rest_the_phone_in_landscape_feels_gravity_along_its_x() -> None:
    stream = simulate_balance(BalanceTruth(tilt_deg=0), np.random.default_rng(0))["streams"]["accelerometer"]
    assert stream["unit"] == "m/s2"
    means = [np.mean(stream[axis]) for axis in "xyz"]
    assert means == pytest.approx([-STANDARD_GRAVITY_MPS2, 0, 0], abs=0.05)


def test_stamps_are_in_order_and_jittered() -> None:
    t_s = np.array(simulate_balance(BalanceTruth(), np.random.default_rng(0))["streams"]["accelerometer"]["t"])
    assert len(t_s) == 1500
    assert (np.diff(t_s) > 0).all()
    assert np.diff(t_s).std() == pytest.approx(np.sqrt(2) * 0.001, rel=0.1)


def test_the_same_seed_gives_the_same_recording() -> None:
    one, same, other = (simulate_balance(BalanceTruth(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other
