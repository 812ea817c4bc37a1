"""Logins, and what a user does to the own account."""

from __future__ import annotations

from typing import Any

from konectom.api.access import permits, principal, public, services
from konectom.api.contract import Resource
from konectom.api.limits import count
from konectom.api.schemas.accounts import (
    Account,
    Confirmation,
    LoginPage,
    NewLogin,
    NewPassword,
    OpenedLogin,
    OwnPassword,
    OwnProof,
    RecoveryCodes,
    StartedSecondFactor,
)
from konectom.api.schemas.pages import PageQuery
from konectom.errors import AlreadyExists, FieldInvalid, FieldMissing, NotAuthenticated, NotFound, SecondFactorNeeded
from konectom.workflows.access.logins import end_all_logins, end_own_login, list_logins, log_in
from konectom.workflows.access.second_factor import (
    change_password,
    confirm_second_factor,
    remove_second_factor,
    renew_recovery_codes,
    start_second_factor,
)
from konectom.workflows.access.users import get_account

logins = Resource("logins", __name__, description="Logins of staff, and the own account.")


@logins.route("/logins", methods=["POST"])
@public
@logins.body(NewLogin)
@logins.answers(201, OpenedLogin)
@logins.refuses(NotAuthenticated, SecondFactorNeeded, FieldMissing, FieldInvalid)
def post_login(**proof: Any) -> Any:
    """Log in with a password and, where there is a second factor, a code."""
    return log_in(services(), **proof, admit=count).as_dict()


@logins.route("/logins/current", methods=["DELETE"])
@permits("account.own")
@logins.answers(204)
def delete_current_login() -> Any:
    """Log out."""
    end_own_login(services(), principal())


@logins.route("/me")
@permits("account.own")
@logins.answers(200, Account)
def get_me() -> Any:
    """Show the own account and its roles."""
    return get_account(services(), principal())


@logins.route("/me/password", methods=["PUT"])
@permits("account.own")
@logins.body(NewPassword)
@logins.answers(204)
@logins.refuses(FieldMissing, FieldInvalid)
def put_my_password(**passwords: Any) -> Any:
    """Change the own password; all logins end, this one too."""
    change_password(services(), principal().id, **passwords)


@logins.route("/me/second-factor", methods=["POST"])
@permits("account.own")
@logins.body(OwnPassword)
@logins.answers(201, StartedSecondFactor)
@logins.refuses(AlreadyExists, FieldMissing, FieldInvalid)
def post_my_second_factor(**proof: Any) -> Any:
    """Begin to set up a second factor: an app that makes codes."""
    return start_second_factor(services(), principal().id, **proof).as_dict()


@logins.route("/me/second-factor/confirmation", methods=["PUT"])
@permits("account.own")
@logins.body(Confirmation)
@logins.answers(200, RecoveryCodes)
@logins.refuses(NotFound, FieldMissing, FieldInvalid)
def put_my_second_factor_confirmation(code: str) -> Any:
    """Let the second factor count from now on; all other logins end."""
    caller = principal()
    codes = confirm_second_factor(services(), caller.id, code=code, login_id=caller.login_id)
    return {"recovery_codes": codes}


@logins.route("/me/second-factor/removal", methods=["POST"])
@permits("account.own")
@logins.body(OwnProof)
@logins.answers(204)
@logins.refuses(NotFound, FieldMissing, FieldInvalid)
def post_my_second_factor_removal(**proof: Any) -> Any:
    """Remove the second factor."""
    # No DELETE, since that needs a body here, and proxies may drop it (RFC 9110, §9.3.5).
    remove_second_factor(services(), principal().id, **proof)


@logins.route("/me/recovery-codes", methods=["POST"])
@permits("account.own")
@logins.body(OwnProof)
@logins.answers(201, RecoveryCodes)
@logins.refuses(NotFound, FieldMissing, FieldInvalid)
def post_my_recovery_codes(**proof: Any) -> Any:
    """Make new recovery codes; the old ones are worth nothing from then on."""
    return {"recovery_codes": renew_recovery_codes(services(), principal().id, **proof)}


@logins.route("/me/logins")
@permits("account.own")
@logins.query(PageQuery)
@logins.answers(200, LoginPage)
@logins.refuses(FieldInvalid)
def get_my_logins(**query: Any) -> Any:
    """List the own logins that are open."""
    return list_logins(services(), principal().id, **query)


@logins.route("/me/logins", methods=["DELETE"])
@permits("account.own")
@logins.answers(204)
def delete_my_logins() -> Any:
    """Log out everywhere, here too."""
    end_all_logins(services(), principal().id)
