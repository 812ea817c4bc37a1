"""Observations on their way into the tables: checked, scored, and kept unless they are there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeVar
from uuid import UUID, uuid4

import orjson
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from konectom.errors import FieldInvalid
from konectom.scoring.scales import Scale, Scored, find_scale
from konectom.storage.models import Observation, ObservedRow
from konectom.workflows.following.entries import measure_ids
from konectom.workflows.patients.people import checked_text

T = TypeVar("T")

AHEAD = timedelta(days=1)
"""How far a clock may run ahead of ours; what was found later than that cannot have been found."""

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LONGEST_NOTE = 2000
ATTEMPTS = 8
"""How often a write is tried that others, at the same instant, made impossible by writing the same first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An observation that has been checked and scored, not yet kept.

    ``digest`` is over all that tells it from others of a patient. Values count by what they mean: 3 is 3.0, 4.9 s are
    4,900 ms, and what was told beside them makes no difference.
    """

    code: str
    at: datetime
    source: str
    reference: str
    note: str
    scale: Scale
    scored: Scored
    digest: str

    @property
    def is_event(self) -> bool:
        """Return whether several may be told of one instant."""
        return self.scale.domain == "event"


class Kept(NamedTuple):
    """What became of a finding; ``id`` is the observation's: the new one, or the one that was there."""

    what: Literal["entered", "there", "retracted", "contradicted"]
    id: UUID


def check_finding(
    now: datetime,
    *,
    code: str,
    at: datetime,
    values: Mapping[str, Any],
    day: date | None = None,
    source: str = "",
    reference: str = "",
    note: str = "",
) -> Finding:
    """Check and score what was found; ``day`` is the calendar day where the patient was, by default that of ``at``.

    Raises a :class:`~konectom.errors.DataError` with a pointer: ``/code``, ``/at``, ``/values/…``, ``/source``.
    """
    scale = find_scale(code)
    if not EARLIEST <= at <= now + AHEAD:
        raise FieldInvalid(f"{at.isoformat()} is before 1900 or in the future", at="/at")
    if len(note) > LONGEST_NOTE or "\0" in note:
        raise FieldInvalid(f"note must be text of at most {LONGEST_NOTE} characters", at="/note")
    source = checked_text(source.strip(), "source")
    scored = scale.score(values, on=day or at.date())
    return Finding(
        code=code,
        at=at,
        source=source,
        reference=checked_text(reference.strip(), "reference"),
        note=note,
        scale=scale,
        scored=scored,
        digest=_digest(code, at, source, scored.given),
    )


def keep_findings(db: Session, found: Sequence[tuple[UUID, Finding]], now: datetime, *, again: bool) -> list[Kept]:
    """Add the rows of findings, each with its patient's id, unless they are there; return what became of each.

    One that was retracted is entered anew only where ``again`` says so. The patients' rows have to be locked by the
    caller, so that nobody adds the same in between. Two questions and two inserts, however many there are.
    """
    there = _There(db, found)
    kept = [there.claim(patient_id, finding, again) for patient_id, finding in found]
    new = [(each.id, *pair) for each, pair in zip(kept, found, strict=True) if each.what == "entered"]
    if new:
        db.execute(insert(Observation), [_row(*each, now) for each in new])
        _keep_scores(db, new)
    return kept


def written(write: Callable[[], T]) -> T:
    """Return what a transaction gives; it is tried again where others numbered the same measures meanwhile."""
    attempt = 0
    while True:
        try:
            return write()
        except IntegrityError:
            attempt += 1
            if attempt == ATTEMPTS:
                raise


class _There:
    """What is there already of some findings, and what is claimed on the way."""

    def __init__(self, db: Session, found: Sequence[tuple[UUID, Finding]]) -> None:
        patients = {patient_id for patient_id, _ in found}
        findings = [finding for _, finding in found]
        of_these = Observation.patient_id.in_(patients)
        same = select(Observation.patient_id, Observation.digest, Observation.id, Observation.retracted_at).where(
            of_these, Observation.digest.in_({each.digest for each in findings})
        )
        self._valid: dict[tuple[UUID, str], UUID] = {}
        self._retracted: dict[tuple[UUID, str], UUID] = {}
        for patient_id, digest, number, retracted_at in db.execute(same):
            (self._valid if retracted_at is None else self._retracted)[patient_id, digest] = number
        at_once = select(
            Observation.patient_id, Observation.code, Observation.at, Observation.source, Observation.id
        ).where(
            of_these,
            Observation.code.in_({each.code for each in findings}),
            Observation.at.in_({each.at.astimezone(UTC) for each in findings}),
            Observation.retracted_at.is_(None),
        )
        self._at_once = {(row[0], row[1], row[2], row[3]): row[4] for row in db.execute(at_once)}

    def claim(self, patient_id: UUID, finding: Finding, again: bool) -> Kept:
        """Return what is to become of a finding; what is entered is there from then on."""
        identity = (patient_id, finding.digest)
        if identity in self._valid:
            return Kept("there", self._valid[identity])
        if identity in self._retracted and not again:
            return Kept("retracted", self._retracted[identity])
        place = (patient_id, finding.code, finding.at.astimezone(UTC), finding.source)
        if place in self._at_once and not finding.is_event:
            return Kept("contradicted", self._at_once[place])
        number = uuid4()
        self._valid[identity] = self._at_once[place] = number
        return Kept("entered", number)


def _digest(code: str, at: datetime, source: str, given: Mapping[str, Any]) -> str:
    meant = {name: float(f"{value:.12g}") if type(value) is float else value for name, value in given.items()}
    told_once = orjson.dumps([code, at.astimezone(UTC), source, meant], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(told_once).hexdigest()


def offset_s(at: datetime) -> int:
    """Return an instant's offset from UTC in whole seconds."""
    return round((at.utcoffset() or timedelta()).total_seconds())


def _row(number: UUID, patient_id: UUID, finding: Finding, now: datetime) -> dict[str, Any]:
    return {
        "id": number,
        "patient_id": patient_id,
        "code": finding.code,
        "at": finding.at,
        "utc_offset_s": offset_s(finding.at),
        "values": dict(finding.scored.told),
        "version": finding.scale.version,
        "scores": dict(finding.scored.values),
        "absent": dict(finding.scored.absent),
        "flags": [flag.as_dict() for flag in finding.scored.flags],
        "source": finding.source,
        "reference": finding.reference,
        "note": finding.note,
        "digest": finding.digest,
        "entered_at": now,
        "retracted_at": None,
        "retracted_for": None,
    }


def _keep_scores(db: Session, new: Sequence[tuple[UUID, UUID, Finding]]) -> None:
    """Add the narrow rows of those quantities that are followed over time."""
    followed = [
        (number, patient_id, finding, finding.scale.key(name), value)
        for number, patient_id, finding in new
        for name, value in finding.scored.values.items()
        if finding.scale.quantity[name].score
    ]
    if not followed:
        return
    numbers = measure_ids(db, (key for *_, key, _ in followed))
    rows = [
        {
            "patient_id": patient_id,
            "measure_id": numbers[key],
            "at": finding.at,
            "observation_id": number,
            "version": finding.scale.version,
            "utc_offset_s": offset_s(finding.at),
            "source": finding.source,
            "flags": " ".join(flag.code for flag in finding.scored.flags),
            "value": value,
        }
        for number, patient_id, finding, key, value in followed
    ]
    db.execute(insert(ObservedRow), rows)
