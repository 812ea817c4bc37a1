"""The demonstration's clinic: what is due, and what the clinic found, entered over the REST interface by staff."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import orjson

from konectom.commands._client import Client
from konectom.commands._server import Server, ServerFailed
from konectom.simulate.clinic import clinic_findings
from konectom.simulate.cohort import QUANTITIES
from konectom.simulate.patients import Patient

if TYPE_CHECKING:
    from konectom.commands._demo_data import People

COLUMNS = ("patient", "code", "at", "component", "value", "unit", "source")
TIME_ZONE = "Europe/Paris"
MADE, ALREADY_THERE = 201, 409


def enter_clinic(server: Server, cohort: list[Patient], people: People, start: date, weeks: int) -> int:
    """Make the study's schedules and import what the clinic found; return how many observations are there.

    What is there already, from a run that was interrupted, is left as it is.
    """
    study = f"/api/v1/studies/{people.study_id}"
    with server.client() as client:
        for schedule in schedules(start):
            body = orjson.dumps(schedule)
            _posted(client, f"{study}/schedules", body, "application/json", people, (MADE, ALREADY_THERE))
        told = _posted(client, f"{study}/observations", findings_csv(cohort, start, weeks), "text/csv", people, (200,))
    if told["problem_count"]:
        raise ServerFailed(f"the server refused observations: {told['problems'][0]}")
    return int(told["entered"] + told["already_there"])


def schedules(start: date) -> Iterator[dict[str, Any]]:
    """Yield what is due: each test that the simulated phones know, as often as they do it."""
    every_weeks = {each.assessment: each.every_weeks for each in QUANTITIES}
    for assessment, weeks in every_weeks.items():
        yield {"assessment": assessment, "start": start.isoformat(), "per_days": 7 * weeks, "time_zone": TIME_ZONE}


def findings_csv(cohort: list[Patient], start: date, weeks: int) -> bytes:
    """Return what the clinic found of these patients as a table, one line for each component."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for patient in cohort:
        for found in clinic_findings(patient, start=start, weeks=weeks, time_zone=TIME_ZONE):
            for component, value in found.values.items():
                number, unit = (value["value"], value["unit"]) if isinstance(value, Mapping) else (value, "")
                writer.writerow((patient.code, found.code, found.at.isoformat(), component, number, unit, "clinic"))
    return text.getvalue().encode()


def _posted(client: Client, path: str, body: bytes, form: str, people: People, wanted: tuple[int, ...]) -> Any:
    answer = client.post(path, body, form, people.staff_token)
    if answer.status not in wanted:
        raise ServerFailed(f"the server refused {path}: {answer.status} {answer.body}")
    return answer.body
