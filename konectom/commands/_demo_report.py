"""What the demonstration shows: how one patient is, asked from the REST interface, and where to look next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
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

CLINIC: Mapping[str, str] = {
    "obs.edss.step": "EDSS",
    "obs.sdmt.correct": "SDMT",
    "obs.t25fw.time": "25 feet",
}
BARS = "▁▂▃▄▅▆▇█"
COLUMNS_OF_BARS = 20
SPAN = timedelta(weeks=8)
"""The first and the last weeks, whose medians are compared."""


def show_trends(out: Console, client: Client, patient: Patient, patient_id: UUID, token: str) -> None:
    """Print the trends of some scores of a patient."""
    from rich.table import Table

    answer = _asked(client, f"/api/v1/patients/{patient_id}/trends", token)
    trends = {trend["key"]: trend for trend in answer["trends"]}
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


def show_summary(out: Console, client: Client, patient_id: UUID, token: str) -> None:
    """Print the verdict on the same scores, and on what the clinic found, in words; and how schedules were kept."""
    from rich.table import Table

    answer = _asked(client, f"/api/v1/patients/{patient_id}/summary", token)
    lines = {line["key"]: line for line in answer["scores"]}
    table = Table(title="What it says of them", box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.add_column("score", no_wrap=True)
    table.add_column("baseline", justify="right")
    table.add_column("now", justify="right")
    table.add_column("verdict")
    for key, name in {**HEADLINES, **CLINIC}.items():
        if key in lines:
            line = lines[key]
            table.add_row(name, _level(line["baseline"]), _level(line["now"]), line["verdict"]["words"])
    out.print()
    out.print(table)
    kept = [
        f"{each['assessment']} {100 * each['share']:.0f} %" for each in answer["schedules"] if each["share"] is not None
    ]
    if kept:
        out.print(f"Done of what was due: {', '.join(kept)}.")


def show_alerts(out: Console, client: Client, study_id: UUID, patient_id: UUID, token: str) -> None:
    """Print a patient's open alerts."""
    answer = _asked(client, f"/api/v1/studies/{study_id}/alerts?patient={patient_id}", token)
    if answer["items"]:
        out.print("\n[bold]Open alerts of this patient[/bold]")
    for alert in answer["items"]:
        out.print(f"  {alert['message']}", markup=False)


def _asked(client: Client, path: str, token: str) -> Any:
    answer = client.get(path, token)
    if answer.status != 200:
        raise ServerFailed(f"the server refused {path}: {answer.status} {answer.body}")
    return answer.body


def _level(level: Mapping[str, Any] | None) -> str:
    return "" if level is None else f"{level['value']:.3g}"


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


def show_how_to_go_on(out: Console, data_dir: Path) -> None:
    """Print where the data lie, and how they are served again."""
    words = "" if data_dir == Path("konectom-demo") else f" --data-dir {shlex.quote(str(data_dir))}"
    where = shlex.quote(str(data_dir.absolute()))
    out.print("\n[bold]Where to look next[/bold]")
    for what, how in (
        ("The data stay in", where),
        ("Go on with them, and keep the server", f"konectom demo{words}"),
        ("Serve them as any installation", f"KONECTOM_MODE=development KONECTOM_DATA_DIR={where} konectom serve"),
    ):
        out.print(f"  {what}\n    {how}", soft_wrap=True, highlight=False, markup=False)


def show_next_steps(out: Console, url: str, patient_id: UUID, people: People) -> None:
    """Print where to look next."""
    lines = (
        ("The documentation of the REST interface", f"{url}/docs"),
        ("This patient's trends", f"{url}/api/v1/patients/{patient_id}/trends"),
        ("The same in one line per score", f"{url}/api/v1/patients/{patient_id}/summary"),
        ("The study's alerts", f"{url}/api/v1/studies/{people.study_id}/alerts"),
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
