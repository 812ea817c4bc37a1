"""Digital Artefacts: the JSON of its finger tapping test, one table of taps for each hand.

``domhand`` and ``nondomhand`` hold the columns, each an object from row label to value, as pandas writes them; a
column that is the same in every row may stand there once. The unit of a column is part of its name. What has no value
there is the word NaN, which is no JSON: in this format alone it is read as null.

Each tap has its start since that of its hand, its duration, its place in points and what it hit: the left or the right
button, or neither (``miss``). When the second hand began after the first is not told, so both parts begin at 0.

Source: real files of two versions, whose column names differ in blanks and underscores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from konectom.errors import (
    AssessmentUnknown,
    ColumnInvalid,
    ColumnMissing,
    DataError,
    FieldMissing,
    StreamError,
    TooManySamples,
    pointer_token,
)
from konectom.formats._columns import instants, numbers, same_length, texts
from konectom.formats._limits import Limits
from konectom.formats._registry import Format
from konectom.formats._shared import named, number, size, word
from konectom.formats._streams import DOWN, UP
from konectom.recording import Defect, Device, FloatArray, Part, Recording, Rejected, Screen, Session, Stream

HANDS = {"domhand": "dominant", "nondomhand": "non_dominant"}
ZONES = {"left": "left", "right": "right", "miss": "none"}
TASK = "finger-tapping"
START, DURATION, TYPE = "tap start (ms)", "tap duration (ms)", "tap type"
PLACE = {"x": "x (pts)", "y": "y (pts)"}
BLOCK, BEGAN = "block", "start time (utc)"


def recognises(document: Any) -> bool:
    """Tell whether the document has the app's name and the table of a hand."""
    return isinstance(document, dict) and "app" in document and any(hand in document for hand in HANDS)


def read(document: Any, limits: Limits) -> Session:
    """Return the session with the one recording of the file."""
    told = _held(document, "session")
    device = _device(_held(document, "app"), _held(document, "device"))
    tables = {hand: document[hand] for hand in HANDS if isinstance(document.get(hand), dict)}
    _refuse_flood(tables, limits)
    recording: Recording | Rejected
    task = told.get("test_id")
    try:
        if task != TASK:
            raise AssessmentUnknown(f"no such test: {named(task)}; known is: {TASK}", at="/session/test_id")
        if not tables:
            raise FieldMissing("the file has taps of no hand", at="/domhand")
        duration_s = number(told.get("duration")) / 1000.0
        recording = Recording(
            assessment="tap",
            parts=tuple(_part(_Table(table, f"/{hand}"), HANDS[hand]) for hand, table in tables.items()),
            duration_s=duration_s if duration_s >= 0 and np.isfinite(duration_s) else None,
            device=device,
        )
    except DataError as error:
        # The tables of a known test hold touches; of another, nobody knows what they hold.
        known = frozenset({"touch"}) if task == TASK else None
        recording = Rejected("tap" if task == TASK else None, error.as_dict(), known)
    return Session(
        format="digital_artefacts",
        started_at=_started_at(told, tables),
        device=device,
        recordings=(recording,),
    )


class _Table:
    """The taps of a hand. Pointers go into the document as it was sent."""

    def __init__(self, held: Mapping[str, Any], at: str) -> None:
        self.at = at
        self._held = {str(name).replace("_", " "): (name, column) for name, column in held.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._held

    def place(self, name: str) -> str:
        """Return the JSON pointer of a column."""
        return f"{self.at}/{pointer_token(self._held[name][0] if name in self._held else name)}"

    def column(self, name: str) -> list[Any]:
        """Return a column's values, in the rows that tell when the taps were."""
        if name not in self:
            raise ColumnMissing(f"the taps have no column {name}", at=self.place(name))
        column, rows = self._held[name][1], self._held.get(START, ("", None))[1]
        if not isinstance(column, dict) or not isinstance(rows, dict):
            raise ColumnInvalid(
                f"a column is an object from row to value, not {named(column)}",
                at=self.place(name if not isinstance(column, dict) else START),
            )
        same_length(name, len(column), len(rows), self.place(name))
        if list(column) != list(rows):
            raise ColumnInvalid(f"{name} has other rows than {START}", at=self.place(name))
        return list(column.values())

    def is_single(self, name: str) -> bool:
        """Tell whether a column is missing, or stands there as one value for all rows."""
        return not isinstance(self._held.get(name, ("", None))[1], dict)

    def first(self, name: str) -> Any:
        """Return a column's one value, or that of its first row; None where there is none."""
        column = self._held.get(name, ("", None))[1]
        return next(iter(column.values()), None) if isinstance(column, dict) else column

    def read(self, name: str, reader: Callable[[list[Any], str], Any]) -> Any:
        """Return what ``reader`` makes of a column; its complaint of a row points to the row's own name."""
        values = self.column(name)
        try:
            return reader(values, "")
        except DataError as error:
            row = list(self._held[name][1])[int((error.at or "/0").removeprefix("/"))]
            raise type(error)(error.detail, at=f"{self.place(name)}/{pointer_token(row)}") from None

    def seconds(self, name: str) -> FloatArray:
        """Return a column of milliseconds in seconds."""
        told_ms: FloatArray = self.read(name, instants)
        return told_ms / 1000.0


def _part(table: _Table, hand: str) -> Part:
    """Return a hand's taps; what cannot be read is noted, and costs the other hand nothing."""
    streams: dict[str, Stream] = {}
    events: dict[str, Stream] = {}
    defects: list[Defect] = []
    try:
        t_s = table.seconds(START)
        hit = table.read(TYPE, partial(texts, allowed=tuple(ZONES)))
        _refuse_mixture(table)
        zone = np.array([ZONES[each] for each in hit], dtype=np.str_) if len(hit) else hit
        events["tap"] = Stream("tap", t_s, {"zone": zone})
    except StreamError as error:
        defects.append(Defect("tap", error.code, error.detail, error.at or table.at))
    try:
        if DURATION in table and events:
            streams["touch"] = _touches(table)
    except StreamError as error:
        defects.append(Defect("touch", error.code, error.detail, error.at or table.at))
    return Part({"hand": hand}, streams=streams, events=events, defects=tuple(defects))


def _touches(table: _Table) -> Stream:
    """Return the finger of each tap as it comes down and goes up: taps may overlap, so each has a finger of its own."""
    begin_s, lasting_s = table.seconds(START), table.seconds(DURATION)
    count = len(begin_s)
    columns: dict[str, Any] = {}
    for axis, name in PLACE.items():
        columns[axis] = np.tile(table.read(name, numbers), 2)
    columns["finger"] = np.tile(np.arange(float(count)), 2)
    columns["phase"] = np.repeat(np.array([DOWN, UP]), count)
    return Stream("touch", np.concatenate([begin_s, begin_s + lasting_s]), columns, dict.fromkeys(PLACE, "pt"))


def _refuse_mixture(table: _Table) -> None:
    """Refuse a table that holds taps of more than one performance."""
    blocks = [] if table.is_single(BLOCK) else table.column(BLOCK)
    if len({block for block in blocks if isinstance(block, int | str)}) > 1:
        raise ColumnInvalid("the taps are of more than one block", at=table.place(BLOCK))


def _refuse_flood(tables: Mapping[str, Mapping[str, Any]], limits: Limits) -> None:
    columns = (column for table in tables.values() for column in table.values())
    count = sum(len(column) if isinstance(column, dict) else 1 for column in columns)
    if count > limits.max_values:
        raise TooManySamples(f"the file holds {count} values; at most {limits.max_values} are accepted", at="/domhand")


def _held(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    held = document.get(name)
    return held if isinstance(held, dict) else {}


def _started_at(told: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]) -> datetime:
    """Return when the session began (UTC), as it tells, or else its first hand."""
    stamps = (told.get("start_utc"), *(_Table(table, "").first(BEGAN) for table in tables.values()))
    for stamp in stamps:
        try:
            return datetime.fromisoformat(word(stamp) or "").replace(tzinfo=UTC)
        except ValueError:
            continue
    raise FieldMissing("the file does not say when the session began", at="/session/start_utc")


def _device(app: Mapping[str, Any], phone: Mapping[str, Any]) -> Device:
    width_pt, height_pt = size(phone.get("screen_width_pt")), size(phone.get("screen_height_pt"))
    scale = size(phone.get("screen_scale"))
    system = word(phone.get("os"))
    return Device(
        platform=system.lower() if system else None,
        model=word(phone.get("platform")),
        app=" ".join(filter(None, (word(app.get(f"app_{part}_number")) for part in ("version", "build")))) or None,
        screen=Screen(
            width_px=width_pt * scale if width_pt and scale else None,
            height_px=height_pt * scale if height_pt and scale else None,
            width_pt=width_pt,
            height_pt=height_pt,
        ),
    )


FORMAT = Format(
    name="digital_artefacts",
    title="Digital Artefacts, finger tapping",
    media_types=("application/vnd.digital-artefacts+json",),
    recognises=recognises,
    read=read,
    takes_nan=True,
)
