"""``konectom audit``: who did and saw what, and whether that is still as it was written."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from konectom.commands._installation import identifier_of, installation, patient_named, study_named
from konectom.commands._output import format_option, print_json, show_rows, whole_file

if TYPE_CHECKING:
    from konectom.workflows.audit.report import Report
    from konectom.workflows.audit.trail import Which
    from konectom.workflows.services import Services

COLUMNS = ("seq", "at", "actor", "action", "change", "entity", "entity_id", "why")


def _selecting(function: Any) -> Any:
    """Declare the options that select entries."""
    for option in (
        click.option("--until", metavar="INSTANT", help="Before this instant."),
        click.option("--since", metavar="INSTANT", help="From this instant (ISO 8601 with its offset) on."),
        click.option("--action", metavar="NAME", help="Only this permission or command, such as trend.read."),
        click.option("--actor", metavar="ID", help="Only what this user, phone or program did."),
        click.option("--patient", metavar="PATIENT", help="What was done with this patient (code, or id once erased)."),
        click.option("--study", metavar="STUDY", help="Only those of this study (code or id)."),
    ):
        function = option(function)
    return function


@click.group("audit")
def command() -> None:
    """Look at the audit, take it away, and check that nothing in it was changed."""


@command.command("list")
@_selecting
@click.option("--last", type=click.IntRange(min=1, max=10_000), help="Only so many, the newest.")
@format_option("table", "json")
def list_(last: int | None, form: str, **asked: str | None) -> None:
    """List entries, newest last."""
    from konectom.security.principal import EVERYTHING
    from konectom.workflows.audit.trail import last_entries, list_audit

    with installation() as services:
        which = _which(services, **asked)
        if last is not None:
            entries = last_entries(services, EVERYTHING, which, last)
        else:
            entries, cursor = [], None
            while True:
                page = list_audit(services, EVERYTHING, which, cursor=cursor, limit=services.settings.page_size_max)
                entries += page["items"]
                cursor = page["next"]
                if cursor is None:
                    break
    show_rows(entries if form == "json" else map(_in_short, entries), COLUMNS, form)


@command.command("export")
@_selecting
@format_option("ndjson", "csv", default="ndjson")
@click.option(
    "--output",
    "-o",
    metavar="PATH",
    help="Write to a file, which appears when it is complete. [default: standard output]",
)
def export(form: str, output: str | None, **asked: str | None) -> None:
    """Take entries away, newest last: one JSON object a line, or CSV. That is itself an entry."""
    from konectom.security.principal import EVERYTHING
    from konectom.workflows.audit.trail import export_audit, note_audit_read

    with installation() as services:
        which = _which(services, **asked)
        note_audit_read(services, EVERYTHING, which, format=form)
        pieces = export_audit(services, EVERYTHING, which, "csv" if form == "csv" else "ndjson")
        with whole_file(output) as out, closing(pieces):
            for piece in pieces:
                out.write(piece)


@command.command("verify", epilog="Example, every night: konectom audit verify --anchor $(cat /mnt/elsewhere/anchor)")
@click.option("--anchor", metavar="SEQ:SEAL", help="What konectom audit anchor printed earlier, kept elsewhere.")
@click.option("--rows", is_flag=True, help="Also compare every row that is audited with what was last told of it.")
@format_option("table", "json")
@click.pass_context
def verify(ctx: click.Context, anchor: str | None, rows: bool, form: str) -> None:
    """Check that no entry was changed, removed, added or moved. The exit status is 1 where one was.

    That the whole database was put back to an earlier state is found with --anchor only. With --rows it is found what
    was changed in the tables behind the audit's back.
    """
    from konectom.security.chain import Anchor
    from konectom.workflows.audit.check import verify as check

    noted = None if anchor is None else Anchor.of(anchor)
    with installation() as services:
        report = check(services, anchor=noted, rows=rows)
    if form == "json":
        print_json(report.as_dict())
    else:
        _tell(report, rows)
    if not report.sound:
        ctx.exit(1)


@command.command("anchor")
def anchor() -> None:
    """Print number and seal of the last entry, to be kept where nobody who can change the database can change it."""
    from konectom.workflows.audit.check import anchor_of

    with installation() as services:
        click.echo(str(anchor_of(services)))


def _which(
    services: Services,
    study: str | None,
    patient: str | None,
    actor: str | None,
    action: str | None,
    since: str | None,
    until: str | None,
) -> Which:
    from konectom.workflows.audit.trail import Which

    return Which(
        study=None if study is None else UUID(study_named(services, study)["id"]),
        patient=None if patient is None else _patient(services, patient, study),
        actor=None if actor is None else identifier_of(actor, "user, phone or program"),
        action=action,
        since=None if since is None else _instant(since),
        until=None if until is None else _instant(until),
    )


def _patient(services: Services, named: str, study: str | None) -> UUID:
    """Return a patient's id; of one who was erased, nothing but the id is known."""
    try:
        return UUID(named)
    except ValueError:
        return UUID(patient_named(services, named, study)["id"])


def _instant(text: str) -> datetime:
    from konectom.errors import FieldInvalid
    from konectom.workflows.pages import instant_of

    try:
        return instant_of(text)
    except (ValueError, OverflowError):
        raise FieldInvalid(f"{text!r} is no instant; write 2026-11-21T09:00:00+01:00") from None


def _in_short(entry: dict[str, Any]) -> dict[str, Any]:
    who = entry["actor"]
    why = "(destroyed)" if entry["why_destroyed"] else entry["why"]
    return entry | {"actor": f"{who['kind']} {who['name'] or who['id'] or ''}".strip(), "why": why}


def _tell(report: Report, rows: bool) -> None:
    for fault in report.faults:
        click.echo(f"konectom: {fault}", err=True)
    more = report.fault_count - len(report.faults)
    if more > 0:
        click.echo(f"konectom: and {more} more", err=True)
    checked = f"{report.entries} entries" + (f", {report.rows} rows" if rows else "")
    if report.unchecked:
        checked += f" ({report.unchecked} of them cannot be told: their patient's key is gone)"
    click.echo(f"{checked}: {'sound' if report.sound else 'NOT SOUND'}", err=not report.sound)
