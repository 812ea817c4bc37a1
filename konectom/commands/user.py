"""``konectom user``: members of staff, their roles and logins."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from konectom.commands._installation import (
    every_row,
    identifier_of,
    installation,
    site_named,
    study_named,
    user_named,
)
from konectom.commands._output import format_option, show_one, show_rows

COLUMNS = ("login", "name", "id", "created_at", "password_set_at", "second_factor_at", "disabled_at")
INVITED = ("login", "id", "invitation", "expires_at")
GRANTS = ("id", "role", "study", "site", "created_at", "ended_at")
LOGINS = ("id", "method", "created_at", "seen_at", "expires_at")


@click.group("user")
def command() -> None:
    """Let members of staff in, say what they may do, and shut them out."""


@command.command("create")
@click.argument("login")
@click.option("--name", default="", help="What the person is called.")
@click.option("--administrator", is_flag=True, help="Give the role of an administrator, which is everywhere.")
@format_option("table", "json")
def create(login: str, name: str, administrator: bool, form: str) -> None:
    """Make the user LOGIN and print a code with which he or she sets a password: this once, and never again.

    The code is for POST /api/v1/invitations/acceptance, or the page of invitations. Nobody else learns the password.
    """
    from konectom.workflows.access.grants import grant_role
    from konectom.workflows.access.users import create_user

    with installation() as services:
        user, invitation = create_user(services, login=login, name=name)
        if administrator:
            grant_role(services, UUID(user["id"]), role="administrator")
    show_one(_invited(user, invitation), INVITED, form)


@command.command("list")
@format_option("table", "json")
def list_(form: str) -> None:
    """List users, by login."""
    from konectom.workflows.access.users import list_users

    with installation() as services:
        show_rows(every_row(list_users, services), COLUMNS, form)


@command.command("invite")
@click.argument("login")
@click.option(
    "--remove-second-factor",
    is_flag=True,
    help="For who lost it and the recovery codes: removes it, the password and all logins at once. Until the code "
    "is used an OpenID provider lets nobody into the account either.",
)
@format_option("table", "json")
def invite(login: str, remove_second_factor: bool, form: str) -> None:
    """Print a code with which the user LOGIN sets a new password; earlier codes end."""
    from konectom.workflows.access.users import invite_user

    with installation() as services:
        user = user_named(services, login)
        invitation = invite_user(services, UUID(user["id"]), remove_second_factor=remove_second_factor)
    show_one(_invited(user, invitation), INVITED, form)


@command.command("disable")
@click.argument("login")
def disable(login: str) -> None:
    """Shut the user LOGIN out from now on; logins and codes end."""
    from konectom.workflows.access.users import disable_user

    with installation() as services:
        user = disable_user(services, UUID(user_named(services, login)["id"]))
    click.echo(f"disabled {user['login']}")


@command.command("enable")
@click.argument("login")
def enable(login: str) -> None:
    """Let the user LOGIN in again; also lifts the lock after wrong passwords."""
    from konectom.workflows.access.users import enable_user

    with installation() as services:
        user = enable_user(services, UUID(user_named(services, login)["id"]))
    click.echo(f"enabled {user['login']}")


@command.command("unlink")
@click.argument("login")
def unlink(login: str) -> None:
    """Forget by whom the OpenID provider knows the user LOGIN; all logins end.

    Whoever signs in there next with LOGIN as verified address is linked anew.
    """
    from konectom.workflows.access.users import unlink_user

    with installation() as services:
        user = unlink_user(services, UUID(user_named(services, login)["id"]))
    click.echo(f"unlinked {user['login']}")


@command.command("grant")
@click.argument("login")
@click.argument("role")
@click.option("--study", metavar="STUDY", help="In this study (code or id): for every role but administrator.")
@click.option("--site", metavar="SITE", help="Only at this site of it (code or id).")
@format_option("table", "json")
def grant(login: str, role: str, study: str | None, site: str | None, form: str) -> None:
    """Give the user LOGIN a ROLE: administrator, study_manager, clinician, researcher or monitor."""
    from konectom.workflows.access.grants import grant_role

    with installation() as services:
        user_id = UUID(user_named(services, login)["id"])
        study_id = None if study is None else UUID(study_named(services, study)["id"])
        site_id = None if site is None else UUID(site_named(services, site, study_id)["id"])
        show_one(grant_role(services, user_id, role=role, study_id=study_id, site_id=site_id), GRANTS, form)


@command.command("grants")
@click.argument("login")
@format_option("table", "json")
def grants(login: str, form: str) -> None:
    """List the roles of the user LOGIN, also those that ended."""
    from konectom.workflows.access.grants import list_grants

    with installation() as services:
        user_id = UUID(user_named(services, login)["id"])
        show_rows(every_row(list_grants, services, user_id=user_id), GRANTS, form)


@command.command("revoke-grant")
@click.argument("login")
@click.argument("grant_id", metavar="ID")
def revoke_grant(login: str, grant_id: str) -> None:
    """Take from the user LOGIN the role with this ID (see user grants), from now on."""
    from konectom.workflows.access.grants import end_grant

    with installation() as services:
        end_grant(services, UUID(user_named(services, login)["id"]), identifier_of(grant_id, "role"))
    click.echo(f"revoked {grant_id}")


@command.command("logins")
@click.argument("login")
@click.option("--end", is_flag=True, help="End them all.")
@format_option("table", "json")
def logins(login: str, end: bool, form: str) -> None:
    """List where the user LOGIN is logged in, or end all of it."""
    from konectom.workflows.access.logins import end_all_logins, list_logins

    with installation() as services:
        user_id = UUID(user_named(services, login)["id"])
        if end:
            end_all_logins(services, user_id)
        show_rows(every_row(list_logins, services, user_id=user_id), LOGINS, form)


def _invited(user: dict[str, Any], invitation: Any) -> dict[str, Any]:
    told = invitation.as_dict()
    return user | {"invitation": told["code"], "expires_at": told["expires_at"]}
