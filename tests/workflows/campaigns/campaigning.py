"""Campaigns in tests: planned and carried out in this process, by threads that see the assessment of the test."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select

from konectom.storage.models import CatalogueRow, RecordingRow, ResultRow, ScoreRow
from konectom.workflows.campaigns.decisions import decide, plan_campaign
from konectom.workflows.campaigns.pool import in_this_process
from konectom.workflows.campaigns.runs import carry_out
from konectom.workflows.services import Services
from konectom.workflows.sessions.ingest import ingest_session
from tests.probe import session_body


def send(services: Services, patient: UUID, *recordings: Any, **more: Any) -> dict[str, Any]:
    """Hand over a session and return its receipt."""
    body = session_body(*recordings, **more)
    return ingest_session(services, session_id=uuid4(), patient_id=patient, body=body).receipt


def plan(services: Services, **choice: Any) -> UUID:
    """Plan a campaign and return its id."""
    return UUID(plan_campaign(services, **choice)["id"])


def work(services: Services, campaign: UUID, what: str | None = None, **how: Any) -> dict[str, Any]:
    """Let a campaign do something, and do the work."""
    unseen = how.pop("unseen", False)
    if what is not None:
        decide(services, campaign, what, unseen=unseen)
    return carry_out(services, campaign, how.pop("workers", in_this_process()), **how)


def recompute_all(services: Services, **choice: Any) -> dict[str, Any]:
    """Compute what is chosen again, without a dry run."""
    return work(services, plan(services, **choice), "run", unseen=True)


def results(services: Services) -> dict[tuple[str, int, int], dict[str, Any]]:
    """Every result by session, index and version: id, verdict, values, and its scores by measure."""
    found: dict[tuple[str, int, int], dict[str, Any]] = {}
    with services.db.read() as db:
        rows = db.execute(
            select(RecordingRow.session_id, RecordingRow.index, CatalogueRow.version, CatalogueRow.id, ResultRow)
            .join(ResultRow, ResultRow.recording_id == RecordingRow.id)
            .join(CatalogueRow, CatalogueRow.id == ResultRow.catalogue_id)
        ).all()
        for session, index, version, catalogue, row in rows:
            scores = db.execute(
                select(ScoreRow.measure_id, ScoreRow.at, ScoreRow.value)
                .where(ScoreRow.session_id == session, ScoreRow.index == index, ScoreRow.catalogue_id == catalogue)
                .order_by(ScoreRow.measure_id)
            ).all()
            key = (str(session), index, version)
            assert key not in found
            told = {"id": row.id, "created_at": row.created_at, "verdict": row.verdict}
            found[key] = told | {"features": row.features.tobytes(), "scores": [tuple(each) for each in scores]}
    return found


def count(services: Services, table: Any) -> int:
    """How many rows a table has."""
    with services.db.read() as db:
        return db.scalar(select(func.count()).select_from(table)) or 0
