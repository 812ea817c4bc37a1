"""A patient in one line per score: now, baseline, change, and the verdict in words."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from konectom.workflows.follow import Track, follow_patient
from konectom.workflows.pages import instant_of_day, told
from konectom.workflows.people import find_patient
from konectom.workflows.services import Services
from konectom.workflows.trends import followed_told, head


def patient_summary(
    services: Services, patient_id: UUID, *, end: datetime | None = None, study_id: UUID | None = None
) -> dict[str, Any]:
    """Return one line for each score that the patient has, as of ``end`` (None: now)."""
    now = services.clock()
    as_of = min(end, now) if end else now
    with services.db.read() as db:
        patient = find_patient(db, patient_id, study_id=study_id)
        tracks = follow_patient(db, patient, now=now, end=end)
    return {"patient": str(patient_id), "as_of": told(as_of), "scores": [_line(track) for track in tracks]}


def _line(track: Track) -> dict[str, Any]:
    at_day = track.history.at_day
    return {
        **head(track),
        **followed_told(track),
        "values": int(at_day.size),
        "last_at": told(instant_of_day(float(at_day[-1]))),
        "norms": [each.as_dict() for each in track.compared],
        "notes": list(track.followed.notes),
    }
