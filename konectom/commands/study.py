"""``konectom study``: studies."""

from __future__ import annotations

import click

from konectom.commands._installation import every_row, installation
from konectom.commands._output import format_option, show_one, show_rows

COLUMNS = ("code", "name", "id", "consent", "created_at")


@click.group("study")
def command() -> None:
    """Create and list studies."""


@command.command("create")
@click.argument("code")
@click.option("--name", default="", help="What the study is called.")
@click.option(
    "--consent-elsewhere", is_flag=True,
    help="Consent is kept on paper. Otherwise nothing is collected that patients have not agreed to here.",
)  # fmt: skip
@format_option("table", "json")
def create(code: str, name: str, consent_elsewhere: bool, form: str) -> None:
    """Create the study CODE (letters, digits, points, hyphens, underscores)."""
    from konectom.workflows.people import create_study

    with installation() as services:
        consent = "elsewhere" if consent_elsewhere else "here"
        show_one(create_study(services, code=code, name=name, consent=consent), COLUMNS, form)


@command.command("list")
@format_option("table", "json")
def list_(form: str) -> None:
    """List the studies, by code."""
    from konectom.workflows.people import list_studies

    with installation() as services:
        show_rows(every_row(list_studies, services), COLUMNS, form)
