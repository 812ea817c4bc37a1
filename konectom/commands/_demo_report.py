"""What the demonstration shows: one patient's trends, asked from the REST interface, and where to look next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any
from uuid import UUID

from konectom.commands._client import Client
from konectom.commands._output import VERDICT_STYLES
from konectom.commands._server import ServerFailed
from konectom.simulate.cohort import HEADLINES
from konectom.simulate.patients import Patient

if TYPE_CHECKING:
    from rich.console import Console

    from konectom.commands._demo_data import People

BARS = "▁▂▃▄▅▆▇█"
COLUMNS_OF_BARS = 20
SPAN = timedelta(weeks=8)
"""The first and the last weeks, whose medians are compared."""


def show_trends(out: Console, client: Client, patient: Patient, patient_id: UUID, token: str) -> None:
    """Print the trends of some scores of a patient."""
    from rich.table import Table

    answer = client.get(f"/api/v1/patients/{patient_id}/trends", token)
    if answer.status != 200:
        raise ServerFailed(f"the server refused to show a trend: {answer.status} {answer.body}")
    trends = {trend["key"]: trend for trend in answer.body["trends"]}
    told = f"course: {patient.course.name}"
    if patient.course.worsening_per_year:
        told += f", planted: about {100 * patient.course.worsening_per_year:.0f} % worse in a year"
    weeks = int(SPAN / timedelta(weeks=1))
    table = Table(
        title=f"Patient {patient.code} ({told})",
        caption=f"medians of the first and last {weeks} weeks; the bars rise with the value; ↑ higher is better",
        box=None, pad_edge=False, header_style="bold", title_justify="left", caption_justify="left",
    )  # fmt: skip
    for name in ("score", "", "a year", "first", "last", "unit", "change", "valid"):
        right = name in ("first", "last", "change")
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for key in HEADLINES:
        if key in trends:
            table.add_row(*_row(trends[key]))
    out.print()
    out.print(table)


def _row(trend: Mapping[str, Any]) -> tuple[str, ...]:
    points = [point for point in trend["points"] if point["verdict"] != "invalid"]
    if not points:
        return (trend["key"], "", "", "", "", "", "", _verdicts(trend["points"]))
    times = [datetime.fromisoformat(point["at"]) for point in points]
    values = [float(point["value"]) for point in points]
    first = median(value for at, value in zip(times, values, strict=True) if at < times[0] + SPAN)
    last = median(value for at, value in zip(times, values, strict=True) if at > times[-1] - SPAN)
    change = last / first - 1 if first else 0.0
    worse = change < 0 if trend["better"] == "higher" else change > 0
    style = "red" if worse and abs(change) > 0.1 else "default"
    return (
        HEADLINES[trend["key"]],
        {"higher": "↑", "lower": "↓"}.get(trend["better"], ""),
        sparkline(_binned(times, values)),
        f"{first:.3g}",
        f"{last:.3g}",
        "" if trend["unit"] == "1" else trend["unit"].replace("[", "\\["),
        f"[{style}]{100 * change:+.0f} %[/]",
        _verdicts(trend["points"]),
    )


def _verdicts(points: Sequence[Mapping[str, Any]]) -> str:
    """Return how many recordings are valid, in the colour of the worst."""
    valid = sum(point["verdict"] == "valid" for point in points)
    worst = max((point["verdict"] for point in points), key=list(VERDICT_STYLES).index)
    return f"[{VERDICT_STYLES[worst]}]{valid} of {len(points)}[/]"


def _binned(times: Sequence[datetime], values: Sequence[float]) -> list[float | None]:
    """Return the median of each of some equal stretches of time, None where there is nothing."""
    width = (times[-1] - times[0]) / COLUMNS_OF_BARS
    bins: list[list[float]] = [[] for _ in range(COLUMNS_OF_BARS)]
    for at, value in zip(times, values, strict=True):
        place = int((at - times[0]) / width) if width else 0
        bins[min(place, COLUMNS_OF_BARS - 1)].append(value)
    return [median(held) if held else None for held in bins]


def sparkline(values: Sequence[float | None]) -> str:
    """Return values as bars between their smallest and largest; a gap where there is none."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    step = (high - low) / (len(BARS) - 1)
    return "".join(" " if value is None else BARS[round((value - low) / step) if step else 0] for value in values)


def show_next_steps(out: Console, url: str, patient_id: UUID, people: People) -> None:
    """Print where to look next."""
    lines = (
        ("The documentation of the REST interface", f"{url}/docs"),
        ("This patient's trends", f"{url}/api/v1/patients/{patient_id}/trends"),
        ("The study's feature table", f"{url}/api/v1/studies/{people.study_id}/features?assessment=tap&format=csv"),
    )
    out.print("\n[bold]Where to look next[/bold]")
    for what, where in lines:
        out.print(f"  {what}\n    {where}", soft_wrap=True)
    out.print(
        "  With this token, valid for a day, from another terminal:\n"
        f"    curl -H 'Authorization: Bearer {people.staff_token}' {lines[1][1]}",
        soft_wrap=True,
    )
