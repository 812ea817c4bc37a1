"""``konectom device``: the phones of a patient, and their tokens."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from konectom.commands._installation import every_row, identifier_of, installation, patient_named
from konectom.commands._output import format_option, show_one, show_rows

COLUMNS = ("id", "platform", "model", "os", "app", "enrolled_at")
study_option = click.option("--study", metavar="STUDY", help="The patient's study, where several use this code.")


@click.group("device")
def command() -> None:
    """Enrol phones and revoke their tokens."""


@command.command("create")
@click.option("--patient", required=True, metavar="PATIENT", help="Code or id of the patient.")
@study_option
@click.option("--platform", help="Such as ios or android.")
@click.option("--model", help="Such as iPhone15,2.")
@click.option("--os", help="Version of the operating system.")
@click.option("--app", help="Version of the app.")
@format_option("table", "json")
def create(patient: str, study: str | None, form: str, **facts: Any) -> None:
    """Enrol a patient's phone and print its token: this once, and never again."""
    from konectom.workflows.enrolments import enrol_device

    with installation() as services:
        patient_id = UUID(patient_named(services, patient, study)["id"])
        made = enrol_device(services, patient_id=patient_id, **facts)
        expires_at = made.access_expires_at.isoformat()
        told = {"id": str(made.device_id), "token": made.access_token, "expires_at": expires_at}
    show_one(told, ("id", "token", "expires_at"), form)


@command.command("list")
@click.option("--patient", required=True, metavar="PATIENT", help="Code or id of the patient.")
@study_option
@format_option("table", "json")
def list_(patient: str, study: str | None, form: str) -> None:
    """List a patient's phones, in the order in which they were enrolled."""
    from konectom.workflows.people import list_devices

    with installation() as services:
        patient_id = UUID(patient_named(services, patient, study)["id"])
        show_rows(every_row(list_devices, services, patient_id=patient_id), COLUMNS, form)


@command.command("revoke")
@click.argument("device")
def revoke(device: str) -> None:
    """Shut the phone with the id DEVICE out. What it sent before stays."""
    from konectom.workflows.enrolments import revoke_device

    with installation() as services:
        revoke_device(services, identifier_of(device, "device"))
    click.echo(f"revoked device {device}")
