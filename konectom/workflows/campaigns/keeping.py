"""A campaign's run: what came of the sessions is kept. Results are added, never changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from konectom.assessments import every_assessment
from konectom.errors import NotFound
from konectom.storage.models import RecordingRow, ResultRow, SessionRow
from konectom.workflows.campaigns.choice import PROCESSED
from konectom.workflows.campaigns.dry_run import is_withheld, require_same_release
from konectom.workflows.campaigns.loads import Load
from konectom.workflows.campaigns.recompute import Outcome, Outcomes
from konectom.workflows.campaigns.rows import Held, mine, write_down
from konectom.workflows.consent.collecting import Agreed
from konectom.workflows.following.due import void_reviews
from konectom.workflows.patients.people import find_patient
from konectom.workflows.services import Services
from konectom.workflows.sessions.earlier import remember
from konectom.workflows.sessions.process import status_of
from konectom.workflows.sessions.result_rows import Results, result_id
from konectom.workflows.sessions.tries import WAITING

log = structlog.get_logger()

ATTEMPTS = 8
"""How often a write is tried that others, at the same instant, made impossible by writing the same first."""


class Keep:
    """Writes results; see :class:`~konectom.workflows.campaigns.runs.Step`."""

    compares = False

    def __init__(self, services: Services, held: Held) -> None:
        self.services, self.held = services, held
        self._faults: set[tuple[str | None, str]] = set()

    def take(self, load: Load, outcomes: list[Outcomes]) -> None:
        """Keep what came of some sessions, and how far the campaign has come, in one transaction."""
        came = {task.session_id: found for task, found in zip(load.tasks, outcomes, strict=True)}
        before, mark = dict(self.held.counts), self.held.mark
        for attempt in range(ATTEMPTS):
            try:
                self._keep(load, came)
                break
            except BaseException as error:
                self.held.counts, self.held.mark = dict(before), mark
                if not isinstance(error, IntegrityError) or attempt == ATTEMPTS - 1:
                    raise
        for found in came.values():
            for outcome in found.values():
                self._log(outcome)

    def rest(self) -> None:
        """Do nothing: how far it has come is written with what was done."""

    def go_back(self) -> None:
        """Do nothing: what was not kept was not counted."""

    def finish(self) -> None:
        """Write down that all is done."""

        def finished(row: Any) -> None:
            row.state, row.runner, row.changed_at = "done", None, self.services.clock()

        write_down(self.services, self.held, finished)

    def _keep(self, load: Load, came: dict[UUID, Outcomes]) -> None:
        now = self.services.clock()
        by_patient: dict[UUID, list[UUID]] = defaultdict(list)
        for session_id in came:
            by_patient[load.patients[session_id]].append(session_id)
        with self.services.db.write() as db:
            results = Results(db, now)
            for patient_id in sorted(by_patient):
                of_patient = {each: came[each] for each in by_patient[patient_id]}
                self._keep_patients(db, patient_id, of_patient, results, now)
            results.write()
            self.held.count("unreadable", load.unreadable)
            self.held.count("sessions", load.sessions)
            self.held.mark = load.mark
            mine(self.services, db, self.held)

    def _keep_patients(
        self, db: Session, patient_id: UUID, came: dict[UUID, Outcomes], results: Results, now: datetime
    ) -> None:
        """Keep what came of a patient's sessions, who is neither erased nor restricted before this is over."""
        try:
            find_patient(db, patient_id, lock=True)
        except NotFound:
            self.held.count("gone", sum(map(len, came.values())))
            return
        agreed = Agreed.of(db, patient_id)
        asked = select(SessionRow).where(SessionRow.id.in_(sorted(came))).order_by(SessionRow.id).with_for_update()
        sessions = db.scalars(asked).all()
        rows: dict[UUID, dict[int, RecordingRow]] = defaultdict(dict)
        for row in db.scalars(select(RecordingRow).where(RecordingRow.session_id.in_(came))):
            rows[row.session_id][row.index] = row
        present = self._present(db, rows, came)
        for session in sessions:
            for index, outcome in came[session.id].items():
                if is_withheld(agreed, outcome):
                    self.held.count("withheld")
                else:
                    row = rows[session.id][index]
                    if self._is_new(db, session, row, outcome, present, now):
                        assert outcome.values is not None  # noqa: S101  # there is something to keep
                        assert outcome.at is not None  # noqa: S101  # of a recording that was computed
                        catalogue = every_assessment()[outcome.values.assessment].catalogue
                        results.add(session, row, outcome.at, catalogue, outcome.values)
            statuses = {row.status for row in rows[session.id].values()}
            if WAITING not in statuses:
                session.status = status_of(statuses)
                session.fault = None if session.status == PROCESSED else session.fault
        void_reviews(db, patient_id=patient_id)

    def _present(
        self, db: Session, rows: dict[UUID, dict[int, RecordingRow]], came: dict[UUID, Outcomes]
    ) -> frozenset[UUID]:
        """Return the results that are there already, of those that are to be kept."""
        wanted = [
            result_id(rows[session][index].id, every_assessment()[outcome.values.assessment].catalogue)
            for session, found in came.items()
            for index, outcome in found.items()
            if outcome.values is not None and index in rows[session] and outcome.values.assessment in every_assessment()
        ]
        return frozenset(db.scalars(select(ResultRow.id).where(ResultRow.id.in_(wanted))))

    def _is_new(
        self,
        db: Session,
        session: SessionRow,
        row: RecordingRow,
        outcome: Outcome,
        present: frozenset[UUID],
        now: datetime,
    ) -> bool:
        """Count what came of a recording, and write down its status; tell whether a result is to be kept."""
        if outcome.values is None:
            self.held.count(outcome.status)
            if row.status != PROCESSED and (row.status, _code(row.error)) != (outcome.status, _code(outcome.error)):
                _set(db, session, row, outcome, now)
            return False
        require_same_release(outcome.values)
        if row.status == PROCESSED and row.assessment != outcome.values.assessment:
            self.held.count("rejected")  # the reader takes it for another test by now: what is kept stays
            return False
        catalogue = every_assessment()[outcome.values.assessment].catalogue
        if row.status != PROCESSED:
            self.held.count("recovered")
            _set(db, session, row, outcome, now)
        if result_id(row.id, catalogue) in present:
            self.held.count("there")
            return False
        self.held.count("results")
        return True

    def _log(self, outcome: Outcome) -> None:
        """Tell the log of each fault of ours once."""
        kind = (outcome.assessment, outcome.fault.rstrip().rpartition("\n")[2].partition(":")[0])
        if outcome.fault and kind not in self._faults:
            self._faults.add(kind)
            log.error("recording.failed", assessment=outcome.assessment, fault=outcome.fault)


def _code(error: Mapping[str, Any] | None) -> Any:
    return None if error is None else error.get("code")


def _set(db: Session, session: SessionRow, row: RecordingRow, outcome: Outcome, now: datetime) -> None:
    """Write down what came of a recording without a result, and remember what was said of it until now."""
    remember(db, session, row, now)
    row.status = outcome.status
    row.error = None if outcome.error is None else dict(outcome.error)
    if outcome.values is not None:
        row.assessment, row.condition = outcome.assessment, dict(outcome.condition)
        row.offset_s, row.duration_s = outcome.offset_s, outcome.duration_s
