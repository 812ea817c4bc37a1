"""From a visit to what a phone would upload: a ``konectom.session/1``, under an id of its own.

The same visit gives the same bytes.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from uuid import UUID

import numpy as np
import orjson

from konectom.simulate.carriers import as_archive, as_arrow, as_parquet
from konectom.simulate.patients import Patient, Quantity, Visit

SCHEMA = "konectom.session/1"
PHONE: dict[str, Any] = {
    "platform": "ios",
    "model": "iPhone15,2",
    "os": "19.1",
    "app": "1.0.0",
    "screen": {"width_pt": 390, "height_pt": 844, "pt_per_mm": 6.06},
}
PAUSE_S = 20.0
"""Time between two tests of a sitting."""

ID_STREAM, RECORDING_STREAM = 0, 1
GZIP_LEVEL = 1
"""A phone saves battery rather than a few per cent of its upload."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A session ready to be sent: its id, its body, how its file's name ends, and the visit behind it."""

    session_id: UUID
    patient: str
    visit: Visit
    body: bytes
    ending: str = ".json.gz"


def upload(patient: Patient, visit: Visit, quantities: tuple[Quantity, ...], form: str = "json") -> Upload:
    """Return what the patient's phone sends after the visit, compressed JSON or another form."""
    ending, write = FORMS[form]
    return Upload(session_id(visit), patient.code, visit, write(session(visit, quantities)), ending)


def session(visit: Visit, quantities: tuple[Quantity, ...]) -> dict[str, Any]:
    """Return the body of a sitting: one recording of each assessment that the quantities speak of and that is due."""
    recordings = []
    offset_s = 0.0
    for number, assessment in enumerate(dict.fromkeys(each.assessment for each in quantities)):
        told = [each for each in quantities if each.assessment == assessment]
        if not any(each.is_due(visit.week) for each in told):
            continue
        fields = {each.field: visit.truth[each.name] for each in told}
        recording = record(assessment, fields, _rng(visit, RECORDING_STREAM, number))
        recordings.append(recording | {"offset_s": round(offset_s, 3)})
        offset_s += (recording.get("duration_s") or 0.0) + PAUSE_S
    return {
        "schema": SCHEMA,
        "started_at": visit.at.isoformat(),
        "time_zone": str(visit.at.tzinfo),
        "setting": "remote",
        "supervised": False,
        "device": PHONE,
        "recordings": recordings,
    }


def record(assessment: str, truth: dict[str, float], rng: np.random.Generator) -> dict[str, Any]:
    """Return one recording from the assessment's simulator; what ``truth`` leaves out is as that has it."""
    module = import_module(f"konectom.simulate.{assessment}")
    name = "".join(word.capitalize() for word in assessment.split("_"))
    recording: dict[str, Any] = getattr(module, f"simulate_{assessment}")(getattr(module, f"{name}Truth")(**truth), rng)
    return recording


def session_id(visit: Visit) -> UUID:
    """Return the id that the phone chose: random, but the same for the same visit."""
    return UUID(bytes=_rng(visit, ID_STREAM, 0).bytes(16), version=4)


def compressed(body: dict[str, Any]) -> bytes:
    """Return the body as gzip-compressed JSON, without a time stamp: the same body gives the same bytes."""
    return gzip.compress(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), GZIP_LEVEL, mtime=0)


FORMS: dict[str, tuple[str, Callable[[dict[str, Any]], bytes]]] = {
    "json": (".json.gz", compressed),
    "arrow": (".arrow", as_arrow),
    "parquet": (".parquet", as_parquet),
    "archive": (".zip", as_archive),
}
"""The forms of a session: how the name of its file ends, and what writes it."""


def _rng(visit: Visit, stream: int, number: int) -> np.random.Generator:
    seed = visit.seed
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, stream, number)))
