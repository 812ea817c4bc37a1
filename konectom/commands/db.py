"""``konectom db``: bring the database to this version's schema, and tell where it stands."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("db")
def command() -> None:
    """Set up or migrate the database.

    The setting KONECTOM_DATABASE_URL says where the database is; see docs/settings.md.
    """


@command.command("upgrade")
def upgrade() -> None:
    """Bring the database to the newest schema; make it where there is none.

    Safe to repeat, and from several hosts at once.
    """
    from konectom.storage import migrate

    url = _url()
    before = migrate.current_revision(url)
    migrate.upgrade(url)
    after = migrate.current_revision(url)
    click.echo(f"{after}: up to date" if before == after else f"{before or 'empty'} -> {after}")


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
