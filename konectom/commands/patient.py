"""``konectom patient``: the people of a study, by pseudonymous codes."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from konectom.commands._installation import (
    every_row,
    identifier_of,
    installation,
    patient_named,
    site_named,
    study_named,
)
from konectom.commands._output import Refusal, format_option, print_json, show_one, show_rows, whole_file

if TYPE_CHECKING:
    from konectom.workflows.erasing.certificates import Verified

REASONS = ("asked_by_patient", "withdrawn", "retention", "entered_in_error", "other")
COLUMNS = ("code", "id", "birth_year", "sex", "created_at", "restricted_at")


@click.group("patient")
def command() -> None:
    """Create and list patients, restrict the use of their data, hand them out, erase them."""


@command.command("create")
@click.argument("code")
@click.option("--study", required=True, metavar="STUDY", help="Code or id of the study.")
@click.option("--site", metavar="SITE", help="Code of the study's site at which the patient is.")
@click.option("--birth-year", type=int, help="Year of birth.")
@click.option("--sex", type=click.Choice(["female", "male", "other"]), help="Sex, as norms tell it apart.")
@click.option("--education-years", type=float, help="Years at school and after.")
@click.option("--height-m", type=float, help="Body height in metres.")
@click.option("--mass-kg", type=float, help="Body mass in kilograms.")
@click.option("--handedness", type=click.Choice(["left", "right", "both"]), help="Hand used for writing.")
@format_option("table", "json")
def create(code: str, study: str, site: str | None, form: str, **facts: Any) -> None:
    """Create the patient CODE: a pseudonym, unique in its study. Never use a name or a number that others know."""
    from konectom.workflows.patients.people import create_patient

    with installation(changes=True) as services:
        study_id = UUID(study_named(services, study)["id"])
        site_id = None if site is None else UUID(site_named(services, site, study_id)["id"])
        show_one(create_patient(services, study_id=study_id, site_id=site_id, code=code, **facts), COLUMNS, form)


@command.command("list")
@click.option("--study", metavar="STUDY", help="Only this study's (code or id).")
@format_option("table", "json")
def list_(study: str | None, form: str) -> None:
    """List the patients, by code."""
    from konectom.workflows.patients.people import list_patients

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
    from konectom.workflows.consent.restrictions import restrict_patient

    with installation(changes=True) as services:
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
    from konectom.workflows.consent.restrictions import resume_patient

    with installation(changes=True) as services:
        patient_id = UUID(patient_named(services, patient, study)["id"])
        resume_patient(services, patient_id, data_types=data_types or None, reason=reason)
    click.echo(f"resumed {' '.join(data_types) or 'all'} of patient {patient}")


@command.command("archive", epilog="Example: konectom patient archive MS-001 --study pilot -o MS-001.zip")
@click.argument("patient")
@click.option("--study", metavar="STUDY", help="The patient's study (code or id), where several use the code.")
@click.option("--output", "-o", required=True, metavar="PATH", help="File to write, readable by its owner only.")
def archive(patient: str, study: str | None, output: str) -> None:
    """Write all that is kept of PATIENT (code or id) into one ZIP file, for the patient.

    It holds the identity and the uploads as they came, not sealed: hand it over on a safe way, and keep no copy.
    """
    from konectom.workflows.erasing.archive import patient_archive

    with installation() as services:
        patient_id = UUID(patient_named(services, patient, study)["id"])
        with whole_file(output, private=True) as out, closing(patient_archive(services, patient_id)) as pieces:
            for piece in pieces:
                out.write(piece)


@command.command("erase", epilog="Example: konectom patient erase MS-001 --study pilot --reason asked_by_patient")
@click.argument("patient")
@click.option("--study", metavar="STUDY", help="The patient's study (code or id), where several use the code.")
@click.option("--reason", type=click.Choice(REASONS), required=True, help="Why. Stays in the certificate.")
@click.option("--yes", is_flag=True, help="Do not ask for the patient's code once more.")
def erase(patient: str, study: str | None, reason: str, yes: bool) -> None:
    """Erase PATIENT (code or id), for good, and print the certificate as JSON.

    The patient's key goes first, then every row and every upload. What is kept is the certificate, and who did what in
    the audit; both know the patient by a random id alone. See docs/rights.md. Erasing by id again prints the same
    certificate.
    """
    from konectom.errors import NotFound
    from konectom.workflows.erasing.erasure import erase_patient

    with installation(changes=True) as services:
        try:
            found = patient_named(services, patient, study)
        except NotFound:
            patient_id = identifier_of(patient, "patient")  # of one who was erased only the id is known
        else:
            patient_id = UUID(found["id"])
            if not yes and click.prompt(f"Type the code of patient {patient_id} to erase it") != found["code"]:
                raise Refusal("that is not the patient's code; nothing was erased")
        erased = erase_patient(services, patient_id, reason=reason)
    print_json(erased["certificate"])
    tell_residue(erased["residue"])


@command.command("certificate")
@click.argument("identifier", metavar="ID")
@click.option("--verify", is_flag=True, help="Check the seal, and that nothing of the patient is here.")
def certificate(identifier: str, verify: bool) -> None:
    """Print the certificate of an erasure, by its ID or by the id that the patient had, as JSON."""
    from konectom.workflows.erasing.certificates import get_certificate, verify_certificate

    with installation(changes=True) as services:
        of = identifier_of(identifier, "certificate")
        found = get_certificate(services, of)
        print_json(found["certificate"])
        tell_residue(found["residue"])
        if verify:
            _tell_verified(verify_certificate(services, of))


def tell_residue(residue: dict[str, Any]) -> None:
    """Say on standard error what an erasure has still to remove, and how that is done."""
    if residue["objects"] or residue["database"]:
        left = [f"{residue['objects']} sealed objects"] if residue["objects"] else []
        left += ["what the database's freed room may hold"] if residue["database"] else []
        click.echo(f"konectom: still to be removed: {', '.join(left)}; run: konectom retention finish", err=True)


def _tell_verified(verified: Verified) -> None:
    if not verified.sealed:
        raise Refusal("the certificate is not as this installation sealed it")
    if verified.rows:
        raise Refusal(f"there are rows of the patient: {', '.join(verified.rows)}")
    if not verified.holds:
        raise Refusal("the erasure is not finished; run: konectom retention finish")
    click.echo("the seal is right, and nothing of the patient is here", err=True)
