"""``konectom alerts``: go through a study's patients, and list what a clinician should look at."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from konectom.commands._installation import every_row, installation, study_named
from konectom.commands._output import console, format_option, print_json, progress, show_rows, whole_file

if TYPE_CHECKING:
    from konectom.workflows.services import Services

COLUMNS = (
    *("id", "patient", "kind", "key", "at", "message"),
    *("found_at", "ended_at", "acknowledged_at", "acknowledged_by", "note"),
)
"""Of the CSV form."""

SHORT = ("found_at", "patient", "kind", "message")


@click.command("alerts", epilog="Example, every night: konectom alerts --study demo --format csv")
@click.option("--study", required=True, metavar="STUDY", help="Code or id of the study.")
@click.option("--all", "everything", is_flag=True, help="List also what was acknowledged and what is over.")
@format_option("table", "json", "csv")
@click.pass_context
def command(ctx: click.Context, study: str, everything: bool, form: str) -> None:
    """Review a study's patients, and list the alerts.

    Every patient is gone through of whom something came since the last review, and once a day at least: confirmed
    changes, alarming answers, lapsed schedules, runs of spoiled tests. What is found is kept patient by patient, so
    that an interrupted review is resumed by calling it again. A patient whose review fails is told on standard error,
    and the exit status is 1.
    """
    from konectom.workflows.following.alerts import list_alerts
    from konectom.workflows.patients.people import list_patients

    with installation() as services:
        study_id = UUID(study_named(services, study)["id"])
        codes = {row["id"]: row["code"] for row in every_row(list_patients, services, study_id=study_id)}
        reviewed, failed = _review(services, study_id, codes)
        asked = {"status": "all" if everything else "open", "review": False}
        found = list(every_row(list_alerts, services, study_id=study_id, **asked))
    rows = [row | {"patient": codes.get(row["patient"], row["patient"])} for row in found]
    _show(rows, form)
    click.echo(f"patients reviewed: {reviewed}; {'alerts' if everything else 'open alerts'}: {len(rows)}", err=True)
    if failed:
        click.echo(f"patients that could not be reviewed: {failed}", err=True)
        ctx.exit(1)


def _review(services: Services, study_id: UUID, codes: Mapping[str, str]) -> tuple[int, int]:
    from konectom.workflows.following.reviews import fault_told, patients_due, review_each

    due = patients_due(services, study_id)
    failed = 0
    with progress("reviewing", console(sys.stderr)) as bar:
        for each in bar.track(review_each(services, due), total=len(due)):
            if each.fault is not None:
                failed += 1
                click.echo(f"{codes.get(str(each.patient_id), each.patient_id)}: {fault_told(each.fault)}", err=True)
    return len(due) - failed, failed


def _show(rows: Sequence[Mapping[str, Any]], form: str) -> None:
    if form == "json":
        print_json(rows)
    elif form == "csv":
        with whole_file(None) as out:
            out.write(_csv(rows))
    else:
        show_rows(rows, SHORT, form)


def _csv(rows: Iterable[Mapping[str, Any]]) -> bytes:
    import csv
    import io

    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
