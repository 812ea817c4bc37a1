"""``konectom demo``: the whole way through on this machine, with synthetic patients and a real server."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

if TYPE_CHECKING:
    from rich.console import Console

    from konectom.commands._demo_data import People, Plan
    from konectom.commands._server import Server
    from konectom.simulate.patients import Patient

WORKERS = 2


@click.command("demo")
@click.option("--once", is_flag=True, help="Leave when all is shown, and stop the server.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port; if taken, another.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), default=Path("konectom-demo"), show_default=True,
    help="Where the demonstration keeps its data.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The same seed, the same patients."
)
@click.option("--patients", type=click.IntRange(1, 500), default=8, show_default=True, help="How many patients.")
@click.option(
    "--weeks", type=click.IntRange(4, 520), default=52, show_default=True, help="For how long they are followed."
)
def command(once: bool, port: int, data_dir: Path, seed: int, patients: int, weeks: int) -> None:
    """Show konectom at work: simulate patients, upload their sessions to a real server, show how one of them is.

    Patients are steady, improving by practice, slowly worsening, or have a relapse. The server then stays until Ctrl-C.
    Called again, the command goes on with the data that are there.
    """
    from konectom.commands._demo_data import claimed
    from konectom.commands._demo_report import show_how_to_go_on, show_next_steps
    from konectom.commands._output import console

    out = console()
    began = time.monotonic()
    with _stop_on_termination(), claimed(data_dir):
        plan, cohort = _prepare(out, data_dir, seed, patients, weeks)
        with _server(out, data_dir, port) as server:
            people = _people(data_dir, cohort)
            if plan.complete:
                out.print("The sessions are there already, from an earlier run.")
            else:
                _fill(out, server, data_dir, plan, cohort, people)
            patient_id = _show(out, server, cohort, people)
            if not once:
                show_next_steps(out, server.url, patient_id, people)
            out.print(f"[dim]All of this took {time.monotonic() - began:.0f} s.[/dim]")
            if not once:
                out.print("\nThe server stays until Ctrl-C.")
                with suppress(KeyboardInterrupt):
                    server.wait()
    if once:
        show_how_to_go_on(out, data_dir)
    out.print("The server has stopped.")


def _prepare(out: Console, data_dir: Path, seed: int, patients: int, weeks: int) -> tuple[Plan, list[Patient]]:
    """Bring the directory to the plan: as an earlier run left it, or from the start."""
    from konectom.assessments import every_assessment
    from konectom.commands._demo_data import Plan, clear, earlier_plan, note_plan, open_settings
    from konectom.simulate.cohort import simulate_cohort
    from konectom.workflows.services import Services
    from konectom.workflows.set_up import set_up

    catalogues = {each.name: each.catalogue.digest for each in every_assessment().values()}
    today = date.today()  # noqa: DTZ011  # the patients' calendar, wherever they are
    monday = today - timedelta(days=today.weekday(), weeks=weeks)
    plan = Plan(seed, patients, weeks, catalogues, monday.isoformat())
    earlier = earlier_plan(data_dir)
    if earlier is not None and earlier.same_as(plan):
        plan = earlier
        out.print(f"Going on with the data in [bold]{data_dir}[/bold].")
    else:
        what = "Starting" if earlier is None else "Starting anew, since other patients or measures were asked for,"
        out.print(f"{what} in [bold]{data_dir}[/bold].")
        clear(data_dir)
        note_plan(data_dir, plan)
    services = Services.open(open_settings(data_dir))
    set_up(services)
    services.close()
    return plan, simulate_cohort(patients, seed)


@contextmanager
def _server(out: Console, data_dir: Path, port: int) -> Iterator[Server]:
    from konectom.commands._demo_data import settings_of
    from konectom.commands._server import running

    with running(settings_of(data_dir), port, workers=WORKERS, log=data_dir / "server.log") as server:
        moved = "" if server.port == port else f" (port {port} is taken)"
        out.print(f"A server answers at [bold]{server.url}[/bold]{moved}.")
        yield server


def _people(data_dir: Path, cohort: list[Patient]) -> People:
    from konectom.commands._demo_data import make_people, open_settings
    from konectom.workflows.services import Services

    services = Services.open(open_settings(data_dir))
    try:
        return make_people(services, cohort)
    finally:
        services.close()


def _fill(out: Console, server: Server, data_dir: Path, plan: Plan, cohort: list[Patient], people: People) -> None:
    from dataclasses import replace

    from konectom.commands._demo_clinic import enter_clinic
    from konectom.commands._demo_data import note_plan
    from konectom.commands._demo_upload import upload_all
    from konectom.commands._output import progress

    start = date.fromisoformat(plan.start)
    with progress("simulating and uploading", out) as bar:
        sent = upload_all(server, cohort, people, start, plan.weeks, bar)
    out.print(
        f"{sent.sessions} sessions of {len(cohort)} patients over {plan.weeks} weeks were uploaded through the REST"
        f" interface: {sent.megabytes:.0f} MB in {sent.seconds:.0f} s, {sent.sessions / sent.seconds:.0f} a second,"
        " simulation included."
    )
    entered = enter_clinic(server, cohort, people, start, plan.weeks)
    out.print(f"{entered} observations of the clinic (EDSS, SDMT, T25FW, relapses) were entered.")
    note_plan(data_dir, replace(plan, complete=True))


def _show(out: Console, server: Server, cohort: list[Patient], people: People) -> UUID:
    """Show how a patient is; return which one."""
    from konectom.commands._demo_report import show_alerts, show_summary, show_trends

    shown = next((patient for patient in cohort if patient.course.name == "worsening"), cohort[0])
    patient_id = people.patient_ids[shown.code]
    with server.client() as client:
        show_trends(out, client, shown, patient_id, people.staff_token)
        show_summary(out, client, patient_id, people.staff_token)
        show_alerts(out, client, people.study_id, patient_id, people.staff_token)
    return patient_id


@contextmanager
def _stop_on_termination() -> Iterator[None]:
    """Let a termination unwind as Ctrl-C does, so that the server is stopped."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
