"""Users: members of staff, their roles, and the invitations by which they come in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from konectom.api.access import permits, public, services
from konectom.api.contract import Resource
from konectom.api.schemas.accounts import (
    Acceptance,
    Accepted,
    Grant,
    GrantPage,
    Invitation,
    InvitedUser,
    NewGrant,
    NewInvitation,
    NewUser,
    User,
    UserPage,
    UsersQuery,
    UserState,
)
from konectom.api.schemas.pages import PageQuery
from konectom.errors import AlreadyExists, FieldInvalid, FieldMissing, LastAdministrator, NotAuthenticated, NotFound
from konectom.workflows.access.grants import end_grant, grant_role, list_grants
from konectom.workflows.access.invitations import accept_invitation
from konectom.workflows.access.users import create_user, get_user, invite_user, list_users, set_user_state, unlink_user

users = Resource("users", __name__, description="Members of staff.")


@users.route("/users")
@permits("user.read")
@users.query(UsersQuery)
@users.answers(200, UserPage)
@users.refuses(FieldInvalid)
def get_users(**query: Any) -> Any:
    """List users by login."""
    return list_users(services(), **query)


@users.route("/users", methods=["POST"])
@permits("user.edit")
@users.body(NewUser)
@users.answers(201, InvitedUser)
@users.refuses(AlreadyExists, FieldMissing, FieldInvalid)
def post_user(**facts: Any) -> Any:
    """Make a user, with a code by which he or she sets a password."""
    made, invitation = create_user(services(), **facts)
    return made | {"invitation": invitation.as_dict()}, {"Location": url_for(".get_user_by_id", user_id=made["id"])}


@users.route("/users/<uuid:user_id>")
@permits("user.read")
@users.answers(200, User)
@users.refuses(NotFound)
def get_user_by_id(user_id: UUID) -> Any:
    """Show a user."""
    return get_user(services(), user_id)


@users.route("/users/<uuid:user_id>/state", methods=["PUT"])
@permits("user.edit")
@users.body(UserState)
@users.answers(200, User)
@users.refuses(NotFound, LastAdministrator, FieldMissing, FieldInvalid)
def put_user_state(user_id: UUID, disabled: bool) -> Any:
    """Shut a user out, at once, or let him or her in again."""
    return set_user_state(services(), user_id, disabled=disabled)


@users.route("/users/<uuid:user_id>/subject", methods=["DELETE"])
@permits("user.edit")
@users.answers(204)
@users.refuses(NotFound, LastAdministrator)
def delete_user_subject(user_id: UUID) -> None:
    """Forget by whom the OpenID provider knows a user; all logins end."""
    unlink_user(services(), user_id)


@users.route("/users/<uuid:user_id>/invitations", methods=["POST"])
@permits("user.edit")
@users.body(NewInvitation)
@users.answers(201, Invitation)
@users.refuses(NotFound, LastAdministrator, FieldInvalid)
def post_user_invitation(user_id: UUID, **what: Any) -> Any:
    """Give out a code with which a user sets a new password; earlier codes end."""
    return invite_user(services(), user_id, **what).as_dict()


@users.route("/users/<uuid:user_id>/grants")
@permits("user.read")
@users.query(PageQuery)
@users.answers(200, GrantPage)
@users.refuses(NotFound, FieldInvalid)
def get_user_grants(user_id: UUID, **query: Any) -> Any:
    """List a user's roles, also those that ended."""
    return list_grants(services(), user_id, **query)


@users.route("/users/<uuid:user_id>/grants", methods=["POST"])
@permits("user.edit")
@users.body(NewGrant)
@users.answers(201, Grant)
@users.refuses(NotFound, AlreadyExists, FieldMissing, FieldInvalid)
def post_user_grant(user_id: UUID, role: str, study: UUID | None = None, site: UUID | None = None) -> Any:
    """Give a user a role."""
    return grant_role(services(), user_id, role=role, study_id=study, site_id=site)


@users.route("/users/<uuid:user_id>/grants/<uuid:grant_id>", methods=["DELETE"])
@permits("user.edit")
@users.answers(204)
@users.refuses(NotFound, LastAdministrator)
def delete_user_grant(user_id: UUID, grant_id: UUID) -> Any:
    """Take a role away, at once."""
    end_grant(services(), user_id, grant_id)


@users.route("/invitations/acceptance", methods=["POST"])
@public
@users.body(Acceptance)
@users.answers(200, Accepted)
@users.refuses(NotAuthenticated, FieldMissing, FieldInvalid)
def post_invitation_acceptance(code: str, password: str) -> Any:
    """Set the password of who was invited; all logins end."""
    return accept_invitation(services(), code=code, password=password)
