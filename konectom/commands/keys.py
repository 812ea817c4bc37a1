"""``konectom keys``: the keys of the installation, under which patients' keys are sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from konectom.commands._installation import installation
from konectom.commands._output import format_option, show_rows

if TYPE_CHECKING:
    from konectom.security.keyring import Ring

COLUMNS = ("id", "use", "current", "in_use", "created_at")

print_option = click.option(
    "--print", "printed", is_flag=True, help="Print the new keys, secrets and all, instead of keeping them."
)


@click.group("keys")
def command() -> None:
    """Make, change and check the keys of the installation.

    The setting KONECTOM_KEYS_URL says where they are. To change them: rotate, rewrap, retire; docs/security.md tells
    more, also on their backup.
    """


@command.command("create")
@print_option
def create(printed: bool) -> None:
    """Make the first key. Refused where the database was used with other keys: those have to be restored."""
    from konectom.security.keyring import new_ring
    from konectom.workflows import keys

    with installation() as services:
        if printed:
            keys.require_unused(services)
            _print(new_ring(services.clock()))
            return
        made = keys.create(services)
        click.echo(f"{made}: made in {services.keys.source.place}; keep a backup of it, apart from the data's")


@command.command("list")
@format_option("table", "json")
def list_(form: str) -> None:
    """List the keys, without their secrets, and tell under which something is sealed."""
    from konectom.workflows.keys import list_keys

    with installation() as services:
        rows = list_keys(services)
    show_rows([_in_words(row) for row in rows] if form == "table" else rows, COLUMNS, form)


@command.command("rotate")
@print_option
def rotate(printed: bool) -> None:
    """Add a key. What is new is sealed under it from now on; servers that run find it by themselves."""
    from konectom.workflows import keys

    with installation() as services:
        if printed:
            _print(keys.rotated(services))
            return
        click.echo(f"{keys.rotate(services)}: current. Back the keys up, then run: konectom keys rewrap")


@command.command("rewrap")
def rewrap() -> None:
    """Seal under the current key what lies under older ones. Patients' own keys and data stay as they are.

    Servers may run meanwhile. It may be broken off, and goes on where it was.
    """
    from konectom.workflows import keys

    with installation() as services:
        done = sum(keys.rewrap(services))
        click.echo(f"{done} sealed anew under {services.keys.current_id}")


@command.command("retire")
@click.argument("key")
@print_option
def retire(key: str, printed: bool) -> None:
    """End the use of KEY (an id) for good: it opens nothing any more, but old entries of the audit can be verified.

    Refused while something is sealed under it (konectom keys rewrap).
    """
    from konectom.workflows import keys

    with installation() as services:
        if printed:
            _print(keys.retired(services, key))
            return
        keys.retire(services, key)
        click.echo(f"{key}: retired. Destroy the older backups of the keys")


@command.command("check")
def check() -> None:
    """Check that the keys are there, whole, for their owner only, and all that the database needs.

    Exit status 1 says that they are not.
    """
    with installation() as services:
        services.require_keys()
        click.echo(f"keys: {services.keys.source.place}, all that are needed; current {services.keys.current_id}")


def _print(ring: Ring) -> None:
    click.echo(ring.document().decode(), nl=False)


def _in_words(row: dict[str, object]) -> dict[str, object]:
    return {name: ("yes" if value else "no") if isinstance(value, bool) else value for name, value in row.items()}
