"""The three forms of what ``konectom extract`` found. Each recording is written as soon as it is computed."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import orjson

from konectom.commands._output import VERDICT_STYLES, condition_text, console
from konectom.recording import Recording

if TYPE_CHECKING:
    from konectom.assessments._catalogue import Entry
    from konectom.assessments._outcome import Result

BETTER = {"higher": "higher is better", "lower": "lower is better", None: ""}


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """A recording of a file, and its result."""

    file: str
    index: int
    recording: Recording
    result: Result


@dataclass(frozen=True, slots=True, eq=False)
class Unusable:
    """A recording that has no result; ``index`` is None where the file as a whole could not be read."""

    file: str
    index: int | None
    error: Mapping[str, Any]


class Writer:
    """Writes outcomes one after another; ``shown`` is ``scores``, ``some`` (scores, the rest counted) or ``all``."""

    def __init__(self, out: IO[bytes], shown: str) -> None:
        self.out = out
        self.shown = shown

    def begin(self) -> None:
        """Write what comes before the first outcome."""

    def computed(self, outcome: Computed) -> None:
        """Write the result of one recording."""
        raise NotImplementedError

    def unusable(self, outcome: Unusable) -> None:
        """Write what could not be used; standard error tells it in any case."""

    def end(self) -> None:
        """Write what comes after the last outcome."""

    def values(self, result: Result) -> list[tuple[Entry, float]]:
        """Return the entries to be written, with their values."""
        return list(result.measures() if self.shown == "all" else result.scores())


class JsonWriter(Writer):
    """One document; each recording on a line of its own."""

    def begin(self) -> None:
        """Open the document."""
        self.separator = b"\n"
        self.out.write(b'{"recordings":[')

    def computed(self, outcome: Computed) -> None:
        """Write one result."""
        result = outcome.result
        self._add(
            outcome,
            assessment=result.catalogue.assessment,
            version=result.catalogue.version,
            condition=dict(outcome.recording.condition),
            quality=result.quality.as_dict(),
            measures=[_told(entry, value) for entry, value in self.values(result)],
            absent=dict(result.absent),
        )

    def unusable(self, outcome: Unusable) -> None:
        """Write one error."""
        self._add(outcome, error=dict(outcome.error))

    def end(self) -> None:
        """Close the document."""
        self.out.write(b"\n]}\n")

    def _add(self, outcome: Computed | Unusable, **told: Any) -> None:
        line = {"file": outcome.file, "index": outcome.index} | told
        self.out.write(self.separator + orjson.dumps(line, option=orjson.OPT_SERIALIZE_NUMPY))
        self.separator = b",\n"


def _told(entry: Entry, value: float) -> dict[str, Any]:
    return {
        "measure": entry.measure,
        "condition": dict(entry.condition),
        "statistic": entry.statistic or None,
        "value": value,
        "unit": entry.unit,
        "aliases": dict(entry.aliases),
    }


class CsvWriter(Writer):
    """Tidy: one row for each value."""

    COLUMNS = (
        *("file", "index", "assessment", "version", "verdict", "flags"),
        *("key", "measure", "condition", "statistic", "value", "unit", "alias"),
    )

    def begin(self) -> None:
        """Write the names of the columns."""
        self._rows([self.COLUMNS])

    def computed(self, outcome: Computed) -> None:
        """Write the values of one recording."""
        result = outcome.result
        flags = " ".join(flag.code for flag in result.quality.flags)
        same = (outcome.file, outcome.index, result.catalogue.assessment, result.catalogue.version)
        rows = []
        for entry, value in self.values(result):
            where = condition_text(entry.condition)
            alias = " ".join(f"{library}:{name}" for library, name in entry.aliases.items())
            named = (entry.key, entry.measure, where, entry.statistic)
            rows.append((*same, result.quality.verdict, flags, *named, repr(value), entry.unit, alias))
        self._rows(rows)

    def _rows(self, rows: list[tuple[Any, ...]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self.out.write(text.getvalue().encode())


class TableWriter(Writer):
    """For reading: quality first, then the scores, then how much more there is."""

    def begin(self) -> None:
        """Open the console."""
        self.text = io.TextIOWrapper(self.out, encoding="utf-8", write_through=True)
        self.console = console(self.text)

    def end(self) -> None:
        """Leave the stream open for its owner."""
        self.text.detach()

    def computed(self, outcome: Computed) -> None:
        """Write one recording."""
        from rich.markup import escape

        result = outcome.result
        catalogue, quality = result.catalogue, result.quality
        where = condition_text(outcome.recording.condition)
        title = f"{escape(outcome.file)}  [bold]{catalogue.assessment}[/bold]  {escape(where)}".rstrip()
        self.console.print(f"{title}  [dim]version {catalogue.version}[/dim]", soft_wrap=True)
        self.console.print(f"  quality: [{VERDICT_STYLES[quality.verdict]}]{quality.verdict}[/]")
        for flag in quality.flags:
            self.console.print(f"  {escape(f'[{flag.severity}]')} {flag.code}: {escape(flag.message)}", soft_wrap=True)
        values = self.values(result)
        if values:
            self.console.print(_table(values))
        self._count(result, len(values))
        self.console.print()

    def _count(self, result: Result, written: int) -> None:
        further = sum(1 for _ in result.measures()) - written
        if self.shown == "some" and further:
            self.console.print(f"  [dim]and {further} further measures (--all shows them)[/dim]")
        if result.absent:
            self.console.print(f"  [dim]{len(result.absent)} measures are absent (--format json says why)[/dim]")


def _table(values: list[tuple[Entry, float]]) -> Any:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(overflow="fold", ratio=1)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    for entry, value in values:
        name = entry.key.removeprefix(f"{entry.assessment}.").replace(",", ", ")
        cells = (name, f"{value:.4g}", "" if entry.unit == "1" else entry.unit, BETTER[entry.better])
        table.add_row(*(Text(cell) for cell in cells))  # brackets of keys and units are no markup
    return Padding(table, (0, 0, 0, 2))


WRITERS: dict[str, type[Writer]] = {"table": TableWriter, "json": JsonWriter, "csv": CsvWriter}
