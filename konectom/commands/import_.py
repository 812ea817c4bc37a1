"""``konectom import``: files that are already there, as if their app had uploaded them."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

import click

from konectom.commands._files import FileUnreadable, read_file
from konectom.commands._installation import installation, patient_named
from konectom.errors import KonectomError

if TYPE_CHECKING:
    from konectom.workflows.services import Services

SESSIONS = uuid5(NAMESPACE_URL, "urn:konectom:import")
"""Namespace of the ids of sessions whose format carries none: the same bytes have the same id everywhere."""


@click.command("import", epilog="Example: konectom import --patient P-017 --study pilot recordings/*.json.gz")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--patient", required=True, metavar="PATIENT", help="Code or id of the patient they belong to.")
@click.option("--study", metavar="STUDY", help="The patient's study, where several use this code.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], patient: str, study: str | None) -> None:
    """Store recordings of a patient and compute their measures.

    FILE is a session in any supported format, plain or compressed. A file that cannot be used never costs the others:
    it is told on standard error, and the exit status is 1. What is stored already is left as it is, so that an
    interrupted import is resumed by calling it again.
    """
    from konectom.commands._output import console, progress

    failed = partial = 0
    with installation(changes=True) as services:
        patient_id = UUID(patient_named(services, patient, study)["id"])
        with progress("importing", console(sys.stderr)) as bar:
            for name in bar.track(files):
                try:
                    created, receipt = import_file(services, patient_id, name)
                except (KonectomError, FileUnreadable) as error:
                    failed += 1
                    place = f" {error.at}" if error.at else ""
                    click.echo(f"{name}: {error.code}{place}: {error.detail}", err=True)
                else:
                    partial += any(each["status"] != "processed" for each in receipt["recordings"])
                    click.echo(f"{name}: {_told(created, receipt)}")
    more = f", {partial} of them with recordings that have no result" if partial else ""
    click.echo(f"{len(files) - failed} of {len(files)} files are stored{more}", err=True)
    if failed:
        ctx.exit(1)


def import_file(services: Services, patient_id: UUID, name: str) -> tuple[bool, Mapping[str, Any]]:
    """Store one file; return whether it is new, and the receipt."""
    from konectom import formats
    from konectom.workflows.sessions.ingest import ingest_session

    body = read_file(name)
    session_id = formats.outline(body, limits=services.settings.limits).id or id_of(body)
    ingested = ingest_session(services, session_id=session_id, patient_id=patient_id, body=body)
    return ingested.created, ingested.receipt


def id_of(body: bytes) -> UUID:
    """Return the session id of a body that carries none."""
    return uuid5(SESSIONS, hashlib.sha256(body).hexdigest())


def _told(created: bool, receipt: Mapping[str, Any]) -> str:
    results = (
        f"{each['assessment'] or 'recording'} {each['quality']['verdict'] if 'quality' in each else each['status']}"
        for each in receipt["recordings"]
    )
    return f"{'stored' if created else 'was there'} {receipt['id']} ({', '.join(results)})"
