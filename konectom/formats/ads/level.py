"""One level of a Konectom 1 file: its tables, turned from rows to columns, on the recording's clock."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import orjson

from konectom.errors import ColumnInvalid, ColumnMissing, DataError, StreamError, TimeNotFinite, UnitInvalid
from konectom.formats._columns import measurable, packed, refuse_truths
from konectom.formats._shared import named, number, word
from konectom.formats._streams import DOWN, KINDS, MOVE, UP
from konectom.formats._units import unit_of
from konectom.recording import Defect, FloatArray, Part, Stream

UNIT_NAMES = {"G": "g", "rad/s": "rad/s", "point": "pt", "points": "pt", "ms": "ms"}
TOUCH_PHASES = {"down": DOWN, "move": MOVE, "up": UP}
TRUTH = {"true": 1.0, "false": 0.0}
SECONDS_PER_DAY = 86_400

Reader = Callable[["Table"], Stream]


class Table:
    """A sensor's measurements as columns of texts, as they were sent, with the unit of each.

    Every row names its values; rows that name others than the first, or in another order, are found by their names.
    """

    def __init__(self, sensor: Mapping[str, Any], clock_ms: float, at: str) -> None:
        self.at = at
        self._clock_ms = clock_ms
        self._numbers: dict[str, FloatArray] = {}
        rows = sensor.get("measurements")
        if not isinstance(rows, list):
            raise ColumnInvalid("measurements is a list", at=f"{at}/measurements")
        self.rows = len(rows)
        try:
            self.units = {cell["name"]: cell.get("unit") for cell in rows[0]["values"]} if rows else {}
            self.columns = _columns(rows, tuple(self.units))
        except (KeyError, TypeError, AttributeError) as error:
            raise ColumnInvalid(
                f"a measurement is a list of values with name and value: {str(error)[:80]}", at=at
            ) from None

    def __contains__(self, column: str) -> bool:
        return column in self.units

    def words(self, name: str) -> list[str]:
        """Return a column as texts."""
        held = self._held(name)
        if set(map(type, held)) - {str}:
            wrong = next(value for value in held if not isinstance(value, str))
            raise ColumnInvalid(f"{named(wrong)} stands where a text is due", at=f"{self.at}/{name}")
        return held

    def renamed(self, name: str, allowed: Mapping[str, str]) -> Any:
        """Return a column of texts under the words that ``allowed`` gives them."""
        held = self.words(name)
        unknown = set(held) - set(allowed)
        if unknown:
            raise ColumnInvalid(f"{named(unknown.pop())} is none of: {', '.join(allowed)}", at=f"{self.at}/{name}")
        return np.array([allowed[value] for value in held], dtype=np.str_) if held else np.empty(0, dtype=np.str_)

    def numbers(self, name: str) -> FloatArray:
        """Return a column as numbers; a value that was not sent is NaN."""
        if name not in self._numbers:
            self._numbers[name] = measurable(_numbers(self._held(name), at := f"{self.at}/{name}"), at)
        return self._numbers[name]

    def truths(self, name: str) -> FloatArray:
        """Return a column of truth values as 1 and 0; one that was not sent is NaN."""
        held = self._held(name)
        if set(map(type, held)) == {str}:
            known = {word: truth(word) for word in set(held)}
            return np.array(list(map(known.__getitem__, held)), dtype=np.float64)
        return np.array([truth(value) for value in held], dtype=np.float64)

    def seconds(self, name: str, unit: str = "ms") -> FloatArray:
        """Return a column of time stamps on the recording's clock; ``unit`` is the one as which they are declared."""
        if name in self.units and self.units[name] != unit:
            raise UnitInvalid(
                f"the unit of {name} is {named(self.units[name])}; expected {unit!r}", at=f"{self.at}/{name}"
            )
        stamps = self.numbers(name)
        if not np.isfinite(stamps).all():
            raise TimeNotFinite("a time stamp is missing", at=f"{self.at}/{name}")
        return (stamps - self._clock_ms) / 1000.0

    def measured(self, name: str, dimension: str) -> tuple[FloatArray, str]:
        """Return a column in the unit in which it is kept, and that unit."""
        declared = self.units.get(name)
        known = UNIT_NAMES.get(declared, declared) if isinstance(declared, str) else declared
        unit = unit_of(known, dimension, f"{self.at}/{name}")
        values = self.numbers(name)
        return (values * unit.factor if unit.factor != 1 else values), unit.kept_as

    def _held(self, name: str) -> list[Any]:
        if name not in self.units:
            if self.rows:
                raise ColumnMissing(f"there is no column {name}", at=f"{self.at}/{name}")
            return []
        return self.columns[name]


class Level:
    """A level while it is being read. Pointers go into the document as it was sent."""

    def __init__(self, data: Mapping[str, Any], clock_ms: float, at: str, app: str | None = None) -> None:
        self.at = at
        self.app = app
        self._clock_ms = clock_ms
        self._data = data
        self.fault: DataError | None = None
        self._defects: list[Defect] = []
        self._tables: dict[str, Table] = {}
        sensors = data.get("sensors")
        self._sensors = {
            sensor["name"]: (sensor, f"{at}/sensors/{index}")
            for index, sensor in enumerate(sensors if isinstance(sensors, list) else ())
            if isinstance(sensor, dict) and isinstance(sensor.get("name"), str)
        }
        contexts = data.get("contexts")
        self.context: dict[str, Any] = {
            context["name"]: context.get("value")
            for context in (contexts if isinstance(contexts, list) else ())
            if isinstance(context, dict) and isinstance(context.get("name"), str)
        }

    @property
    def clock_utc_s(self) -> float:
        """The time of day (UTC) at which the recording's clock starts, in seconds."""
        return self._clock_ms / 1000.0 % SECONDS_PER_DAY

    def is_true(self, name: str) -> bool:
        """Tell whether a context is told and true."""
        return truth(self.context.get(name)) == 1

    def told(self, name: str) -> str:
        """Return what a context tells as a text, "" where it tells nothing."""
        return word(self.context.get(name)) or ""

    @property
    def start_s(self) -> float:
        """When the level began on the recording's clock; 0 where it does not tell."""
        begin_ms = epoch_ms(self._data.get("beginTimestamp"))
        return 0.0 if begin_ms is None else (begin_ms - self._clock_ms) / 1000.0

    @property
    def end_s(self) -> float:
        """When the level ended on the recording's clock; NaN where it does not tell."""
        end_ms = epoch_ms(self._data.get("endTimestamp"))
        return float("nan") if end_ms is None else (end_ms - self._clock_ms) / 1000.0

    def rows(self, sensor: str) -> list[Any]:
        """Return a sensor's measurements as they were sent."""
        held = self._sensors.get(sensor, ({}, ""))[0].get("measurements")
        return held if isinstance(held, list) else []

    def number(self, name: str) -> float:
        """Return what a context tells as a number, NaN where it does not."""
        return number(self.context.get(name))

    def take(self, name: str, sensor: str, reader: Reader) -> dict[str, Stream]:
        """Return what ``reader`` makes of a sensor, by name; nothing where it did not come, is empty or defective."""
        if sensor not in self._sensors:
            return {}
        data, at = self._sensors[sensor]
        if data.get("measurements") == []:
            return {}
        try:
            if sensor not in self._tables:  # of one sensor several streams can be read
                self._tables[sensor] = Table(data, self._clock_ms, at)
            return {name: reader(self._tables[sensor])}
        except StreamError as error:
            self._defects.append(Defect(name, error.code, error.detail, error.at or at))
            return {}

    def tables(self, name: str, sensor: str) -> list[Table]:
        """Return each table of a sensor that can come more than once; what is defective is noted under ``name``."""
        sensors = self._data.get("sensors")
        found: list[Table] = []
        for index, data in enumerate(sensors if isinstance(sensors, list) else ()):
            if isinstance(data, dict) and data.get("name") == sensor:
                at = f"{self.at}/sensors/{index}"
                try:
                    found.append(Table(data, self._clock_ms, at))
                except StreamError as error:
                    self.note(name, error)
        return found

    def note(self, name: str, error: StreamError) -> None:
        """Note that the stream or event ``name`` could not be read."""
        self._defects.append(Defect(name, error.code, error.detail, error.at or self.at))

    def sensors(self) -> dict[str, Stream]:
        """Return the motion sensors: the acceleration in its two shares, and the turning rate."""
        return (
            self.take("user_acceleration", "accelerometer", _three_axes("user_acceleration", "userAcceleration{}"))
            | self.take("gravity", "accelerometer", _three_axes("gravity", "gravity{}"))
            | self.take("gyroscope", "gyroscope", _three_axes("gyroscope", "{}", str.lower))
        )

    def part(self, condition: dict[str, str], streams: dict[str, Stream], events: dict[str, Stream]) -> Part:
        """Return the level as a part, with the defects that were noted."""
        begin_ms, end_ms = (epoch_ms(self._data.get(f"{edge}Timestamp")) for edge in ("begin", "end"))
        start_s = 0.0 if begin_ms is None else (begin_ms - self._clock_ms) / 1000.0
        duration_s = None if begin_ms is None or end_ms is None or end_ms < begin_ms else (end_ms - begin_ms) / 1000.0
        return Part(condition, start_s, duration_s, streams, events, defects=tuple(self._defects))


def joined(levels: Sequence[Level]) -> Level:
    """Return several levels, one after the other, as one without a context: read so, they cost a fraction."""
    first, last = levels[0], levels[-1]
    names = dict.fromkeys(name for level in levels for name in level._sensors)
    sensors = [{"name": name, "measurements": [row for level in levels for row in level.rows(name)]} for name in names]
    data = {
        "sensors": sensors,
        "beginTimestamp": first._data.get("beginTimestamp"),
        "endTimestamp": last._data.get("endTimestamp"),
    }
    return Level(data, first._clock_ms, first.at.rsplit("/", 1)[0], first.app)


def truth(value: Any) -> float:
    """Return a truth value, or a text of one, as 1 or 0; NaN for whatever else stands there."""
    if isinstance(value, bool):
        return float(value)
    return TRUTH.get(value.lower(), float("nan")) if isinstance(value, str) else float("nan")


def epoch_ms(value: Any) -> float | None:
    """Return an epoch time stamp, or None where it is missing or none."""
    stamp = number(value)
    return stamp if 0 < stamp < 1e14 else None


def read_touches(table: Table) -> Stream:
    """Read the touches on the screen."""
    columns: dict[str, Any] = {}
    kept_as: dict[str, str] = {}
    for axis in ("x", "y"):
        columns[axis], kept_as[axis] = table.measured(f"{axis}Position", KINDS["touch"].dimension)
    columns["phase"] = table.renamed("touchAction", TOUCH_PHASES)
    if "touchPathId" in table:
        columns["finger"] = table.numbers("touchPathId")
    if "pressure" in table:
        columns["pressure"] = table.numbers("pressure")
    return Stream("touch", table.seconds("tsTouch"), columns, kept_as)


def _three_axes(name: str, pattern: str, case: Callable[[str], str] = str.upper) -> Reader:
    def read(table: Table) -> Stream:
        columns: dict[str, Any] = {}
        kept_as: dict[str, str] = {}
        for axis in ("x", "y", "z"):
            columns[axis], kept_as[axis] = table.measured(pattern.format(case(axis)), KINDS[name].dimension)
        return Stream(name, table.seconds("ts"), columns, kept_as)

    return read


def _columns(rows: list[Any], names: tuple[str, ...]) -> dict[str, list[Any]]:
    """Turn rows into columns: by position where each row names the same values in the same order, else by name."""
    values_of = list(map(itemgetter("values"), rows))
    cells = list(chain.from_iterable(values_of))
    values, width = list(map(itemgetter("value"), cells)), len(names)
    if len(values) == width * len(rows) and list(map(itemgetter("name"), cells)) == list(names) * len(rows):
        return {name: values[index::width] for index, name in enumerate(names)}
    by_name = [{cell["name"]: cell["value"] for cell in row} for row in values_of]
    return {name: [row.get(name) for row in by_name] for name in names}


def _numbers(values: list[Any], at: str) -> FloatArray:
    """Return texts of numbers as numbers: the JSON parser reads a joined list several times as fast as ``float``."""
    try:
        parsed = orjson.loads(f"[{','.join(values)}]")
        if len(parsed) == len(values):
            out = packed(parsed) if parsed else np.empty(0)
            refuse_truths(parsed, out, at)
            return out
    except (TypeError, OverflowError, struct.error, orjson.JSONDecodeError):
        pass  # a value that is missing, no text, or spelled otherwise
    return np.array([_number(value, at) for value in values], dtype=np.float64)


def _number(value: Any, at: str) -> float:
    if value in (None, "", "null"):
        return float("nan")
    try:
        if not isinstance(value, bool | list | dict):
            return float(value)
    except ValueError:
        pass
    raise ColumnInvalid(f"{named(value)} stands where a number is due", at=at)
