"""Campaigns: recordings computed again, first to see what would change, then for good.

``planned`` → ``dry_run`` → ``ready`` → ``running`` → ``done``; ``paused`` from ``dry_run`` and ``running`` and back;
``cancelled`` from wherever it is not done. Here is what somebody decides; what ``dry_run`` and ``running`` ask for is
done by :mod:`konectom.workflows.campaigns.runs`, in another process than the one that was asked.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, select, text, true
from sqlalchemy.orm import Session, undefer

from konectom.assessments import every_assessment
from konectom.errors import CampaignOutdated, CampaignState, NotFound, PatientRestricted
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import Campaign, Patient
from konectom.workflows.campaigns.choice import USUAL, Choice, count_due
from konectom.workflows.consent.withheld import patient_is_shown, shown_patient
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, id_if_any, page, told, told_if_any
from konectom.workflows.patients.people import checked_text, find_study
from konectom.workflows.services import Services

WORKING = ("dry_run", "running")
STATES = ("planned", "dry_run", "ready", "running", "paused", "done", "cancelled")
FROM = {
    "dry-run": ("planned", "ready"),
    "run": ("ready",),
    "pause": WORKING,
    "resume": ("paused",),
    "cancel": ("planned", "dry_run", "ready", "running", "paused"),
}
"""What can be decided, and in which states."""

BEAT_S = 15.0
"""How often a process that works on a campaign shows that it is alive, in seconds."""

SILENT_S = 120.0
"""After so long without a sign of life, in seconds, another may take the campaign up unasked."""

TAKING_UP = 0x6B637570
"""Number of PostgreSQL's advisory lock under which one process at a time takes a campaign up."""


def plan_campaign(
    services: Services,
    *,
    study: UUID | None = None,
    patient: UUID | None = None,
    assessment: str | None = None,
    version: int | None = None,
    statuses: list[str] | None = None,
    start: datetime | None = None,
    until: datetime | None = None,
    note: str = "",
) -> dict[str, Any]:
    """Choose recordings to be computed again, by the versions of now; see :class:`Choice`. Nothing is computed yet.

    Raises :class:`NotFound` and :class:`PatientRestricted` for study and patient, and what :meth:`Choice.check` does.
    """
    usual = USUAL if version is None else USUAL[:1]
    choice = Choice(
        study_id=study,
        patient_id=patient,
        assessment=assessment,
        version=version,
        statuses=usual if statuses is None else tuple(dict.fromkeys(statuses)),
        start=start,
        until=until,
    )
    choice.check()
    checked_text(note, "note")
    versions, now = choice.versions(), services.clock()
    with services.db.read(within=services.settings.export_time_limit) as db:
        if study is not None:
            find_study(db, study)
        if patient is not None:
            of_whom, _ = shown_patient(db, patient, study_id=study, at="/patient")
            choice = replace(choice, study_id=of_whom.study_id)
        chosen = count_due(db, choice, versions)
    row = Campaign(
        id=uuid4(),
        study_id=choice.study_id,
        patient_id=patient,
        choice=choice.as_dict(),
        versions=versions,
        chosen=chosen,
        note=note,
        state="planned",
        phase=None,
        created_at=now,
        changed_at=now,
        counts={},
        trying={},
    )
    with services.db.write() as db:
        db.add(row)
        db.flush()
        return show_campaign(row) | {"report": None}


def list_campaigns(
    services: Services,
    *,
    scope: Scope = EVERYTHING,
    study: UUID | None = None,
    state: str | None = None,
    cursor: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return a page of the campaigns within ``scope``, as they were planned, without their reports."""
    statement = select(Campaign).where(_within(scope), patient_is_shown(Campaign.patient_id))
    if study is not None:
        statement = statement.where(Campaign.study_id == study)
    if state is not None:
        statement = statement.where(Campaign.state == state)
    with services.db.read() as db:
        order = (Campaign.created_at, Campaign.id)
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, statement, order, BY_TIME_AND_ID, show_campaign, asked)


def get_campaign(services: Services, campaign_id: UUID, *, scope: Scope = EVERYTHING) -> dict[str, Any]:
    """Return a campaign with the report of its dry run; raises :class:`NotFound` and :class:`PatientRestricted`."""
    with services.db.read() as db:
        row = _find(db, campaign_id, scope)
        return show_campaign(row) | {"report": row.report}


def decide(
    services: Services, campaign_id: UUID, what: str, *, scope: Scope = EVERYTHING, unseen: bool = False
) -> dict[str, Any]:
    """Let a campaign go on to what is said in :data:`FROM`; return it as it is then, without its report.

    ``unseen`` lets it run without a dry run before. Raises :class:`CampaignState` where it is in another state, and
    :class:`CampaignOutdated` where it would compute by other versions than it was planned for.
    """
    with services.db.write() as db:
        row = _find(db, campaign_id, scope, lock=True)
        allowed = (*FROM[what], "planned") if unseen and what == "run" else FROM[what]
        if row.state not in allowed:
            raise CampaignState(f"the campaign is {row.state}; {what} is for one that is {' or '.join(allowed)}")
        if what in ("dry-run", "run", "resume"):
            require_present(row)
        if what in ("dry-run", "run"):
            begin(row, "dry_run" if what == "dry-run" else "running")
        ends = {"dry-run": "dry_run", "run": "running", "pause": "paused", "cancel": "cancelled"}
        row.state = ends.get(what) or str(row.phase)
        row.runner, row.fault, row.changed_at = None, None, services.clock()
        db.flush()
        return show_campaign(row)


def begin(row: Campaign, phase: str) -> None:
    """Let a phase begin, or begin anew."""
    row.phase, row.runner = phase, None
    row.patients_until = row.sessions_until = None
    row.counts, row.trying, row.draft = {}, {}, None
    if phase == "dry_run":
        row.report = None


def require_present(row: Campaign) -> None:
    """Raise :class:`CampaignOutdated` unless the assessments have the versions of which its report speaks."""
    declared = every_assessment()
    for name, version in sorted(row.versions.items()):
        if name not in declared or declared[name].version != version:
            raise CampaignOutdated(f"{name} is not at version {version} any more; plan another campaign")


def is_present(row: Campaign) -> bool:
    """Tell whether a campaign is of the versions that the assessments have here."""
    declared = every_assessment()
    return all(name in declared and declared[name].version == version for name, version in row.versions.items())


def is_worked_on(row: Campaign, now: datetime) -> bool:
    """Tell whether a process works on a campaign and showed so lately, which it does every :data:`BEAT_S`."""
    if row.runner is None or row.active_at is None:
        return False
    return abs(now - row.active_at) < timedelta(seconds=SILENT_S)


def waiting_campaigns(services: Services) -> list[UUID]:
    """Return the campaigns that ask for work which nobody does, and that can be done here; those that wait longest
    first.
    """
    asked = select(Campaign).where(Campaign.state.in_(WORKING)).order_by(Campaign.changed_at, Campaign.id)
    with services.db.read() as db:
        found = db.scalars(asked).all()
        return [row.id for row in found if is_present(row) and not is_worked_on(row, services.clock())]


def one_at_a_time(db: Session) -> None:
    """Let no other process take up a campaign before this transaction ends. On SQLite there is one that writes."""
    if db.get_bind().dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": TAKING_UP})


def forget_reports(db: Session, study_id: UUID) -> None:
    """Forget what dry runs found in a study: it follows from all its patients. One that is under way begins anew."""
    found = select(Campaign).where((Campaign.study_id == study_id) | Campaign.study_id.is_(None)).with_for_update()
    for row in db.scalars(found).all():
        row.report = row.draft = None
        if row.phase == "dry_run" and row.state in (*WORKING, "paused"):
            begin(row, "dry_run")


def show_campaign(row: Campaign) -> dict[str, Any]:
    """Return a campaign as it stands on the wire, without its report."""
    return {
        "id": str(row.id),
        "study": id_if_any(row.study_id),
        "patient": id_if_any(row.patient_id),
        **row.choice,
        "versions": row.versions,
        "note": row.note,
        "state": row.state,
        "phase": row.phase,
        "chosen": row.chosen,
        "counts": row.counts,
        "error": row.fault,
        "created_at": told(row.created_at),
        "changed_at": told(row.changed_at),
        "active_at": told_if_any(row.active_at),
    }


def _find(db: Session, campaign_id: UUID, scope: Scope, *, lock: bool = False) -> Campaign:
    statement = select(Campaign).where(Campaign.id == campaign_id, _within(scope))
    wanted = statement.options(undefer(Campaign.report)) if not lock else statement.with_for_update()
    row = db.scalars(wanted).one_or_none()
    if row is None:
        raise NotFound("there is no such campaign")
    if row.patient_id is not None and db.get_one(Patient, row.patient_id).restricted_at is not None:
        raise PatientRestricted("the use of what is kept of this patient is restricted")
    return row


def _within(scope: Scope) -> ColumnElement[bool]:
    """Return the condition on campaigns that ``scope`` reaches the whole of what they choose from."""
    if scope.everything or (None, None) in scope.places:
        return true()
    return Campaign.study_id.in_([study for study, site in scope.places if site is None and study is not None])
