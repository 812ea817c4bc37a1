"""What a patient agrees to, type by type of data: decisions are added, and the last one holds.

A patient gives or refuses consent, and withdraws it: from then on nothing of that type is collected. What was collected
while consent was given stays to be used, until it is restricted (:mod:`konectom.workflows.consent.restrictions`) or
erased.

Decisions may come late, from a phone without a network. Consent that was given before the present decision was made
does not undo it. A refusal or withdrawal counts whenever it is heard of: where in doubt, nothing is collected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from konectom.errors import FieldInvalid, FieldMissing
from konectom.storage.models import Consent, ConsentForm, Patient, Study
from konectom.workflows.consent.data_types import checked_types, every_data_type
from konectom.workflows.consent.forms import find_form, show_form
from konectom.workflows.consent.withheld import RESTRICTED
from konectom.workflows.pages import told, told_if_any
from konectom.workflows.patients.people import find_patient, find_study
from konectom.workflows.services import Services

GIVEN, REFUSED, WITHDRAWN = "given", "refused", "withdrawn"
DECISIONS = (GIVEN, REFUSED, WITHDRAWN)
STATES = (*DECISIONS, RESTRICTED)

CLOCK_AHEAD = timedelta(minutes=5)
"""So far a phone's clock may be ahead of ours, or behind it."""

ELSEWHERE = "elsewhere"
"""What a study's ``consent`` says where it is kept on paper: it need not be entered here, but may."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The patient's consent as it stands on the wire, and whether something new was written."""

    created: bool
    consents: dict[str, Any]


def record_consent(
    services: Services,
    patient_id: UUID,
    *,
    state: str,
    data_types: Sequence[str] | None = None,
    form: str | None = None,
    decided_at: datetime | None = None,
) -> Recorded:
    """Keep a patient's decision on types of data (None: all that the form covers); the same once more changes nothing.

    Consent that is given names the version of the study's form that was agreed to, unless the study keeps consent
    elsewhere. Raises :class:`FieldInvalid` and :class:`FieldMissing` at ``/state``, ``/data_types``, ``/form`` and
    ``/decided_at``, :class:`~konectom.errors.NotFound` for the patient.
    """
    if state not in DECISIONS:
        raise FieldInvalid(f"state must be one of {', '.join(DECISIONS)}", at="/state")
    now = services.clock()
    decided_at_or_now = _decided_at(decided_at, now)
    with services.db.write() as db:
        patient = lock_patient(db, patient_id)
        agreed = None if form is None else find_form(db, patient.study_id, form)
        if state == GIVEN:
            _check_form(find_study(db, patient.study_id), agreed, decided_at_or_now)
        there = _Decisions(db, patient_id, now)
        for name in _named(data_types, agreed):
            there.decide(name, state, agreed, decided_at_or_now, told_when=decided_at is not None)
        db.flush()
        return Recorded(there.changed, show_consents(db, patient))


def withdraw_consent(
    services: Services, patient_id: UUID, *, data_types: Sequence[str] | None = None, decided_at: datetime | None = None
) -> dict[str, Any]:
    """Withdraw a patient's consent to types of data (None: to all, also those of tests that are made later).

    Whatever was refused or withdrawn before stays so. Raises as :func:`record_consent` does.
    """
    now = services.clock()
    at = _decided_at(decided_at, now)
    types = every_data_type() if data_types is None else checked_types(data_types)
    with services.db.write() as db:
        patient = lock_patient(db, patient_id)
        there = _Decisions(db, patient_id, now)
        named = types if data_types is not None else dict.fromkeys((*types, *there.current))
        for name in named:
            if there.state(name) not in (REFUSED, WITHDRAWN):
                there.decide(name, WITHDRAWN, None, at, told_when=decided_at is not None)
        db.flush()
        return show_consents(db, patient)


def patient_consents(services: Services, patient_id: UUID) -> dict[str, Any]:
    """Return what a patient has decided: as it stands, as it came about, and the forms that may be agreed to."""
    with services.db.read() as db:
        return show_consents(db, find_patient(db, patient_id))


def lock_patient(db: Session, patient_id: UUID) -> Patient:
    """Return a patient's row, locked: of two who decide at once the second sees what the first decided."""
    patient = find_patient(db, patient_id)
    db.refresh(patient, with_for_update={"key_share": True})
    return patient


class _Decisions:
    """A patient's decisions while one is added; the patient is locked."""

    def __init__(self, db: Session, patient_id: UUID, now: datetime) -> None:
        self._db, self._patient_id = db, patient_id
        rows = db.scalars(select(Consent).where(Consent.patient_id == patient_id)).all()
        # The order in which decisions came is told by when: no two of a patient have the same instant.
        last = max((row.entered_at for row in rows), default=now - timedelta(microseconds=1))
        self._entered_at = max(now, last + timedelta(microseconds=1))
        self._decided = [row for row in rows if row.state in DECISIONS]
        self.current = {row.data_type: row for row in self._decided if row.ended_at is None}
        self.changed = False

    def state(self, name: str) -> str | None:
        """Return the decision that holds on a type."""
        return self.current[name].state if name in self.current else None

    def decide(self, name: str, state: str, form: ConsentForm | None, at: datetime, *, told_when: bool) -> None:
        """Add a decision unless it is there: the same that holds, or one that was told before as made then."""
        form_id = None if form is None else form.id
        held = self.current.get(name)
        if held is not None and not told_when and (held.state, held.form_id) == (state, form_id):
            return
        again = (name, state, form_id, at)
        if told_when and any((r.data_type, r.state, r.form_id, r.decided_at) == again for r in self._decided):
            return
        row = Consent(
            id=uuid4(),
            patient_id=self._patient_id,
            form_id=form_id,
            data_type=name,
            state=state,
            decided_at=at,
            entered_at=self._entered_at,
            ended_at=None,
        )
        self._entered_at += timedelta(microseconds=1)
        if held is not None and state == GIVEN and at < held.decided_at:
            row.ended_at = row.entered_at
        else:
            if held is not None:
                held.ended_at = row.entered_at
            self.current[name] = row
        self._decided.append(row)
        self._db.add(row)
        self.changed = True


def _named(data_types: Sequence[str] | None, form: ConsentForm | None) -> list[str]:
    """Return the types of data that are decided on: those named, or all that the form covers."""
    if form is None:
        return checked_types(data_types or ())
    if data_types is None:
        return [name for name in every_data_type() if name in form.data_types]
    return checked_types(data_types, among=form.data_types)


def _decided_at(decided_at: datetime | None, now: datetime) -> datetime:
    if decided_at is None:
        return now
    if decided_at.utcoffset() is None:
        raise FieldInvalid("decided_at needs its offset from UTC", at="/decided_at")
    if decided_at > now + CLOCK_AHEAD:
        raise FieldInvalid(f"{decided_at.isoformat()} is in the future", at="/decided_at")
    return decided_at


def _check_form(study: Study, form: ConsentForm | None, at: datetime) -> None:
    """Raise unless consent that is given rests on a form that was in use when it was given."""
    if form is None:
        if study.consent != ELSEWHERE:
            raise FieldMissing("say which version of the study's consent form was agreed to", at="/form")
    elif form.retired_at is not None and form.retired_at <= at:
        raise FieldInvalid(f"version {form.version} is no longer used", at="/form")
    elif at < form.created_at - CLOCK_AHEAD:
        raise FieldInvalid(f"version {form.version} was not there yet at {at.isoformat()}", at="/decided_at")


def show_consents(db: Session, patient: Patient) -> dict[str, Any]:
    """Return a patient's consent as it stands on the wire."""
    forms = db.scalars(
        select(ConsentForm).where(ConsentForm.study_id == patient.study_id).order_by(ConsentForm.version)
    ).all()
    versions = {form.id: form.version for form in forms}
    rows = db.scalars(
        select(Consent).where(Consent.patient_id == patient.id).order_by(Consent.entered_at, Consent.id)
    ).all()
    shown = [_show(row, versions) for row in rows]
    holding = [row for row in shown if row["ended_at"] is None]
    decided = {row["data_type"]: row for row in holding if row["state"] != RESTRICTED}
    restricted = {row["data_type"]: row for row in holding if row["state"] == RESTRICTED}
    return {
        "patient": str(patient.id),
        "kept": db.get_one(Study, patient.study_id).consent,
        "restricted_at": told_if_any(patient.restricted_at),
        "current": [
            _current(name, decided.get(name), restricted.get(name)) for name in sorted({*decided, *restricted})
        ],
        "history": shown,
        "forms": [show_form(form) for form in forms if form.retired_at is None],
    }


def _current(name: str, decided: dict[str, Any] | None, restricted: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "data_type": name,
        "state": None if decided is None else decided["state"],
        "decided_at": None if decided is None else decided["decided_at"],
        "form": None if decided is None else decided["form"],
        "restricted_at": None if restricted is None else restricted["decided_at"],
    }


def _show(row: Consent, versions: dict[UUID, str]) -> dict[str, Any]:
    return {
        "data_type": row.data_type,
        "state": row.state,
        "form": None if row.form_id is None else versions[row.form_id],
        "decided_at": told(row.decided_at),
        "entered_at": told(row.entered_at),
        "ended_at": told_if_any(row.ended_at),
    }
