"""Finger tapping, by hand and on real recordings."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence

import numpy as np
import pytest

from konectom import formats
from konectom.assessments._outcome import Result
from konectom.assessments.tap import extract as tap
from konectom.recording import Part, Recording, Stream
from tests.shared import KONECTOM, SHARED, inflated, needs_shared

ZONE = {"L": "left", "R": "right", "-": "none"}

Contact = tuple[float, float]


def part(
    hand: str | None,
    zones: str,
    noticed_s: Sequence[float] | None = None,
    contacts: Sequence[Contact] | None = None,
    *,
    duration_s: float | None = 20.0,
) -> Part:
    """A part with taps on these zones (every 0.5 s unless told), and the finger's contacts where given."""
    t_s = np.array([0.5 * index for index in range(len(zones))] if noticed_s is None else noticed_s, dtype=float)
    events = {"tap": Stream("tap", t_s, {"zone": np.array([ZONE[zone] for zone in zones], dtype=np.str_)})}
    streams = {} if contacts is None else {"touch": touch(contacts)}
    return Part({} if hand is None else {"hand": hand}, 0.0, duration_s, streams, events)


def touch(contacts: Sequence[Contact]) -> Stream:
    """A touch stream in which contacts that overlap are of two fingers."""
    rows: list[tuple[float, str, float]] = []
    for index, (begin_s, end_s) in enumerate(contacts):
        finger = float(index % 2)
        rows += [(begin_s, "down", finger), *([(end_s, "up", finger)] if end_s > begin_s else [])]
    rows.sort(key=lambda row: row[0])
    columns = {"phase": np.array([row[1] for row in rows]), "finger": np.array([row[2] for row in rows])}
    return Stream("touch", np.array([row[0] for row in rows]), columns)


def run(*parts: Part) -> Result:
    return tap.run(Recording("tap", parts))


def value(result: Result, quantity: str, statistic: str = "", **condition: str) -> float:
    (found,) = [
        float(result.features[entry.index])
        for entry in result.catalogue
        if (entry.quantity, entry.statistic, dict(entry.condition)) == (quantity, statistic, condition)
    ]
    return found


def flags(result: Result) -> set[str]:
    return {flag.code.removeprefix("tap.") for flag in result.quality.flags}


GOOD = "LR" * 20


def test_a_good_test_is_valid() -> None:
    result = run(part("right", GOOD), part("left", GOOD))
    assert result.quality.verdict == "valid"
    assert value(result, "valid_taps") == 80
    assert len(list(result.scores())) == 7


def test_a_tap_is_valid_on_a_button_other_than_the_last() -> None:
    result = run(part("left", "LLR-R-LR--"))
    assert value(result, "taps", hand="left") == 10
    assert value(result, "valid_taps", hand="left") == 4  # L . R . . . L R
    assert value(result, "valid_taps", hand="left", button="left_button") == 2
    assert value(result, "valid_taps", hand="left", button="right_button") == 2
    assert value(result, "off_target_share", hand="left") == pytest.approx(40.0)
    assert value(result, "tap_interval", "max", hand="left") == 0.5
    assert value(result, "valid_tap_interval", "max", hand="left") == 2.0
    assert value(result, "valid_tap_interval", "median", hand="left") == 1.0


def test_touches_date_the_taps_and_tell_how_long_they_last() -> None:
    result = run(part("left", "LRL", [0.01, 1.01, 3.01], [(0.0, 0.1), (1.0, 1.3), (3.0, 3.2)]))
    assert value(result, "tap_interval", "mean", hand="left") == pytest.approx(1.5)
    assert value(result, "contact_time", "mean", hand="left") == pytest.approx(0.2)
    assert value(result, "double_tap_share", hand="left") == 0


def test_overlapping_taps_are_double_taps() -> None:
    contacts = [(0.0, 0.3), (0.2, 0.5), (1.0, 1.4)]
    result = run(part("left", "LRL", [0.0, 0.2, 1.0], contacts), part("right", GOOD))
    assert value(result, "double_tap_share", hand="left") == pytest.approx(10.0)
    assert "several_fingers" in flags(result)


def test_a_touch_that_the_app_did_not_notice_takes_the_zone_of_the_nearest() -> None:
    contacts = [(0.0, 0.1), (1.0, 1.1), (1.2, 1.3), (2.0, 2.1)]
    result = run(part("left", "LRL", [0.0, 1.0, 2.0], contacts))
    assert value(result, "taps", hand="left") == 4
    assert value(result, "valid_taps", hand="left") == 3


def test_a_touch_seen_only_once_is_a_tap() -> None:
    result = run(part("left", "LRL", [0.0, 1.0, 2.0], [(0.0, 0.1), (1.0, 1.0), (2.0, 2.1)]))
    assert value(result, "valid_taps", hand="left") == 3
    assert value(result, "contact_time", "min", hand="left") == 0.0


def test_fingers_that_come_down_at_once_count_once() -> None:
    result = run(part("left", "LRRL", [0.0, 1.0, 1.001, 2.0], [(0.0, 0.1), (1.0, 1.1), (1.0, 1.2), (2.0, 2.1)]))
    assert value(result, "taps", hand="left") == 3


def test_without_touches_the_taps_stand_alone() -> None:
    result = run(part("left", GOOD), part("right", GOOD))
    assert value(result, "valid_taps", hand="left") == 40
    assert result.absent["tap.contact_time[left].mean"] == "input_missing"
    assert result.absent["tap.double_tap_share[left]"] == "input_missing"


def test_slowing_compares_the_last_third_with_the_first() -> None:
    noticed_s = np.cumsum([0.0, *[0.2] * 6, *[0.3] * 6, *[0.5] * 6])
    result = run(part("left", "LR" * 9 + "L", noticed_s.tolist()))
    assert value(result, "slowing", hand="left") == pytest.approx(0.3)
    assert value(result, "irregularity", hand="left") == pytest.approx(
        np.std(np.diff(noticed_s), ddof=1) / np.diff(noticed_s).mean()
    )


def test_one_tap_leaves_the_counts() -> None:
    result = run(part("left", "L", contacts=[(0.0, 0.0)]))
    assert value(result, "valid_taps") == 1
    assert result.absent["tap.valid_tap_interval[left].median"] == "too_few_values"
    assert result.absent["tap.irregularity[left]"] == "too_few_values"
    assert result.absent["tap.double_tap_share[left]"] == "undefined"


def test_hands_may_be_told_as_dominant_and_not() -> None:
    result = run(part("dominant", GOOD), part("non_dominant", GOOD))
    assert value(result, "valid_taps", hand="dominant") == 40
    names = {entry.aliases.get("dispel") for entry, _ in result.measures()}
    assert {"ft-domhand-valtap", "ft-nondomhand_leftzone-valtap", "ft-valtap"} <= names


def test_an_unknown_hand_counts_for_nothing() -> None:
    result = run(part(None, GOOD))
    assert not list(result.measures())
    assert result.absent["tap.valid_taps"] == "condition_not_recorded"
    assert flags(result) >= {"condition_unknown", "hand_missing"}


@pytest.mark.parametrize(
    ("code", "bad"),
    [
        ("tapping_pause", part("left", "LR" * 12, [*np.arange(23) * 0.3, 11.6])),
        ("one_sided_tapping", part("left", "LR" * 12 + "L" * 7)),
        ("too_few_taps", part("left", "LR" * 10)),
        ("off_target", part("left", "LR-" * 12)),
        ("too_fast", part("left", GOOD, (np.arange(40) * 0.04).tolist())),
        ("uneven", part("left", GOOD, np.cumsum([*[0.1] * 38, 3.0, 3.0]).tolist())),
        ("wrong_duration", part("left", GOOD, duration_s=15.0)),
        ("wrong_duration", part("left", GOOD, duration_s=43.0)),
        ("hand_missing", part("left", GOOD)),
    ],
)
def test_each_rule_is_met_by_what_it_is_about(code: str, bad: Part) -> None:
    assert code in flags(run(bad))


@pytest.mark.parametrize(
    ("code", "borderline"),
    [
        ("tapping_pause", part("left", "LR" * 12, [*np.arange(23) * 0.3, 11.599])),
        ("one_sided_tapping", part("left", "LR" * 12 + "L" * 6)),
        ("too_few_taps", part("left", "LR" * 10 + "L")),
        ("wrong_duration", part("left", GOOD, duration_s=21.5)),
    ],
)
def test_each_rule_spares_what_is_just_within(code: str, borderline: Part) -> None:
    assert code not in flags(run(borderline))


def test_the_catalogue_covers_every_published_measure() -> None:
    definitions = SHARED / "reference" / "measure_definitions.csv.gz"
    if not definitions.exists():
        pytest.skip("the published definitions are not beside this checkout")
    with gzip.open(definitions) as packed:
        published = {row["id"] for row in csv.DictReader(io.TextIOWrapper(packed, "utf-8"))}
    ours = {entry.aliases["dispel"] for entry in tap.catalogue if "dispel" in entry.aliases}
    assert ours == {name for name in published if name.startswith("ft-")}


LIBRARY_FLAGS = {
    # As the library raises them, by hand.
    "deviation_one_side_tapping": {
        "ft-behavioral-deviation-one_sided_tapping": ["right", "left"],
        "ft-behavioral-deviation-invalid_min_n_taps": ["right", "left"],
    },
    "fingertap_1": {},
    "unfinished_ft": {"ft-behavioral-deviation-invalid_min_n_taps": ["left"]},
}


@needs_shared
@pytest.mark.parametrize("name", LIBRARY_FLAGS)
def test_real_recordings_are_flagged_as_the_library_does(name: str) -> None:
    (recording,) = formats.read(inflated(KONECTOM / "bdh" / "FINGERTAP" / f"{name}.json.gz")).recordings
    assert isinstance(recording, Recording)
    raised = {
        flag.aliases["dispel"]: [flag.evidence["hand"], *(more["hand"] for more in flag.evidence.get("further", ()))]
        for flag in tap.run(recording).quality.flags
        if "dispel" in flag.aliases
    }
    assert raised == LIBRARY_FLAGS[name]
