from __future__ import annotations

import numpy as np
import pytest

from konectom.signals.turns import Turn, find_turns, join_u_turns

RATE_HZ = 50.0


def rotation(*pieces: tuple[float, float]) -> np.ndarray:
    """Return rotation in rad/s from pieces of (degrees, seconds), each a constant rate with a small peak in it."""
    signal = []
    for degrees, seconds in pieces:
        n = round(seconds * RATE_HZ)
        piece = np.full(n, np.radians(degrees) / seconds)
        if degrees and n > 2:
            piece[n // 2] *= 1.0001  # a plateau that touches its neighbours has no peak of its own
        signal.append(piece)
    return np.concatenate(signal)


def angles_deg(turns: list[Turn]) -> list[float]:
    return [np.degrees(turn.angle_rad) for turn in turns]


def both(yaw: np.ndarray) -> tuple[list[Turn], list[Turn]]:
    found = find_turns(yaw, RATE_HZ)
    return found, join_u_turns(found, yaw, RATE_HZ)


def test_a_turn_at_constant_rate_has_its_angle_duration_and_speed() -> None:
    (turn,), (joined,) = both(rotation((0, 2), (180, 2), (0, 2)))
    assert turn == joined
    assert np.degrees(turn.angle_rad) == pytest.approx(180, abs=0.02)
    assert (turn.first, turn.last) == (100, 199)
    assert turn.duration_s == pytest.approx(2 - 1 / RATE_HZ)
    assert turn.speed_radps == pytest.approx(np.pi / 1.98, rel=1e-3)


def test_the_sign_is_the_sense_and_opposite_turns_stay_apart() -> None:
    found, joined = both(rotation((0, 1), (180, 2), (-180, 2), (0, 1)))
    assert angles_deg(found) == pytest.approx([180, -180], abs=0.05)
    assert len(joined) == 2


def test_a_turn_ends_where_rotation_falls_below_5_degrees_a_second() -> None:
    t_s = np.arange(0, 6, 1 / RATE_HZ)
    bell = np.radians(90) * np.exp(-((t_s - 3) ** 2) / 2)
    (turn,) = find_turns(bell, RATE_HZ)
    half_s = np.sqrt(2 * np.log(90 / 5))
    assert turn.first / RATE_HZ == pytest.approx(3 - half_s, abs=1 / RATE_HZ)
    assert turn.duration_s == pytest.approx(2 * half_s, abs=2 / RATE_HZ)


@pytest.mark.parametrize(
    ("pieces", "kept"),
    [
        ([(44, 1)], 0),  # less than 45 degrees
        ([(46, 1)], 1),
        ([(60, 0.5)], 0),  # shorter than half a second, first to last sample
        ([(60, 0.6)], 1),
        ([(180, 9.9)], 1),
        ([(180, 10.1)], 0),
        ([(100, 8)], 0),  # 12.5 degrees a second never reach the peak of 15
        ([(30, 0.5), (0, 0.02), (30, 0.5)], 1),  # an interruption of one sample
        ([(30, 0.5), (0, 0.1), (30, 0.5)], 0),
    ],
)
def test_what_counts_as_a_turn(pieces: list[tuple[float, float]], kept: int) -> None:
    assert len(find_turns(rotation((0, 1), *pieces, (0, 1)), RATE_HZ)) == kept


@pytest.mark.parametrize(
    ("pieces", "joined"),
    [
        ([(100, 1), (0, 2), (80, 1)], [180]),
        ([(100, 1), (0, 3.1), (100, 1)], [100, 100]),  # too far apart
        ([(171, 2), (0, 1), (50, 1)], [171]),  # the first is a U-turn of its own; the rest is too small to count
        ([(140, 1), (0, 1), (140, 1)], [140, 140]),  # together more than 270
        ([(100, 1), (0, 1), (-100, 1)], [100, -100]),
        ([(60, 1), (0, 1), (60, 1), (0, 1), (60, 1)], [180]),
        ([(60, 1)], []),  # not more than 90 degrees
    ],
)
def test_pieces_of_one_u_turn_are_joined(pieces: list[tuple[float, float]], joined: list[float]) -> None:
    assert angles_deg(both(rotation((0, 1), *pieces, (0, 1)))[1]) == pytest.approx(joined, abs=0.1)


def test_a_turn_may_begin_and_end_with_the_recording() -> None:
    (turn,) = find_turns(rotation((180, 2)), RATE_HZ)
    assert (turn.first, turn.last) == (0, 99)


@pytest.mark.parametrize("n", [0, 1, 2, 100])
def test_no_rotation_has_no_turns(n: int) -> None:
    assert both(np.zeros(n)) == ([], [])
