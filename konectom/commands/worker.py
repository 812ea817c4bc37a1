"""``konectom worker``: compute what servers receive."""

from __future__ import annotations

import os
from uuid import UUID

import click

from konectom.commands._installation import installation
from konectom.commands._output import Refusal, format_option, show_rows


@click.group("worker", invoke_without_command=True)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    help="Processes that compute, one session each at a time. [default: one per processor]",
)
@click.option("--until-done", is_flag=True, help="Stop when nothing waits any more, also for another try.")
@click.option("--check", is_flag=True, help="Only tell whether a worker of this host is alive; exit status 1 if none.")
@click.pass_context
def command(ctx: click.Context, concurrency: int | None, until_done: bool, check: bool) -> None:
    """Compute sessions that servers receive, until told to stop; on as many hosts as you like.

    Servers and workers need KONECTOM_PROCESSING=workers. SIGTERM and SIGINT let what is under way end
    (KONECTOM_WORKER_DRAIN_TIME); a second one stops at once. What was not finished is computed by another, or by this
    one when it starts again.
    """
    if ctx.invoked_subcommand is not None:
        return
    if check:
        _check()
        return
    from konectom import logs
    from konectom.errors import StoreUnavailable
    from konectom.settings import require_safe
    from konectom.workers.work import work
    from konectom.workflows.exposition import told_at

    with installation() as services:
        require_safe(services.settings)
        logs.configure(services.settings.log_format)
        try:
            services.ping()
        except StoreUnavailable as error:  # it may come back; until then the worker waits
            click.echo(f"konectom: {error.detail}", err=True)
        with told_at(services, services.settings.metrics_address):
            work(services, processes=concurrency or os.cpu_count() or 1, until_done=until_done)


def _check() -> None:
    from konectom.settings import load_settings
    from konectom.workers.health import signs_of_life
    from konectom.workers.work import directory_of_signs

    found = signs_of_life(directory_of_signs(load_settings()))
    if not found:
        raise Refusal("no worker of this host has given a sign of life lately")
    for each in found:
        told = ", ".join(f"{each[name]} {name}" for name in ("processes", "busy", "sessions"))
        click.echo(f"{each['pid']}: {each['state']}, {told} ({each['seconds_ago']} s ago)")


@command.command("parked")
@format_option("table", "json")
def parked(form: str) -> None:
    """List the sessions that were given up, with the reason, and those of which a recording was.

    They are kept. ``konectom worker retry`` takes them up again.
    """
    from konectom.workflows.sessions.left_behind import list_parked

    with installation() as services:
        show_rows(list_parked(services), ("session", "index", "assessment", "tries", "last", "received_at"), form)


@command.command("retry")
@click.option("--session", "sessions", multiple=True, type=click.UUID, help="Only this session; may be repeated.")
def retry(sessions: tuple[UUID, ...]) -> None:
    """Let what was given up wait for new tries, when its cause is mended. What was computed stays as it is."""
    from konectom.workflows.sessions.left_behind import retry_parked

    with installation(changes=True) as services:
        again = retry_parked(services, sessions=sessions or None)
    click.echo(f"{len(again)} sessions wait again")
