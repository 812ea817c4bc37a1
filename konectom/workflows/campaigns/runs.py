"""The work of a campaign: sessions are loaded, computed by workers, and compared or kept, in the campaign's order.

How far it has come is written with what was done, in one transaction, so that a process that is killed at any point is
gone on from by the next one: nothing is left out, and nothing counted twice. A dry run writes nothing but that, every
now and then. Whoever takes a campaign up is its runner; one that was taken over, paused or cancelled meanwhile finds
that out before it writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any, Protocol
from uuid import UUID

import structlog

from konectom.errors import KeyDestroyed, KonectomError, NotFound, OperationError, SealBroken, StoreUnavailable
from konectom.storage.models import Campaign, SessionRow
from konectom.workflows.campaigns.choice import units
from konectom.workflows.campaigns.decisions import get_campaign
from konectom.workflows.campaigns.dry_run import DryRun
from konectom.workflows.campaigns.keeping import Keep
from konectom.workflows.campaigns.loads import Load, loads
from konectom.workflows.campaigns.pool import Workers
from konectom.workflows.campaigns.recompute import Outcomes, Task, compute_large, lost
from konectom.workflows.campaigns.rows import (
    Held,
    Superseded,
    asks_for_work,
    claim,
    claim_next,
    showing_life,
    still_mine,
    trying,
    write_down,
)
from konectom.workflows.campaigns.sources import chosen_sources
from konectom.workflows.services import Services

log = structlog.get_logger()

REST_EVERY_S = 20.0
"""How often a dry run writes down how far it has come, in seconds: its statistics are large."""


class Step(Protocol):
    """What is done with what came of some sessions."""

    compares: bool

    def take(self, load: Load, outcomes: list[Outcomes]) -> None:
        """Compare or keep it."""

    def rest(self) -> None:
        """Write down how far it has come, where that is not done yet."""

    def go_back(self) -> None:
        """Forget what was done since that was written down."""

    def finish(self) -> None:
        """Write down that it is done."""


def carry_out(
    services: Services,
    campaign_id: UUID,
    workers: Workers,
    *,
    stop: Callable[[], bool] = lambda: False,
    tell: Callable[[dict[str, int]], None] = lambda counts: None,
) -> dict[str, Any]:
    """Do what the campaign asks for, up to its end or until ``stop`` says so, which pauses it; return it then.

    ``tell`` is given the counts after every step. Raises :class:`~konectom.errors.CampaignState` where it asks for
    nothing, :class:`~konectom.errors.CampaignOutdated`, and :class:`OperationError` where the operator has to act: then
    it is paused, and says why.
    """
    while True:
        held = claim(services, campaign_id)
        try:
            with showing_life(services, held):
                stopped = _work(services, held, workers, stop, tell)
            if stopped:
                _pause(services, held, None)
        except Superseded:
            if asks_for_work(services, campaign_id):
                continue  # resumed already, or begun anew since somebody was erased
        except OperationError as error:
            _pause(services, held, error)
            raise
        return get_campaign(services, campaign_id)


def carry_out_next(services: Services, workers: Workers, *, stop: Callable[[], bool]) -> bool:
    """Do what the campaign asks for that waits longest; tell whether there was one.

    ``stop`` leaves it as it is, to whoever takes up the next. What only the operator can mend pauses it.
    """
    held = claim_next(services)
    if held is None:
        return False
    try:
        with showing_life(services, held):
            stopped = _work(services, held, workers, stop, lambda counts: None)
        if stopped:
            _leave(services, held)
    except Superseded:
        log.info("campaign.left", phase=held.phase)
    except OperationError as error:
        _pause(services, held, error)
        log.warning("campaign.paused", reason=error.code)
    return True


def _work(
    services: Services,
    held: Held,
    workers: Workers,
    stop: Callable[[], bool],
    tell: Callable[[dict[str, int]], None],
) -> bool:
    """Work on a campaign up to its end; tell whether it was stopped before."""
    step: Step = DryRun(services, held) if held.phase == "dry_run" else Keep(services, held)
    try:
        return _worked(services, held, step, workers, stop, tell)
    except OperationError:
        step.go_back()
        raise


def _worked(
    services: Services,
    held: Held,
    step: Step,
    workers: Workers,
    stop: Callable[[], bool],
    tell: Callable[[dict[str, int]], None],
) -> bool:
    found = units(services, held.choice, held.versions, held.mark)
    work = loads(services, held.choice, held.versions, found, compared=step.compares)
    rested_s = time.monotonic()
    with closing(work), closing(workers.each(work)) as computed:
        for load, outcomes in computed:
            step.take(*_with_large(services, held, load, outcomes))
            tell(dict(held.counts))
            if stop():
                step.rest()
                return True
            if time.monotonic() - rested_s >= REST_EVERY_S:
                step.rest()
                rested_s = time.monotonic()
            elif step.compares:
                still_mine(services, held)
    if not step.compares and not _try_others(services, held, stop, tell):
        return True
    step.finish()
    log.info("campaign.finished", phase=held.phase, **held.counts)
    return False


def _with_large(services: Services, held: Held, load: Load, outcomes: list[Outcomes]) -> tuple[Load, list[Outcomes]]:
    """Return what came of all sessions: of those that are too large for memory, what comes of them here."""
    tasks, came, unreadable = list(load.tasks), list(outcomes), load.unreadable
    for row, wanted in load.large:
        task = Task(row.id, b"", row.encoding, row.media_type, wanted, services.settings.limits)
        try:
            found = _large(services, held, row, task)
        except KeyDestroyed:  # erased meanwhile
            continue
        except (NotFound, SealBroken, StoreUnavailable) as error:
            if isinstance(error, StoreUnavailable):
                services.objects.ping()  # raises where it is the store, and not this object
            log.error("campaign.object_unreadable", reason=error.code)
            unreadable += len(wanted)
            continue
        tasks.append(task)
        came.append(found)
    return replace(load, tasks=tuple(tasks), unreadable=unreadable), came


def _large(services: Services, held: Held, row: SessionRow, task: Task) -> Outcomes:
    """Return what comes of a session that is computed in this process, unless it has ended it too often."""
    with trying(services, held, row.received_at.isoformat()) as number:
        if number > services.settings.processing_tries:
            log.error("campaign.session_ends_process", tries=number - 1)
            return lost(task)
        return compute_large(services, row, task.wanted)


def _try_others(
    services: Services, held: Held, stop: Callable[[], bool], tell: Callable[[dict[str, int]], None]
) -> bool:
    """Try again what is chosen and is no recording yet; tell whether all of it was."""
    held.counts.pop("held", None)  # where it was left off in the middle, each that is still held comes once more
    for source in chosen_sources(held.choice):
        for word in source.try_again(services, held.choice):
            held.count(word)
            write_down(services, held, lambda row: None)
            tell(dict(held.counts))
            if stop():
                return False
    return True


def _leave(services: Services, held: Held) -> None:
    """Give a campaign back, which goes on asking for work."""

    def left(row: Campaign) -> None:
        row.runner = None

    write_down(services, held, left)


def _pause(services: Services, held: Held, error: OperationError | None) -> None:
    def paused(row: Campaign) -> None:
        row.state, row.runner, row.changed_at = "paused", None, services.clock()
        row.fault = None if error is None else KonectomError.as_dict(error)

    try:
        write_down(services, held, paused)
    except Superseded:
        return
    except StoreUnavailable as fault:  # what failed before is what is told; it goes on from where it had come
        log.warning("campaign.not_paused", reason=fault.detail)
