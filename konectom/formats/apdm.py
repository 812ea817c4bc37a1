"""APDM Opal: the HDF5 file of a set of body-worn sensors, of which the one on the lower back is read.

Each sensor has a label (where it was worn), its samples with their units, microseconds since 1970 (UTC), and its
orientation as a quaternion, from which follows where gravity pulls. The file does not say which test was done; it is
taken as the two-minute walk, for which these sensors are used. Needs h5py (the extra ``apdm``).

Source: real files of version 5, which describe themselves. What is read is bounded before it is read; links to other
files are not followed.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np

from konectom.errors import (
    ColumnInvalid,
    FieldInvalid,
    FieldMissing,
    FormatUnknown,
    StreamMissing,
    TimeNotFinite,
    TooManySamples,
)
from konectom.formats._columns import measurable
from konectom.formats._limits import Limits
from konectom.formats._registry import Format
from konectom.formats._streams import AXES
from konectom.formats._units import unit_of
from konectom.recording import STANDARD_GRAVITY_MPS2, Device, FloatArray, Part, Recording, Session, Stream

MAGIC = b"\x89HDF\r\n\x1a\n"
LOWER_BACK = "Lumbar"
CONDITION = {"protocol": "2mwt", "placement": "belt"}
UNIT_NAMES = {"m/s^2": "m/s2"}
_FURTHEST_US = 1e17


def read(body: bytes, limits: Limits) -> Session:
    """Return the session with the one recording of the file."""
    try:
        import h5py
    except ImportError:
        raise FormatUnknown("this is an HDF5 file; konectom reads them once h5py is installed (extra: apdm)") from None
    try:
        with h5py.File(io.BytesIO(body), "r") as file:
            return _session(_File(file, limits))
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        # h5py tells of places beyond all files as overflow, and of types that NumPy lacks as a wrong type.
        raise FieldInvalid(f"the HDF5 file is damaged: {str(error)[:200]}") from None


class _File:
    """An HDF5 file that is read with care: bounded, and without leaving it."""

    def __init__(self, file: Any, limits: Limits) -> None:
        self._file = file
        self._left = limits.max_values

    def find(self, path: str) -> Any:
        """Return a group or data set, or None; whatever is a link to elsewhere counts as missing."""
        import h5py

        held: Any = self._file
        for name in path.strip("/").split("/"):
            if not isinstance(held, h5py.Group) or not isinstance(held.get(name, getlink=True), h5py.HardLink):
                return None
            held = held[name]
        return held

    def table(self, path: str, columns: int) -> FloatArray:
        """Return a data set of numbers, shape (n, columns)."""
        import h5py

        held = self.find(path)
        if not isinstance(held, h5py.Dataset):
            raise StreamMissing(f"the file has no {path}", at=path)
        shape: tuple[int, ...] = held.shape or ()  # None where it was declared without a value
        wide = 1 if len(shape) == 1 else shape[-1] if len(shape) == 2 else 0
        if wide != columns or held.dtype.kind not in "fiu":
            raise ColumnInvalid(f"{columns} columns of numbers are due", at=path)
        if held.external or held.is_virtual:
            raise ColumnInvalid("the samples lie in another file", at=path)
        self._left -= held.size
        if self._left < 0:
            raise TooManySamples("the file holds more values than are accepted", at=path)
        return measurable(np.asarray(held[()], dtype=np.float64).reshape(-1), path).reshape(-1, columns)

    def text(self, path: str, name: str) -> str:
        """Return an attribute as text, "" where it is missing."""
        held = self.find(path)
        value = None if held is None else held.attrs.get(name)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return value if isinstance(value, str) else ""


def _session(file: _File) -> Session:
    number = _sensor(file)
    at, configured = f"/Sensors/{number}", f"/Sensors/{number}/Configuration"
    stamps_us = file.table(f"{at}/Time", 1)[:, 0]
    if not stamps_us.size:
        raise FieldMissing("the file has no samples", at=f"{at}/Time")
    if not np.isfinite(stamps_us).all() or stamps_us.min() < 0 or stamps_us.max() > _FURTHEST_US:
        raise TimeNotFinite("a time stamp is missing or out of range", at=f"{at}/Time")
    clock_us = stamps_us[0] // 1e6 * 1e6  # a whole second, as the grids of resampling stand on (see konectom2)
    t_s = (stamps_us - clock_us) / 1e6
    streams = _streams(file, number, t_s)
    duration_s = float(t_s.max() - t_s.min())
    device = Device("apdm", "Opal", None, file.text(configured, "Firmware Version") or None)
    part = Part(CONDITION, float(t_s.min()), duration_s, streams)
    walked = Recording("walk", (part,), duration_s=duration_s, device=device)
    return Session(
        format="apdm",
        started_at=_started_at(float(stamps_us.min()), file.text(configured, "Timezone Offset")),
        device=device,
        recordings=(walked,),
    )


def _sensor(file: _File) -> str:
    """Return the number of the sensor on the lower back."""
    import h5py

    sensors = file.find("/Sensors")
    labels = {}
    for number in sensors if isinstance(sensors, h5py.Group) else ():
        labels[file.text(f"/Sensors/{number}/Configuration", "Label 0").strip().lower()] = str(number)
    if LOWER_BACK.lower() not in labels:
        raise FieldMissing(f"no sensor is labelled {LOWER_BACK}; there are: {', '.join(labels)[:200]}", at="/Sensors")
    return labels[LOWER_BACK.lower()]


def _streams(file: _File, number: str, t_s: FloatArray) -> dict[str, Stream]:
    at = f"/Sensors/{number}"
    total = _samples(file, f"{at}/Accelerometer", "acceleration", len(t_s))
    streams = {
        "accelerometer": _stream("accelerometer", t_s, total, "m/s2"),
        "gyroscope": _stream(
            "gyroscope", t_s, _samples(file, f"{at}/Gyroscope", "angular velocity", len(t_s)), "rad/s"
        ),
    }
    oriented = f"/Processed/{number}/Orientation"
    if file.find(oriented) is not None:
        gravity = STANDARD_GRAVITY_MPS2 * upwards(file.table(oriented, 4))
        if len(gravity) != len(t_s):
            raise ColumnInvalid(f"{len(gravity)} orientations for {len(t_s)} time stamps", at=oriented)
        streams["gravity"] = _stream("gravity", t_s, gravity, "m/s2")
        streams["user_acceleration"] = _stream("user_acceleration", t_s, total - gravity, "m/s2")
    return streams


def _samples(file: _File, path: str, dimension: str, rows: int) -> FloatArray:
    values = file.table(path, 3)
    if len(values) != rows:
        raise ColumnInvalid(f"{len(values)} samples for {rows} time stamps", at=path)
    told = file.text(path, "Units")
    return values * unit_of(UNIT_NAMES.get(told, told), dimension, path).factor


def upwards(orientation: FloatArray) -> FloatArray:
    """Return the earth's z axis in the sensor's (n, 3), from the unit quaternions w, x, y, z (n, 4) that turn to it."""
    w, x, y, z = orientation.T
    return np.column_stack([2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z])


def _stream(name: str, t_s: FloatArray, values: FloatArray, unit: str) -> Stream:
    columns = {axis: np.ascontiguousarray(values[:, i]) for i, axis in enumerate(AXES)}
    return Stream(name, t_s, columns, dict.fromkeys(AXES, unit))


def _started_at(begin_us: float, offset_h: str) -> datetime:
    begin = datetime.fromtimestamp(begin_us / 1e6, UTC)
    try:
        return begin.astimezone(timezone(timedelta(hours=float(offset_h))))
    except (ValueError, OverflowError):
        return begin


def _recognises(body: Any) -> bool:
    return isinstance(body, bytes) and body.startswith(MAGIC)


FORMAT = Format(
    name="apdm",
    title="APDM Opal (HDF5), the sensor on the lower back",
    media_types=("application/x-hdf5", "application/x-hdf"),
    recognises=_recognises,
    read=read,
    magic=(MAGIC,),
)
