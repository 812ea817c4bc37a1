"""``konectom simulate``: sessions of synthetic patients, with the truth behind them."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from konectom.simulate.patients import Patient, Visit

FIRST_DAY = "2025-01-06"
COURSES = ("steady", "improving", "worsening", "relapse")
FORMS = ("json", "arrow", "parquet", "archive")


@click.command(
    "simulate", epilog="Example: konectom simulate --course worsening --weeks 52 --seed 1 --output sessions/"
)
@click.option("--course", type=click.Choice(COURSES), default="steady", show_default=True, help="What happens to them.")
@click.option("--patients", type=click.IntRange(1, 1000), default=1, show_default=True, help="How many.")
@click.option("--weeks", type=click.IntRange(1, 5200), default=52, show_default=True, help="One sitting in each.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The same seed, the same bytes.")
@click.option(
    "--start", type=click.DateTime(["%Y-%m-%d"]), default=FIRST_DAY, show_default=True, help="Monday of the first week."
)
@click.option(
    "--format", "form", type=click.Choice(FORMS), default="json", show_default=True, help="In what form to write them."
)
@click.option("--output", "-o", "directory", required=True, metavar="DIRECTORY", help="Where to write the files.")
def command(course: str, patients: int, weeks: int, seed: int, start: datetime, form: str, directory: str) -> None:
    """Write sessions of synthetic patients, a file each (JSON is gzip-compressed), and truth.json.

    Each file is a body that PUT /api/v1/sessions/ID takes; ID is the file's name. truth.json holds what was planted:
    for each session the quantities that were performed, and what they would be without the noise of that day.
    """
    import orjson

    from konectom.commands._output import console, progress
    from konectom.simulate.cohort import QUANTITIES
    from konectom.simulate.patients import COURSES, annual_slope, simulate_patient, visits
    from konectom.simulate.sessions import upload

    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    people = [simulate_patient(number + 1, COURSES[course], QUANTITIES, seed) for number in range(patients)]
    truth: list[dict[str, Any]] = []
    with progress("simulating", console(sys.stderr)) as bar:
        task = bar.add_task("", total=patients * weeks)
        for patient in people:
            for visit in visits(patient, QUANTITIES, start=start.date(), weeks=weeks):
                sent = upload(patient, visit, QUANTITIES, form)
                (target / f"{sent.session_id}{sent.ending}").write_bytes(sent.body)
                done = {each.name for each in QUANTITIES if each.is_due(visit.week)}
                truth.append(_truth(patient, visit, str(sent.session_id), done))
                bar.advance(task)
    told = {
        "seed": seed,
        "course": course,
        "log_slope_per_year": {each.name: annual_slope(COURSES[course], each) for each in QUANTITIES},
        "sessions": truth,
    }
    (target / "truth.json").write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    click.echo(f"{len(truth)} sessions of {patients} patient{'s' if patients > 1 else ''} and truth.json in {target}")


def _truth(patient: Patient, visit: Visit, session_id: str, done: set[str]) -> dict[str, Any]:
    return {
        "session": session_id,
        "patient": patient.code,
        "week": visit.week,
        "started_at": visit.at.isoformat(),
        "truth": {name: value for name, value in visit.truth.items() if name in done},
        "expected": {name: value for name, value in visit.expected.items() if name in done},
    }
