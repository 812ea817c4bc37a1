"""``konectom consent``: what patients are asked to agree to, and what each decided."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from konectom.commands._files import FileUnreadable, read_file
from konectom.commands._installation import every_row, installation, patient_named, study_named
from konectom.commands._output import Refusal, format_option, print_json, show_one, show_rows
from konectom.errors import FieldInvalid

if TYPE_CHECKING:
    from konectom.workflows.services import Services

FORM = ("version", "title", "data_types", "created_at", "retired_at")
CURRENT = ("data_type", "state", "form", "decided_at", "restricted_at")
HISTORY = ("entered_at", "data_type", "state", "form", "decided_at", "ended_at")

study_option = click.option("--study", metavar="STUDY", help="The patient's study, where several use this code.")
types_option = click.option(
    "--data-type", "data_types", multiple=True, metavar="TYPE", help="One type of data; may be repeated. Else all."
)
decided_option = click.option(
    "--decided-at", metavar="INSTANT", help="When, as in 2026-11-22T09:30:00+01:00; now, unless it is told."
)


@click.group("consent")
def command() -> None:
    """Say what patients agree to, type by type of data."""


@command.group("form")
def forms() -> None:
    """Make and list what a study's patients are asked to agree to."""


@forms.command("create")
@click.argument("version")
@click.option("--study", required=True, metavar="STUDY", help="Code or id of the study.")
@click.option("--title", required=True, help="What it is called.")
@click.option("--text", "file", required=True, metavar="FILE", help="The text in full (UTF-8); - is standard input.")
@click.option(
    "--data-type", "data_types", multiple=True, required=True, metavar="TYPE", help="A type of data that it covers."
)
@format_option("table", "json")
def create(version: str, study: str, title: str, file: str, data_types: tuple[str, ...], form: str) -> None:
    """Make VERSION of a study's consent form. It is never changed: a new text is a new version."""
    from konectom.workflows.consent.forms import create_consent_form

    facts: dict[str, Any] = {"version": version, "title": title, "text": _text(file), "data_types": data_types}
    with installation(changes=True) as services:
        study_id = UUID(study_named(services, study)["id"])
        made = create_consent_form(services, study_id, **facts)
    show_one(made if form == "json" else _told(made), FORM, form)


@forms.command("list")
@click.option("--study", required=True, metavar="STUDY", help="Code or id of the study.")
@click.option("--all", "retired", is_flag=True, help="Also those that are no longer used.")
@format_option("table", "json")
def list_(study: str, retired: bool, form: str) -> None:
    """List a study's consent forms, by version."""
    from konectom.workflows.consent.forms import list_consent_forms

    with installation() as services:
        asked = {"study_id": UUID(study_named(services, study)["id"]), "retired": retired}
        rows = list(every_row(list_consent_forms, services, **asked))
    show_rows(rows if form == "json" else map(_told, rows), FORM, form)


@forms.command("retire")
@click.argument("version")
@click.option("--study", required=True, metavar="STUDY", help="Code or id of the study.")
def retire(version: str, study: str) -> None:
    """Let nobody agree to VERSION any more. Who agreed to it before still does."""
    from konectom.workflows.consent.forms import list_consent_forms, retire_consent_form

    with installation(changes=True) as services:
        study_id = UUID(study_named(services, study)["id"])
        rows = every_row(list_consent_forms, services, study_id=study_id, retired=True)
        found = [row["id"] for row in rows if row["version"] == version]
        if not found:
            raise FieldInvalid(f"the study has no consent form of version {version!r}")
        retire_consent_form(services, study_id, UUID(found[0]))
    click.echo(f"retired version {version}")


@command.command("record")
@click.argument("patient")
@study_option
@click.option("--state", required=True, type=click.Choice(["given", "refused", "withdrawn"]), help="What was decided.")
@click.option("--form", "version", metavar="VERSION", help="Version of the form that was agreed to.")
@types_option
@decided_option
@format_option("table", "json")
def record(
    patient: str,
    study: str | None,
    state: str,
    version: str | None,
    data_types: tuple[str, ...],
    decided_at: str | None,
    form: str,
) -> None:
    """Record what PATIENT (code or id) decided on types of data, or on all that a form covers."""
    from konectom.workflows.consent.decisions import record_consent

    decision: dict[str, Any] = {"state": state, "form": version, "data_types": data_types or None}
    with installation(changes=True) as services:
        patient_id = _patient(services, patient, study)
        _show(record_consent(services, patient_id, **decision, decided_at=_instant(decided_at)).consents, form)


@command.command("withdraw")
@click.argument("patient")
@study_option
@types_option
@decided_option
@format_option("table", "json")
def withdraw(patient: str, study: str | None, data_types: tuple[str, ...], decided_at: str | None, form: str) -> None:
    """Withdraw the consent of PATIENT (code or id): nothing is collected any more. What is there stays in use."""
    from konectom.workflows.consent.decisions import withdraw_consent

    with installation(changes=True) as services:
        patient_id = _patient(services, patient, study)
        at = _instant(decided_at)
        _show(withdraw_consent(services, patient_id, data_types=data_types or None, decided_at=at), form)


@command.command("show")
@click.argument("patient")
@study_option
@click.option("--history", is_flag=True, help="Every decision, in the order in which it was entered.")
@format_option("table", "json")
def show(patient: str, study: str | None, history: bool, form: str) -> None:
    """Show what PATIENT (code or id) has decided, and what is restricted."""
    from konectom.workflows.consent.decisions import patient_consents

    with installation() as services:
        told = patient_consents(services, _patient(services, patient, study))
    if history and form == "table":
        show_rows(told["history"], HISTORY, form)
    else:
        _show(told, form)


def _show(consents: dict[str, Any], form: str) -> None:
    if form == "json":
        print_json(consents)
        return
    if consents["restricted_at"] is not None:
        click.echo(f"The use of all that is kept is restricted since {consents['restricted_at']}.")
    show_rows(consents["current"], CURRENT, form)


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"data_types": " ".join(row["data_types"])}


def _patient(services: Services, name: str, study: str | None) -> UUID:
    return UUID(patient_named(services, name, study)["id"])


def _text(file: str) -> str:
    try:
        return read_file(file).decode("utf-8-sig")
    except FileUnreadable as error:
        raise Refusal(f"{error.detail}: {file}") from None
    except UnicodeDecodeError as error:
        raise Refusal(f"{file} is not UTF-8 at byte {error.start}") from None


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise FieldInvalid(f"{text!r} is no instant; write it as in 2026-11-22T09:30:00+01:00") from None
