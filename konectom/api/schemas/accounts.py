"""Users, their roles and logins, and programs' tokens."""

from __future__ import annotations

from typing import get_args

from marshmallow import Schema, fields, validate

from konectom.api.schemas import Described
from konectom.api.schemas.pages import Page, PageQuery
from konectom.security.matrix import STAFF_ROLES, service_permissions
from konectom.security.passwords import LONGEST, LONGEST_SENT, SHORTEST
from konectom.workflows.access.logins import Method
from konectom.workflows.access.service_tokens import LONGEST as LONGEST_LIFE

LOGIN = {"description": "Capitals do not matter.", "example": "ada.lovelace@example.org"}
NAME = {"example": "Ada Lovelace", "maxLength": 200}
SHOWN_ONCE = {"description": "Shown this once, and never again."}


def _password(*, required: bool = True, **about: str) -> fields.String:
    return fields.String(
        required=required,
        load_only=True,
        validate=validate.Length(max=LONGEST_SENT),
        metadata={"format": "password"} | about,
    )


def _new_password() -> fields.String:
    return _password(description=f"{SHORTEST} to {LONGEST} characters, whichever; not easily guessed.")


def _code() -> fields.String:
    return fields.String(
        required=True,
        validate=validate.Length(max=100),
        metadata={"description": "Six digits of the app, or a recovery code.", "example": "123456"},
    )


class NewUser(Schema):
    """A user to be made."""

    login = fields.String(required=True, metadata=LOGIN)
    name = fields.String(metadata=NAME)


class User(Described):
    """A member of staff."""

    id = fields.UUID(required=True)
    login = fields.String(required=True, metadata=LOGIN)
    name = fields.String(required=True, metadata=NAME)
    created_at = fields.AwareDateTime(required=True)
    disabled_at = fields.AwareDateTime(required=True, allow_none=True)
    password_set_at = fields.AwareDateTime(required=True, allow_none=True)
    second_factor_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "When the second factor was confirmed."}
    )
    issuer = fields.String(
        required=True, allow_none=True, metadata={"description": "The OpenID provider that knows this user."}
    )
    locked_until = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "After wrong passwords or codes; may lie in the past."}
    )


class UserPage(Page):
    """A page of users, by login."""

    items = fields.List(fields.Nested(User), required=True)


class UsersQuery(PageQuery):
    """Which users to list."""

    login = fields.String(metadata={"description": "Only the one with this login."})


class Invitation(Described):
    """A code with which a user sets a password, once, at `POST /api/v1/invitations/acceptance`."""

    code = fields.String(required=True, metadata=SHOWN_ONCE)
    expires_at = fields.AwareDateTime(required=True)


class InvitedUser(User):
    """A new user, and the invitation."""

    invitation = fields.Nested(Invitation, required=True)


class NewInvitation(Schema):
    """What a new invitation is for."""

    remove_second_factor = fields.Boolean(
        metadata={
            "description": "For who lost the second factor and the recovery codes: removes both at once, the password "
            "and all logins with them, and lets nobody in through an OpenID provider until a new password is set. "
            "Without it the old password holds until then."
        }
    )


class Acceptance(Schema):
    """A password, to be set by who was invited."""

    code = fields.String(required=True, validate=validate.Length(max=200))
    password = _new_password()


class Accepted(Described):
    """Whose password was set."""

    login = fields.String(required=True)
    name = fields.String(required=True)


class UserState(Schema):
    """Whether a user may come in."""

    disabled = fields.Boolean(required=True)


class NewGrant(Schema):
    """A role to be given: an administrator's is everywhere, the others are in a study, or at one site of it."""

    role = fields.String(required=True, validate=validate.OneOf(STAFF_ROLES))
    study = fields.UUID(allow_none=True)
    site = fields.UUID(allow_none=True)


class Grant(Described):
    """A role of a user."""

    id = fields.UUID(required=True)
    user = fields.UUID(required=True)
    role = fields.String(required=True, validate=validate.OneOf(STAFF_ROLES))
    study = fields.UUID(required=True, allow_none=True, metadata={"description": "null: everywhere."})
    site = fields.UUID(required=True, allow_none=True, metadata={"description": "null: all sites of the study."})
    created_at = fields.AwareDateTime(required=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)


class GrantPage(Page):
    """A page of a user's roles."""

    items = fields.List(fields.Nested(Grant), required=True)


class NewLogin(Schema):
    """Who one is, and the proof."""

    login = fields.String(required=True, validate=validate.Length(max=LONGEST_SENT), metadata=LOGIN)
    password = _password()
    code = fields.String(
        allow_none=True,
        validate=validate.Length(max=100),
        metadata={"description": "Six digits of the app, or a recovery code, where there is a second factor."},
    )


class OpenedLogin(Described):
    """A new login."""

    id = fields.UUID(required=True)
    user = fields.UUID(required=True)
    token = fields.String(required=True, metadata=SHOWN_ONCE | {"example": "ku_…"})
    expires_at = fields.AwareDateTime(required=True)
    needs_second_factor = fields.Boolean(
        required=True, metadata={"description": "Until one is set up, only the own account is open."}
    )


class Login(Described):
    """A login that is open. `method` is how the user came in."""

    id = fields.UUID(required=True)
    method = fields.String(required=True, validate=validate.OneOf(get_args(Method)))
    created_at = fields.AwareDateTime(required=True)
    seen_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True)


class LoginPage(Page):
    """A page of logins, oldest first."""

    items = fields.List(fields.Nested(Login), required=True)


class Account(User):
    """The own account."""

    login_id = fields.UUID(required=True)
    needs_second_factor = fields.Boolean(required=True)
    recovery_codes_left = fields.Integer(required=True)
    grants = fields.List(fields.Nested(Grant), required=True)


class NewPassword(Schema):
    """The own password, and the one that takes its place."""

    password = _password()
    new = _new_password()


class OwnPassword(Schema):
    """The own password."""

    password = _password(required=False, description="Left out by who has none here, but an OpenID provider's.")


class OwnProof(OwnPassword):
    """The own password, and a code of the second factor."""

    code = _code()


class StartedSecondFactor(Described):
    """A second factor, which counts once it is confirmed."""

    secret = fields.String(required=True, metadata={"description": "For typing into an app: base32."})
    uri = fields.String(required=True, metadata={"description": "For a QR code: `otpauth://totp/…`."})


class Confirmation(Schema):
    """A code that the app shows."""

    code = fields.String(required=True, validate=validate.Length(max=100), metadata={"example": "123456"})


class RecoveryCodes(Described):
    """Codes that stand in, each once, for a lost second factor."""

    recovery_codes = fields.List(fields.String(), required=True, metadata=SHOWN_ONCE)


class NewToken(Schema):
    """A program's token to be made."""

    name = fields.String(required=True, metadata={"example": "nightly export", "maxLength": 200})
    permissions = fields.List(
        fields.String(),
        required=True,
        validate=validate.Length(min=1, max=100),
        metadata={"example": ["features.read"], "description": f"Of these: {', '.join(service_permissions())}."},
    )
    study = fields.UUID(
        allow_none=True,
        metadata={"description": "Only this study; without it, all of them, and permissions one by one."},
    )
    days = fields.Integer(
        strict=True,
        validate=validate.Range(min=1, max=LONGEST_LIFE.days),
        metadata={"description": "How long it is valid; by default as the server is set."},
    )


class IssuedToken(Described):
    """A new token of a program."""

    id = fields.UUID(required=True)
    token = fields.String(required=True, metadata=SHOWN_ONCE | {"example": "ks_…"})
    expires_at = fields.AwareDateTime(required=True)


class Token(Described):
    """A program's token, without what opens."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    study = fields.UUID(required=True, allow_none=True)
    permissions = fields.List(fields.String(), required=True)
    created_at = fields.AwareDateTime(required=True)
    created_by = fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "Who made it: it holds while this is an administrator. Null: the operator's command."},
    )
    expires_at = fields.AwareDateTime(required=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)


class TokenPage(Page):
    """A page of programs' tokens, oldest first."""

    items = fields.List(fields.Nested(Token), required=True)
