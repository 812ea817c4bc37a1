"""Konectom 2 (Biogen): the app's JSON exactly as it was sent.

A ``header`` says what was recorded, with the unit of each column; ``body.levels`` hold the columns of each level and
the condition under which it was performed. Times are milliseconds since 1970 (UTC). One file can carry two of our
recordings: the balance and U-turn tests come together.

A table that cannot be read is left aside and noted: it costs the recording only where an assessment needs it. The
touches of the cognitive test, for example, declare unit and description of y the wrong way round; the unit is not
guessed.

Source: header, body and column descriptions of real files, which describe themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from konectom.errors import (
    AssessmentUnknown,
    DataError,
    FieldInvalid,
    FieldMissing,
    TooManyRecordings,
    TooManySamples,
)
from konectom.formats._columns import Room
from konectom.formats._limits import Limits
from konectom.formats._registry import Format
from konectom.formats._shared import identifier, named, offset_s, size, word
from konectom.formats._streams import KINDS
from konectom.formats.konectom2.level import Level, epoch_ms
from konectom.formats.konectom2.tasks import TASKS
from konectom.recording import Device, Recording, Rejected, Screen, Session

NAMESPACE = "konectom2"


def recognises(document: Any) -> bool:
    """Tell whether the document has Konectom 2's header and body."""
    if not isinstance(document, dict) or "body" not in document or not isinstance(document.get("header"), dict):
        return False
    schema = document["header"].get("schema_id")
    return isinstance(schema, dict) and schema.get("namespace") == NAMESPACE


def read(document: Any, limits: Limits) -> Session:
    """Return the session with the one or two recordings of the file."""
    header = document["header"]
    name = header["schema_id"].get("name")
    device, zone, in_clinic = _device(header), _time_zone(header), header.get("inclinic_mode")
    data = _levels(document, limits)
    begin_ms = _begin_ms(header, data)
    recordings: tuple[Recording | Rejected, ...]
    try:
        if not isinstance(name, str) or name not in TASKS:
            known = ", ".join(TASKS)
            raise AssessmentUnknown(f"no such task: {named(name)}; known are: {known}", at="/header/schema_id/name")
        declared = header.get("raw_data")
        # The recording's clock starts on a whole second, as resampling grids do that stand on UTC: the same samples
        # then fall into the same bins as in software that bins by the wall clock.
        clock_ms = begin_ms // 1000 * 1000
        lead_s = (begin_ms - clock_ms) / 1000.0
        declared, room = declared if isinstance(declared, dict) else {}, Room(limits.max_values)
        levels = [Level(level, declared, clock_ms, f"/body/levels/{index}", room) for index, level in enumerate(data)]
        recordings = (
            *(
                replace(_recording(header, task, parts, device, lead_s), beside=_tables(data) or frozenset())
                for task, parts in TASKS[name](levels).items()
            ),
            *(
                Rejected(None, level.fault.as_dict(), _tables([held]))
                for level, held in zip(levels, data, strict=True)
                if level.fault is not None
            ),
        )
    except DataError as error:
        recordings = (Rejected(None, error.as_dict(), _tables(data)),)
    started_at = datetime.fromtimestamp(begin_ms / 1000.0, UTC)
    if zone is not None:
        started_at = started_at.astimezone(ZoneInfo(zone))
    return Session(
        format=f"{NAMESPACE}/{word(name)}",
        started_at=started_at,
        time_zone=zone,
        setting={True: "clinic", False: "remote"}.get(in_clinic) if isinstance(in_clinic, bool) else None,
        device=device,
        recordings=recordings,
        id=identifier(header.get("id")),
    )


def _tables(levels: list[Any]) -> frozenset[str] | None:
    """Return the names of those tables that are streams of any test; None if they hide. The others are the test's."""
    held = [level.get("raw_data") or {} for level in levels]
    if not all(isinstance(each, dict) for each in held):
        return None
    return frozenset(name for each in held for name in each if name in KINDS)


def _recording(
    header: Mapping[str, Any], assessment: str, parts: list[Any], device: Device, lead_s: float
) -> Recording:
    finished = header.get("completion") == "completed"
    reason = header.get("interruption_reason")
    starts = [part.start_s for part in parts]
    ends = [part.end_s for part in parts]
    return Recording(
        assessment=assessment,
        parts=tuple(parts),
        condition={},
        offset_s=offset_s(starts, lead_s),
        duration_s=None if not ends or None in ends else max(ends) - min(starts),
        finished=finished,
        interruption=None if finished else word(reason),
        device=device,
    )


def _levels(document: Mapping[str, Any], limits: Limits) -> list[Any]:
    """Return the levels after counting what they hold."""
    body = document["body"]
    levels = body.get("levels") if isinstance(body, dict) else None
    if not isinstance(levels, list) or not levels:
        raise FieldMissing("the body has no levels", at="/body/levels")
    if len(levels) > limits.max_parts:
        raise TooManyRecordings(f"at most {limits.max_parts} levels are accepted", at="/body/levels")
    count = 0
    for index, level in enumerate(levels):
        if not isinstance(level, dict):
            raise FieldInvalid("a level is an object", at=f"/body/levels/{index}")
        raw = level.get("raw_data")
        for table in raw.values() if isinstance(raw, dict) else ():
            if isinstance(table, dict):
                count += sum(len(column) for column in table.values() if isinstance(column, list))
    if count > limits.max_values:
        raise TooManySamples(f"the file holds {count} values; at most {limits.max_values} are accepted", at="/body")
    return levels


def _begin_ms(header: Mapping[str, Any], levels: list[Any]) -> float:
    """Return the recording's begin: the header's, or the earliest that a level tells."""
    for frames in (
        [header.get("effective_time_frame")],
        [level.get("effective_time_frame") for level in levels],
    ):
        told = [epoch_ms(frame.get("begin_timestamp")) for frame in frames if isinstance(frame, dict)]
        begins = [begin for begin in told if begin is not None]
        if begins:
            return min(begins)
    raise FieldMissing(
        "the file does not say when the recording began", at="/header/effective_time_frame/begin_timestamp"
    )


def _source_device(header: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    provenance = header.get("acquisition_provenance")
    provenance = provenance if isinstance(provenance, dict) else {}
    app, phone = provenance.get("source"), provenance.get("source_device")
    return app if isinstance(app, dict) else {}, phone if isinstance(phone, dict) else {}


def _device(header: Mapping[str, Any]) -> Device:
    app, phone = _source_device(header)

    width_pt, width_mm = size(phone.get("screen_width_pt_dp")), size(phone.get("screen_width_mm"))
    return Device(
        platform=word(phone.get("platform")),
        model=word(phone.get("model_name")),
        os=word(phone.get("os_version")),
        app=" ".join(filter(None, (word(app.get("name")), word(app.get("version"))))) or None,
        screen=Screen(
            width_px=size(phone.get("screen_width_pixels")),
            height_px=size(phone.get("screen_height_pixels")),
            width_pt=width_pt,
            height_pt=size(phone.get("screen_height_pt_dp")),
            pt_per_mm=width_pt / width_mm if width_pt and width_mm else None,
        ),
    )


def _time_zone(header: Mapping[str, Any]) -> str | None:
    """Return the phone's zone where it is one that IANA knows; the instant does not hang on it."""
    zone = _source_device(header)[1].get("time_zone")
    if not isinstance(zone, str):
        return None
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return None
    return zone


FORMAT = Format(
    name="konectom2",
    title="Konectom 2 (Biogen), as the app sends it",
    media_types=("application/vnd.konectom2+json",),
    recognises=recognises,
    read=read,
)
