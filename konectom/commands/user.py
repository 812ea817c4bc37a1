"""``konectom user``: members of staff, who ask with a token."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import click

from konectom.commands._installation import every_row, identifier_of, installation, study_named
from konectom.commands._output import format_option, show_one, show_rows

COLUMNS = ("id", "name", "study", "created_at", "expires_at", "revoked_at")


@click.group("user")
def command() -> None:
    """Give members of staff access, and take it back."""


@command.command("create")
@click.argument("name")
@click.option("--study", metavar="STUDY", help="Only this study's data (code or id); without it, all studies'.")
@click.option("--days", type=click.IntRange(min=1, max=3650), help="How long the token is valid; default by setting.")
@format_option("table", "json")
def create(name: str, study: str | None, days: int | None, form: str) -> None:
    """Make a token for NAME and print it: this once, and never again."""
    from konectom.workflows.tokens import issue_staff_token

    with installation() as services:
        study_id = None if study is None else UUID(study_named(services, study)["id"])
        lifetime = None if days is None else timedelta(days=days)
        issued = issue_staff_token(services, name=name, study_id=study_id, lifetime=lifetime)
    told = {"id": str(issued.credential_id), "token": issued.token, "expires_at": issued.expires_at.isoformat()}
    show_one(told, ("id", "token", "expires_at"), form)


@command.command("list")
@format_option("table", "json")
def list_(form: str) -> None:
    """List the staff's tokens, oldest first; the tokens themselves are not kept."""
    from konectom.workflows.tokens import list_tokens

    with installation() as services:
        staff = (row for row in every_row(list_tokens, services) if row["kind"] == "staff")
        show_rows(staff, COLUMNS, form)


@command.command("revoke")
@click.argument("token_id", metavar="ID")
def revoke(token_id: str) -> None:
    """Make the token with this ID (see user list) invalid from now on."""
    from konectom.workflows.tokens import revoke_token

    with installation() as services:
        revoke_token(services, identifier_of(token_id, "token"))
    click.echo(f"revoked {token_id}")
