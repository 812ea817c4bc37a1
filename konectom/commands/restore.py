"""``konectom restore``: a backup, put back into an empty installation."""

from __future__ import annotations

from pathlib import Path

import click

from konectom.commands._installation import installation
from konectom.commands._output import Refusal, told_progress


@click.command("restore", epilog="Example: konectom restore /mnt/backup/konectom")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--erasures",
    multiple=True,
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A later list of who was erased (erased.json of a newer backup). May be given several times.",
)
@click.option("--restart", is_flag=True, help="Empty a database whose filling was broken off, and begin anew.")
def command(directory: Path, erasures: tuple[Path, ...], restart: bool) -> None:
    """Put the backup in DIRECTORY back into the installation that the settings describe, which has to be empty.

    The keys have to be in their place before. Whoever was erased after the backup was made, as far as the list beside
    it and --erasures tell, is erased again before anything can be served. Interrupted or killed at any point, the same
    command goes on where it was.
    """
    from konectom.workflows.transfer.restoring import restore

    with installation(changes=True) as services, told_progress() as tell:
        done = restore(services, directory, erasures=erasures, restart=restart, tell=tell)
    made = done.manifest
    rows = sum(each.rows for each in made.tables.values())
    click.echo(f"database: {rows} rows put back and compared, as of {made.taken_at.isoformat()}")
    click.echo(f"objects: {done.objects.objects} there and compared, {done.objects.new} of them copied now")
    click.echo(
        f"erased again: {len(done.erased)} patients, of {len(done.listed.certificates)} on the list as of"
        f" {done.listed.as_of.isoformat()}"
    )
    for patient in done.erased:
        click.echo(f"  {patient}")
    click.echo(f"audit: sound up to {made.anchor}" if done.audit.sound else "audit: NOT SOUND")
    click.echo("what was done after the backup is not there: see docs/backup.md for what has to be done again")
    if not done.audit.sound:
        raise Refusal("the audit is not sound, as it was in the backup; see: konectom audit verify")
