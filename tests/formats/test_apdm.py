"""The reader of APDM's HDF5 files: what it reads, and what it refuses."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest

from konectom import formats
from konectom.errors import (
    ColumnInvalid,
    FieldInvalid,
    FieldMissing,
    FormatUnknown,
    KonectomError,
    StreamMissing,
    TooManySamples,
    UnitMissing,
)
from konectom.formats.apdm import MAGIC, upwards
from konectom.recording import STANDARD_GRAVITY_MPS2, Recording

h5py = pytest.importorskip("h5py")

BEGIN_US = 1_600_000_000_250_000
QUARTER_TURN = np.array([[np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0]])  # about y: the sensor's x points down


def written(change: Any = None, rows: int = 5, label: bytes = b"Lumbar") -> bytes:
    """Return a small file; ``change`` is given the open file before it is closed."""
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        sensor = file.create_group("Sensors/17")
        sensor.create_group("Configuration").attrs.update({"Label 0": label, "Timezone Offset": b"-5.00"})
        sensor["Time"] = (BEGIN_US + 7812.5 * np.arange(rows)).astype(np.uint64)
        for name, unit in (("Accelerometer", b"m/s^2"), ("Gyroscope", b"rad/s")):
            sensor[name] = np.arange(3.0 * rows).reshape(rows, 3)
            sensor[name].attrs["Units"] = unit
        file["Processed/17/Orientation"] = np.repeat(QUARTER_TURN, rows, axis=0)
        if change is not None:
            change(file)
    return held.getvalue()


def read(body: bytes, **limits: int) -> Recording:
    (recording,) = formats.read(body, limits=formats.Limits(**limits)).recordings
    assert isinstance(recording, Recording)
    return recording


def test_the_sensor_on_the_lower_back_is_read_on_the_recordings_clock() -> None:
    session = formats.read(written())
    assert session.started_at.isoformat() == "2020-09-13T07:26:40.250000-05:00"
    (part,) = read(written()).parts
    assert part.condition == {"protocol": "2mwt", "placement": "belt"}
    np.testing.assert_allclose(part.streams["gyroscope"].t_s[:2], [0.25, 0.257812], atol=1e-6)
    np.testing.assert_array_equal(part.streams["accelerometer"].matrix()[1], [3, 4, 5])


def test_gravity_comes_from_the_orientation_and_is_taken_out_of_the_acceleration() -> None:
    (part,) = read(written()).parts
    gravity = part.streams["gravity"].matrix()
    np.testing.assert_allclose(gravity[0], [-STANDARD_GRAVITY_MPS2, 0, 0], atol=1e-9)
    total = part.streams["user_acceleration"].matrix() + gravity
    np.testing.assert_allclose(total, part.streams["accelerometer"].matrix())


def test_upwards_agrees_with_scipys_rotations() -> None:
    from scipy.spatial.transform import Rotation

    turned = Rotation.random(20, random_state=1)
    x, y, z, w = turned.as_quat().T
    np.testing.assert_allclose(upwards(np.column_stack([w, x, y, z])), turned.inv().apply([0, 0, 1]), atol=1e-12)


def test_without_orientation_the_total_acceleration_is_left() -> None:
    def without(file: Any) -> None:
        del file["Processed"]

    assert set(read(written(without)).parts[0].streams) == {"accelerometer", "gyroscope"}


def unlabelled_units(file: Any) -> None:
    del file["Sensors/17/Gyroscope"].attrs["Units"]


def no_gyroscope(file: Any) -> None:
    del file["Sensors/17/Gyroscope"]


def too_few_rows(file: Any) -> None:
    no_gyroscope(file)
    file["Sensors/17/Gyroscope"] = np.zeros((2, 3))


def flat(file: Any) -> None:
    no_gyroscope(file)
    file["Sensors/17/Gyroscope"] = np.zeros(5)


def one_number(file: Any) -> None:
    no_gyroscope(file)
    file["Sensors/17/Gyroscope"] = 7.5


def no_value(file: Any) -> None:
    no_gyroscope(file)
    file["Sensors/17/Gyroscope"] = h5py.Empty("f8")


def no_group_of_sensors(file: Any) -> None:
    del file["Sensors"]
    file["Sensors"] = 7


def unit_of_numbers(file: Any) -> None:
    file["Sensors/17/Gyroscope"].attrs["Units"] = [1, 2]


def linked_elsewhere(file: Any) -> None:
    no_gyroscope(file)
    file["Sensors/17/Gyroscope"] = h5py.ExternalLink("/tmp/other.h5", "/x")


def stored_elsewhere(file: Any) -> None:
    no_gyroscope(file)
    file["Sensors/17"].create_dataset("Gyroscope", (5, 3), "f8", external=[("/etc/hostname", 0, 120)])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (unlabelled_units, UnitMissing),
        (no_gyroscope, StreamMissing),
        (too_few_rows, ColumnInvalid),
        (flat, ColumnInvalid),
        (one_number, ColumnInvalid),
        (no_value, ColumnInvalid),
        (no_group_of_sensors, FieldMissing),
        (unit_of_numbers, UnitMissing),
        (linked_elsewhere, StreamMissing),
        (stored_elsewhere, ColumnInvalid),
    ],
)
def test_what_is_missing_or_lies_elsewhere_is_refused(change: Any, error: type[KonectomError]) -> None:
    with pytest.raises(error):
        formats.read(written(change))


def test_a_file_without_a_sensor_on_the_lower_back_or_without_samples_is_refused() -> None:
    with pytest.raises(FieldMissing, match="left foot"):
        formats.read(written(label=b"Left Foot"))
    with pytest.raises(FieldMissing, match="no samples"):
        formats.read(written(rows=0))


def test_more_values_than_accepted_are_refused_before_they_are_read() -> None:
    with pytest.raises(TooManySamples):
        read(written(), max_values=20)


@pytest.mark.parametrize("length", [8, 100, 2000])
def test_a_damaged_file_is_refused(length: int) -> None:
    with pytest.raises(KonectomError):
        formats.read(written()[:length])


def test_garbage_after_the_magic_is_refused() -> None:
    with pytest.raises(FieldInvalid):
        formats.read(MAGIC + b"\0" * 5000)


def test_without_h5py_the_answer_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(FormatUnknown, match="h5py"):
        formats.read(MAGIC + b"\0")


def test_links_within_the_file_are_not_followed_either() -> None:
    def soft(file: Any) -> None:
        no_gyroscope(file)
        file["Sensors/17/Gyroscope"] = h5py.SoftLink("/Sensors/17/Accelerometer")

    with pytest.raises(StreamMissing):
        formats.read(written(soft))
