"""SensorLog (Bernd Thomas): the JSON that this iPhone app logs, one object of texts for each row.

Each sensor has columns of its own with the time of its sample in seconds since the phone was started; that clock is
the recording's. A row repeats what has not changed since the last, so that of rows with one time the first counts.
The JSON names no units, but the header of the same app's CSV files does: G, rad/s, µT, s and degrees.

Accelerations are Core Motion's, which point the way gravity pulls: at rest upright, y is -1. They are turned round, so
that the streams are as from any other phone (y +9.81 m/s2), and the sum of user acceleration and gravity stays the
total. The calibrated magnetic field counts only where the phone says that it is calibrated.

No file says which test was done: :func:`read` takes a free walk with the phone in a place that is not told, unless its
caller names something else. Over HTTP such a recording can be sent as ``konectom.session/1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from konectom.errors import (
    ColumnInvalid,
    ColumnMissing,
    FieldInvalid,
    FieldMissing,
    StreamError,
    TimeNotFinite,
    TooManySamples,
    pointer_token,
)
from konectom.formats._columns import LARGEST
from konectom.formats._limits import Limits
from konectom.formats._positions import metres
from konectom.formats._registry import Format
from konectom.formats._shared import named, number
from konectom.formats._streams import AXES, KINDS
from konectom.formats._units import unit_of
from konectom.recording import Defect, Device, FloatArray, Part, Recording, Session, Stream

ASSESSMENT, CONDITION = "walk", {"protocol": "free"}
LOGGED = "loggingTime"
_FURTHEST_S = 1e10


@dataclass(frozen=True, slots=True)
class Sensor:
    """Where a sensor's samples stand: the column of its times, the begin of those of its axes, unit and sense."""

    time: str
    prefix: str
    unit: str
    sense: int = 1
    accuracy: str = ""


MOTION = "motionTimestamp_sinceReboot"
SENSORS: Mapping[str, Sensor] = {
    "accelerometer": Sensor("accelerometerTimestamp_sinceReboot", "accelerometerAcceleration", "g", -1),
    "user_acceleration": Sensor(MOTION, "motionUserAcceleration", "g", -1),
    "gravity": Sensor(MOTION, "motionGravity", "g", -1),
    "gyroscope": Sensor(MOTION, "motionRotationRate", "rad/s"),
    "raw_gyroscope": Sensor("gyroTimestamp_sinceReboot", "gyroRotation", "rad/s"),
    "magnetometer": Sensor(MOTION, "motionMagneticField", "uT", accuracy="motionMagneticFieldCalibrationAccuracy"),
    "raw_magnetometer": Sensor("magnetometerTimestamp_sinceReboot", "magnetometer", "uT"),
}
PLACED = "locationTimestamp_since1970"
LATITUDE, LONGITUDE, ACCURACY = "locationLatitude", "locationLongitude", "locationHorizontalAccuracy"
UNIT_NAMES = {"G": "g", "rad/s": "rad/s", "µT": "uT", "μT": "uT"}


def recognises(document: Any) -> bool:
    """Tell whether the document is a list of logged rows."""
    return isinstance(document, list) and bool(document) and isinstance(document[0], dict) and LOGGED in document[0]


def read(
    document: Any, limits: Limits, assessment: str = ASSESSMENT, condition: Mapping[str, str] = CONDITION
) -> Session:
    """Return the session with the one recording of the file, as the test that was done."""
    _refuse_flood(document, limits)
    logged = document[0].get(LOGGED)
    try:
        started_at = datetime.strptime(logged, "%Y-%m-%d %H:%M:%S.%f %z")
    except (ValueError, TypeError):
        raise FieldInvalid(
            f"{named(logged)} is no time with its offset, such as 2020-05-05 09:11:29.596 +0200", at=f"/0/{LOGGED}"
        ) from None
    rows = _Rows(document)
    origin_s = rows.begin_s()
    streams: dict[str, Stream] = {}
    defects: list[Defect] = []
    for name in (*SENSORS, "gps"):
        try:
            found = rows.places(started_at.timestamp()) if name == "gps" else rows.sensor(name, origin_s)
        except StreamError as error:
            defects.append(Defect(name, error.code, error.detail, error.at or "/0"))
            continue
        if found is not None:
            streams[name] = found
    ends = [float(stream.t_s.max()) for name, stream in streams.items() if name != "gps"]
    duration_s = max(0.0, *ends) if ends else None
    device = Device(platform="ios", app="SensorLog")
    part = Part(condition, 0.0, duration_s, streams, defects=tuple(defects))
    recording = Recording(assessment, (part,), duration_s=duration_s, device=device)
    return Session(format="sensorlog", started_at=started_at, device=device, recordings=(recording,))


def _refuse_flood(document: list[Any], limits: Limits) -> None:
    count = 0
    for index, row in enumerate(document):
        if not isinstance(row, dict):
            raise FieldInvalid("a row is an object", at=f"/{index}")
        count += len(row)
    if count > limits.max_values:
        raise TooManySamples(f"the file holds {count} values; at most {limits.max_values} are accepted", at="/0")


class _Rows:
    """The rows of a file, and the keys of their columns by name: a key may have its unit behind it, in brackets."""

    def __init__(self, rows: list[Mapping[str, Any]]) -> None:
        self._rows = rows
        self._keys = {key.partition("(")[0]: key for key in sorted(set[str]().union(*rows))}

    def __contains__(self, name: str) -> bool:
        return name in self._keys

    def column(self, name: str) -> FloatArray:
        """Return a column as numbers, NaN where a row does not have it."""
        if name not in self:
            raise ColumnMissing(f"no row has {name}", at=f"/0/{pointer_token(name)}")
        key = self._keys[name]
        out = np.array([number(row.get(key)) for row in self._rows])
        for row in np.flatnonzero(~np.isfinite(out)).tolist():
            cell = self._rows[row].get(key)
            if cell is not None and cell != "":
                raise ColumnInvalid(f"{named(cell)} is no number", at=f"/{row}/{pointer_token(key)}")
        for row in np.flatnonzero(np.abs(out) > LARGEST).tolist():
            raise ColumnInvalid(f"{out[row]:g} is no measurement", at=f"/{row}/{pointer_token(key)}")
        return out

    def begin_s(self) -> float:
        """Return the earliest time of the first row that has one, in seconds since the phone's start."""
        keys = {self._keys[sensor.time] for sensor in SENSORS.values() if sensor.time in self}
        for row in self._rows:
            told = [stamp for stamp in (number(row.get(key)) for key in keys) if 0 <= stamp <= _FURTHEST_S]
            if told:
                return min(told)
        raise FieldMissing("no sensor was logged with its time", at=f"/0/{MOTION}")

    def sensor(self, name: str, origin_s: float) -> Stream | None:
        """Return a sensor's samples, None where it was not logged."""
        sensor = SENSORS[name]
        columns = {axis: f"{sensor.prefix}{axis.upper()}" for axis in AXES}
        if sensor.time not in self or not any(column in self for column in columns.values()):
            return None
        t_s, keep = self._times(sensor.time)
        if sensor.accuracy in self:
            keep &= self.column(sensor.accuracy) >= 0
        held, kept_as = {}, {}
        for axis, column in columns.items():
            values = self.column(column)[keep]
            unit = unit_of(
                self._unit(column) or sensor.unit, KINDS[name].dimension, f"/0/{pointer_token(self._keys[column])}"
            )
            held[axis], kept_as[axis] = values * (sensor.sense * unit.factor), unit.kept_as
        return Stream(name, t_s[keep] - origin_s, held, kept_as) if keep.any() else None

    def places(self, began_s: float) -> Stream | None:
        """Return where the phone was, None where that was not logged; ``began_s`` is the clock's 0 since 1970."""
        if PLACED not in self or LATITUDE not in self:
            return None
        t_s, keep = self._times(PLACED)
        x, y = metres(self.column(LATITUDE)[keep], self.column(LONGITUDE)[keep])
        held = {"x": x, "y": y}
        if ACCURACY in self:
            held["accuracy_m"] = self.column(ACCURACY)[keep]
        return Stream("gps", t_s[keep] - began_s, held, {"x": "m", "y": "m"})

    def _unit(self, column: str) -> str:
        told = self._keys[column].partition("(")[2].removesuffix(")")
        return UNIT_NAMES.get(told, told)

    def _times(self, name: str) -> tuple[FloatArray, Any]:
        """Return a column of times, and which rows (n booleans) hold a sample that no earlier row has."""
        t_s = self.column(name)
        known = np.isfinite(t_s)
        if (np.abs(t_s[known]) > _FURTHEST_S).any():
            raise TimeNotFinite("a time stamp is out of range", at=f"/0/{pointer_token(self._keys[name])}")
        rows = np.flatnonzero(known)
        keep = np.zeros(t_s.size, dtype=np.bool_)
        keep[rows[np.diff(t_s[rows], prepend=np.nan) != 0]] = True
        return t_s, keep


FORMAT = Format(
    name="sensorlog",
    title="SensorLog (iPhone), JSON",
    media_types=("application/vnd.sensorlog+json",),
    recognises=recognises,
    read=read,
)
