"""``konectom retention``: studies whose time is over, and what erasures have left to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from uuid import UUID

import click

from konectom.commands._installation import installation, study_named
from konectom.commands._output import Refusal, console, format_option, progress, show_rows
from konectom.commands.patient import REASONS

if TYPE_CHECKING:
    from konectom.workflows.services import Services

COLUMNS = ("code", "retain_until", "overdue", "patients", "id")


@click.group("retention")
def command() -> None:
    """Erase the patients of studies whose time is over.

    A study's date is set by PATCH /api/v1/studies/{study_id}; see docs/rights.md.
    """


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also studies whose date is still to come.")
@format_option("table", "json")
def list_(everything: bool, form: str) -> None:
    """List the studies whose data should be gone, the one that is longest overdue first."""
    from konectom.workflows.erasing.retention import overdue_studies

    with installation() as services:
        show_rows(overdue_studies(services, overdue_only=not everything), COLUMNS, form)


@command.command("erase", epilog="Example: konectom retention erase pilot")
@click.argument("study")
@click.option(
    "--reason",
    type=click.Choice(REASONS),
    default="retention",
    show_default=True,
    help="Why. Stays in the certificates.",
)
@click.option("--yes", is_flag=True, help="Do not ask for the study's code once more.")
def erase(study: str, reason: str, yes: bool) -> None:
    """Erase every patient of STUDY (code or id), whose date of retention is over, with a certificate each.

    What is interrupted goes on when it is called again. Prints the id of each patient and certificate.
    """
    from konectom.workflows.erasing.retention import erase_study, patients_overdue

    with installation() as services:
        found = study_named(services, study)
        study_id = UUID(found["id"])
        patients = patients_overdue(services, study_id)
        if not yes:
            asked = f"Type the code of the study to erase its {len(patients)} patients, for good"
            if click.prompt(asked) != found["code"]:
                raise Refusal("that is not the study's code; nothing was erased")
        with progress("erasing", console(sys.stderr)) as bar:
            task = bar.add_task("", total=len(patients))
            for each in erase_study(services, study_id, reason=reason):
                click.echo(f"{each['certificate']['patient']}  {each['certificate']['id']}")
                bar.advance(task)
        _finish(services, most=0)


@command.command("finish")
def finish() -> None:
    """Remove what erasures have left outside of the rows: after a crash, or where something was in the way.

    Objects without a row, which uploads that were cut off have left, go as well when they are a day old, and so does
    what came of uploads whose time is over. Exit status 1 says that something still is in the way.
    """
    from konectom.workflows.uploads.clearing import sweep_uploads

    with installation() as services:
        if not sweep_uploads(services):
            raise Refusal("some uploads could not be put in order; run later: konectom retention finish")
        _finish(services, most=None)
    click.echo("nothing is left")


def _finish(services: Services, *, most: int | None) -> None:
    from konectom.workflows.erasing.erasure import finish_erasures

    if not finish_erasures(services, most=most):
        raise Refusal("something is still in the way of what is to be removed; run later: konectom retention finish")
