from __future__ import annotations

import numpy as np
import pytest

from konectom.signals.orientation import placements, split_gravity, turned_upright

RNG = np.random.default_rng(5)


def directions(n: int) -> np.ndarray:
    vectors = RNG.normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_gravity_itself_comes_to_lie_on_minus_x() -> None:
    gravity = 9.81 * directions(200)
    np.testing.assert_allclose(turned_upright(gravity, gravity), [[-9.81, 0, 0]] * 200, atol=1e-9)


def test_turning_keeps_lengths_and_angles() -> None:
    gravity, one, other = directions(100), RNG.normal(size=(100, 3)), RNG.normal(size=(100, 3))
    turned, turned_other = turned_upright(one, gravity), turned_upright(other, gravity)
    np.testing.assert_allclose((turned**2).sum(axis=1), (one**2).sum(axis=1))
    np.testing.assert_allclose((turned * turned_other).sum(axis=1), (one * other).sum(axis=1))
    np.testing.assert_allclose(turned[:, 0], -(one * gravity).sum(axis=1), atol=1e-12)


def test_the_way_is_the_shortest() -> None:
    tilt = np.radians(20)
    gravity = np.array([[-np.cos(tilt), 0.0, np.sin(tilt)]])
    across = np.array([[0.0, 1.0, 0.0]])  # the axis of the tilt stays where it is
    np.testing.assert_allclose(turned_upright(across, gravity), across, atol=1e-12)


def test_upside_down_is_turned_about_y() -> None:
    vectors = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_allclose(turned_upright(vectors, np.array([[1.0, 0.0, 0.0]])), [[-1, 2, -3]])


def test_the_unit_of_gravity_does_not_matter() -> None:
    gravity, vectors = directions(50), RNG.normal(size=(50, 3))
    np.testing.assert_allclose(turned_upright(vectors, 9.81 * gravity), turned_upright(vectors, gravity))


def test_total_acceleration_is_split_into_slow_and_fast() -> None:
    t_s = np.arange(0, 30, 0.02)
    fast = np.column_stack([0 * t_s, 0.1 * np.sin(2 * np.pi * t_s), 0 * t_s])
    total = fast + np.array([-1.0, 0.0, 0.0])
    user, gravity = split_gravity(t_s, total)
    np.testing.assert_allclose(user + gravity, total, atol=1e-12)
    np.testing.assert_allclose(user[250:-250], fast[250:-250], atol=1e-3)
    assert np.abs(user - fast).max() < 0.01


@pytest.mark.parametrize("n", [0, 1, 100])
def test_of_a_short_recording_gravity_is_the_mean(n: int) -> None:
    total = np.tile([0.0, -1.0, 0.0], (n, 1))
    user, gravity = split_gravity(np.arange(n) / 50, total)
    np.testing.assert_allclose(user, 0)
    np.testing.assert_allclose(gravity, total)


def leaning(degrees: float, to: tuple[float, float, float], axis: int) -> np.ndarray:
    upright = np.zeros(3)
    upright[axis] = 1.0
    return np.cos(np.radians(degrees)) * upright + np.sin(np.radians(degrees)) * np.array(to)


@pytest.mark.parametrize(
    ("gravity", "moving", "place"),
    [
        (leaning(50, (0, 0.6, 0.8), 0), True, "belt"),
        (-leaning(50, (0, 0.6, 0.8), 0), True, "belt"),
        (leaning(40, (0.6, 0, 0.8), 1), True, "pants"),
        (leaning(17, (0.6, 0.8, 0), 2), False, "table"),
        (leaning(7, (0.6, 0.8, 0), 2), True, "table"),
        (-leaning(30, (0.6, 0.8, 0), 2), True, "handheld"),
        (leaning(30, (0.6, 0.8, 0), 2), True, "else"),
    ],
)
def test_where_the_phone_is(gravity: np.ndarray, moving: bool, place: str) -> None:
    user = RNG.normal(size=(1000, 3)) * (0.1 if moving else 1e-4)
    told = placements(np.tile(gravity, (1000, 1)), user, 50.0)
    assert told.size == 200
    assert set(told.tolist()) == {place}


def test_a_phone_that_is_moved_changes_place_half_a_window_around_the_change() -> None:
    gravity = np.repeat([[-1.0, 0, 0], [0, -1.0, 0]], 500, axis=0)
    told = placements(gravity, np.zeros((1000, 3)), 50.0)
    change = np.flatnonzero(told != "belt")[0] * 0.1
    assert 9 < change < 11
    assert told[-1] == "pants"
