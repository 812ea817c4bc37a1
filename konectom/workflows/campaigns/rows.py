"""The row of a campaign while somebody works on it: taken up, written on, and found to be another's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from konectom.errors import CampaignState, NotFound, StoreUnavailable
from konectom.storage.models import Campaign
from konectom.workflows.campaigns.choice import Choice, Mark
from konectom.workflows.campaigns.decisions import (
    BEAT_S,
    WORKING,
    is_present,
    is_worked_on,
    one_at_a_time,
    require_present,
)
from konectom.workflows.services import Services

log = structlog.get_logger()


class Superseded(Exception):
    """The campaign was taken over by another process, paused, cancelled or erased."""


@dataclass(slots=True)
class Held:
    """A campaign that this process works on, as which runner. ``mark`` and ``counts`` go on with the work."""

    campaign_id: UUID
    runner: UUID
    phase: str
    choice: Choice
    versions: dict[str, int]
    mark: Mark | None
    draft: bytes | None
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, recordings: int = 1) -> None:
        """Count recordings, or sessions, with which something was done."""
        if recordings:
            self.counts[name] = self.counts.get(name, 0) + recordings


def claim(services: Services, campaign_id: UUID) -> Held:
    """Take up a campaign that asks for work; whoever had it before finds that out.

    Raises :class:`NotFound`, :class:`CampaignState` and :class:`~konectom.errors.CampaignOutdated`.
    """
    with services.db.write() as db:
        row = _locked(db, campaign_id)
        if row is None:
            raise NotFound("there is no such campaign")
        if row.state not in WORKING:
            raise CampaignState(f"the campaign is {row.state}; there is nothing to do for it")
        require_present(row)
        return _taken(services, row)


def claim_next(services: Services) -> Held | None:
    """Take up the campaign that asks for work the longest and that nobody does; None where there is none.

    None also while any other is worked on: an installation has one at a time, so that uploads do not wait for them.
    Those that were planned for other versions than those here are left to others.
    """
    with services.db.write() as db:
        one_at_a_time(db)
        asked = select(Campaign).where(Campaign.state.in_(WORKING)).order_by(Campaign.changed_at, Campaign.id)
        rows = db.scalars(asked.options(undefer(Campaign.draft)).with_for_update()).all()
        if any(is_worked_on(row, services.clock()) for row in rows):
            return None
        for row in rows:
            if is_present(row):
                return _taken(services, row)
        return None


def _taken(services: Services, row: Campaign) -> Held:
    row.runner, row.active_at, row.fault = uuid4(), services.clock(), None
    known = row.patients_until is not None and row.sessions_until is not None
    mark = Mark(row.patients_until, row.sessions_until) if known else None  # type: ignore[arg-type]
    return Held(
        campaign_id=row.id,
        runner=row.runner,
        phase=row.state,
        choice=Choice.of(row),
        versions=dict(row.versions),
        mark=mark,
        draft=row.draft,
        counts=dict(row.counts),
    )


@contextmanager
def showing_life(services: Services, held: Held) -> Iterator[None]:
    """Show that somebody works on a campaign, also where a session takes long; see :func:`is_worked_on`."""
    over = threading.Event()

    def show() -> None:
        while not over.wait(BEAT_S):
            try:
                with services.db.write() as db:
                    row = _locked(db, held.campaign_id)
                    if row is None or (row.state, row.runner) != (held.phase, held.runner):
                        return
                    row.active_at = services.clock()
            except StoreUnavailable as error:
                log.warning("campaign.no_sign_of_life", reason=error.detail)

    thread = threading.Thread(target=show, name="campaign-alive", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def asks_for_work(services: Services, campaign_id: UUID) -> bool:
    """Tell whether the campaign asks for work, and nobody does it."""
    asked = select(Campaign.state, Campaign.runner).where(Campaign.id == campaign_id)
    with services.db.read() as db:
        found = db.execute(asked).one_or_none()
    return found is not None and found[0] in WORKING and found[1] is None


def still_mine(services: Services, held: Held) -> None:
    """Raise :class:`Superseded` unless this process still works on the campaign."""
    asked = select(Campaign.state, Campaign.runner).where(Campaign.id == held.campaign_id)
    with services.db.read() as db:
        if db.execute(asked).one_or_none() != (held.phase, held.runner):
            raise Superseded


@contextmanager
def trying(services: Services, held: Held, what: str) -> Iterator[int]:
    """Count a try of something that may end this process, and yield which one it is.

    It is written down before, and taken back after: what stays are tries that ended the process, until the campaign is
    past it. Raises :class:`Superseded`.
    """
    with services.db.write() as db:
        row = _locked(db, held.campaign_id)
        if row is None or (row.state, row.runner) != (held.phase, held.runner):
            raise Superseded
        number = _counted(row, what, 1)
    try:
        yield number
    finally:
        with services.db.write() as db:
            row = _locked(db, held.campaign_id)
            if row is not None and what in row.trying:  # also where it was paused, or somebody else took it up
                _counted(row, what, -1)


def _counted(row: Campaign, what: str, more: int) -> int:
    """Write nothing but this: how far a dry run has come stands beside its statistics, or not at all."""
    number = int(row.trying.get(what, 0)) + more
    row.trying = {name: times for name, times in (row.trying | {what: number}).items() if times > 0}
    return number


def write_down(services: Services, held: Held, change: Callable[[Campaign], None]) -> None:
    """Change the campaign's row; raises :class:`Superseded`."""
    with services.db.write() as db:
        change(mine(services, db, held))


def mine(services: Services, db: Session, held: Held) -> Campaign:
    """Return the campaign's row, locked, with how far it has come; raises :class:`Superseded`.

    After the patients' rows, which an erasure locks before this one.
    """
    row = _locked(db, held.campaign_id)
    if row is None or (row.state, row.runner) != (held.phase, held.runner):
        raise Superseded
    if held.mark is not None:
        if held.mark != Mark(row.patients_until, row.sessions_until):  # type: ignore[arg-type]
            row.trying = {}
        row.patients_until, row.sessions_until = held.mark.patients_until, held.mark.sessions_until
    row.counts, row.active_at = dict(held.counts), services.clock()
    return row


def _locked(db: Session, campaign_id: UUID) -> Campaign | None:
    asked = select(Campaign).where(Campaign.id == campaign_id).options(undefer(Campaign.draft)).with_for_update()
    return db.scalars(asked).one_or_none()
