"""``konectom doctor``: everything that can be wrong with this installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from konectom.commands._installation import installation
from konectom.commands._output import format_option, print_json

if TYPE_CHECKING:
    from konectom.workflows.checkup import Checkup

STYLES = {"ok": "green", "warning": "yellow", "error": "red", "skipped": "bright_black"}


@click.command("doctor")
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="How many uploads are read and compared.",
)
@click.option("--quick", is_flag=True, help="Leave out what takes the longer the more is kept.")
@format_option("table", "json")
def command(sample: int, quick: bool, form: str) -> None:
    """Look at everything: settings, files, database, object store, keys, audit, what was left lying, room, versions.

    Nothing is changed, but for one object that is written and removed again. Exit status 1 says that something is
    wrong now, 0 that nothing is, or only what may go wrong later. Each finding has a code and says what to do;
    docs/operations.md lists them. Run it as the account that the server runs as.
    """
    from konectom.workflows.checkup import check_up
    from konectom.workflows.checkup.run import Plan

    with installation() as services:
        found = check_up(services, Plan(sample=sample, quick=quick))
    if form == "json":
        print_json(found.as_dict())
    else:
        _show(found)
    if found.status == "error":
        raise click.exceptions.Exit(1)


def _show(found: Checkup) -> None:
    width = max(len(each.name) for each in found.checked)
    for each in found.checked:
        click.echo(f"{each.name:{width}}  {click.style(each.status, fg=STYLES[each.status])}")
        for finding in each.findings:
            click.echo(f"{'':{width}}  {finding.code}: {finding.told}")
            click.echo(f"{'':{width}}  -> {finding.kind.remedy}")
