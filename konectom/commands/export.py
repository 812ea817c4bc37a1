"""``konectom export``: what a researcher takes home."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from uuid import UUID

import click

from konectom.commands._installation import installation, study_named
from konectom.commands._output import format_option, whole_file

study_option = click.option("--study", required=True, metavar="STUDY", help="Code or id of the study.")
output_option = click.option(
    "--output",
    "-o",
    metavar="PATH",
    help="Write to a file, which appears when it is complete. [default: standard output]",
)

as_of_option = click.option(
    "--as-of",
    metavar="INSTANT",
    help="As it was known then (ISO 8601, with the offset from UTC): results of then, not those that came since.",
)


@click.group("export")
def command() -> None:
    """Write a study's feature tables and their dictionary."""


@command.command("features", epilog="Example: konectom export features --study demo --assessment tap -o tap.csv")
@study_option
@click.option(
    "--assessment", metavar="NAME", help="One row for each recording of this test, one column for each measure."
)
@click.option("--version", type=int, help="The results of this version of the test, current or not.")
@as_of_option
@format_option("csv", "parquet", default="csv")
@output_option
def features(
    study: str, assessment: str | None, version: int | None, as_of: str | None, form: str, output: str | None
) -> None:
    """Write a study's features, with quality and versions.

    Without --assessment: one row for each value of each test.
    """
    from konectom.workflows.tables.export import feature_table

    with installation() as services:
        study_id = UUID(study_named(services, study)["id"])
        with (
            whole_file(output) as out,
            closing(
                feature_table(
                    services,
                    study_id,
                    assessment,
                    version,
                    "parquet" if form == "parquet" else "csv",
                    as_of=_instant(as_of),
                )
            ) as pieces,
        ):
            for piece in pieces:
                out.write(piece)


@command.command("dictionary")
@study_option
@as_of_option
@format_option("csv", "json", default="csv")
@output_option
def dictionary(study: str, as_of: str | None, form: str, output: str | None) -> None:
    """Write what each column of a study's tables means: unit, direction, plausible range, aliases."""
    import orjson

    from konectom.workflows.tables.export import dictionary_csv, feature_dictionary

    with installation() as services:
        rows = feature_dictionary(services, UUID(study_named(services, study)["id"]), _instant(as_of))
    body = dictionary_csv(rows) if form == "csv" else orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n"
    with whole_file(output) as out:
        out.write(body)


def _instant(text: str | None) -> datetime | None:
    from konectom.workflows.pages import instant_of

    try:
        return None if text is None else instant_of(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no instant: {error}", param_hint="--as-of") from None
