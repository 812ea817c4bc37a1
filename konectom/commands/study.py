"""``konectom study``: studies."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import click

from konectom.commands._installation import every_row, installation, study_named
from konectom.commands._output import format_option, show_one, show_rows

COLUMNS = ("code", "name", "id", "consent", "retain_until", "created_at")


@click.group("study")
def command() -> None:
    """Create, list and change studies."""


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
    from konectom.workflows.patients.people import create_study

    with installation() as services:
        consent = "elsewhere" if consent_elsewhere else "here"
        show_one(create_study(services, code=code, name=name, consent=consent), COLUMNS, form)


@command.command("edit")
@click.argument("study")
@click.option("--consent", type=click.Choice(["here", "elsewhere"]), help="Where patients' consent is kept.")
@click.option("--retain-until", type=click.DateTime(["%Y-%m-%d"]), help="The last day on which data are kept.")
@click.option("--reason", required=True, help="Why; it stands in the audit.")
@format_option("table", "json")
def edit(study: str, consent: str | None, retain_until: datetime | None, reason: str, form: str) -> None:
    """Change on what terms STUDY (code or id) keeps data."""
    from konectom.workflows.consent.study_terms import edit_study

    changes: dict[str, Any] = {} if consent is None else {"consent": consent}
    if retain_until is not None:
        changes["retain_until"] = retain_until.date()
    with installation() as services:
        study_id = UUID(study_named(services, study)["id"])
        show_one(edit_study(services, study_id, reason=reason, **changes), COLUMNS, form)


@command.command("list")
@format_option("table", "json")
def list_(form: str) -> None:
    """List the studies, by code."""
    from konectom.workflows.patients.people import list_studies

    with installation() as services:
        show_rows(every_row(list_studies, services), COLUMNS, form)
