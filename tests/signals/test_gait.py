"""Quantities of the gait cycle: closed forms, and one cycle worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.recording import FloatArray
from konectom.signals.contacts import Contacts
from konectom.signals.gait import PENDULUM_PER_HEIGHT, gait_cycles, step_vigour

RATE_HZ = 100.0


def even_gait(steps: int = 12, step: int = 50) -> Contacts:
    initial = 10 + step * np.arange(steps)
    return Contacts(initial, initial + 62, initial + 12, np.zeros(steps, dtype=np.intp))


def bobbing(amplitude_m: float, step_s: float = 0.5, seconds: float = 8.0) -> FloatArray:
    """Return the acceleration of a trunk that rises and falls by twice the amplitude in each step."""
    angular = 2 * np.pi / step_s
    return amplitude_m * angular**2 * np.cos(angular * (np.arange(0, seconds, 1 / RATE_HZ) - 0.1))


def test_durations_of_an_even_gait() -> None:
    columns = gait_cycles(even_gait(), bobbing(0.02), RATE_HZ, 1.7)
    expected = {
        "stride_duration": 1.0,
        "step_duration": 0.5,
        "cadence": 120.0,
        "initial_double_support": 0.12,
        "terminal_double_support": 0.12,
        "double_support": 0.24,
        "stance": 0.62,
        "swing": 0.38,
        "stride_duration_asymmetry": 0.0,
        "step_duration_asymmetry_ln": 0.0,
    }
    for name, value in expected.items():
        known = columns[name][np.isfinite(columns[name])]
        assert known.size >= 9, name
        np.testing.assert_allclose(known, value, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(columns["single_support"][1:10], 0.38)
    assert len(columns) == 26


def test_lengths_are_those_of_an_inverted_pendulum() -> None:
    """Zijlstra & Hof 2003: 2 sqrt(2 l h - h^2). Detrending each step by itself stretches its rise a little."""
    rise_m, leg_m = 0.04, PENDULUM_PER_HEIGHT * 1.8
    columns = gait_cycles(even_gait(), bobbing(rise_m / 2), RATE_HZ, 1.8)
    length_m = 2 * np.sqrt(2 * leg_m * rise_m - rise_m**2)
    assert np.nanmedian(columns["step_length"]) == pytest.approx(length_m, rel=0.08)
    assert np.nanmedian(columns["stride_length"]) == pytest.approx(2 * np.nanmedian(columns["step_length"]), rel=0.01)
    assert np.nanmedian(columns["gait_speed"]) == pytest.approx(2 * np.nanmedian(columns["step_length"]), rel=0.01)


def test_a_limp_shows_as_asymmetry_and_bouts_do_not_mix() -> None:
    initial = np.cumsum([0, 40, 60, 40, 60, 40, 60, 500, 40, 60, 40, 60])
    bout = np.repeat([0, 1], [7, 5])
    columns = gait_cycles(Contacts(initial, initial + 70, initial + 10, bout), np.zeros(2000), RATE_HZ, 1.7)
    np.testing.assert_allclose(columns["step_duration_asymmetry"][:4], 0.2)
    np.testing.assert_allclose(columns["step_duration_asymmetry_ln"][:4], np.log(40 / 60))
    assert np.isnan(columns["step_duration"][[5, 6, 10, 11]]).all()
    assert np.isnan(columns["single_support"][[0, 7]]).all()
    assert columns["step_duration_asymmetry_ln"][4] == 0, "what nothing follows is compared with itself"


def test_a_trunk_that_does_not_rise_makes_no_way() -> None:
    assert np.nanmax(gait_cycles(even_gait(), np.zeros(800), RATE_HZ, 1.7)["step_length"]) == 0


def test_vigour_of_a_sine() -> None:
    """Closed form: of a sine of amplitude a about b over whole periods, a^2 T / 2, a / sqrt 2 and sqrt b."""
    norm = 9.81 + 2.0 * np.sin(2 * np.pi * np.arange(800) / 50)
    contacts = even_gait()
    vigour = step_vigour(contacts, norm, RATE_HZ)
    assert np.nanmax(vigour["power"]) == pytest.approx(2.0**2 * 0.5 / 2, rel=0.02)
    assert np.nanmedian(vigour["intensity"]) == pytest.approx(2.0 / np.sqrt(2), rel=0.02)
    assert np.nanmedian(vigour["root_mean"]) == pytest.approx(np.sqrt(9.81), rel=0.01)
    assert np.isnan(vigour["power"][-1])
    to_the_end = step_vigour(contacts, norm, RATE_HZ, to_the_end=True)
    assert to_the_end["power"][-1] == pytest.approx(2.0**2 / 2 * (800 - contacts.initial[-1]) / RATE_HZ, rel=0.05)


def test_no_contacts_no_values() -> None:
    none = np.empty(0, dtype=np.intp)
    empty = Contacts(none, none, none, none)
    assert all(column.size == 0 for column in gait_cycles(empty, np.zeros(10), RATE_HZ, 1.7).values())
    assert all(column.size == 0 for column in step_vigour(empty, np.zeros(10), RATE_HZ).values())
