"""From single values to the sentence: each state a patient can be in."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from konectom.errors import DataError
from konectom.scoring.change import Noise, Practice
from konectom.scoring.follow import follow
from konectom.scoring.followed import REASONS, VERDICT_CODES, Followed
from konectom.scoring.policy import Policy
from konectom.scoring.runs import RUN_INS
from konectom.scoring.series import Score, Series

SYMBOLS = Score("cps.correct[symbol_to_digit]", "symbols right", "1", "higher", "assessment", "cps", ratio=True)
TURN = Score("u_turn.turn_speed[all].median", "turn speed", "rad/s", "higher", "assessment", "u_turn", ratio=True)
EDSS = Score("obs.edss.step", "EDSS", "1", "lower", "observation", "edss")
T25FW = Score("obs.t25fw.time", "T25FW", "s", "lower", "observation", "t25fw", ratio=True)
MOOD = Score("passive.steps", "steps", "1", None, "assessment", "passive")

START = float(date(2026, 1, 5).toordinal() - date(1970, 1, 1).toordinal()) + 10 / 24
NO_RUN_IN = Policy(run_in={"cps": 0})
STUDY = Noise(1.0, "study", "Repeats of the study.")


def thrice_a_week(weeks: float, of: Score = SYMBOLS, level: float = 50.0, spread: float = 1.0, seed: int = 1) -> Series:
    n = round(3 * weeks)
    at = START + np.arange(n) * 7 / 3
    return Series.of(of, at, level + spread * np.random.default_rng(seed).standard_normal(n))


def lowered(series: Series, by: float, since_week: float, until_week: float = np.inf) -> Series:
    week = (series.at_day - START) / 7
    return replace(series, value=series.value - by * ((week >= since_week) & (week < until_week)))


def told(series: Series, **how: object) -> Followed:
    found = follow(series, **how)  # type: ignore[arg-type]
    # Whatever is missing has a reason, and every reason a sentence.
    for name in ("baseline", "now", "bands", "noise", "change", "slope", "learning"):
        assert (getattr(found, name) is None) == (name in found.absent or _implied(found, name)), name
    assert set(found.absent.values()) <= set(REASONS)
    assert found.verdict.code in VERDICT_CODES
    assert found.fate.shape == found.of.shape == (len(series),)
    return found


def _implied(found: Followed, name: str) -> bool:
    """Noise is not asked for where there is nothing to hold it against."""
    return name == "noise" and found.noise is None and found.baseline is None


def test_nothing() -> None:
    found = told(Series.of(SYMBOLS, [], []))
    assert (found.verdict.code, found.verdict.words) == ("no_values", "Nothing was recorded yet.")
    assert found.absent["baseline"] == "no_values"
    assert found.version is None


def test_still_practising() -> None:
    found = told(thrice_a_week(4 / 3))
    assert found.verdict.words == "Still practising: 4 of 8 runs."
    assert found.fates == ["run_in"] * 4
    assert found.absent["baseline"] == "practising"


def test_too_few_tests() -> None:
    series = thrice_a_week(10 / 3)
    found = told(series, today_day=float(series.at_day[-1]) + 0.5)
    assert found.verdict.words == "Too few tests: 2 of 3 in the last 14 days."
    assert found.absent["baseline"] == "too_few_tests"
    assert found.fates == ["run_in"] * 8 + ["counted"] * 2


def test_one_value() -> None:
    found = told(thrice_a_week(11 / 3))
    assert found.verdict.words == "One value: nothing to compare with."
    assert found.baseline is not None
    assert found.baseline == found.now
    assert found.absent["change"] == "one_value"
    visit = told(Series.of(EDSS, [START], [3.0]))
    assert visit.verdict.code == "one_value"


def test_spoiled_tests_count_as_runs_but_not_as_values() -> None:
    n = 20
    verdict = ["invalid" if i % 4 == 0 else "limited" if i % 4 == 1 else "valid" for i in range(n)]
    value = [None if i == 10 else 50.0 + i % 3 for i in range(n)]
    series = Series.of(SYMBOLS, START + np.arange(n), value, verdict=verdict)
    found = told(series)
    assert found.fates[7] == "run_in"
    assert found.fates[8] == "not_usable"
    assert found.fates[9] == "counted"
    assert found.fates[10] == "absent"
    strict = told(series, policy=Policy(verdicts=("valid",)))
    assert strict.fates[9] == "not_usable"
    assert told(series, policy=NO_RUN_IN).fates.count("run_in") == 0


def test_nothing_usable_at_all() -> None:
    series = Series.of(SYMBOLS, START + np.arange(12), np.ones(12), verdict=["invalid"] * 12)
    assert told(series).verdict.words == "Too few tests: 0 of 3 in the last 14 days."
    assert told(Series.of(EDSS, [START], [None])).verdict.words == "No usable value yet."


def test_steady() -> None:
    found = told(thrice_a_week(60), noise=[STUDY], practice=Practice(0.5, "controls"))
    assert found.verdict.words == "No change beyond noise."
    assert found.change is not None
    assert found.bands is not None
    assert found.baseline is not None
    assert found.bands.high - found.baseline.value == pytest.approx(1.96 * np.sqrt(2), abs=1e-4)
    assert found.change.rci_practised is not None
    assert found.noise is STUDY
    assert "Noise: Repeats of the study." in found.notes
    # Without the study's figure the patient's own spread is taken, and said.
    own = told(thrice_a_week(60))
    assert own.noise is not None
    assert own.noise.basis == "patient"
    assert own.verdict.code == "no_change"


def test_a_loss_that_lasts_is_confirmed_and_dated() -> None:
    found = told(lowered(thrice_a_week(80), 10, 40))
    assert found.verdict.code == "confirmed_worsening"
    onset = START + 7 * 40
    assert found.verdict.since_day == pytest.approx(onset, abs=14)
    when = date.fromordinal(int(found.verdict.since_day or 0) + date(1970, 1, 1).toordinal())
    assert found.verdict.words == f"Confirmed worsening since {when} (24 weeks)."
    assert found.definition == "digital-rising-24w/1"
    assert [event.direction for event in found.events] == ["worsening"]
    assert found.change is not None
    assert (found.change.direction, found.change.reliable) == ("worse", True)
    assert found.change.share == pytest.approx(-0.2, abs=0.03)


def test_a_loss_is_not_confirmed_before_its_time() -> None:
    found = told(lowered(thrice_a_week(60), 10, 40))
    assert (found.verdict.code, found.events) == ("worse_unconfirmed", ())
    assert found.verdict.words == "Worse than baseline beyond noise, not confirmed yet."
    assert told(lowered(thrice_a_week(68), 10, 40)).verdict.code == "confirmed_worsening"
    sooner = told(lowered(thrice_a_week(56), 10, 40), policy=Policy(definition="digital-rising-12w/1"))
    assert sooner.verdict.words.endswith("(12 weeks).")


def test_a_short_loss_is_no_worsening() -> None:
    found = told(lowered(thrice_a_week(80), 10, 40, 56))
    assert (found.verdict.code, found.events) == ("no_change", ())


def test_a_long_loss_that_recovers() -> None:
    series = lowered(thrice_a_week(110), 10, 40, 70)
    found = told(series)
    assert [event.direction for event in found.events] == ["worsening"]
    assert found.verdict.code == "no_change"
    assert found.verdict.words.startswith("No change beyond noise; a worsening that was confirmed since 2026-10-")
    assert found.verdict.words.endswith("did not last.")
    # A definition that tells of the way back as well:
    roving = told(series, definition="digital-roving-24w/1")
    assert [event.direction for event in roving.events] == ["worsening", "improvement"]
    assert roving.verdict.code == "no_change"
    assert roving.verdict.words.startswith("No change beyond noise: worse from 2026-10-")
    assert "recovered by 2027-" in roving.verdict.words


def test_part_of_a_loss_that_recovers() -> None:
    series = lowered(lowered(thrice_a_week(110), 10, 40), -5, 70)
    assert told(series).verdict.code == "confirmed_worsening"
    roving = told(series, definition="digital-roving-24w/1", noise=[STUDY])
    assert [event.direction for event in roving.events] == ["worsening", "improvement"]
    assert roving.verdict.code == "confirmed_worsening"
    assert roving.verdict.words.endswith("(24 weeks), partly recovered.")


def test_one_good_window_does_not_take_a_worsening_back() -> None:
    series = lowered(thrice_a_week(80), 10, 40)
    # Two thirds of the loss in the last window: inside the bands of this patient no more, and not steadily so.
    last = lowered(series, -2.5, 78)
    assert told(last, noise=[Noise(3.0, "study", "s")]).verdict.code == "confirmed_worsening"


def test_a_gain_that_lasts() -> None:
    at_once = lowered(thrice_a_week(80), -10, 40)
    assert told(at_once, definition="digital-roving-24w/1").verdict.code == "confirmed_improvement"
    usual = told(at_once)
    assert (usual.events, usual.verdict.code) == ((), "better_unconfirmed")
    assert usual.verdict.words == "Better than baseline beyond noise, practice is not excluded."
    slowly = thrice_a_week(80)
    risen = replace(slowly, value=slowly.value + np.clip((slowly.at_day - START) / 7 - 20, 0, 30) * 0.4)
    # No event of a gain that came slowly: it moves the reference, for it may be practice.
    assert told(risen).events == ()
    assert told(risen).verdict.code == "better_unconfirmed"


def test_practice_does_not_hide_a_loss() -> None:
    series = thrice_a_week(100)
    learned = replace(series, value=series.value - 20 * 0.5 ** ((series.run - 1) / 11))
    found = told(lowered(learned, 10, 60))
    assert found.verdict.code == "confirmed_worsening"
    assert found.learning is not None
    assert found.learning.half_runs == pytest.approx(11, rel=0.25)
    assert any(note.startswith("Practice was not over at the baseline") for note in found.notes)


def test_lapsed() -> None:
    series = thrice_a_week(60)
    last = float(series.at_day[-1])
    assert told(series, today_day=last + 28).verdict.code == "no_change"
    found = told(series, today_day=last + 29)
    when = date.fromordinal(int(last) + date(1970, 1, 1).toordinal())
    assert found.verdict.words == f"Nothing since {when}; until then: no change beyond noise."
    assert (found.verdict.code, found.verdict.lapsed_since_day) == ("lapsed", last)
    worse = told(lowered(series, 10, 30), today_day=last + 100).verdict
    assert worse.code == "confirmed_worsening"
    assert worse.words.endswith(f"(24 weeks). Nothing since {when}.")
    # Somebody who answers once a month has not lapsed after five weeks.
    mood = Score("msis29.physical_impact", "MSIS-29", "1", "lower", "assessment", "msis29")
    monthly = Series.of(mood, START + 30.0 * np.arange(8), 40.0 + np.arange(8) % 2)
    assert told(monthly, today_day=START + 210 + 35).verdict.code == "noise_unknown"
    assert told(monthly, today_day=START + 210 + 61).verdict.code == "lapsed"
    # Visits come when they come.
    assert told(Series.of(EDSS, [START, START + 90], [3.0, 3.0]), today_day=START + 900).verdict.code == "no_change"


def test_tests_go_on_but_too_few() -> None:
    dense = thrice_a_week(40)
    sparse = dense.at_day[-1] + np.arange(1, 6) * 13.0
    series = Series.of(SYMBOLS, np.r_[dense.at_day, sparse], np.r_[dense.value, np.full(5, 50.0)])
    found = told(series, today_day=float(sparse[-1]) + 1)
    assert found.verdict.code == "too_few_tests"
    assert found.verdict.words.startswith("Too few tests: 1 of 3 in the last 14 days; until 2026-")


def test_a_year_without_tests_confirms_nothing() -> None:
    before, after = thrice_a_week(30), thrice_a_week(3, level=35.0)
    at = np.r_[before.at_day, after.at_day + 7 * 82]
    found = told(Series.of(SYMBOLS, at, np.r_[before.value, after.value]))
    assert found.events == ()
    assert found.verdict.code == "worse_unconfirmed"
    assert found.aggregates.empty > 20


def test_versions_are_never_mixed() -> None:
    series = lowered(thrice_a_week(80), 10, 40)
    # The second version counts otherwise from week 40 on: what looks like a loss is none.
    version = np.where((series.at_day - START) / 7 >= 40, 2, 1)
    found = told(replace(series, version=version))
    assert (found.version, found.versions) == (2, (1, 2))
    assert found.fates[:120] == ["other_version"] * 120
    assert found.events == ()
    assert found.verdict.code == "no_change"
    assert found.notes[0].startswith("120 of 240 values were computed by version 1 ")
    earlier = told(replace(series, version=version), version=1)
    assert earlier.version == 1
    assert earlier.fates[120:] == ["other_version"] * 120
    # Practice is the patient's, not the version's: no second run-in.
    assert found.fates[120] == "counted"
    assert found.absent["learning"] == "start_not_seen"


def test_a_clock_that_runs_ahead_makes_no_value() -> None:
    series = thrice_a_week(40)
    at = series.at_day.copy()
    at[-1] += 4000
    found = told(Series.of(SYMBOLS, at, series.value), today_day=float(at[-2]) + 1)
    assert found.fates[-1] == "in_future"
    assert "1 values are dated in the future and left out: a clock was wrong." in found.notes
    assert found.verdict.code == "no_change"


def test_weekly_tests_get_wider_windows_and_it_is_said() -> None:
    n = 60
    series = Series.of(TURN, START + 7.0 * np.arange(n), 1.5 + 0.1 * np.random.default_rng(2).standard_normal(n))
    found = told(series)
    assert found.aggregates.window_days == 28
    assert found.notes[0].startswith("Tests come so rarely that windows are 28 days long instead of 14")
    assert found.verdict.code == "no_change"
    strict = told(series, policy=Policy(widest_days=14))
    assert strict.verdict.code == "too_few_tests"


def test_visits_stand_alone() -> None:
    day = START + np.array([0.0, 90, 180, 270, 360])
    found = told(Series.of(EDSS, day, [3.0, 3.0, 4.0, 4.0, 4.5]))
    assert found.verdict.words == "Confirmed worsening since 2026-07-04 (12 weeks)."
    assert found.definition == "edss-roving-cdw-12w/1"


def test_a_second_worsening_after_a_recovery_is_not_the_first() -> None:
    day = START + np.array([0.0, 90, 200, 300, 500, 700, 900, 1000, 1100, 1200])
    steps = [3.0, 4.5, 4.5, 3.0, 3.0, 3.0, 3.0, 5.5, 5.5, 5.5]
    for definition in (None, "edss-cdw-12w/1"):
        alone = told(Series.of(EDSS, day[:8], steps[:8]), definition=definition)
        assert alone.verdict.code == "worse_unconfirmed", "one visit confirms nothing, whatever was confirmed before"
    again = told(Series.of(EDSS, day, steps))
    assert [event.direction for event in again.events] == ["worsening", "improvement", "worsening"]
    assert again.verdict.since_day == day[7]


def test_the_usual_visits() -> None:
    day = START + np.array([0.0, 90, 180, 270, 360])
    found = told(Series.of(EDSS, day, [3.0, 3.0, 4.0, 4.0, 4.5]))
    assert found.absent["noise"] == "noise_unknown"
    assert found.change is not None
    assert (found.change.reliable, found.change.important) == (None, True)
    assert found.slope is not None
    step = told(Series.of(EDSS, day[:3], [3.0, 3.0, 4.0]))
    assert step.verdict.words == "Worse than baseline by as much as counts, not confirmed yet."
    assert step.absent["slope"] == "too_few_aggregates"
    assert told(Series.of(EDSS, day[:3], [3.0, 3.0, 3.5])).verdict.words == "No change as large as counts."


def test_published_noise_of_a_walk() -> None:
    day = START + 90.0 * np.arange(4)
    found = told(Series.of(T25FW, day, [5.0, 5.1, 5.9, 6.0]))
    assert found.noise is not None
    assert found.noise.basis == "published"
    assert found.change is not None
    # 1.0 s is more than 20 % would need, and less than 23 % of 5 s.
    assert (found.change.important, found.change.reliable) == (True, False)


def test_relapses_tell_what_a_worsening_is() -> None:
    day = START + 90.0 * np.arange(6)
    series = Series.of(EDSS, day, [3.0, 3.0, 4.0, 4.0, 4.0, 4.0])
    name = "edss-pira-mueller-2023-12w/1"
    free = told(series, definition=name, relapses_since_day=START - 1000)
    assert free.verdict.words == "Confirmed worsening since 2026-07-04 (12 weeks, without relapse)."
    after = told(series, definition=name, relapse_day=[START + 175])
    assert after.verdict.words == "Confirmed worsening since 2026-07-04 (12 weeks, after a relapse)."


def test_two_values_of_one_visit_are_one() -> None:
    day = START + np.array([0.0, 0, 90, 180, 180, 270])
    found = told(Series.of(T25FW, day, [5.0, 5.2, 5.0, 7.0, 7.4, 7.2]))
    assert len(found.aggregates) == 4
    assert found.baseline is not None
    assert found.baseline.value == pytest.approx(5.1)


def test_neither_way_is_better() -> None:
    series = lowered(thrice_a_week(80, of=MOOD), 10, 40)
    found = told(series)
    assert found.absent["events"] == "no_direction"
    assert (found.verdict.code, found.verdict.words) == ("changed", "Changed since the baseline beyond noise.")
    assert found.absent["learning"] == "not_practised"


def test_without_noise_a_change_is_told_as_what_it_is() -> None:
    found = told(thrice_a_week(8), policy=NO_RUN_IN)
    assert found.noise is None
    assert found.absent["events"] == "noise_unknown"
    assert found.verdict.code == "noise_unknown"
    assert found.verdict.words.endswith("since the baseline; how much of this is noise is not known.")


def test_each_value_knows_its_window() -> None:
    found = told(thrice_a_week(60))
    for index in range(len(found.aggregates)):
        inside = found.of == index
        assert inside.sum() == found.aggregates.n[index]
        if found.aggregates.n[index] >= 3:
            assert np.median(found.series.value[inside]) == pytest.approx(found.aggregates.value[index])
    assert (found.of[found.fate != 0] == -1).all()


def test_the_documentation_says_what_is_so() -> None:
    text = " ".join((Path(__file__).parents[2] / "docs" / "scoring.md").read_text().split())
    for code in VERDICT_CODES:
        assert f"`{code}`" in text, code
    for name, run_in in RUN_INS.items():
        if run_in.runs:
            assert f"{name} {run_in.runs}" in text, name
    default = Policy()
    for name in ("window_days", "tests_min", "widest_days", "lapse_days", "trend_min"):
        assert f"`{name}` {getattr(default, name):g}" in text, name
    assert f"`definition` {default.definition}" in text


def test_no_such_definition() -> None:
    with pytest.raises(DataError) as refused:
        follow(thrice_a_week(20), definition="mine/1")
    assert refused.value.at == "/definition"
