"""``konectom migrate-store``: from one database and object store to another."""

from __future__ import annotations

import click

from konectom.commands._installation import installation
from konectom.commands._output import told_progress


@click.command(
    "migrate-store",
    epilog="Example: konectom migrate-store --to-database postgresql+psycopg://konectom@db/konectom",
)
@click.option("--to-database", metavar="URL", help="The database to fill, as KONECTOM_DATABASE_URL would name it.")
@click.option("--to-objects", metavar="URL", help="The object store to fill, as KONECTOM_OBJECT_STORE_URL would.")
@click.option("--restart", is_flag=True, help="Empty a database whose filling was broken off, and begin anew.")
def command(to_database: str | None, to_objects: str | None, restart: bool) -> None:
    """Copy the installation to another database and object store, and prove that all is there.

    Stop servers and workers first. The database has to be empty, and may be of another kind. Interrupted or killed at
    any point, the same command goes on where it was; nothing can be served before every row and every byte was
    compared. Called once more when all is there, it compares again: do that before you start on the new store. The
    source stays as it is.
    """
    from konectom.workflows.transfer.migrating import migrate_store

    with installation(changes=True) as services, told_progress() as tell:
        moved = migrate_store(services, to_database=to_database, to_objects=to_objects, restart=restart, tell=tell)
    if moved.tables is not None:
        rows = sum(each.rows for each in moved.tables.values())
        how = "there already, and the same in both" if moved.already else "copied and compared"
        click.echo(f"database: {rows} rows of {len(moved.tables)} tables {how}")
    if moved.objects is not None:
        click.echo(f"objects: {moved.objects.objects} there and compared, {moved.objects.new} of them copied now")
    click.echo(f"audit: at {moved.anchor}")
    if moved.audit is not None and not moved.audit.sound:
        click.echo("audit: NOT SOUND, as it was before; see: konectom audit verify", err=True)
    for variable, url in (("KONECTOM_DATABASE_URL", to_database), ("KONECTOM_OBJECT_STORE_URL", to_objects)):
        if url is not None:
            click.echo(f"to use it, set {variable}, with the same keys")
