"""``konectom observe``: clinical values of a study's patients, from tables and from FHIR."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING
from uuid import UUID

import click

from konectom.commands._files import FileUnreadable, read_file
from konectom.commands._installation import installation, study_named
from konectom.errors import BodyError, DataError

if TYPE_CHECKING:
    from rich.progress import Progress

    from konectom.workflows.observations.importing import Imported
    from konectom.workflows.services import Services


@click.command(
    "observe", epilog="Example: konectom observe --study pilot --time-zone Europe/Paris docs/observations.csv"
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--study", required=True, metavar="STUDY", help="Code or id of the study whose patients they are of.")
@click.option("--time-zone", metavar="ZONE", help="Zone of times without an offset and of days, such as Europe/Paris.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], study: str, time_zone: str | None) -> None:
    """Store what clinicians and laboratories found: EDSS, SDMT, relapses, and whatever else docs/observations.md lists.

    FILE is a table (CSV) or a FHIR document, plain or compressed; - is standard input. What cannot be used never costs
    the others: it is told on standard error by file and line, and the exit status is 1. What is stored already is left
    as it is, so that an interrupted import is resumed by calling it again.
    """
    from konectom.commands._output import console, progress

    failed = False
    with installation(changes=True) as services:
        study_id = UUID(study_named(services, study)["id"])
        with progress("observing", console(sys.stderr)) as bar:
            for name in files:
                try:
                    imported = _import(services, study_id, name, time_zone, bar)
                except (BodyError, DataError, FileUnreadable) as error:
                    failed = True
                    click.echo(_line(name, error.at or "", error.code, error.detail), err=True)
                    continue
                for each in imported.problems:
                    failed = True
                    click.echo(_line(name, each.at, each.code, each.detail), err=True)
                click.echo(f"{name}: {_told(imported)}")
    if failed:
        ctx.exit(1)


def _import(services: Services, study_id: UUID, name: str, time_zone: str | None, bar: Progress) -> Imported:
    from konectom.workflows.observations.importing import import_observations

    task = bar.add_task(name, total=None)
    try:
        return import_observations(
            services,
            study_id,
            read_file(name),
            time_zone=time_zone,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    finally:
        bar.remove_task(task)


def _line(name: str, at: str, code: str, detail: str) -> str:
    """Return a problem as one line: in a table the place is told as editors do, ``FILE:LINE``."""
    line = re.fullmatch(r"/lines/(\d+)(?:/(.+))?", at)
    if line is not None:
        name, at = f"{name}:{line[1]}", line[2] or ""
    return " ".join(f"{name}: {code}{f' {at}' if at else ''}: {detail}".splitlines())


def _told(imported: Imported) -> str:
    parts = [f"{imported.entered} entered", f"{imported.already_there} were there"]
    if imported.retracted:
        parts.append(f"{imported.retracted} were retracted and stay so")
    if imported.problems:
        parts.append(f"{len(imported.problems)} problems")
    parts += [f"{count} {kind} skipped" for kind, count in imported.skipped.items()]
    return ", ".join(parts)
