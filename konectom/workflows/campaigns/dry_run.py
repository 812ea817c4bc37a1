"""A campaign's dry run: what came of the sessions is compared with what is kept, and forgotten."""

from __future__ import annotations

from sqlalchemy.orm import Session

from konectom.assessments import every_assessment
from konectom.errors import NotFound, WorkersDiffer
from konectom.storage.models import Campaign
from konectom.workflows.campaigns.differences import Differences
from konectom.workflows.campaigns.loads import Load, Old
from konectom.workflows.campaigns.recompute import Outcome, Outcomes
from konectom.workflows.campaigns.rows import Held, write_down
from konectom.workflows.consent.collecting import Agreed
from konectom.workflows.services import Services
from konectom.workflows.sessions.plain_results import Values


class DryRun:
    """Counts differences; see :class:`~konectom.workflows.campaigns.runs.Step`."""

    compares = True

    def __init__(self, services: Services, held: Held) -> None:
        self.services, self.held = services, held
        self.found = Differences.unpack(held.draft)
        self._written = held.mark, dict(held.counts)

    def take(self, load: Load, outcomes: list[Outcomes]) -> None:
        """Compare what came of some sessions with what is kept."""
        with self.services.db.read() as db:
            agreed = {patient: agreed_of(db, patient) for patient in set(load.patients.values())}
        for task, came in zip(load.tasks, outcomes, strict=True):
            for index, outcome in came.items():
                place = (task.session_id, index)
                if is_withheld(agreed[load.patients[task.session_id]], outcome):
                    self.held.count("withheld")
                else:
                    self._compare(load.statuses[place], load.olds.get(place), outcome)
        self.held.count("unreadable", load.unreadable)
        self.held.count("sessions", load.sessions)
        self.held.mark = load.mark

    def _compare(self, status: str, old: Old | None, outcome: Outcome) -> None:
        self.held.count("recordings")
        name = outcome.assessment or (old.assessment if old is not None else "")
        if outcome.values is None:
            if old is not None:
                self.found.fails(old.assessment, outcome.status, str((outcome.error or {}).get("code", "")))
            return
        if old is not None and old.assessment != outcome.values.assessment:
            self.found.fails(old.assessment, "rejected", "assessment_differs")
            return
        require_same_release(outcome.values)
        if old is None:
            self.found.recovers(name, status)
            return
        new = every_assessment()[outcome.values.assessment].catalogue
        self.found.results(
            (old.assessment, old.version, new.version),
            (old.entries, old.features, old.verdict),
            (new.entries, outcome.values.features, outcome.values.verdict),
        )

    def rest(self) -> None:
        """Write down how far it has come, with the statistics up to there."""

        def rests(row: Campaign) -> None:
            row.draft = self.found.pack()

        write_down(self.services, self.held, rests)
        self._written = self.held.mark, dict(self.held.counts)

    def go_back(self) -> None:
        """Stand again where its statistics are written down: whoever goes on begins there."""
        self.held.mark, self.held.counts = self._written[0], dict(self._written[1])

    def finish(self) -> None:
        """Write down the report."""

        def finished(row: Campaign) -> None:
            row.report, row.draft = self.found.report(), None
            row.state, row.runner, row.changed_at = "ready", None, self.services.clock()

        write_down(self.services, self.held, finished)


def agreed_of(db: Session, patient_id: object) -> Agreed | None:
    """Return what holds for a patient, None where the patient was erased."""
    try:
        return Agreed.of(db, patient_id)  # type: ignore[arg-type]
    except NotFound:
        return None


def is_withheld(agreed: Agreed | None, outcome: Outcome) -> bool:
    """Tell whether a recording may not be used: all that is kept of its patient is restricted, or data that it carries.

    What was withdrawn stays in use: nothing is collected here.
    """
    return agreed is None or agreed.all_restricted or bool(agreed.restricted & outcome.types)


def require_same_release(values: Values) -> None:
    """Raise :class:`WorkersDiffer` where a worker computed by other declarations than those here."""
    declared = every_assessment().get(values.assessment)
    if declared is None or declared.catalogue.digest != values.digest:
        name = f"{values.assessment} version {values.version}"
        raise WorkersDiffer(f"a worker computes {name} otherwise than it is declared here; give all the same release")
