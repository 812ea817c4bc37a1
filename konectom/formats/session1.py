"""``konectom.session/1``: our own JSON format, columns under their declared units.

Metadata are validated by marshmallow, samples by numpy. A recording that breaks a rule is rejected with a pointer to
the place; the others are read. A stream whose name is not known here is left aside and noted, so that an app may send
more than this version understands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from konectom.errors import (
    BodyDamaged,
    CompressionCorrupt,
    DataError,
    FieldInvalid,
    KonectomError,
    TooManyRecordings,
)
from konectom.formats._columns import Room
from konectom.formats._limits import Limits
from konectom.formats._registry import Format
from konectom.formats._session1_schemas import NAME, PartSchema, RecordingSchema, SessionSchema, load
from konectom.formats._session1_streams import (
    MOST_STREAMS,
    read_events,
    read_streams,
    refuse_flood,
    stream_names,
    unknown_streams,
)
from konectom.formats._streams import KINDS
from konectom.recording import Device, Part, Recording, Rejected, Screen, Session

_SESSION, _RECORDING, _PART = SessionSchema(), RecordingSchema(), PartSchema()
_OUTLINED = RecordingSchema(exclude=("streams", "events", "answers", "parts"))
"""What is told of a recording without looking into it."""


def recognises(document: Any) -> bool:
    """Tell whether the document says that it is of this format."""
    return isinstance(document, dict) and document.get("schema") == NAME


class Carrier:
    """What holds columns beside the document; this one holds none.

    A form that carries the samples of a session beside its document lends them to the one reader that there is.
    """

    def attach(self, recordings: list[Any]) -> None:
        """Be told of the document's recordings as they stand there; raises where they do not go together."""

    def named(self, index: int, recording: Any) -> Any:
        """Return a recording with the name of each stream that is carried beside the document."""
        return recording

    def filled(self, index: int, recording: Any, at: str) -> Any:
        """Return a recording with the columns that are carried beside the document."""
        return recording

    def forget(self) -> None:
        """Let go of what is held in memory of the recordings before."""


class Sitting:
    """A session whose recordings are read when they are asked for.

    Raises :class:`DataError` where the metadata of the whole are wrong.
    """

    def __init__(self, document: Any, limits: Limits, carrier: Carrier | None = None) -> None:
        told = load(_SESSION, document, "")
        if len(told["recordings"]) > limits.max_recordings:
            raise TooManyRecordings(f"at most {limits.max_recordings} recordings are accepted", at="/recordings")
        zone = told.get("time_zone")
        if zone is not None:
            _check_zone(zone)
        self._data = told["recordings"]
        self._limits, self._carrier = limits, carrier or Carrier()
        self._carrier.attach(self._data)
        self.head = Session(
            NAME, told["started_at"], zone, told.get("setting"), told.get("supervised"), _device(told.get("device"))
        )
        """The session without its recordings."""

    def outline(self) -> Session:
        """Return the session with recordings that name their streams in ``beside`` and hold none."""
        found = (self._outlined(self._carrier.named(index, each), index) for index, each in enumerate(self._data))
        return replace(self.head, recordings=tuple(found))

    def read(self) -> Session:
        """Return the session with all its recordings."""
        room = Room(self._limits.max_values)
        return replace(self.head, recordings=tuple(self._one(index, room) for index in range(len(self._data))))

    def recordings(self) -> Iterator[Recording | Rejected]:
        """Yield the recordings. What one takes in memory is free for the next, as far as the caller lets go of it."""
        room = Room(self._limits.max_values)
        for index in range(len(self._data)):
            self._carrier.forget()
            yield self._one(index, room)

    def _one(self, index: int, room: Room) -> Recording | Rejected:
        data, at = self._data[index], f"/recordings/{index}"
        try:
            return _recording(self._carrier.filled(index, data, at), at, self.head.device, self._limits, room)
        except (DataError, BodyDamaged, CompressionCorrupt) as error:
            error.at = error.at or at
            return _rejected(self._carrier.named(index, data), error)

    def _outlined(self, data: Any, index: int) -> Recording | Rejected:
        at = f"/recordings/{index}"
        try:
            told = load(_OUTLINED, data, at)
            names = stream_names(data)
            if names is None:
                raise FieldInvalid("streams are an object, and parts a list of objects", at=at)
        except DataError as error:
            return _rejected(data, error)
        condition = told.get("condition", {})
        unknown = unknown_streams(sorted(names - KINDS.keys())[:MOST_STREAMS], f"{at}/streams")
        part = Part(condition, duration_s=told.get("duration_s"), defects=unknown)
        return replace(_of(told, (part,), self.head.device), beside=names & KINDS.keys())


def read(document: Any, limits: Limits) -> Session:
    """Return the session; raises :class:`DataError` where the metadata of the whole are wrong."""
    return Sitting(document, limits).read()


def outline(document: Any, limits: Limits) -> Session:
    """Return the session without its samples; raises as :func:`read`."""
    return Sitting(document, limits).outline()


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FieldInvalid(f"{zone[:60]!r} is no IANA time zone", at="/time_zone") from None


def _device(told: Mapping[str, Any] | None) -> Device:
    told = dict(told or {})
    screen = Screen(**(told.pop("screen", None) or {}))
    return Device(**told, screen=screen)


def _rejected(data: Any, error: KonectomError) -> Rejected:
    name = data.get("assessment") if isinstance(data, dict) else None
    return Rejected(name if isinstance(name, str) else None, error.as_dict(), stream_names(data))


def _recording(data: Any, at: str, device: Device, limits: Limits, room: Room) -> Recording:
    told = load(_RECORDING, data, at)
    condition = told.get("condition", {})
    refuse_flood(data, at, limits.max_values)
    parts = _parts(told, condition, at, limits, room) if "parts" in told else (_part(told, condition, at, room),)
    return _of(told, parts, device)


def _of(told: Mapping[str, Any], parts: tuple[Part, ...], device: Device) -> Recording:
    return Recording(
        assessment=told["assessment"],
        parts=parts,
        condition=told.get("condition", {}),
        offset_s=told.get("offset_s", 0.0),
        duration_s=told.get("duration_s"),
        finished=told.get("completion", "completed") == "completed",
        interruption=told.get("interruption"),
        device=device,
    )


def _parts(
    told: Mapping[str, Any], condition: Mapping[str, str], at: str, limits: Limits, room: Room
) -> tuple[Part, ...]:
    both = [name for name in ("streams", "events", "answers") if told.get(name)]
    if both:
        raise FieldInvalid(f"{both[0]} belong into the parts of a recording that has parts", at=f"{at}/{both[0]}")
    if not told["parts"]:
        raise FieldInvalid("a recording that has parts has at least one", at=f"{at}/parts")
    if len(told["parts"]) > limits.max_parts:
        raise TooManyRecordings(f"a recording has at most {limits.max_parts} parts", at=f"{at}/parts")
    parts = []
    for index, each in enumerate(told["parts"]):
        where = f"{at}/parts/{index}"
        inner = load(_PART, each, where)
        parts.append(_part(inner, {**condition, **inner.get("condition", {})}, where, room))
    return tuple(parts)


def _part(told: Mapping[str, Any], condition: Mapping[str, str], at: str, room: Room) -> Part:
    streams, defects = read_streams(told.get("streams", {}), f"{at}/streams")
    return Part(
        condition=condition,
        start_s=told.get("start_s", 0.0),
        duration_s=told.get("duration_s"),
        streams=streams,
        events=read_events(told.get("events", []), f"{at}/events", room),
        answers=told.get("answers", {}),
        defects=defects,
    )


FORMAT = Format(
    name=NAME,
    title="konectom session, version 1",
    media_types=("application/vnd.konectom.session.v1+json",),
    recognises=recognises,
    read=read,
    outline=outline,
)
