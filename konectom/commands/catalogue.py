"""``konectom catalogue``: what there is to measure, straight from the declarations."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from konectom.commands._output import console, format_option, print_json

if TYPE_CHECKING:
    from konectom.assessments.base import Assessment, Measure

ARROWS = {"higher": "↑", "lower": "↓", None: ""}


@click.command("catalogue")
@click.option("--assessment", metavar="NAME", help="Only this test.")
@click.option("--scores", is_flag=True, help="Only the measures that clinicians follow.")
@format_option("table", "markdown", "json", "csv")
def command(assessment: str | None, scores: bool, form: str) -> None:
    """List every measure: key, unit, direction, plausible range, meaning, source, and its names in public libraries.

    Table and markdown show a measure once, with the levels of its conditions and its statistics; JSON and CSV have a
    row for each number that can come of it.
    """
    if form in ("json", "csv"):
        from konectom.workflows.catalogue import list_measures

        rows = list_measures(assessment, True if scores else None)
        print_json(rows) if form == "json" else _print_csv(rows)
        return
    from konectom.assessments import every_assessment, get_assessment

    chosen = every_assessment().values() if assessment is None else [get_assessment(assessment)]
    if form == "markdown":
        for line in markdown(chosen, scores=scores):
            click.echo(line)
    else:
        for each in chosen:
            _print_table(each, scores)


def markdown(chosen: Any, *, scores: bool = False) -> Iterator[str]:
    """Yield the lines of the data dictionary as a page."""
    for each in chosen:
        yield f"## {each.title}: `{each.name}`, version {each.version}\n"
        if each.description:
            yield f"{each.description}\n"
        yield from _condition_lines(each)
        yield "| measure | unit | better | plausible | meaning | aliases |"
        yield "|---|---|---|---|---|---|"
        for measure in _measures(each, scores):
            cells = (
                f"`{_key(each, measure)}`{_statistics(measure)}{_score(measure)}",
                _unit(measure),
                measure.better or "",
                _range(measure),
                f"{measure.means} *{measure.evidence.strip()}*",
                " ".join(f"{library}: `{alias}`" for library, alias in measure.aliases.items()),
            )
            yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
        yield ""


def _condition_lines(each: Assessment) -> Iterator[str]:
    from konectom.workflows.catalogue import conditions_of

    conditions = conditions_of(each)
    for condition in conditions:
        yield f"* `{condition.name}`: {', '.join(condition.levels)}{f' ({condition.means})' if condition.means else ''}"
    if conditions:
        yield ""


def _print_table(each: Assessment, scores: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from konectom.workflows.catalogue import conditions_of

    out = console()
    out.print(Text(f"{each.title}: {each.name}, version {each.version}", style="bold"))
    for condition in conditions_of(each):
        out.print(Text(f"  {condition.name}: {', '.join(condition.levels)}", style="dim"))
    table = Table(pad_edge=False, box=None, header_style="bold")
    table.add_column(Text("measure [conditions] .statistics"), ratio=5, overflow="fold")
    table.add_column("unit")
    table.add_column("")
    table.add_column("plausible", no_wrap=True)
    table.add_column("meaning; source; aliases", ratio=6, overflow="fold")
    for measure in _measures(each, scores):
        aliases = "".join(f"\n{library}: {alias}" for library, alias in measure.aliases.items())
        name = Text(_key(each, measure).removeprefix(f"{each.name}.") + _statistics(measure))
        name.stylize("bold" if measure.score else "")
        cells = (Text(_unit(measure)), ARROWS[measure.better], Text(_range(measure)))
        table.add_row(name, *cells, Text(measure.means).append(f"\n{measure.evidence}{aliases}", style="dim"))
    out.print(table)
    out.print("[dim]bold: scores; ↑ higher is better, ↓ lower is better[/dim]\n")


def _measures(each: Assessment, scores: bool) -> Iterator[Measure]:
    return (measure for measure in each.measures if measure.score or not scores)


def _key(each: Assessment, measure: Measure) -> str:
    """Return the key with the conditions' names for their levels, or the level itself where there is one only."""
    names = (by.levels[0] if len(by.levels) == 1 else f"<{by.name}>" for by in measure.by)
    within = f"[{','.join(names)}]" if measure.by else ""
    return f"{each.name}.{measure.quantity}{within}"


def _statistics(measure: Measure) -> str:
    return f" .{'|'.join(measure.statistics)}" if measure.statistics else ""


def _score(measure: Measure) -> str:
    if isinstance(measure.score, tuple):
        return f" **score: {', '.join(measure.score)}**" if measure.score else ""
    return " **score**" if measure.score else ""


def _unit(measure: Measure) -> str:
    return "" if measure.unit == "1" else measure.unit


def _range(measure: Measure) -> str:
    return "" if measure.plausible is None else f"{measure.plausible[0]:g} to {measure.plausible[1]:g}"


def _print_csv(rows: list[dict[str, Any]]) -> None:
    libraries = sorted({library for row in rows for library in row["aliases"]})
    writer = csv.writer(sys.stdout, lineterminator="\n")
    plain = ("assessment", "version", "key", "measure", "condition", "statistic", "unit", "better")
    writer.writerow((*plain, "plausible_min", "plausible_max", "score", "means", "evidence", *libraries))
    for row in rows:
        least, most = row["plausible"] or (None, None)
        condition = " ".join(f"{name}={level}" for name, level in row["condition"].items())
        told = row | {"condition": condition}
        aliases = (row["aliases"].get(library) for library in libraries)
        writer.writerow(
            (*(told[name] for name in plain), least, most, row["score"], row["means"], row["evidence"], *aliases)
        )
