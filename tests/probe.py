"""A small assessment, and sessions with recordings of it, for tests that are not about any real one."""

import gzip
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from sqlalchemy import select

from konectom import formats
from konectom.assessments.base import Condition, Measure, Rule, assessment, behavioural, invalid, limited, motion
from konectom.storage.models import RecordingRow, SessionRow
from konectom.workflows.sessions.process import extract_recording
from konectom.workflows.sessions.raw import raw_bytes
from konectom.workflows.sessions.result_rows import keep_result

HAND = Condition("hand", ("left", "right"))


def probe_of(version: int, *, unit: str = "m/s2", extra: bool = False, strict: bool = False) -> Any:
    """A small assessment: the magnitude of the acceleration, by hand. Where it is strict, short is not usable."""
    measures = [
        Measure("samples", "1", "Number of samples.", score=True),
        Measure(
            "level",
            unit,
            "Magnitude.",
            better="lower",
            plausible=(0, 100),
            statistics=("mean", "sd"),
            by=(HAND,),
            score=("mean",),
            aliases={"dispel": "pr-{hand}-{statistic}"},
        ),
    ]
    if extra:
        measures.append(Measure("peak", unit, "Largest magnitude.", better="lower", plausible=(0, 100), by=(HAND,)))

    @assessment(
        "probe",
        version=version,
        title="Probe",
        domain="none",
        inputs=(motion("accelerometer", "m/s2"),),
        measures=tuple(measures),
        quality=(Rule("short", behavioural, invalid if strict else limited, "That was too short. Please repeat."),),
    )
    def extract(recording: Any, out: Any) -> None:
        """Magnitude of the acceleration."""
        total = 0
        for part in recording.parts:
            size = np.linalg.norm(part.streams["accelerometer"].matrix(), axis=1)
            total += size.size
            if np.nanmax(size) > 1e6:
                raise ZeroDivisionError("a fault in the maths")
            here = out.at(hand=part.condition["hand"])
            here("level", size * version)
            if extra:
                here("peak", float(size.max()))
        out("samples", total)
        out.flag("short", when=total < 4, samples=total)

    return extract


def probe_recording(*, hand: str = "left", x: Any = (1.0, 2.0, 3.0, 4.0), **more: Any) -> dict[str, Any]:
    """A recording of the probe; ``x`` is the acceleration."""
    values = list(x)
    stream = {"unit": "m/s2", "rate_hz": 100, "x": values, "y": [0.0] * len(values), "z": [0.0] * len(values)}
    return {"assessment": "probe", "condition": {"hand": hand}, "streams": {"accelerometer": stream}} | more


def session_body(*recordings: Any, pack: bool = False, **more: Any) -> bytes:
    """The bytes of a session with these recordings (default: one of the probe); ``pack`` compresses them."""
    session = {
        "schema": "konectom.session/1",
        "started_at": "2026-11-20T09:12:03.250+01:00",
        "time_zone": "Europe/Paris",
        "setting": "remote",
        "supervised": False,
        "device": {"platform": "ios", "model": "iPhone15,2", "os": "19.1", "app": "1.4.2"},
        "recordings": list(recordings) or [probe_recording()],
    }
    body = orjson.dumps(session | more)
    return gzip.compress(body, mtime=0) if pack else body


def recompute(services: Any, session_id: str) -> None:
    """Add the result of the declared version to a session's first recording, as a recomputation would."""
    with services.db.write() as db:
        session = db.get(SessionRow, UUID(session_id))
        row = db.scalars(select(RecordingRow).where(RecordingRow.session_id == session.id)).one()
        recording = formats.read(raw_bytes(services, session)).recordings[0]
        result = extract_recording(recording, 0).result
        keep_result(db, session, row, session.started_at, result, services.clock())
