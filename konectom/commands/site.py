"""``konectom site``: the clinics that take part in a study."""

from __future__ import annotations

from uuid import UUID

import click

from konectom.commands._installation import every_row, installation, study_named
from konectom.commands._output import format_option, show_one, show_rows

COLUMNS = ("code", "name", "id", "created_at")


@click.group("site")
def command() -> None:
    """Create and list the sites of a study."""


@command.command("create")
@click.argument("code")
@click.option("--study", required=True, metavar="STUDY", help="Code or id of the study.")
@click.option("--name", default="", help="What the site is called.")
@format_option("table", "json")
def create(code: str, study: str, name: str, form: str) -> None:
    """Create the site CODE (letters, digits, points, hyphens, underscores) of a study."""
    from konectom.workflows.patients.sites import create_site

    with installation() as services:
        study_id = UUID(study_named(services, study)["id"])
        show_one(create_site(services, study_id, code=code, name=name), COLUMNS, form)


@command.command("list")
@click.option("--study", required=True, metavar="STUDY", help="Code or id of the study.")
@format_option("table", "json")
def list_(study: str, form: str) -> None:
    """List the sites of a study, by code."""
    from konectom.workflows.patients.sites import list_sites

    with installation() as services:
        study_id = UUID(study_named(services, study)["id"])
        show_rows(every_row(list_sites, services, study_id=study_id), COLUMNS, form)
