"""Static balance: simulated sway comes out with its truth; windows, quality and signs."""

from __future__ import annotations

import csv
import gzip
from typing import Any

import numpy as np
import pytest

from konectom import formats
from konectom.assessments import get_assessment
from konectom.assessments._outcome import Result
from konectom.recording import STANDARD_GRAVITY_MPS2, Part, Recording, Stream
from konectom.simulate.balance import BalanceTruth, simulate_balance
from tests.assessments.examples import pick, run
from tests.shared import KONECTOM, SHARED, inflated, needs_shared

Wire = dict[str, Any]


def simulated(seed: int = 0, **truth: float) -> Wire:
    return simulate_balance(BalanceTruth(**truth), np.random.default_rng(seed))


def values(result: Result) -> dict[str, float]:
    return {entry.key.removeprefix("balance."): value for entry, value in result.measures()}


def codes(result: Result) -> set[str]:
    return {flag.code.removeprefix("balance.") for flag in result.quality.flags}


def streams(wire: Wire) -> Wire:
    return wire["streams"]["accelerometer"]


@pytest.mark.parametrize("rate_hz", [50, 60, 100, 128, 200])
@pytest.mark.parametrize("truth", [{}, {"sway_rms_mg": 5, "elongation": 3}, {"sway_hz": 0.6}, {"tilt_deg": -20}])
def test_size_area_and_unsteadiness_of_simulated_sway_come_out(truth: dict[str, float], rate_hz: float) -> None:
    """Smoothing and the high-pass take a little away: size within 12 %, area within 22 %, path within 20 %."""
    stated = BalanceTruth(**truth, rate_hz=rate_hz)
    found = values(run(simulated(3, **truth, rate_hz=rate_hz)))
    assert found["rms[after_5_s]"] == pytest.approx(stated.sway_rms_mg, rel=0.12)
    assert found["prediction_area[after_5_s]"] == pytest.approx(stated.area_mg2, rel=0.22)
    assert found["path_rate[after_5_s]"] == pytest.approx(stated.path_rate_mgps, rel=0.20)
    assert found["mean_frequency[after_5_s]"] == pytest.approx(stated.sway_hz, rel=0.15)


def test_twice_the_sway_is_twice_the_size_and_four_times_the_area() -> None:
    small, large = (values(run(simulated(sway_rms_mg=size, noise_mg=0))) for size in (2, 4))
    for quantity, factor in (("rms", 2), ("path_rate", 2), ("path_length", 2), ("prediction_area", 4)):
        key = f"{quantity}[after_5_s]"
        assert large[key] / small[key] == pytest.approx(factor, rel=1e-3)
    for quantity, factor in (("circle_area", 4), ("ellipse_area", 4), ("jerk", 4), ("mean_frequency", 1)):
        key = f"{quantity}[whole]"
        assert large[key] / small[key] == pytest.approx(factor, rel=1e-3)


def test_the_first_five_seconds_are_told_apart() -> None:
    found = values(run(simulated(settling=4, sway_rms_mg=1)))
    assert found["rms[first_5_s]"] > 1.5 * found["rms[after_5_s]"]
    assert found["rms[after_5_s]"] < found["rms[whole]"] < found["rms[first_5_s]"]
    together = found["path_length[first_5_s]"] + found["path_length[after_5_s]"]
    assert together == pytest.approx(found["path_length[whole]"], rel=0.01)


def test_the_whole_second_path_is_the_published_one() -> None:
    found = values(run(simulated()))
    # The window of five seconds spans 4.98 s from its first to its last sample.
    assert found["path_per_whole_second[first_5_s]"] == pytest.approx(found["path_length[first_5_s]"] / 4)
    assert found["path_rate[first_5_s]"] == pytest.approx(found["path_length[first_5_s]"] / 4.98)


def test_the_sign_of_the_phones_gravity_does_not_matter() -> None:
    reversed_wire = simulated()
    for axis in "xyz":
        streams(reversed_wire)[axis] = [-value for value in streams(reversed_wire)[axis]]
    one, other = values(run(simulated())), values(run(reversed_wire))
    for quantity in ("rms", "path_rate", "prediction_area", "ellipse_area", "circle_area"):
        assert other[f"{quantity}[whole]"] == pytest.approx(one[f"{quantity}[whole]"], rel=0.01)


def test_gravity_that_came_apart_gives_what_the_total_gives() -> None:
    wire = simulated()
    held = streams(wire)
    tilt = np.radians(BalanceTruth().tilt_deg)
    gravity = {"x": -np.cos(tilt), "y": 0.0, "z": np.sin(tilt)}
    base = {name: held[name] for name in ("unit", "t")}
    apart = {
        "user_acceleration": base | {a: [v - gravity[a] * STANDARD_GRAVITY_MPS2 for v in held[a]] for a in "xyz"},
        "gravity": base | {a: [gravity[a] * STANDARD_GRAVITY_MPS2] * len(held["t"]) for a in "xyz"},
    }
    together, split = values(run(wire)), values(run(wire | {"streams": apart}))
    for quantity in ("rms", "path_rate", "prediction_area"):
        assert split[f"{quantity}[after_5_s]"] == pytest.approx(together[f"{quantity}[after_5_s]"], rel=0.03)


def test_with_spoken_instructions_the_test_is_the_last_thirty_seconds() -> None:
    alone, before = simulated(0), simulated(1, sway_rms_mg=40)
    held, earlier = streams(alone), streams(before)
    after = {axis: earlier[axis] + held[axis] for axis in "xyz"}
    after["t"] = earlier["t"] + [t + 30.0 for t in held["t"]]
    long = alone | {"streams": {"accelerometer": held | after}, "duration_s": 60.0}
    instructed = long | {"events": [{"type": "instruction", "t": 0.0, "name": "stand still"}]}
    expected = values(run(alone))["rms[after_5_s]"]
    assert values(run(instructed))["rms[after_5_s]"] == pytest.approx(expected, rel=0.02)
    assert values(run(long))["rms[after_5_s]"] > 5 * expected


def flagged(wire: Wire) -> set[str]:
    return codes(run(wire))


def test_good_stance_has_no_flag() -> None:
    assert flagged(simulated()) == set()


def test_a_low_rate_and_a_gap_are_flagged() -> None:
    assert "slow_sampling" in flagged(simulated(rate_hz=30))
    assert "slow_sampling" not in flagged(simulated(rate_hz=45))
    for gap_s, code in ((2.1, {"gap"}), (1.5, set())):
        wire = simulated()
        pick(streams(wire), [row for row, t in enumerate(streams(wire)["t"]) if not 20 < t < 20 + gap_s])
        assert flagged(wire) & {"gap"} == code


def test_a_phone_off_the_belt_is_flagged_by_when() -> None:
    wire = simulated()
    held = streams(wire)
    upright = [t < 3 for t in held["t"]]  # in the hand, then put on the belt
    held["x"], held["y"] = (
        [y if up else x for x, y, up in zip(held["x"], held["y"], upright, strict=True)],
        [x if up else y for x, y, up in zip(held["x"], held["y"], upright, strict=True)],
    )
    assert "off_belt" in flagged(wire)
    portrait = simulated()
    streams(portrait)["x"], streams(portrait)["y"] = streams(portrait)["y"], streams(portrait)["x"]
    result = run(portrait)
    assert {"off_belt", "off_belt_after_5_s"} <= codes(result)
    assert result.quality.verdict == "invalid"
    flag = next(flag for flag in result.quality.flags if flag.code == "balance.off_belt_after_5_s")
    assert flag.evidence == {"share": 1.0, "placements": "pants"}
    assert flag.aliases["dispel"] == "sbt-behavioral-invalidation-non_belt_post_adjustment_greater_than_0_perc"


@pytest.mark.parametrize(("start_s", "later"), [(0, False), (15, True)])
def test_a_stumble_is_flagged_in_the_window_in_which_it_was(start_s: float, later: bool) -> None:
    wire = simulated()
    held = streams(wire)
    shaken = [2.0 * np.sin(2 * np.pi * 1.5 * t) if start_s <= t < start_s + 3.5 else 0.0 for t in held["t"]]
    held["y"] = [y + shake for y, shake in zip(held["y"], shaken, strict=True)]
    result = run(wire)
    assert "excessive_motion" in codes(result)
    assert ("excessive_motion_after_5_s" in codes(result)) is later
    assert 0.8 <= values(result)["quiet_share"] < 1


def test_too_little_quiet_stance_is_flagged() -> None:
    wire = simulated()
    held = streams(wire)
    held["y"] = [
        y + (2.0 * np.sin(2 * np.pi * 1.5 * t) if t < 12 else 0) for t, y in zip(held["t"], held["y"], strict=True)
    ]
    assert "sway_too_short" in flagged(wire)


def test_a_short_test_is_flagged() -> None:
    assert "too_short" in flagged(simulated(duration_s=15))
    assert "too_short" not in flagged(simulated(duration_s=25))


def test_what_is_not_gravity_is_flagged() -> None:
    t_s = np.arange(0, 30, 0.02)
    noise = np.random.default_rng(0).normal(0, 0.02, (2, 3, t_s.size))
    held = {
        name: Stream(name, t_s.copy(), dict(zip("xyz", noise[i], strict=True)))
        for i, name in enumerate(("user_acceleration", "gravity"))
    }
    result = get_assessment("balance").run(Recording("balance", (Part(streams=held),)))
    assert "no_gravity" in codes(result)
    assert result.quality.verdict == "invalid"


def test_five_seconds_have_no_later_window_and_say_so() -> None:
    result = run(simulated(duration_s=4))
    assert "rms[first_5_s]" in values(result)
    assert "rms[after_5_s]" not in values(result)
    assert result.absent["balance.rms[after_5_s]"] == "too_few_values"


def test_all_null_is_no_data() -> None:
    wire = simulated()
    for axis in "xyz":
        streams(wire)[axis] = [None] * len(streams(wire)[axis])
    result = run(wire)
    assert "no_data" in codes(result)
    assert set(result.absent.values()) == {"no_data"}


def test_every_published_name_is_carried() -> None:
    path = SHARED / "reference" / "measure_definitions.csv.gz"
    if not path.exists():
        pytest.skip("the list of published measures is not beside this checkout")
    with gzip.open(path, "rt", newline="") as rows:
        published = {row["id"] for row in csv.DictReader(rows) if row["id"].startswith("sbt-")}
    assert published == {
        entry.aliases["dispel"] for entry in get_assessment("balance").catalogue if "dispel" in entry.aliases
    }


@needs_shared
def test_a_konectom_file_without_samples_is_no_data() -> None:
    session = formats.read(inflated(KONECTOM / "bdh" / "SBT-UTT" / "bug-sbt_utt.json"))
    for recording in session.recordings:
        assert isinstance(recording, Recording)
        result = get_assessment(recording.assessment).run(recording)
        assert result.quality.verdict == "invalid"
        assert set(result.absent.values()) == {"no_data"}
