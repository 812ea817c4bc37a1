"""``konectom extract``: files in, quality and measures out. No database, no configuration, no server."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import click

from konectom.commands._files import FileUnreadable, read_file
from konectom.commands._output import format_option, whole_file
from konectom.errors import KonectomError

if TYPE_CHECKING:
    from konectom.commands._reports import Writer


@click.command("extract", epilog="Example: konectom extract --format csv --output measures.csv recordings/*.json.gz")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@format_option("table", "json", "csv")
@click.option("--scores", is_flag=True, help="Only the measures that clinicians follow.")
@click.option("--all", "everything", is_flag=True, help="In a table: every measure, not only the scores.")
@click.option("--output", "-o", metavar="PATH", help="Write to a file, which appears when it is complete.")
@click.pass_context
def command(
    ctx: click.Context, files: tuple[str, ...], form: str, scores: bool, everything: bool, output: str | None
) -> None:
    """Compute quality and measures of recordings, offline.

    FILE is a session in any supported format, plain or compressed (gzip, zstd); - is standard input. A file or a
    recording that cannot be used never costs the others: it is told on standard error, and the exit status is 1.
    """
    if scores and everything:
        raise click.UsageError("--scores and --all exclude each other.")
    failed = 0
    with whole_file(output) as out:
        writer = _writer(form, scores=scores, everything=everything, out=out)
        writer.begin()
        for name in files:
            failed += _extract(name, writer)
        writer.end()
    if failed:
        ctx.exit(1)


def _writer(form: str, *, scores: bool, everything: bool, out: IO[bytes]) -> Writer:
    from konectom.commands._reports import WRITERS

    shown = "scores" if scores else "all" if everything or form != "table" else "some"
    return WRITERS[form](out, shown)


def _extract(name: str, writer: Writer) -> int:
    """Write what came of each recording of a file; return how many could not be used."""
    from konectom import formats
    from konectom.commands._reports import Computed
    from konectom.workflows.sessions.process import Extracted, Failed, extract_session

    try:
        session = formats.read(read_file(name))
    except (KonectomError, FileUnreadable) as error:
        return _refuse(name, None, error.as_dict(), writer)
    refused = 0
    for index, each in enumerate(extract_session(session)):
        if isinstance(each, Extracted):
            writer.computed(Computed(name, index, each.recording, each.result))
            continue
        told = dict(each.error)
        if isinstance(each, Failed):  # here nobody else is there to look into a log
            told["detail"] = f"{told['detail']} ({type(each.fault).__name__}: {each.fault})"
        refused += _refuse(name, index, told, writer)
    return refused


def _refuse(name: str, index: int | None, error: dict[str, Any], writer: Writer) -> int:
    from konectom.commands._reports import Unusable

    place = f" {error['at']}" if "at" in error else ""
    click.echo(f"{name}: {error['code']}{place}: {error['detail']}", err=True)
    writer.unusable(Unusable(name, index, error))
    return 1
