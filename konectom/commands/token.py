"""``konectom token``: what programs ask with."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import click

from konectom.commands._installation import every_row, identifier_of, installation, study_named
from konectom.commands._output import format_option, show_one, show_rows

COLUMNS = ("id", "name", "study", "permissions", "created_at", "expires_at", "revoked_at")


@click.group("token")
def command() -> None:
    """Give programs access, and take it back."""


@command.command("create")
@click.argument("name")
@click.option("--permission", "permissions", multiple=True, required=True, help="Such as features.read; * for all.")
@click.option("--study", metavar="STUDY", help="Only this study's data (code or id); without it, all studies'.")
@click.option("--days", type=click.IntRange(min=1, max=366), help="How long the token is valid; default by setting.")
@format_option("table", "json")
def create(name: str, permissions: tuple[str, ...], study: str | None, days: int | None, form: str) -> None:
    """Make a token for the program NAME and print it: this once, and never again."""
    from konectom.workflows.access.service_tokens import issue_service_token

    with installation() as services:
        study_id = None if study is None else UUID(study_named(services, study)["id"])
        lifetime = None if days is None else timedelta(days=days)
        issued = issue_service_token(services, name=name, permissions=permissions, study_id=study_id, lifetime=lifetime)
    told = {"id": str(issued.token_id), "token": issued.token, "expires_at": issued.expires_at.isoformat()}
    show_one(told, ("id", "token", "expires_at"), form)


@command.command("list")
@format_option("table", "json")
def list_(form: str) -> None:
    """List programs' tokens, oldest first; the tokens themselves are not kept."""
    from konectom.workflows.access.service_tokens import list_service_tokens

    with installation() as services:
        show_rows(every_row(list_service_tokens, services), COLUMNS, form)


@command.command("revoke")
@click.argument("token_id", metavar="ID")
def revoke(token_id: str) -> None:
    """Make the token with this ID (see token list) invalid from now on."""
    from konectom.workflows.access.service_tokens import revoke_service_token

    with installation() as services:
        revoke_service_token(services, identifier_of(token_id, "token"))
    click.echo(f"revoked {token_id}")
