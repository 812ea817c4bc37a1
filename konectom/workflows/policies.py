"""How a study wants its patients' scores followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from konectom.errors import NotFound
from konectom.scoring.policy import Policy
from konectom.storage.models import Study
from konectom.workflows.services import Services


def get_policy(services: Services, study_id: UUID) -> dict[str, Any]:
    """Return the policy of a study: what it has set, and the default of the rest."""
    with services.db.read() as db:
        return policy_of(_study(db, study_id)).as_dict()


def set_policy(services: Services, study_id: UUID, document: Mapping[str, Any]) -> dict[str, Any]:
    """Set the policy of a study; what ``document`` does not name has its default again.

    Raises :class:`~konectom.errors.FieldInvalid` at what is unknown or wrong. Nothing stored changes: trends are
    computed when they are asked for.
    """
    policy = Policy.of(document)
    with services.db.write() as db:
        # What was set is kept, not what it comes to: a better default reaches whoever has not chosen.
        _study(db, study_id).policy = dict(document)
    return policy.as_dict()


def policy_of(study: Study) -> Policy:
    """Return the policy of a study."""
    return Policy() if study.policy is None else Policy.of(study.policy)


def _study(db: Session, study_id: UUID) -> Study:
    row = db.get(Study, study_id)
    if row is None:
        raise NotFound("there is no such study")
    return row
