"""``konectom db``: bring the database to this version's schema, and tell where it stands."""

from __future__ import annotations

from pathlib import Path

import click

from konectom.commands._installation import installation


@click.group("db")
def command() -> None:
    """Set up or migrate the database.

    The setting KONECTOM_DATABASE_URL says where the database is; see docs/settings.md.
    """


@command.command("upgrade")
def upgrade() -> None:
    """Bring the database to the newest schema; make it where there is none, and the keys of the installation with it.

    Safe to repeat, and from several hosts at once. Keys are made for a new installation only: where a database is in
    use already, it needs the keys with which it was used.
    """
    from konectom.workflows.set_up import set_up

    with installation() as services:
        done = set_up(services)
        place = services.keys.source.place
    click.echo(
        f"{done.after}: up to date" if done.before == done.after else f"{done.before or 'empty'} -> {done.after}"
    )
    if done.key is not None:
        click.echo(f"keys: made {done.key} in {place}; keep a backup of it, apart from the data's")


@command.command("check")
def check() -> None:
    """Check that the migrations make what the models say, and that the database, if any, is at the newest one.

    Exit status 1 says that it is not.
    """
    from konectom.storage import migrate

    migrate.check_scripts()
    click.echo("migrations: agree with the models")
    url = _url()
    if _exists(url):
        migrate.check(url)
        click.echo(f"database: {migrate.current_revision(url)}, up to date")
    else:
        click.echo("database: not set up yet (konectom db upgrade)")


@command.command("downgrade")
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Do it although rows are held that may be lost.")
def downgrade(revision: str, yes: bool) -> None:
    """Take the database back to the schema of an earlier REVISION, or to none by `base`. Make a backup before.

    What only the later schema holds is lost: where there are any rows, `--yes` has to be said. What nothing brings
    back, the audit and the keys of patients, is never dropped while it holds something.
    """
    from konectom.storage import migrate

    url = _url()
    if not _exists(url):
        raise click.ClickException("there is no database")
    before, rows = migrate.current_revision(url), migrate.rows_held(url)
    if rows and not yes:
        raise click.ClickException(f"the database holds {rows} rows, of which some may be lost; say --yes to go on")
    migrate.downgrade(url, revision)
    click.echo(f"{before or 'empty'} -> {migrate.current_revision(url) or 'empty'}")


@command.command("current")
def current() -> None:
    """Print the revision that the database is at, and the one that this version needs."""
    from konectom.storage import migrate

    url = _url()
    revision = migrate.current_revision(url) if _exists(url) else None
    click.echo(f"database: {revision or 'not set up yet'}")
    click.echo(f"needed:   {migrate.head_revision()}")


def _url() -> str:
    from konectom.settings import load_settings

    return load_settings().database_url


def _exists(url: str) -> bool:
    """Tell whether there is a database to look into: asking SQLite would make one."""
    scheme, _, file = url.partition(":///")
    return scheme != "sqlite" or Path(file).exists()
