"""Sites, care teams, who works in a study, and breaking the glass."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from konectom.api.schemas import Described
from konectom.api.schemas.pages import Page
from konectom.api.schemas.people import CODE, NEW_CODE
from konectom.security.matrix import STUDY_ROLES
from konectom.workflows.access.break_glass import LONGEST_REASON, SHORTEST_REASON


class NewSite(Schema):
    """A site to be made."""

    code = fields.String(required=True, metadata=NEW_CODE | {"example": "PARIS"})
    name = fields.String(metadata={"maxLength": 200})


class Site(Described):
    """A clinic that takes part in a study."""

    id = fields.UUID(required=True)
    study = fields.UUID(required=True)
    code = fields.String(required=True, metadata=CODE)
    name = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)


class SitePage(Page):
    """A page of sites, by code."""

    items = fields.List(fields.Nested(Site), required=True)


class NewTeam(Schema):
    """A care team to be made."""

    name = fields.String(required=True, metadata={"example": "Day clinic", "maxLength": 200})


class TeamMember(Described):
    """A clinician in a care team."""

    user = fields.UUID(required=True)
    login = fields.String(required=True)
    name = fields.String(required=True)
    since = fields.AwareDateTime(required=True)


class TeamPatient(Described):
    """A patient of a care team."""

    id = fields.UUID(required=True)
    code = fields.String(required=True, metadata=CODE)
    since = fields.AwareDateTime(required=True)


class Team(Described):
    """Who cares for whom. Patients whom the caller may not see are left out."""

    id = fields.UUID(required=True)
    study = fields.UUID(required=True)
    name = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    members = fields.List(fields.Nested(TeamMember), required=True)
    patients = fields.List(fields.Nested(TeamPatient), required=True)


class TeamPage(Page):
    """A page of care teams, by name."""

    items = fields.List(fields.Nested(Team), required=True)


class Member(Described):
    """Somebody who works in a study, and as what."""

    user = fields.UUID(required=True)
    login = fields.String(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True, validate=validate.OneOf(STUDY_ROLES))
    site = fields.UUID(required=True, allow_none=True, metadata={"description": "null: all sites."})
    since = fields.AwareDateTime(required=True)


class MemberPage(Page):
    """A page of who works in a study."""

    items = fields.List(fields.Nested(Member), required=True)


class NewBreakGlass(Schema):
    """Whom to reach in an emergency, and why."""

    code = fields.String(required=True, metadata=CODE)
    reason = fields.String(
        required=True,
        metadata={
            "description": f"{SHORTEST_REASON} to {LONGEST_REASON} characters. It is kept, and read.",
            "minLength": SHORTEST_REASON,
            "maxLength": LONGEST_REASON,
            "example": "fell in the waiting room, unconscious",
        },
    )


class Reached(Described):
    """The patient who can be reached now, and until when."""

    patient = fields.UUID(required=True)
    at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True)


class BreakGlass(Reached):
    """Who reached whom in an emergency."""

    id = fields.UUID(required=True)
    user = fields.UUID(required=True)
    login = fields.String(required=True)


class BreakGlassPage(Page):
    """A page of emergencies, oldest first."""

    items = fields.List(fields.Nested(BreakGlass), required=True)
