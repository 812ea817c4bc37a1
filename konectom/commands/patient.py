"""``konectom patient``: the people of a study, by pseudonymous codes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from konectom.commands._installation import every_row, installation, study_named
from konectom.commands._output import format_option, show_one, show_rows

COLUMNS = ("code", "id", "birth_year", "sex", "created_at")


@click.group("patient")
def command() -> None:
    """Create and list patients."""


@command.command("create")
@click.argument("code")
@click.option("--study", required=True, metavar="STUDY", help="Code or id of the study.")
@click.option("--birth-year", type=int, help="Year of birth.")
@click.option("--sex", type=click.Choice(["female", "male", "other"]), help="Sex, as norms tell it apart.")
@click.option("--education-years", type=float, help="Years at school and after.")
@click.option("--height-m", type=float, help="Body height in metres.")
@click.option("--mass-kg", type=float, help="Body mass in kilograms.")
@click.option("--handedness", type=click.Choice(["left", "right", "both"]), help="Hand used for writing.")
@format_option("table", "json")
def create(code: str, study: str, form: str, **facts: Any) -> None:
    """Create the patient CODE: a pseudonym, unique in its study. Never use a name or a number that others know."""
    from konectom.workflows.people import create_patient

    with installation(changes=True) as services:
        study_id = UUID(study_named(services, study)["id"])
        show_one(create_patient(services, study_id=study_id, code=code, **facts), COLUMNS, form)


@command.command("list")
@click.option("--study", metavar="STUDY", help="Only this study's (code or id).")
@format_option("table", "json")
def list_(study: str | None, form: str) -> None:
    """List the patients, by code."""
    from konectom.workflows.people import list_patients

    with installation() as services:
        study_id = None if study is None else UUID(study_named(services, study)["id"])
        show_rows(every_row(list_patients, services, study_id=study_id), COLUMNS, form)
