"""A patient's scores over time: every value, what became of it, and what follows from all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from konectom.assessments import every_assessment
from konectom.errors import FieldInvalid
from konectom.scoring.followed import REASONS
from konectom.scoring.progression import get_definition
from konectom.scoring.scales import every_scale
from konectom.scoring.windows import Aggregates
from konectom.storage.models import MeasureRow
from konectom.storage.types import EPOCH, US_PER_DAY
from konectom.workflows.consent.withheld import shown_patient
from konectom.workflows.following.as_of import checked_instant
from konectom.workflows.following.follow import Asked, Track, follow_patient
from konectom.workflows.following.histories import OBSERVED, uuid_of
from konectom.workflows.pages import day_of, instant_of_day, told, with_instants
from konectom.workflows.services import Services

Json = dict[str, Any]


def patient_trends(
    services: Services,
    patient_id: UUID,
    *,
    measure: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    window: float | None = None,
    definition: str | None = None,
    observed: bool = True,
    as_of: datetime | None = None,
) -> Json:
    """Return the trend of each score that the patient has, points oldest first.

    ``measure`` asks for one score by its key, or for all of one quantity (``tap.valid_taps``, ``obs.edss.step``).
    ``end`` is the time as of which everything is told: what was taken later does not count. ``as_of`` is the time as of
    which it is known: what came here or was computed later does not count either. ``start`` only leaves out of the
    answer what lies before it: a baseline stays what it was. ``window`` (days) and ``definition`` stand above the
    study's policy. Without ``observed``, what clinicians and laboratories found is left out; types of data of which
    the use is restricted are, and are told as ``withheld``. Raises :class:`~konectom.errors.NotFound`,
    :class:`~konectom.errors.PatientRestricted`, and :class:`FieldInvalid` at the field of the query.
    """
    now = services.clock()
    checked_instant(as_of, now)
    with services.db.read() as db:
        patient, withheld = shown_patient(db, patient_id)
        keys = None if measure is None else _keys(db, measure)
        asked = Asked(window, definition)
        tracks = follow_patient(
            db, patient, now=now, end=end, withheld=withheld, keys=keys, observed=observed, asked=asked, known=as_of
        )
        since = None if start is None else day_of(start)
        trends = [_trend(track, since) for track in tracks]
    shown = [each for each in trends if each["points"] or start is None]
    return {"patient": str(patient_id), "trends": shown, "withheld": withheld.told}


def _keys(db: Session, measure: str) -> set[str]:
    """Return the keys of the scores that ``measure`` names; raises :class:`FieldInvalid` for what is no score."""
    name, _, rest = measure.partition(".")
    known: set[str] = set()
    if measure.startswith(OBSERVED):
        scale = every_scale().get(rest.partition(".")[0])
        known |= {scale.key(each.name) for each in scale.quantities if each.score} if scale else set()
    elif name in every_assessment():
        known |= every_assessment()[name].catalogue.score_by_key.keys()
    # What an earlier version, or an assessment that is gone, has left.
    known |= set(db.scalars(select(MeasureRow.key).where(MeasureRow.key.startswith(measure, autoescape=True))))
    wanted = {key for key in known if measure in (key, _quantity(key))}
    if not wanted:
        raise FieldInvalid(f"there is no score {measure!r}; /measures?score=true lists them", at="/query/measure")
    return wanted


def _quantity(key: str) -> str:
    """Return ``assessment.quantity`` of a key."""
    return ".".join(key.split("[", 1)[0].split(".")[:2])


def _trend(track: Track, since_day: float | None) -> Json:
    followed = track.followed
    entry, score = track.entry, track.score
    return {
        **head(track),
        "condition": {} if entry is None else dict(entry.condition),
        "statistic": None if entry is None else entry.statistic or None,
        "versions": list(followed.versions),
        "version": followed.version,
        "points": _points(track, since_day),
        "aggregates": _aggregates(followed.aggregates, since_day),
        "window_days": followed.aggregates.window_days,
        "run_in": {"runs": followed.run_in.runs, "source": followed.run_in.source},
        **followed_told(track),
        "bands": None if followed.bands is None else _members(followed.bands),
        "noise": None if followed.noise is None else followed.noise.as_dict(),
        "learning": None if followed.learning is None else _members(followed.learning),
        "definition": None if followed.definition is None else get_definition(followed.definition).as_dict(),
        "events": [with_instants(each.as_dict()) for each in followed.events],
        "norms": [each.as_dict() for each in track.compared],
        "absent": {name: {"code": code, "message": REASONS[code]} for name, code in followed.absent.items()},
        "notes": list(followed.notes),
        "plausible": None if score.plausible is None else list(score.plausible),
    }


def head(track: Track) -> Json:
    """Return how a score is declared."""
    score, entry = track.score, track.entry
    title = score.title.split(": ", 1)[0]
    return {
        "key": score.key,
        "measure": entry.measure if entry is not None else score.key,
        "unit": score.unit,
        "better": score.better,
        "title": score.means,
        "source": score.source,
        "assessment": score.of,
        "assessment_title": title,
    }


def followed_told(track: Track) -> Json:
    """Return baseline, present value, change, slope and verdict: what a summary tells as well."""
    followed = track.followed
    slope = followed.slope
    verdict = _members(followed.verdict)
    return {
        "baseline": _point_told(followed.baseline),
        "now": _point_told(followed.now),
        "change": None
        if followed.change is None
        else _members(followed.change) | {"absent": dict(followed.change.absent)},
        "slope": None if slope is None else with_instants(_members(slope)),
        "verdict": with_instants(verdict),
    }


def _points(track: Track, since_day: float | None) -> list[Json]:
    followed, history = track.followed, track.history
    origins = history.origins
    n = len(origins.number)
    rows = zip(
        origins.number,
        origins.index or (None,) * n,
        origins.source or (None,) * n,
        origins.utc_offset_s,
        origins.flags,
        history.at_us.tolist(),
        history.value.tolist(),
        history.verdict,
        history.version.tolist(),
        history.run.tolist(),
        followed.fates,
        followed.of.tolist(),
        strict=True,
    )
    since_us = None if since_day is None else since_day * US_PER_DAY
    computed = origins.index is not None
    return [
        {
            "session": str(uuid_of(number)) if computed else None,
            "recording": index,
            "observation": None if computed else str(uuid_of(number)),
            "source": source,
            "flags": flags.split(),
            "at": told(EPOCH + timedelta(microseconds=at_us), utc_offset_s),
            "value": value,
            "verdict": verdict,
            "version": version,
            "run": run,
            "fate": fate,
            "aggregate": None if aggregate < 0 else aggregate,
        }
        for number, index, source, utc_offset_s, flags, at_us, value, verdict, version, run, fate, aggregate in rows
        if since_us is None or at_us >= since_us
    ]


def _aggregates(aggregates: Aggregates, since_day: float | None) -> list[Json]:
    known = set(aggregates.known.tolist())
    columns: Sequence[list[float]] = (
        aggregates.start_day.tolist(),
        aggregates.end_day.tolist(),
        aggregates.at_day.tolist(),
        aggregates.value.tolist(),
        aggregates.n.tolist(),
        aggregates.spread.tolist(),
    )
    return [
        {
            "index": index,
            "start": told(instant_of_day(start)),
            "end": told(instant_of_day(end)),
            "at": told(instant_of_day(at)),
            "value": value if index in known else None,
            "n": n,
            "spread": spread if spread == spread else None,  # NaN, of one test alone
            "absent": None if index in known else "too_few_tests",
        }
        for index, (start, end, at, value, n, spread) in enumerate(zip(*columns, strict=True))
        if since_day is None or end >= since_day
    ]


def _point_told(point: Any) -> Json | None:
    return None if point is None else with_instants(_members(point))


def _members(found: Any) -> Json:
    """Return the fields of a dataclass, whose values are plain already: copying them would cost more than the rest."""
    return {each.name: getattr(found, each.name) for each in fields(found)}
