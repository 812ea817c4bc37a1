"""The reader of SensorLog's JSON: units, sense and clock of each sensor, and what is wrong in a file."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import orjson
import pytest

from konectom import formats
from konectom.errors import FieldInvalid, FieldMissing, TooManySamples
from konectom.formats import sensorlog
from konectom.recording import STANDARD_GRAVITY_MPS2, Part, Recording
from tests.shared import KONECTOM, needs_shared

EXAMPLE = KONECTOM / "sensorlog" / "example.json"


def row(number: int) -> dict[str, str]:
    """Return a row of an upright phone that turns about z at 0.1 rad/s."""
    return {
        "loggingTime": f"2020-05-05 09:11:29.{500 + 20 * number} +0200",
        "accelerometerTimestamp_sinceReboot": f"{29395.25 + 0.02 * number:.6f}",
        "accelerometerAccelerationX": "0.000000",
        "accelerometerAccelerationY": "-1.000000",
        "accelerometerAccelerationZ": "0.000000",
        "motionTimestamp_sinceReboot": f"{29395.26 + 0.02 * number:.6f}",
        "motionRotationRateX": "0.0",
        "motionRotationRateY": "0.0",
        "motionRotationRateZ": "0.1",
        "motionMagneticFieldX": "20.0",
        "motionMagneticFieldY": "-30.0",
        "motionMagneticFieldZ": "-40.0",
        "motionMagneticFieldCalibrationAccuracy": "-1.0" if number == 0 else "2.0",
        "locationTimestamp_since1970": "1588662689.0",
        "locationLatitude": "47.370604",
        "locationLongitude": "8.514001",
        "locationHorizontalAccuracy": "16.0",
        "activity": "unknown",
    }


FILE = [row(number) for number in range(4)]


def part(document: Any) -> Part:
    (recording,) = formats.read(orjson.dumps(document)).recordings
    assert isinstance(recording, Recording)
    return recording.parts[0]


def changed(index: int, **columns: Any) -> list[dict[str, Any]]:
    document: list[dict[str, Any]] = copy.deepcopy(FILE)
    document[index] |= columns
    return document


def test_at_rest_upright_y_is_as_on_any_phone() -> None:
    accelerometer = part(FILE).streams["accelerometer"]
    np.testing.assert_allclose(accelerometer.matrix()[0], [0, STANDARD_GRAVITY_MPS2, 0], atol=1e-12)
    assert accelerometer.units["y"] == "m/s2"


def test_each_sensor_has_its_own_times_on_one_clock() -> None:
    session = formats.read(orjson.dumps(FILE))
    assert session.started_at.isoformat() == "2020-05-05T09:11:29.500000+02:00"
    streams = part(FILE).streams
    np.testing.assert_allclose(streams["accelerometer"].t_s, [0, 0.02, 0.04, 0.06], atol=1e-9)
    np.testing.assert_allclose(streams["gyroscope"].t_s, [0.01, 0.03, 0.05, 0.07], atol=1e-9)
    np.testing.assert_allclose(streams["gyroscope"]["z"], 0.1)
    assert part(FILE).duration_s == pytest.approx(0.07)


def test_a_sample_that_a_row_repeats_counts_once() -> None:
    document = copy.deepcopy(FILE)
    for name in list(document[2]):
        if name.startswith("accelerometer"):
            document[2][name] = document[1][name]
    np.testing.assert_allclose(part(document).streams["accelerometer"].t_s, [0, 0.02, 0.06], atol=1e-9)
    assert len(part(document).streams["gps"]) == 1


def test_the_place_is_where_the_phone_was_and_when() -> None:
    gps = part(FILE).streams["gps"]
    # 09:11:29.5 at +02:00 is 1588662689.5 seconds after 1970.
    np.testing.assert_allclose([gps.t_s[0], gps["x"][0], gps["accuracy_m"][0]], [-0.5, 0.0, 16.0])


def test_an_uncalibrated_magnetic_field_does_not_count() -> None:
    field = part(FILE).streams["magnetometer"]
    np.testing.assert_allclose(field.matrix()[0], [20e-6, -30e-6, -40e-6])
    assert len(field) == 3
    document = [each | {"motionMagneticFieldCalibrationAccuracy": "-1"} for each in FILE]
    assert "magnetometer" not in part(document).streams


def test_a_sensor_that_starts_later_is_read_from_then_on() -> None:
    document = copy.deepcopy(FILE)
    for name in [name for name in document[0] if name.startswith("accelerometer")]:
        del document[0][name]
    assert len(part(document).streams["accelerometer"]) == 3


def test_a_unit_behind_the_name_is_honoured_and_another_refused() -> None:
    def renamed(unit: str) -> Part:
        names = [f"accelerometerAcceleration{axis}" for axis in "XYZ"]
        return part(
            [{f"{key}({unit})" if key in names else key: value for key, value in each.items()} for each in FILE]
        )

    np.testing.assert_allclose(renamed("G").streams["accelerometer"]["y"], STANDARD_GRAVITY_MPS2)
    np.testing.assert_allclose(renamed("m/s2").streams["accelerometer"]["y"], 1.0)
    refused = renamed("rad/s")
    assert "accelerometer" not in refused.streams
    assert refused.defects[0].code == "unit_invalid"


@pytest.mark.parametrize(
    ("columns", "stream", "code", "at"),
    [
        ({"accelerometerAccelerationY": "up"}, "accelerometer", "column_invalid", "/2/accelerometerAccelerationY"),
        ({"accelerometerAccelerationY": ["1"]}, "accelerometer", "column_invalid", "/2/accelerometerAccelerationY"),
        ({"motionRotationRateX": "inf"}, "gyroscope", "column_invalid", "/2/motionRotationRateX"),
        ({"motionRotationRateX": "-1e300"}, "gyroscope", "column_invalid", "/2/motionRotationRateX"),
        ({"locationLatitude": "north"}, "gps", "column_invalid", "/2/locationLatitude"),
        (
            {"accelerometerTimestamp_sinceReboot": "1e15"},
            "accelerometer",
            "time_not_finite",
            "/0/accelerometerTimestamp_sinceReboot",
        ),
    ],
)
def test_a_sensor_that_cannot_be_read_is_noted_and_the_others_stand(
    columns: dict[str, Any], stream: str, code: str, at: str
) -> None:
    held = part(changed(2, **columns))
    (defect,) = held.defects
    assert (defect.stream, defect.code, defect.at) == (stream, code, at)
    assert stream not in held.streams
    assert len(held.streams) >= 2


def test_without_one_axis_a_sensor_is_refused() -> None:
    document = [{key: value for key, value in each.items() if key != "motionRotationRateY"} for each in FILE]
    (defect,) = part(document).defects
    assert (defect.stream, defect.code) == ("gyroscope", "column_missing")


def test_it_is_a_free_walk_unless_the_caller_names_another_test() -> None:
    (recording,) = formats.read(orjson.dumps(FILE)).recordings
    assert isinstance(recording, Recording)
    assert (recording.assessment, recording.parts[0].condition) == ("walk", {"protocol": "free"})
    (other,) = sensorlog.read(FILE, formats.Limits(), "balance", {"placement": "belt"}).recordings
    assert isinstance(other, Recording)
    assert (other.assessment, other.parts[0].condition) == ("balance", {"placement": "belt"})


@pytest.mark.parametrize("logged", ["2020-05-05 09:11:29.596", "soon", None, 7, ["x"], ""])
def test_without_a_time_and_its_offset_it_is_refused(logged: Any) -> None:
    with pytest.raises(FieldInvalid) as refused:
        part(changed(0, loggingTime=logged))
    assert refused.value.at == "/0/loggingTime"


def test_rows_that_are_none_no_sensor_and_too_much_are_refused() -> None:
    with pytest.raises(FieldInvalid, match="a row"):
        part([*FILE, 7])
    with pytest.raises(FieldMissing, match="no sensor"):
        part([{"loggingTime": FILE[0]["loggingTime"]}])
    with pytest.raises(TooManySamples):
        formats.read(orjson.dumps(FILE), limits=formats.Limits(max_values=20))


@needs_shared
def test_the_real_file() -> None:
    held = part(orjson.loads(EXAMPLE.read_bytes()))
    assert not held.defects
    total = held.streams["accelerometer"].matrix()
    # The phone lies tilted on its back, so that up is along y and z; its motion is small.
    np.testing.assert_allclose(np.linalg.norm(total, axis=1), STANDARD_GRAVITY_MPS2, rtol=0.1)
    assert (total[:, 1:] > 0).all()
    gravity, user = held.streams["gravity"].matrix(), held.streams["user_acceleration"].matrix()
    np.testing.assert_allclose(np.linalg.norm(gravity, axis=1), STANDARD_GRAVITY_MPS2, rtol=1e-5)
    # The first sample of the accelerometer is that of the motion one row later, to 20 ms and the sensors' noise.
    np.testing.assert_allclose((gravity + user)[0], [-0.018, 5.391, 8.748], atol=0.01)
    np.testing.assert_allclose(held.streams["gyroscope"].t_s, [0, 0.019831, 0.039663], atol=1e-5)
