from __future__ import annotations

import numpy as np
import pytest

from konectom.recording import STANDARD_GRAVITY_MPS2, Stream
from konectom.signals.inertial import motion

T_S = np.arange(0, 20, 0.02)


def stream(name: str, t_s: np.ndarray, xyz: np.ndarray) -> Stream:
    return Stream(name, np.array(t_s), {axis: xyz[:, i].copy() for i, axis in enumerate("xyz")})


def of(*xyz: float, n: int = T_S.size) -> np.ndarray:
    return np.tile(np.array(xyz, dtype=float), (n, 1))


def test_units_are_g_and_the_vertical_is_x() -> None:
    shaking = np.sin(2 * np.pi * T_S)
    moved = motion(
        {
            "user_acceleration": stream("user_acceleration", T_S, np.column_stack([0 * T_S, shaking, 0 * T_S])),
            "gravity": stream("gravity", T_S, of(0, -STANDARD_GRAVITY_MPS2, 0)),
        }
    )
    upright = moved.upright()
    assert upright.rate_hz == 50
    np.testing.assert_allclose(upright.values[:, 0], shaking / STANDARD_GRAVITY_MPS2, atol=1e-12)
    np.testing.assert_allclose(upright.values[:, 1:], 0, atol=1e-12)


def test_samples_that_no_gravity_covers_and_those_without_its_direction_are_left_out() -> None:
    gravity = of(-STANDARD_GRAVITY_MPS2, 0, 0)
    gravity[500] = 0
    streams = {
        "user_acceleration": stream("user_acceleration", T_S, of(0, 0, 0)),
        "gravity": stream("gravity", T_S + 0.1, gravity),
    }
    assert len(motion(streams)) == T_S.size - 5 - 1


def test_total_acceleration_does_where_the_others_did_not_come() -> None:
    total = stream("accelerometer", T_S, of(-STANDARD_GRAVITY_MPS2, 0, 0))
    nothing = stream("gravity", T_S[:0], of(0, 0, 0, n=0))
    for streams in ({"accelerometer": total}, {"accelerometer": total, "gravity": nothing, "user_acceleration": total}):
        moved = motion(streams)
        np.testing.assert_allclose(moved.gravity_g, of(-1, 0, 0), atol=1e-9)
    assert len(motion({})) == 0


def test_rotation_is_paired_with_the_nearest_acceleration() -> None:
    moved = motion({"accelerometer": stream("accelerometer", T_S, of(-STANDARD_GRAVITY_MPS2, 0, 0))})
    turning = np.column_stack([T_S, 0 * T_S, 0 * T_S])
    rotation = moved.rotation(stream("gyroscope", T_S + 0.004, turning))
    np.testing.assert_allclose(rotation.values[:, 0], T_S, atol=1e-9)
    empty = moved.rotation(stream("gyroscope", T_S[:0], of(0, 0, 0, n=0)))
    assert len(empty) == 0


def test_sensors_that_were_read_together_are_paired_only_where_stamped_alike() -> None:
    moved = motion({"accelerometer": stream("accelerometer", T_S, of(-STANDARD_GRAVITY_MPS2, 0, 0))})
    stamps = T_S.copy()
    stamps[100] += 0.001
    values = of(1, 0, 0)
    values[100] = 77
    rotation = moved.rotation(stream("gyroscope", stamps, values))
    assert rotation.values[:, 0] == pytest.approx(1)
