"""Change against noise, held against published worked examples and closed forms."""

from math import sqrt

import numpy as np
import pytest

from konectom.scoring.change import (
    Noise,
    Practice,
    change_between,
    chosen_noise,
    detectable_change,
    own_noise,
    reliable_change,
    standard_error,
)
from konectom.scoring.series import Score
from konectom.scoring.thresholds import Absolute
from konectom.scoring.windows import aggregate

TIME = Score("obs.t25fw.time", "T25FW", "s", "lower", "observation", "t25fw", ratio=True)
COUNT = Score("cps.correct[symbol_to_digit]", "symbols", "1", "higher", "assessment", "cps", ratio=True)
STEP = Score("obs.edss.step", "EDSS", "1", "lower", "observation", "edss")


def test_standard_error_and_smallest_detectable_change() -> None:
    # By hand: 10 * sqrt(1 - 0.87) = 3.6056; times 1.96 * sqrt(2) = 9.9941.
    sem = standard_error(10, 0.87)
    assert sem == pytest.approx(3.6056, abs=5e-5)
    assert detectable_change(sem) == pytest.approx(9.9941, abs=5e-4)
    assert detectable_change(sem, 1.6448536) == pytest.approx(3.6056 * sqrt(2) * 1.6448536, abs=1e-3)
    assert standard_error(10, -0.1) == 10
    with pytest.raises(ValueError, match="ICC are 10 and"):
        standard_error(10, 1.2)


def test_a_published_worked_example_of_the_index() -> None:
    # Piers-Harris 2 (opentextbooks.library.arizona.edu/wodrichseas, appendix E): SEM 3.07, from 24 to 35; the standard
    # error of the difference is 4.34 and a change of 8.51 is reliable at 95 %.
    assert 11 / reliable_change(11, 3.07) == pytest.approx(4.34, abs=0.005)
    assert detectable_change(3.07) == pytest.approx(8.51, abs=0.005)
    assert reliable_change(11, 3.07) > 1.96


def test_practice_is_taken_off_the_change() -> None:
    # Chelune: as plain, with the gain taken off. Iverson: sqrt(3^2 + 4^2) = 5.
    assert reliable_change(10, 3, gain=4) == pytest.approx(6 / (3 * sqrt(2)))
    assert reliable_change(10, 3, retest_sem=4, gain=5) == pytest.approx(1)
    told = change_between(COUNT, 50, 46, Noise(2, "study", ""), Practice(3, "controls"))
    assert told.direction == "worse"
    assert told.reliable is False
    # Without a gain -1.41; a patient who should have gained 3 has lost 7 in effect.
    assert told.rci == pytest.approx(-4 / (2 * sqrt(2)))
    assert told.rci_practised == pytest.approx(-7 / (2 * sqrt(2)))


def test_what_cannot_be_said_is_absent_with_a_reason() -> None:
    told = change_between(STEP, 3.0, 4.0, None)
    assert told.absent == {
        "share": "not_a_ratio",
        "sem": "noise_unknown",
        "mdc95": "noise_unknown",
        "mdc90": "noise_unknown",
        "reliable": "noise_unknown",
        "rci": "noise_unknown",
        "rci_practised": "noise_unknown",
        "important": "no_threshold",
    }
    for name in told.absent:
        assert getattr(told, name) is None
    assert (told.amount, told.direction) == (1.0, "worse")
    near_zero = change_between(COUNT, 3.0, 9.0, Noise(2, "study", ""))
    assert near_zero.share is None
    assert near_zero.absent["share"] == "baseline_near_zero"
    assert change_between(COUNT, 0.0, 9.0, None).absent["share"] == "baseline_near_zero"


def test_important_is_another_matter_than_reliable() -> None:
    noise = Noise(3, "study", "")
    told = change_between(COUNT, 50, 45, noise, important=Absolute(4.0))
    assert (told.reliable, told.important, told.share) == (False, True, pytest.approx(-0.1))
    told = change_between(COUNT, 50, 38, noise, important=Absolute(20.0))
    assert (told.reliable, told.important) == (True, False)
    assert change_between(COUNT, 50, 50, noise, important=Absolute(4.0)).direction == "same"


def test_noise_is_of_the_study_before_published_before_the_patient() -> None:
    study, own = Noise(0.5, "study", "a"), Noise(0.7, "patient", "b")
    order = ("study", "published", "patient")
    assert chosen_noise(TIME, [study], own, order) is study
    published = chosen_noise(TIME, [], own, order)
    assert published is not None
    assert published.basis == "published"
    # 23 % of the mean (PubMed 38924934): at 5 s, 1.15 s.
    assert published.mdc95_at(5.0) == pytest.approx(1.15)
    assert chosen_noise(COUNT, [], own, order) is own
    assert chosen_noise(COUNT, [], None, order) is None
    assert chosen_noise(COUNT, [study], own, ("patient", "study")) is own


def noise_of(value: np.ndarray, per_window: int) -> float | None:
    at = np.repeat(np.arange(value.size // per_window) * 14.0, per_window) + np.tile(
        np.arange(per_window) * 14 / per_window, value.size // per_window
    )
    found = own_noise(aggregate(at, value, window_days=14, tests_min=3))
    return None if found is None else found.sem


def test_the_patients_own_noise_is_that_of_a_median() -> None:
    rng = np.random.default_rng(7)
    found = np.array([noise_of(50 + 4 * rng.standard_normal(26 * 5), 5) for _ in range(200)])
    # The sd of the median of 5 normal values is 0.5356 of theirs (order statistics); the greatest of three estimates
    # lies somewhat above.
    assert np.median(found) == pytest.approx(4 * 0.5356, rel=0.3)
    assert np.median(found) > 4 * 0.5356


def test_good_and_bad_weeks_are_noise_too() -> None:
    rng = np.random.default_rng(7)
    # Each window of 14 days carries what is left of the last one's: exp(-14 / 30).
    kept, slow = np.exp(-14 / 30), np.zeros((200, 60))
    for i in range(1, 60):
        slow[:, i] = kept * slow[:, i - 1] + np.sqrt(1 - kept**2) * rng.standard_normal(200)
    found = [noise_of(50 + 3 * np.repeat(each, 5) + rng.standard_normal(300), 5) for each in slow]
    truth = np.hypot(3, 0.5356)
    assert np.median(np.array(found)) == pytest.approx(truth, rel=0.15)


def test_a_step_and_a_slow_loss_are_not_taken_for_noise() -> None:
    rng = np.random.default_rng(7)
    steady = 50 + 4 * rng.standard_normal(40 * 5)
    plain = noise_of(steady, 5)
    step = steady - 20 * (np.arange(200) > 100)
    slow = steady - 20 * np.arange(200) / 200
    assert plain is not None
    # The loss is nine times the noise: an ordinary spread would come out at 10, not at 2.
    assert noise_of(step, 5) == pytest.approx(plain, rel=0.25)
    assert noise_of(slow, 5) == pytest.approx(plain, rel=0.25)


def test_too_few_windows_tell_no_noise() -> None:
    rng = np.random.default_rng(1)
    # Six changes over four windows of 14 days.
    assert noise_of(rng.standard_normal(9 * 5), 5) is None
    assert noise_of(rng.standard_normal(10 * 5), 5) is not None
    assert noise_of(np.full(20 * 5, 3.0), 5) is None
