"""How a study wants its patients' scores followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from konectom.assessments import every_assessment
from konectom.errors import FieldInvalid, pointer_token
from konectom.scoring.policy import Policy
from konectom.scoring.progression import DEFINITIONS
from konectom.scoring.scales import every_scale
from konectom.storage.models import Study
from konectom.workflows.following.due import void_reviews
from konectom.workflows.patients.people import find_study
from konectom.workflows.services import Services


def get_policy(services: Services, study_id: UUID) -> dict[str, Any]:
    """Return the policy of a study: what it has set, and the default of the rest."""
    with services.db.read() as db:
        return policy_of(find_study(db, study_id)).as_dict()


def set_policy(services: Services, study_id: UUID, document: Mapping[str, Any]) -> dict[str, Any]:
    """Set the policy of a study; what ``document`` does not name has its default again.

    Raises :class:`~konectom.errors.FieldInvalid` at what is unknown or wrong, names of assessments, scales, scores and
    definitions included. Nothing stored changes: trends are computed when they are asked for.
    """
    policy = Policy.of(document)
    _require_known(policy)
    with services.db.write() as db:
        # What was set is kept, not what it comes to: a better default reaches whoever has not chosen.
        find_study(db, study_id).policy = dict(document)
        void_reviews(db, study_id=study_id)
    return policy.as_dict()


def policy_of(study: Study) -> Policy:
    """Return the policy of a study."""
    return Policy() if study.policy is None else Policy.of(study.policy)


def _require_known(policy: Policy) -> None:
    """Raise :class:`FieldInvalid` where a policy names what there is not: it would silently do nothing."""
    scores = _scores()
    for member, names in (("run_in", policy.run_in), ("taken", policy.taken)):
        for name in names:
            if name not in scores:
                raise FieldInvalid(f"there is no assessment or scale {name!r}", at=_pointer(member, name))
    if policy.definition is not None:
        _require_made_for(policy.definition, (), "/definition")
    keys = {key: (key,) for each in scores.values() for key in each}
    for name, definition in policy.definitions.items():
        at = _pointer("definitions", name)
        if name not in scores and name not in keys:
            raise FieldInvalid(f"there is no score, assessment or scale {name!r}", at=at)
        _require_made_for(definition, scores.get(name) or keys[name], at)


def _require_made_for(definition: str, scores: tuple[str, ...], at: str) -> None:
    """Raise :class:`FieldInvalid` unless there is the definition, and it was made for any score or one of these."""
    known = DEFINITIONS.get(definition)
    if known is None:
        raise FieldInvalid(f"there is no definition {definition!r}; /definitions lists them", at=at)
    if not any(map(known.suits, scores or ("",))):
        raise FieldInvalid(f"{definition} was made for {', '.join(known.scores)} only", at=at)


def _scores() -> dict[str, tuple[str, ...]]:
    """Return the keys of the scores of every assessment and scale."""
    found = {each.name: tuple(each.catalogue.score_by_key) for each in every_assessment().values()}
    for scale in every_scale().values():
        found[scale.code] = tuple(scale.key(each.name) for each in scale.quantities if each.score)
    return found


def _pointer(member: str, name: str) -> str:
    return f"/{member}/{pointer_token(name)}"
