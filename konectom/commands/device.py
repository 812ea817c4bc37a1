"""``konectom device``: the phones of a patient, and the codes with which they are enrolled."""

from __future__ import annotations

import io
from uuid import UUID

import click

from konectom.commands._installation import every_row, identifier_of, installation, patient_named
from konectom.commands._output import format_option, print_json, show_rows

COLUMNS = ("id", "platform", "model", "os", "app", "enrolled_at", "renewed_at", "revoked_at", "revoked_for")
ENROLMENT_COLUMNS = ("id", "state", "created_at", "expires_at", "used_at", "revoked_at", "device")
REASONS = ("lost", "stolen", "replaced", "ended", "other")
patient_option = click.option("--patient", required=True, metavar="PATIENT", help="Code or id of the patient.")
study_option = click.option("--study", metavar="STUDY", help="The patient's study, where several use this code.")


@click.group("device")
def command() -> None:
    """Enrol phones and shut them out."""


@command.command("enrol")
@patient_option
@study_option
@format_option("text", "json", default="text")
def enrol(patient: str, study: str | None, form: str) -> None:
    """Make a code with which one phone becomes the patient's, and print it, also as a QR code: this once.

    An earlier code of the patient that was not used is void from then on.
    """
    from konectom.workflows.patients.enrolments import create_enrolment

    with installation(changes=True) as services:
        patient_id = UUID(patient_named(services, patient, study)["id"])
        made = create_enrolment(services, patient_id=patient_id)
    if form == "json":
        print_json(made)
        return
    click.echo(qr_for_terminal(made["qr"]))
    click.echo(f"code      {made['code']}")
    click.echo(f"valid to  {made['expires_at']}, for one phone")
    click.echo(f"QR text   {made['qr']}")


@command.command("enrolments")
@patient_option
@study_option
@format_option("table", "json")
def enrolments(patient: str, study: str | None, form: str) -> None:
    """List the codes that were made for a patient, and what became of them; the codes themselves are not kept."""
    from konectom.workflows.patients.enrolments import list_enrolments

    with installation() as services:
        patient_id = UUID(patient_named(services, patient, study)["id"])
        show_rows(every_row(list_enrolments, services, patient_id=patient_id), ENROLMENT_COLUMNS, form)


@command.command("void")
@click.argument("enrolment")
def void(enrolment: str) -> None:
    """Make the code of the enrolment with the id ENROLMENT void, before a phone uses it."""
    from konectom.workflows.patients.enrolments import revoke_enrolment

    enrolment_id = identifier_of(enrolment, "enrolment")
    with installation(changes=True) as services:
        revoke_enrolment(services, enrolment_id)
    click.echo(f"the code of enrolment {enrolment} is void")


@command.command("list")
@patient_option
@study_option
@format_option("table", "json")
def list_(patient: str, study: str | None, form: str) -> None:
    """List a patient's phones, in the order in which they were enrolled."""
    from konectom.workflows.patients.devices import list_devices

    with installation() as services:
        patient_id = UUID(patient_named(services, patient, study)["id"])
        show_rows(every_row(list_devices, services, patient_id=patient_id), COLUMNS, form)


@command.command("revoke")
@click.argument("device")
@click.option("--reason", type=click.Choice(REASONS), default="other", show_default=True, help="Why; it is kept.")
def revoke(device: str, reason: str) -> None:
    """Shut out the phone with the id DEVICE, at once. What it sent before stays."""
    from konectom.workflows.patients.devices import revoke_device

    device_id = identifier_of(device, "device")
    with installation(changes=True) as services:
        revoke_device(services, device_id, reason=reason)
    click.echo(f"device {device} has no access any more")


def qr_for_terminal(text: str) -> str:
    """Return a QR code of ``text`` in block characters, two rows to a line."""
    import segno

    drawn = io.StringIO()
    segno.make(text, error="m", micro=False).terminal(drawn, compact=True)
    return drawn.getvalue().rstrip("\n")
