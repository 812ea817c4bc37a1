"""Who works in a study, who cares for whom, and who broke the glass."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from konectom.api.access import permits, principal, scope, services
from konectom.api.contract import Resource
from konectom.api.schemas.pages import PageQuery
from konectom.api.schemas.teams import BreakGlassPage, MemberPage, NewBreakGlass, NewTeam, Reached, Team, TeamPage
from konectom.errors import AlreadyExists, FieldInvalid, FieldMissing, NotFound
from konectom.security.principal import NOTHING
from konectom.workflows.access.break_glass import break_glass, list_break_glass
from konectom.workflows.access.grants import list_members
from konectom.workflows.access.teams import (
    add_member,
    add_patient,
    create_team,
    list_teams,
    remove_member,
    remove_patient,
)

teams = Resource("teams", __name__, description="Who works in a study, and who cares for whom.")


@teams.route("/studies/<uuid:study_id>/teams")
@permits("team.read")
@teams.query(PageQuery)
@teams.answers(200, TeamPage)
@teams.refuses(NotFound, FieldInvalid)
def get_study_teams(study_id: UUID, **query: Any) -> Any:
    """List a study's care teams by name, or those of a site, with members, and patients that the caller may see."""
    seen = principal().reach("patient.read") or NOTHING
    return list_teams(services(), study_id, scope=scope(), patients=seen, **query)


@teams.route("/studies/<uuid:study_id>/teams", methods=["POST"])
@permits("team.edit")
@teams.body(NewTeam)
@teams.answers(201, Team)
@teams.refuses(NotFound, AlreadyExists, FieldMissing, FieldInvalid)
def post_study_team(study_id: UUID, name: str) -> Any:
    """Make a care team."""
    return create_team(services(), study_id, name=name)


@teams.route("/studies/<uuid:study_id>/teams/<uuid:team_id>/members/<uuid:user_id>", methods=["PUT"])
@permits("team.edit")
@teams.answers(204)
@teams.refuses(NotFound)
def put_team_member(study_id: UUID, team_id: UUID, user_id: UUID) -> Any:
    """Put a clinician of the study into a care team."""
    add_member(services(), study_id, team_id, user_id)


@teams.route("/studies/<uuid:study_id>/teams/<uuid:team_id>/members/<uuid:user_id>", methods=["DELETE"])
@permits("team.edit")
@teams.answers(204)
@teams.refuses(NotFound)
def delete_team_member(study_id: UUID, team_id: UUID, user_id: UUID) -> Any:
    """Take a clinician out of a care team."""
    remove_member(services(), study_id, team_id, user_id)


@teams.route("/studies/<uuid:study_id>/teams/<uuid:team_id>/patients/<uuid:patient_id>", methods=["PUT"])
@permits("team.edit")
@teams.answers(204)
@teams.refuses(NotFound)
def put_team_patient(study_id: UUID, team_id: UUID, patient_id: UUID) -> Any:
    """Put a patient into the care of a team."""
    add_patient(services(), study_id, team_id, patient_id)


@teams.route("/studies/<uuid:study_id>/teams/<uuid:team_id>/patients/<uuid:patient_id>", methods=["DELETE"])
@permits("team.edit")
@teams.answers(204)
@teams.refuses(NotFound)
def delete_team_patient(study_id: UUID, team_id: UUID, patient_id: UUID) -> Any:
    """Take a patient out of the care of a team."""
    remove_patient(services(), study_id, team_id, patient_id)


@teams.route("/studies/<uuid:study_id>/members")
@permits("member.read")
@teams.query(PageQuery)
@teams.answers(200, MemberPage)
@teams.refuses(NotFound, FieldInvalid)
def get_study_members(study_id: UUID, **query: Any) -> Any:
    """List who works in a study, and as what; for who is bound to a site, whom it concerns."""
    return list_members(services(), study_id, scope=scope(), **query)


@teams.route("/studies/<uuid:study_id>/break-glass", methods=["POST"])
@permits("patient.break_glass")
@teams.body(NewBreakGlass)
@teams.answers(201, Reached)
@teams.refuses(NotFound, FieldMissing, FieldInvalid)
def post_study_break_glass(study_id: UUID, **asked: Any) -> Any:
    """Reach, for some hours, a patient outside of the own care teams, in an emergency and with a reason."""
    return break_glass(services(), principal(), study_id, **asked)


@teams.route("/studies/<uuid:study_id>/break-glass")
@permits("audit.read")
@teams.query(PageQuery)
@teams.answers(200, BreakGlassPage)
@teams.refuses(NotFound, FieldInvalid)
def get_study_break_glass(study_id: UUID, **query: Any) -> Any:
    """List who reached which patient in an emergency. The reasons stand in the audit."""
    return list_break_glass(services(), study_id, scope=scope(), **query)
