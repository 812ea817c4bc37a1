"""``konectom patient``: the people of a study, by pseudonymous codes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from konectom.commands._installation import every_row, installation, patient_named, study_named
from konectom.commands._output import format_option, show_one, show_rows

COLUMNS = ("code", "id", "birth_year", "sex", "created_at", "restricted_at")


@click.group("patient")
def command() -> None:
    """Create and list patients, and say whose data are not to be used."""


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


@command.command("restrict")
@click.argument("patient")
@click.option("--study", metavar="STUDY", help="The patient's study, where several use this code.")
@click.option("--reason", required=True, help="Why; it stands in the audit.")
@click.option(
    "--data-type", "data_types", multiple=True, metavar="TYPE", help="Only this type of data; may be repeated."
)
def restrict(patient: str, study: str | None, reason: str, data_types: tuple[str, ...]) -> None:
    """Stop the use of what is kept of PATIENT (code or id): nobody is shown it, and nothing is added."""
    from konectom.workflows.restrictions import restrict_patient

    with installation() as services:
        patient_id = UUID(patient_named(services, patient, study)["id"])
        restrict_patient(services, patient_id, reason=reason, data_types=data_types or None)
    click.echo(f"restricted {' '.join(data_types) or 'all'} of patient {patient}")


@command.command("resume")
@click.argument("patient")
@click.option("--study", metavar="STUDY", help="The patient's study, where several use this code.")
@click.option("--reason", help="Why; it stands in the audit.")
@click.option(
    "--data-type", "data_types", multiple=True, metavar="TYPE", help="Only this type of data; may be repeated."
)
def resume(patient: str, study: str | None, reason: str | None, data_types: tuple[str, ...]) -> None:
    """Use what is kept of PATIENT (code or id) again."""
    from konectom.workflows.restrictions import resume_patient

    with installation() as services:
        patient_id = UUID(patient_named(services, patient, study)["id"])
        resume_patient(services, patient_id, data_types=data_types or None, reason=reason)
    click.echo(f"resumed {' '.join(data_types) or 'all'} of patient {patient}")
