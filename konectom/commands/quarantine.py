"""``konectom quarantine``: uploads that were refused, and whose bytes are held."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from konectom.commands._installation import every_row, identifier_of, installation, patient_named, study_named
from konectom.commands._output import Refusal, format_option, print_json, show_one, show_rows, whole_file

if TYPE_CHECKING:
    from konectom.workflows.sessions.quarantine import Retried

COLUMNS = ("id", "session", "state", "code", "received_at", "size_bytes")
LINES = (*COLUMNS, "at", "detail", "content_type", "content_encoding", "digest", "patient", "device", "released_as")
TRIED = ("id", "session", "code", "detail")


@click.group("quarantine")
def command() -> None:
    """See, try again and discard uploads that were refused; their bytes are held. See docs/http.md."""


@command.command("list")
@click.option("--study", metavar="STUDY", help="Only of this study (code or id).")
@click.option("--patient", metavar="PATIENT", help="Only of this patient (code or id).")
@click.option("--code", help="Only those that this error refused.")
@click.option("--state", type=click.Choice(["held", "released", "discarded"]), help="Only those in this state.")
@format_option("table", "json")
def list_(study: str | None, patient: str | None, code: str | None, state: str | None, form: str) -> None:
    """List what was refused, in the order in which it came."""
    from konectom.workflows.sessions.quarantine import list_held

    with installation() as services:
        study_id = None if study is None else UUID(study_named(services, study)["id"])
        patient_id = None if patient is None else UUID(patient_named(services, patient, study)["id"])
        asked = {"study_id": study_id, "patient_id": patient_id, "code": code, "state": state}
        show_rows(every_row(list_held, services, **asked), COLUMNS, form)


@command.command("show")
@click.argument("identifier", metavar="ID")
@click.option("--output", "-o", metavar="PATH", help="Also write the bytes to this file, for its owner only.")
@format_option("table", "json")
def show(identifier: str, output: str | None, form: str) -> None:
    """Tell why the upload ID was refused, and what became of it."""
    from konectom.workflows.sessions.quarantine import get_held, held_bytes

    with installation() as services:
        which = identifier_of(identifier, "upload in quarantine")
        show_one(get_held(services, which), LINES, form)
        if output is not None:
            raw = held_bytes(services, which)
            with closing(raw), whole_file(output, private=True) as out:
                out.writelines(raw.pieces)


@command.command("retry", epilog="Example: konectom quarantine retry --study pilot --code format_unknown")
@click.argument("identifier", metavar="[ID]", required=False)
@click.option("--session", metavar="UUID", help="Keep it under this id, where the one that it claimed is taken.")
@click.option("--study", metavar="STUDY", help="Without ID: only of this study (code or id).")
@click.option("--code", "codes", multiple=True, help="Without ID: only those that this error refused; may be repeated.")
@format_option("table", "json")
def retry(identifier: str | None, session: str | None, study: str | None, codes: tuple[str, ...], form: str) -> None:
    """Read what is held again, the upload ID or all, and keep as sessions what can be used now.

    Consent is asked for again. What still cannot be used stays, and why is told; so often as you like.
    """
    from konectom.workflows.sessions import quarantine

    if session is not None and identifier is None:
        raise Refusal("--session says under which id one upload is kept: say which upload, too")
    with installation(changes=True) as services:
        if identifier is not None:
            which = identifier_of(identifier, "upload in quarantine")
            under = None if session is None else identifier_of(session, "session")
            _tell([quarantine.retry(services, which, session_id=under)], form)
            return
        study_id = None if study is None else UUID(study_named(services, study)["id"])
        _tell(quarantine.retry_held(services, study_id=study_id, codes=codes or None), form)


@command.command("discard")
@click.argument("identifier", metavar="ID")
@click.option("--reason", required=True, help="Why; it stands in the audit.")
def discard(identifier: str, reason: str) -> None:
    """Let the bytes of the upload ID go, for good."""
    from konectom.workflows.sessions.discarding import discard as let_go

    with installation(changes=True) as services:
        let_go(services, identifier_of(identifier, "upload in quarantine"), reason=reason)
    click.echo(f"discarded {identifier}")


def _tell(tried: Iterable[Retried], form: str) -> None:
    rows: list[dict[str, Any]] = []
    for each in tried:
        session = None if each.session is None else str(each.session)
        rows.append({"id": str(each.id), "session": session} | (each.error or {}))
    if form == "json":
        print_json(rows)
        return
    show_rows(rows, TRIED, form)
    released = sum(row["session"] is not None for row in rows)
    click.echo(f"released {released} of {len(rows)}")
