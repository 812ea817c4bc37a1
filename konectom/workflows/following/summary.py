"""A patient in one line per score: now, baseline, change, and the verdict in words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from konectom.scoring.adherence import Adherence
from konectom.scoring.followed import FATES
from konectom.storage.models import Schedule
from konectom.storage.types import EPOCH
from konectom.workflows.consent.withheld import shown_patient
from konectom.workflows.following.alerts import count_open
from konectom.workflows.following.follow import Track, follow_patient
from konectom.workflows.following.trends import followed_told, head
from konectom.workflows.pages import told
from konectom.workflows.patients.schedules import adherence_of, show_sums
from konectom.workflows.services import Services

_IN_FUTURE = FATES.index("in_future")


def patient_summary(
    services: Services, patient_id: UUID, *, end: datetime | None = None, observed: bool = True
) -> dict[str, Any]:
    """Return one line for each score that the patient has, how schedules were kept, and how many alerts are open.

    All of it is as of ``end`` (None: now). Alerts are those that reviews have found: this makes none.
    Without ``observed``, scores that clinicians and laboratories found are left out.
    """
    now = services.clock()
    as_of = min(end, now) if end else now
    with services.db.read() as db:
        patient, withheld = shown_patient(db, patient_id)
        tracks = follow_patient(db, patient, now=now, end=end, withheld=withheld, observed=observed)
        kept = [_schedule(row, each.adherence) for row, each in adherence_of(db, patient, as_of, withheld)]
        alerts = count_open(db, patient.id, as_of)
    return {
        "patient": str(patient_id),
        "as_of": told(as_of),
        "scores": [_line(track) for track in tracks],
        "schedules": kept,
        "open_alerts": alerts,
        "withheld": withheld.told,
    }


def _line(track: Track) -> dict[str, Any]:
    history = track.history
    past = np.flatnonzero(track.followed.fate != _IN_FUTURE)
    last = int(past[-1]) if past.size else None
    return {
        **head(track),
        **followed_told(track),
        "values": int(past.size),
        "last_at": None
        if last is None
        else told(EPOCH + timedelta(microseconds=int(history.at_us[last])), history.origins.utc_offset_s[last]),
        "norms": [each.as_dict() for each in track.compared],
        "notes": list(track.followed.notes),
    }


def _schedule(row: Schedule, kept: Adherence) -> dict[str, Any]:
    return {"schedule": str(row.id), "assessment": row.assessment} | show_sums(kept)
