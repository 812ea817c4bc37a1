"""``konectom reprocess``: recordings computed again, when an assessment has a better version or a fault is mended."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from konectom.commands._installation import every_row, installation, patient_named, study_named
from konectom.commands._output import console, format_option, print_json, progress, show_one, show_rows

if TYPE_CHECKING:
    from konectom.workflows.campaigns.pool import Workers
    from konectom.workflows.services import Services

INTERRUPTED = 130
SHORT = ("id", "state", "created_at", "assessment", "recordings", "done", "note")
ONE = ("id", "study", "patient", "assessment", "version", "statuses", "start", "until", "note", "state", "phase")
MEASURES = ("measure", "unit", "compared", "changed", "more_than_rounding", "appeared", "vanished")
CHANGES = ("median_change", "largest_change", "median_share", "largest_share")

campaign_argument = click.argument("campaign", type=click.UUID, metavar="CAMPAIGN")
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1),
    default=max(1, (os.cpu_count() or 2) - 1),
    show_default="processors but one",
    help="Processes on this machine that compute.",
)
scheduler_option = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Let the workers of a Dask cluster compute instead, such as tls://scheduler:8786 (extra: dask).",
)


@click.group("reprocess")
def command() -> None:
    """Compute recordings again: see first what would change, then keep it.

    A campaign is planned, run dry, looked at, and run. It can be interrupted at any time and gone on with.
    """


@command.command("plan", epilog="Example: konectom reprocess plan --study pilot --assessment pinch --status processed")
@click.option("--study", metavar="STUDY", help="Code or id of the study. [default: all studies]")
@click.option("--patient", metavar="PATIENT", help="Code or id of a patient: only this one's.")
@click.option("--assessment", metavar="NAME", help="Only recordings of this test.")
@click.option("--version", type=int, help="Only those whose newest result is of this version.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    metavar="STATUS",
    help="processed: with results of an older version only; failed, rejected, parked: without a result. Repeatable. "
    "[default: processed and failed]",
)
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="Only sessions that began on this day (UTC) or later.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Only sessions that began before this day (UTC).")
@click.option("--note", default="", help="Why; stands in lists.")
@format_option("table", "json")
def plan(study: str | None, patient: str | None, form: str, statuses: tuple[str, ...], **facts: Any) -> None:
    """Choose recordings; nothing is computed yet."""
    from datetime import UTC

    from konectom.workflows.campaigns.decisions import plan_campaign

    for name in ("start", "until"):
        facts[name] = None if facts[name] is None else facts[name].replace(tzinfo=UTC)
    with installation(changes=True) as services:
        study_id = None if study is None else UUID(study_named(services, study)["id"])
        patient_id = None if patient is None else UUID(patient_named(services, patient, study)["id"])
        made = plan_campaign(services, study=study_id, patient=patient_id, statuses=list(statuses) or None, **facts)
    _show(made, form)


@command.command("dry-run")
@campaign_argument
@jobs_option
@scheduler_option
@click.pass_context
def dry_run(ctx: click.Context, campaign: UUID, jobs: int, scheduler: str | None) -> None:
    """Compute, and tell what would change. Nothing of it is kept but the report."""
    _work(ctx, campaign, jobs, scheduler, "dry-run")


@command.command("run", epilog="Example, as a service: konectom reprocess run --jobs 8")
@click.argument("campaign", type=click.UUID, metavar="[CAMPAIGN]", required=False)
@click.option("--unseen", is_flag=True, help="Without a dry run before it.")
@jobs_option
@scheduler_option
@click.pass_context
def run(ctx: click.Context, campaign: UUID | None, unseen: bool, jobs: int, scheduler: str | None) -> None:
    """Compute, and keep the results; what was there stays.

    Ctrl-C pauses it after what is under way. After a crash, the same command goes on with it. Without CAMPAIGN: do what
    all campaigns ask for, of which somebody decided over the API that they run or are run dry.
    """
    if campaign is not None:
        _work(ctx, campaign, jobs, scheduler, "run", unseen=unseen)
        return
    from konectom.workflows.campaigns.decisions import waiting_campaigns

    with installation(changes=True) as services:
        waiting = waiting_campaigns(services)
    for each in waiting:
        _work(ctx, each, jobs, scheduler, None)
    click.echo(f"campaigns worked on: {len(waiting)}", err=True)


@command.command("resume")
@campaign_argument
@jobs_option
@scheduler_option
@click.pass_context
def resume(ctx: click.Context, campaign: UUID, jobs: int, scheduler: str | None) -> None:
    """Go on with a campaign that was paused."""
    _work(ctx, campaign, jobs, scheduler, "resume")


@command.command("pause")
@campaign_argument
def pause(campaign: UUID) -> None:
    """Pause a campaign, wherever it is computed."""
    _decide(campaign, "pause")


@command.command("cancel")
@campaign_argument
def cancel(campaign: UUID) -> None:
    """End a campaign; results that it has kept stay."""
    _decide(campaign, "cancel")


@command.command("list")
@format_option("table", "json")
def list_(form: str) -> None:
    """List the campaigns, as they were planned."""
    from konectom.workflows.campaigns.decisions import list_campaigns

    with installation() as services:
        rows = list(every_row(list_campaigns, services))
    short = [
        row | {"recordings": row["chosen"]["recordings"], "done": _done(row["counts"])} if form == "table" else row
        for row in rows
    ]
    show_rows(short, SHORT, form)


@command.command("show")
@campaign_argument
@click.option("--all", "everything", is_flag=True, help="Every measure that changes. [default: those that change most]")
@format_option("table", "json")
def show(campaign: UUID, everything: bool, form: str) -> None:
    """Show a campaign, and what its dry run found."""
    from konectom.workflows.campaigns.decisions import get_campaign

    with installation() as services:
        found = get_campaign(services, campaign)
    _show(found, form)
    if form == "table" and found["report"] is not None:
        _show_report(found["report"], everything)


def _decide(campaign: UUID, what: str) -> None:
    from konectom.workflows.campaigns.decisions import decide

    with installation(changes=True) as services:
        click.echo(f"{campaign} is {decide(services, campaign, what)['state']}")


def _work(
    ctx: click.Context, campaign: UUID, jobs: int, scheduler: str | None, what: str | None, *, unseen: bool = False
) -> None:
    """Let a campaign do ``what``, unless it does so already, and do the work."""
    from konectom.workflows.campaigns.decisions import decide, get_campaign
    from konectom.workflows.campaigns.runs import carry_out

    with installation(changes=True) as services:
        found = get_campaign(services, campaign)
        doing = {"dry-run": ("dry_run",), "run": ("running",), "resume": ("dry_run", "running")}
        if what is not None and found["state"] not in doing[what]:
            found = decide(services, campaign, what, unseen=unseen)
        workers = _workers(services, jobs, scheduler)
        with _pausing() as stop, progress("computing", console(sys.stderr)) as bar:
            task = bar.add_task("computing", total=found["chosen"]["sessions"], completed=_done(found["counts"]))
            found = carry_out(
                services, campaign, workers, stop=stop, tell=lambda counts: bar.update(task, completed=_done(counts))
            )
    counts = ", ".join(f"{name} {count}" for name, count in found["counts"].items())
    click.echo(f"{campaign} is {found['state']} ({counts or 'nothing was chosen'})")
    if found["state"] == "paused":
        click.echo(f"go on with it: konectom reprocess resume {campaign}", err=True)
        ctx.exit(INTERRUPTED)


def _workers(services: Services, jobs: int, scheduler: str | None) -> Workers:
    from konectom.workflows.campaigns.pool import on_cluster, on_this_machine

    if scheduler is None:
        return on_this_machine(jobs, services.settings)
    return on_cluster(scheduler, insecure=services.settings.mode == "development")


@contextmanager
def _pausing() -> Iterator[Callable[[], bool]]:
    """Yield what tells whether somebody asked to stop: Ctrl-C, or the system. A second time ends it at once."""
    asked = threading.Event()
    before: dict[int, Any] = {}

    def ask(number: int, frame: Any) -> None:
        asked.set()
        signal.signal(number, before[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, ask)
    try:
        yield asked.is_set
    finally:
        for asking, handler in before.items():
            signal.signal(asking, handler)


def _done(counts: Mapping[str, int]) -> int:
    return counts.get("sessions", 0)


def _show(found: Mapping[str, Any], form: str) -> None:
    if form == "json":
        print_json(found)
        return
    row = dict(found) | {"statuses": ", ".join(found["statuses"])}
    row |= {"chosen": _told(found["chosen"]), "counts": _told(found["counts"])}
    row |= {"error": found["error"] and found["error"]["detail"]}
    show_one(row, (*ONE, "chosen", "counts", "error", "created_at", "changed_at", "active_at"), form)


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


MOST = 20
"""Measures that are shown of each assessment, unless all are wanted."""


def _show_report(report: Mapping[str, Any], everything: bool) -> None:
    for each in report["assessments"]:
        click.echo()
        title = f"{each['assessment']}: version {each['from_version']} to {each['to_version']}"
        click.echo(click.style(f"{title}, {each['results']} results", bold=True))
        order = sorted(each["measures"], key=lambda line: -(line["relative"]["largest"] or 0.0))
        shown = order if everything else order[:MOST]
        if shown:
            show_rows([_measure(line) for line in shown], (*MEASURES, *CHANGES), "table")
        left = len(order) - len(shown)
        more = f", {left} more change (--all)" if left else ""
        click.echo(f"{each['unchanged']} measures do not change{more}")
    for name, columns in (
        ("verdicts", ("assessment", "from", "to", "recordings")),
        ("failures", ("assessment", "status", "code", "recordings")),
        ("recovered", ("assessment", "status", "recordings")),
    ):
        if report[name]:
            click.echo(f"\n{click.style(name, bold=True)}")
            show_rows(report[name], columns, "table")


def _measure(line: Mapping[str, Any]) -> dict[str, Any]:
    changes = {
        f"{which}_{name}": None if line[kind][which] is None else f"{line[kind][which]:.3g}"
        for which in ("median", "largest")
        for kind, name in (("absolute", "change"), ("relative", "share"))
    }
    return dict(line) | {"measure": line["key"], "more_than_rounding": line["changed_beyond_rounding"]} | changes
