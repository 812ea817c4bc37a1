"""What the subcommands share in writing: tables, JSON, files that are whole or not there at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

Function = TypeVar("Function", bound=Callable[..., Any])

NARROWEST = 80
VERDICT_STYLES = {"valid": "green", "limited": "yellow", "invalid": "red"}


class Refusal(click.ClickException):
    """What cannot be done, as one line on standard error; exit status 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        click.echo(f"konectom: {self.message}", file=file or sys.stderr)


def format_option(*forms: str, default: str = "table") -> Callable[[Function], Function]:
    """Declare ``--format`` with these choices."""
    return click.option(
        "--format", "form", type=click.Choice(forms), default=default, show_default=True, help="Form of the output."
    )


def console(file: Any = None) -> Console:
    """Return a console on standard output, or on ``file``; one that is no terminal is 80 columns wide."""
    from rich.console import Console

    out = Console(file=file, highlight=False, soft_wrap=False)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = NARROWEST
    return out


def progress(what: str, screen: Console) -> Progress:
    """Return a progress bar that is gone when it is done, and that only a terminal shows."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)


@contextmanager
def told_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield what takes how far a long command is (what, done, of how many), and shows it on a terminal."""
    screen = console(sys.stderr)
    with progress("[progress.description]{task.description}", screen) as bar:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=of)

        yield tell


def show_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], form: str) -> None:
    """Print rows as a table of these columns, or all they hold as JSON. Ids and tokens are never broken over lines."""
    listed = list(rows)
    if form == "json":
        print_json(listed)
        return
    cells = [[_cell(name, row.get(name)) for name in columns] for row in listed]
    heads = [name.removesuffix("_at").replace("_", " ") for name in columns]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    for index, line in enumerate((heads, *cells)):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        click.echo(click.style(text, bold=True) if index == 0 else text)


def show_one(row: Mapping[str, Any], names: Sequence[str], form: str) -> None:
    """Print one row: a line for each of these names, or all it holds as JSON."""
    if form == "json":
        print_json(row)
        return
    width = max(map(len, names))
    for name in names:
        click.echo(f"{name.replace('_', ' '):{width}}  {'' if row.get(name) is None else row[name]}".rstrip())


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    return str(value)[:10] if name.endswith("_at") else str(value)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    import orjson

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


@contextmanager
def whole_file(path: str | None, *, private: bool = False) -> Iterator[BinaryIO]:
    """Yield where to write: standard output for None or ``-``, else a file that gets its name when complete.

    A ``private`` one is readable by its owner only.
    """
    if path in (None, "-"):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(str(path))
    if target.exists() and not target.is_file():  # a pipe or a device cannot be replaced
        with target.open("wb") as file:
            yield file
        return
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        if not private:
            umask = os.umask(0)
            os.umask(umask)
            Path(name).chmod(0o666 & ~umask)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def condition_text(condition: Mapping[str, str]) -> str:
    """Return a condition as ``hand=left size=small``."""
    return " ".join(f"{name}={level}" for name, level in condition.items())
