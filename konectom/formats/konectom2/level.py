"""One level of a Konectom 2 file: its columns under the header's declarations, on the recording's clock."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import numpy as np

from konectom.errors import ColumnInvalid, ColumnMissing, DataError, StreamError, UnitInvalid
from konectom.formats._columns import Room, instants, measurable, numbers, packed, refuse_truths, same_length, texts
from konectom.formats._shared import named
from konectom.formats._streams import DOWN, KINDS, MOVE, UP
from konectom.formats._units import unit_of
from konectom.recording import Defect, FloatArray, Part, Stream

SENSORS = {
    "raw_accelerometer": "accelerometer",
    "calibrated_accelerometer": "user_acceleration",
    "gravity": "gravity",
    "calibrated_gyroscope": "gyroscope",
    "raw_gyroscope": "raw_gyroscope",
    "calibrated_magnetic_field": "magnetometer",
    "raw_magnetic_field": "raw_magnetometer",
}
"""Konectom's tables of sensors, and our names of the streams."""

UNIT_NAMES = {
    "G": "g",
    "RPS": "rad/s",
    "μT": "uT",
    "px": "px",
    "pixels": "px",
    "point (iOS) / dp (android)": "pt",
    "ms": "ms",
}
TOUCH_PHASES = {"start": DOWN, "move": MOVE, "end": UP}

Reader = Callable[["Level", str], Stream]

SECONDS_PER_DAY = 86_400

SHORT = 500
"""Columns of fewer values cost more for being read one by one than for being joined."""


class Level:
    """A level while it is being read. Pointers go into the document as it was sent."""

    def __init__(
        self, data: Mapping[str, Any], declared: Mapping[str, Any], clock_ms: float, at: str, room: Room
    ) -> None:
        raw, configured, computed = (data.get(key) for key in ("raw_data", "configuration", "mobile_computed_measures"))
        self.at = at
        self.name = data.get("name")
        self.fault: DataError | None = None
        self.computed: Mapping[str, Any] = computed if isinstance(computed, dict) else {}
        self.raw: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
        self.configuration: Mapping[str, Any] = configured if isinstance(configured, dict) else {}
        self._frame = data.get("effective_time_frame")
        self._declared = declared
        self._clock_ms = clock_ms
        self.room = room
        self._defects: list[Defect] = []
        self._rows: dict[str, int] = {}

    def place(self, table: str, column: str) -> str:
        """Return the JSON pointer of a column."""
        return f"{self.at}/raw_data/{table}/{column}"

    def column(self, table: str, name: str) -> list[Any]:
        """Return a column as it was sent, once it has as many values as most columns of its table."""
        held = self.raw.get(table)
        if not isinstance(held, dict) or name not in held:
            raise ColumnMissing(f"{table} has no column {name}", at=self.place(table, name))
        column = held[name]
        if not isinstance(column, list):
            raise ColumnInvalid(f"a column is a list, not {named(column)}", at=self.place(table, name))
        if table not in self._rows:
            lengths = Counter(len(each) for each in held.values() if isinstance(each, list))
            self._rows[table] = lengths.most_common(1)[0][0]
        if len(column) != self._rows[table]:
            same_length(name, len(column), self._rows[table], self.place(table, name))
        return column

    def has(self, table: str, column: str) -> bool:
        """Tell whether a table came with this column."""
        held = self.raw.get(table)
        return isinstance(held, dict) and column in held

    def unit(self, table: str, name: str) -> str | None:
        """Return the declared unit of a column by our name for it, or as it stands where we have none."""
        try:
            unit = self._declared[table]["columns"][name]["unit"]
        except (KeyError, TypeError):
            return None
        return UNIT_NAMES.get(unit, unit) if isinstance(unit, str) else None

    def numbers(self, table: str, name: str, *, truths: bool = False) -> FloatArray:
        """Return a column of numbers, NaN where null; with ``truths``, truth values are 1 and 0."""
        return numbers(self.column(table, name), self.place(table, name), digits=True, truths=truths)

    def several(self, table: str, names: tuple[str, ...]) -> list[FloatArray]:
        """Return columns of numbers; short ones all at once, since each time has its price."""
        held = [self.column(table, name) for name in names]
        if 0 < len(held[0]) < SHORT:
            joined = list(chain.from_iterable(held))
            try:
                values = packed(joined)
                refuse_truths(joined, values, self.at)
                return list(measurable(values, self.at).reshape(len(held), -1))
            except (struct.error, OverflowError, ColumnInvalid):
                pass  # not only numbers that can be: one by one, which tells where
        return [self.numbers(table, name) for name in names]

    def texts(self, table: str, name: str, allowed: tuple[str, ...] = ()) -> Any:
        """Return a column of texts."""
        return texts(self.column(table, name), self.place(table, name), allowed, self.room)

    def seconds(self, table: str, name: str, *, all_told: bool = True) -> FloatArray:
        """Return a column of time stamps on the recording's clock; with ``all_told``, none may be missing."""
        at = self.place(table, name)
        unit = self.unit(table, name)
        if unit != "ms":
            raise UnitInvalid(f"the unit of {table}.{name} is declared as {named(unit)}; expected 'ms'", at=at)
        reader = instants if all_told else numbers
        return (reader(self.column(table, name), at, digits=True) - self._clock_ms) / 1000.0

    def stream(self, table: str, name: str, t_s: FloatArray, columns: dict[str, Any], units: dict[str, str]) -> Stream:
        """Return the stream after checking that its columns have one length."""
        for column, values in columns.items():
            same_length(column, len(values), len(t_s), self.place(table, column))
        return Stream(name, t_s, columns, units)

    def take(self, name: str, table: str, reader: Reader) -> dict[str, Stream]:
        """Return what ``reader`` makes of a table, by name; nothing where the table did not come or is defective."""
        if table not in self.raw:
            return {}
        try:
            return {name: reader(self, table)}
        except StreamError as error:
            self._defects.append(Defect(name, error.code, error.detail, error.at or self.at))
            return {}

    def noting(self, name: str, reader: Callable[[Level], Stream | None]) -> Stream | None:
        """Return what ``reader`` makes of the level; None, and a defect noted under ``name``, where that fails."""
        try:
            return reader(self)
        except StreamError as error:
            self._defects.append(Defect(name, error.code, error.detail, error.at or self.at))
            return None

    @property
    def clock_utc_s(self) -> float:
        """The time of day (UTC) at which the recording's clock starts, in seconds."""
        return self._clock_ms / 1000.0 % SECONDS_PER_DAY

    def on_clock(self, stamp_ms: float) -> float:
        """Return an epoch time stamp as seconds on the recording's clock."""
        return (stamp_ms - self._clock_ms) / 1000.0

    @property
    def start_s(self) -> float:
        """When the level began, on the recording's clock; 0 where that is not told."""
        begin_ms = self._edge_ms("begin")
        return 0.0 if begin_ms is None else self.on_clock(begin_ms)

    def _edge_ms(self, edge: str) -> float | None:
        frame = self._frame if isinstance(self._frame, dict) else {}
        return epoch_ms(frame.get(f"{edge}_timestamp"))

    def sensors(self) -> dict[str, Stream]:
        """Return every sensor's stream."""
        streams: dict[str, Stream] = {}
        for table, name in SENSORS.items():
            streams |= self.take(name, table, read_sensor)
        return streams

    def part(self, condition: dict[str, str], streams: dict[str, Stream], events: dict[str, Stream]) -> Part:
        """Return the level as a part, with the defects that were noted."""
        begin_ms, end_ms = self._edge_ms("begin"), self._edge_ms("end")
        told = begin_ms is not None and end_ms is not None and end_ms >= begin_ms
        duration_s = (end_ms - begin_ms) / 1000.0 if told else None  # type: ignore[operator]
        return Part(condition, self.start_s, duration_s, streams, events, defects=tuple(self._defects))


def epoch_ms(value: Any) -> float | None:
    """Return an epoch time stamp, or None where it is missing; the app sends 0 for an edge that it never saw."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e14:
        return None
    return float(value)


def read_sensor(level: Level, table: str) -> Stream:
    """Read a three-axis sensor in its declared unit."""
    name = SENSORS[table]
    kind = KINDS[name]
    columns: dict[str, Any] = {}
    kept_as: dict[str, str] = {}
    units = [unit_of(level.unit(table, axis), kind.dimension, level.place(table, axis)) for axis in kind.columns]
    for axis, unit, values in zip(kind.columns, units, level.several(table, kind.columns), strict=True):
        columns[axis] = values * unit.factor if unit.factor != 1 else values
        kept_as[axis] = unit.kept_as
    return level.stream(table, name, level.seconds(table, "timestamp"), columns, kept_as)


def read_touches(level: Level, table: str) -> Stream:
    """Read the touches: positions in their declared unit, phases under our names."""
    columns: dict[str, Any] = {}
    kept_as: dict[str, str] = {}
    for axis in KINDS["touch"].columns:
        kept_as[axis] = unit_of(level.unit(table, axis), KINDS["touch"].dimension, level.place(table, axis)).kept_as
        columns[axis] = level.numbers(table, axis)
    columns["phase"] = _renamed(level.texts(table, "action", tuple(TOUCH_PHASES)), TOUCH_PHASES)
    for theirs, ours in (("touch_path_id", "finger"), ("pressure", "pressure")):
        if level.has(table, theirs):
            values = level.numbers(table, theirs)
            if not len(values) or np.isfinite(values).any():  # a phone that senses no pressure sends null throughout
                columns[ours] = values
    return level.stream(table, "touch", level.seconds(table, "timestamp"), columns, kept_as)


def read_instructions(level: Level, table: str) -> Stream:
    """Read when which spoken instruction began."""
    time = "start_timestamp" if level.has(table, "start_timestamp") else "begin_timestamp"
    names = level.texts(table, "file_name")
    return level.stream(table, "instruction", level.seconds(table, time), {"name": names}, {})


def _renamed(words: Any, names: Mapping[str, str]) -> Any:
    if not len(words):
        return words
    unique, inverse = np.unique(words, return_inverse=True)
    return np.array([names[word] for word in unique], dtype=np.str_)[inverse]


def keys_of(rows: Any, count: int, at: str) -> FloatArray:
    """Return the symbol-digit keys in force, shape (count, 9): the symbols in the order of their digits."""
    if not isinstance(rows, list):
        raise ColumnInvalid("the key is a list of nine symbols for each symbol shown", at=at)
    same_length("reference_table", len(rows), count, at)
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != 9:
            raise ColumnInvalid("a key is a list of nine symbols", at=f"{at}/{index}")
    return numbers([digit for row in rows for digit in row], at, digits=True).reshape(-1, 9)
