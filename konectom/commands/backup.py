"""``konectom backup``: a consistent copy of all but the keys, made while servers run."""

from __future__ import annotations

from pathlib import Path

import click

from konectom.commands._installation import installation
from konectom.commands._output import Refusal, told_progress


@click.command("backup", epilog="Example, every night: konectom backup /mnt/backup/konectom")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--verify", is_flag=True, help="Make none: read every byte of the one that is there.")
@click.option("--erased-only", is_flag=True, help="Make none: add to the one that is there who was erased since.")
def command(directory: Path, verify: bool, erased_only: bool) -> None:
    """Bring the backup in DIRECTORY up to date: the database, and the objects that it does not have yet.

    Servers may run. The backup is whole, or it is the one of before; what patients erased since left in it is removed.
    The keys of the installation are not in it: keep them apart (docs/backup.md).
    """
    if verify and erased_only:
        raise click.UsageError("--verify and --erased-only exclude each other")
    if verify:
        _verify(directory)
    elif erased_only:
        _refresh(directory)
    else:
        _back_up(directory)


def _back_up(directory: Path) -> None:
    from konectom.workflows.transfer.backing_up import back_up

    with installation() as services, told_progress() as tell:
        done = back_up(services, directory, tell)
    made = done.manifest
    rows = sum(each.rows for each in made.tables.values())
    click.echo(f"database: {rows} rows, {made.database.size_bytes} bytes, as of {made.taken_at.isoformat()}")
    click.echo(
        f"objects: {made.objects}, {made.size_bytes} bytes; {done.new} of them new, {done.removed} older ones removed"
    )
    click.echo(f"erased: {done.erased} patients on the list")
    click.echo(f"audit: at {made.anchor}")
    click.echo(f"keys that it needs, and does not hold: {', '.join(made.opens) or 'none'}")
    if done.back:
        click.echo(f"konectom: {done.back} patients are here again who were erased; erase them once more", err=True)
    if done.lost:
        click.echo(f"konectom: {len(done.lost)} objects are lost or damaged in the object store:", err=True)
        for name in done.lost:
            click.echo(f"konectom: {name}", err=True)
        raise Refusal("the backup is whole, but for these objects")


def _refresh(directory: Path) -> None:
    from konectom.workflows.transfer.backing_up import refresh_erased

    with installation() as services:
        listed = refresh_erased(services, directory)
    click.echo(f"erased: {len(listed.certificates)} patients on the list, as of {listed.as_of.isoformat()}")


def _verify(directory: Path) -> None:
    from konectom.security.keys import Keychain
    from konectom.settings import load_settings
    from konectom.workflows.transfer.checking import check_backup, keys_or_none

    keys = keys_or_none(Keychain.open(load_settings().keys_url))
    with told_progress() as tell:
        checked = check_backup(directory, keys, tell)
    for fault in checked.faults:
        click.echo(f"konectom: {fault}", err=True)
    if checked.fault_count:
        raise Refusal(f"{checked.fault_count} faults: the backup cannot be relied on")
    made = checked.manifest
    rows = sum(each.rows for each in made.tables.values())
    click.echo(
        f"{rows} rows and {made.objects} objects as of {made.taken_at.isoformat()}: every byte as it was written"
    )
    if made.lost:
        click.echo(f"{len(made.lost)} objects had been lost before it was made")
    click.echo("seals: genuine" if checked.sealed else "seals: not checked, the keys are not here")
