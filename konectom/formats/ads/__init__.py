"""Konectom 1 (Ad Scientiam, of MSCopilot's line): the app's JSON as it was sent, row by row.

``mobileEvaluationTest.levels[].sensors[].measurements[].values[]`` name each value with its unit, as texts;
``contexts`` tell the condition of a level. Times are milliseconds since 1970 (UTC). One file can carry two of our
recordings: the balance and U-turn tests come together.

A sensor that cannot be read is left aside and noted: it costs the recording only where an assessment needs it.

Source: real files. Accelerations come as two shares, the user's and gravity; positions are in points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from konectom.errors import (
    AssessmentUnknown,
    DataError,
    FieldInvalid,
    FieldMissing,
    TooManyRecordings,
    TooManySamples,
)
from konectom.formats._limits import Limits
from konectom.formats._registry import Format
from konectom.formats._shared import identifier, named, offset_s, size, word
from konectom.formats._streams import KINDS
from konectom.formats.ads.level import Level, epoch_ms
from konectom.formats.ads.tasks import TASKS
from konectom.recording import Device, Part, Recording, Rejected, Screen, Session

_EVALUATION = "mobileEvaluationTest"


def recognises(document: Any) -> bool:
    """Tell whether the document holds one of Konectom 1's evaluations."""
    return isinstance(document, dict) and isinstance(document.get(_EVALUATION), dict)


def read(document: Any, limits: Limits) -> Session:
    """Return the session with the one or two recordings of the file."""
    if not recognises(document):
        raise FieldMissing(f"the document has no {_EVALUATION}", at=f"/{_EVALUATION}")
    evaluation = document[_EVALUATION]
    data = _levels(evaluation, limits)
    begin_ms, started_at = _begin(evaluation, data)
    clock_ms = begin_ms // 1000 * 1000  # a whole second, as the grids of resampling stand on (see konectom2)
    device = _device(document)
    code = evaluation.get("code")
    recordings: tuple[Recording | Rejected, ...]
    try:
        if not isinstance(code, str) or code not in TASKS:
            known = ", ".join(TASKS)
            raise AssessmentUnknown(f"no such task: {named(code)}; known are: {known}", at=f"/{_EVALUATION}/code")
        levels = [
            Level(level, clock_ms, f"/{_EVALUATION}/levels/{index}", device.app) for index, level in enumerate(data)
        ]
        lead_s = (begin_ms - clock_ms) / 1000.0
        recordings = (
            *(
                replace(_recording(evaluation, name, parts, device, lead_s), beside=_sensors(data) or frozenset())
                for name, parts in TASKS[code](levels).items()
            ),
            *(
                Rejected(None, level.fault.as_dict(), _sensors([held]))
                for level, held in zip(levels, data, strict=True)
                if level.fault is not None
            ),
        )
    except DataError as error:
        recordings = (Rejected(None, error.as_dict(), _sensors(data)),)
    return Session(
        format=f"ads/{word(code)}",
        started_at=started_at,
        device=device,
        recordings=recordings,
        id=identifier(document.get("uuid")),
    )


def _sensors(levels: list[Any]) -> frozenset[str] | None:
    """Return the names of those sensors that are streams of any test; None if they hide. The others are the test's."""
    held = [level.get("sensors") or [] for level in levels]
    if not all(isinstance(each, list) and all(isinstance(sensor, dict) for sensor in each) for each in held):
        return None
    names = [sensor.get("name") for each in held for sensor in each]
    return frozenset(name for name in names if isinstance(name, str) and name in KINDS)


def _recording(
    evaluation: Mapping[str, Any], assessment: str, parts: list[Part], device: Device, lead_s: float
) -> Recording:
    finished = evaluation.get("finished") is not False
    reason = evaluation.get("exitReason")
    starts, ends = [part.start_s for part in parts], [part.end_s for part in parts]
    last = [end for end in ends if end is not None]
    return Recording(
        assessment=assessment,
        parts=tuple(parts),
        offset_s=offset_s(starts, lead_s),
        duration_s=max(last) - min(starts) if last and len(last) == len(ends) else None,
        finished=finished,
        interruption=None if finished else word(reason),
        device=device,
    )


def _levels(evaluation: Mapping[str, Any], limits: Limits) -> list[Any]:
    """Return the levels after counting what they hold."""
    at = f"/{_EVALUATION}/levels"
    levels = evaluation.get("levels")
    if not isinstance(levels, list) or not levels:
        raise FieldMissing("the evaluation has no levels", at=at)
    if len(levels) > limits.max_parts:
        raise TooManyRecordings(f"at most {limits.max_parts} levels are accepted", at=at)
    count = 0
    for index, level in enumerate(levels):
        if not isinstance(level, dict):
            raise FieldInvalid("a level is an object", at=f"{at}/{index}")
        sensors = level.get("sensors")
        for sensor in sensors if isinstance(sensors, list) else ():
            rows = sensor.get("measurements") if isinstance(sensor, dict) else None
            if isinstance(rows, list) and rows:
                first = rows[0].get("values") if isinstance(rows[0], dict) else None
                count += len(rows) * (len(first) if isinstance(first, list) else 1)
    if count > limits.max_values:
        raise TooManySamples(f"the file holds {count} values; at most {limits.max_values} are accepted", at=at)
    return levels


def _begin(evaluation: Mapping[str, Any], levels: list[Any]) -> tuple[float, datetime]:
    """Return when the recording began: in epoch milliseconds, and with the UTC offset where ``startDate`` tells it."""
    stamps = [epoch_ms(holder.get("beginTimestamp")) for holder in (evaluation, *levels)]
    told = [stamp for stamp in stamps if stamp is not None]
    if not told:
        raise FieldMissing("the file does not say when the recording began", at=f"/{_EVALUATION}/beginTimestamp")
    started_at = datetime.fromtimestamp(told[0] / 1000.0, UTC)
    try:
        offset = datetime.fromisoformat(word(evaluation.get("startDate")) or "").tzinfo
    except ValueError:
        offset = None
    return told[0], started_at if offset is None else started_at.astimezone(offset)


def _device(document: Mapping[str, Any]) -> Device:
    held = document.get("mobileDevice")
    phone = held if isinstance(held, dict) else {}
    screen = phone.get("screen")
    screen = screen if isinstance(screen, dict) else {}

    # The screen's "pixels" are points: positions on it are declared in points and fill it.
    return Device(
        platform=word(phone.get("platform")),
        model=word(phone.get("modelCode")) or word(phone.get("model")),
        os=word(phone.get("osVersion")),
        app=word(phone.get("versionNumber")),
        screen=Screen(width_pt=size(screen.get("widthPixels")), height_pt=size(screen.get("heightPixels"))),
    )


FORMAT = Format(
    name="ads",
    title="Konectom 1 (Ad Scientiam), as the app sends it",
    media_types=("application/vnd.konectom1+json",),
    recognises=recognises,
    read=read,
)
