"""Contacts of the feet: against PyWavelets' arithmetic, known gaits, and people whose feet were observed."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.recording import FloatArray, Stream
from konectom.signals.contacts import LONGEST_STRIDE_S, Contacts, _derivative, _together, find_contacts
from konectom.signals.filters import detrend
from konectom.signals.inertial import motion
from tests.shared import SHARED

GAIT = SHARED / "data" / "gait"
needs_gait = pytest.mark.skipif(not GAIT.is_dir(), reason="the shared gait recordings are not beside this checkout")


def walking(rate_hz: float, steps_hz: float, seconds: float) -> FloatArray:
    """Return the vertical acceleration of the trunk (at rest -9.81), lowest and rising fastest at whole steps."""
    phase = 2 * np.pi * steps_hz * np.arange(0, seconds, 1 / rate_hz)
    return -9.81 - 3.0 * np.cos(phase) - 0.8 * np.sin(2 * phase)


def test_the_transform_of_a_line_is_its_slope_times_the_wavelets_first_moment() -> None:
    """Closed form: the first Gaussian wavelet has a first moment of (2 pi)^(1/4), and scales with s^(3/2)."""
    for scale in (10.0, 25.6):
        transformed = _derivative(0.3 * np.arange(500.0), scale)[200:300]
        expected = -0.3 * scale**1.5 * (2 * np.pi) ** 0.25
        np.testing.assert_allclose(np.abs(transformed), abs(expected), rtol=2e-3)


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 128.0])
@pytest.mark.parametrize("steps_hz", [1.5, 1.9, 2.3])
def test_every_step_of_an_even_gait_has_one_contact(rate_hz: float, steps_hz: float) -> None:
    signal = walking(rate_hz, steps_hz, 30)
    contacts = find_contacts(signal, rate_hz, [(0, signal.size)])
    assert len(contacts) == pytest.approx(30 * steps_hz, abs=3)
    np.testing.assert_allclose(np.diff(contacts.initial) / rate_hz, 1 / steps_hz, atol=1.01 / rate_hz)
    assert (contacts.opposite > contacts.initial).all()
    assert (contacts.final > contacts.opposite).all()
    assert contacts.cycles(rate_hz)[:-2].all()
    assert not contacts.cycles(rate_hz)[-2:].any()


def test_only_contacts_that_a_gait_can_have_are_kept() -> None:
    """At 100 Hz: one foot leaves within 0.45 s of a contact, another within 1.575 s; neither bound is included."""
    initial = np.array([0, 200, 400, 600, 800])
    final = np.array([20, 80, 245, 300, 420, 430, 480, 644, 757])
    np.testing.assert_array_equal(_together(initial, final, 100.0), [[0, 80, 20], [600, 757, 644]])


def test_a_cycle_needs_two_more_contacts_in_its_bout_and_in_time() -> None:
    none = np.zeros(5, dtype=np.intp)
    contacts = Contacts(np.array([0, 50, 100, 150, 500]), none, none, np.array([0, 0, 0, 0, 0]))
    assert contacts.cycles(50.0).tolist() == [True, True, False, False, False]
    assert LONGEST_STRIDE_S < 400 / 50
    two_bouts = Contacts(np.array([0, 25, 50, 75, 100]), none, none, np.array([0, 0, 0, 1, 1]))
    assert two_bouts.cycles(50.0).tolist() == [True, False, False, False, False]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 20])
def test_a_signal_too_short_to_walk_in_has_no_contacts(size: int) -> None:
    assert len(find_contacts(np.full(size, -9.81), 50.0, [(0, size)])) == 0
    assert len(find_contacts(np.full(size, -9.81), 50.0, [])) == 0


@needs_gait
def test_contacts_of_healthy_walkers_are_those_seen_at_their_feet() -> None:
    """Lumbar sensors of the IPOL data set (Voisard et al.): 20 trials, contacts checked by hand at the feet."""
    parquet = pytest.importorskip("pyarrow.parquet")
    samples = parquet.read_table(GAIT / "ipol_lumbar.parquet").to_pydict()
    events = parquet.read_table(GAIT / "ipol_lumbar_events.parquet").to_pydict()
    names = np.array(samples["rec"])
    hits = found = seen = 0
    cadence_error = []
    for name in sorted(set(samples["rec"]))[:20]:
        mine = names == name
        columns = {axis: np.array(samples[f"acc_{axis}"], dtype=float)[mine] for axis in "xyz"}
        stream = Stream("accelerometer", np.array(samples["t"], dtype=float)[mine], columns)
        total = motion({"accelerometer": stream}).total_upright()
        vertical = detrend(total.values[:, 0] * 9.80665)
        contacts = find_contacts(vertical, total.rate_hz, [(0, len(total))])
        ours = total.t_s[0] + contacts.initial / total.rate_hz
        feet = np.sort(np.array(events["t_heel_strike"], dtype=float)[np.array(events["rec"]) == name])
        nearest = np.abs(ours[:, None] - feet).min(axis=1)
        hits += int((nearest < 0.35).sum())
        found, seen = found + ours.size, seen + feet.size
        usual = [np.median(np.diff(each)[np.diff(each) < 1.2]) for each in (ours, feet)]
        cadence_error.append(abs(60 / usual[0] - 60 / usual[1]))
    assert hits > 0.88 * seen
    assert hits > 0.88 * found
    assert np.mean(cadence_error) < 2.0
