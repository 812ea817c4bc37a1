"""``konectom reliability``: how far a study's scores can be trusted."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from konectom.commands._files import FileUnreadable, read_file
from konectom.commands._installation import installation, study_named
from konectom.commands._output import Refusal, format_option, show_rows, whole_file


@click.command(
    "reliability",
    epilog="Example: konectom reliability --study demo --measure tap.valid_taps --group sex:female/male",
)
@click.option("--study", metavar="STUDY", help="Code or id of the study.")
@click.option(
    "--file",
    metavar="FILE",
    help="A CSV file in place of a study, one row for each value, with the columns patient, score, at and value; label "
    "if there are any; every further column can be a --group. - is standard input.",
)
@click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="SCORE",
    help="A score by its key; of a study also a quantity, for all of its scores. Repeatable. [default: every score of "
    "a file]",
)
@click.option(
    "--repeats",
    type=click.Choice(("windows", "values", "periods", "labels")),
    default="windows",
    show_default=True,
    help="What repeats of each other are: each patient's first windows or first values, named periods, or the values "
    "with each label.",
)
@click.option("--count", type=int, default=2, show_default=True, help="How many windows or values.")
@click.option("--window-days", type=float, help="How long a window lasts. [default: of the study's policy; 14 days]")
@click.option(
    "--tests-min",
    type=int,
    help="Fewest values of a repeat. [default: in a window that of the study's policy, or 3; 1 elsewhere]",
)
@click.option(
    "--run-in",
    type=int,
    help="Tests at each patient's start that do not count. [default: of the study's policy; none of a file]",
)
@click.option(
    "--period",
    "periods",
    multiple=True,
    metavar="NAME=START/END",
    help="A period; its end is not included. Repeatable.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="LABEL",
    help="A label. Repeatable. [default: supervised and unsupervised, as a study's sessions say]",
)
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="GROUPS",
    help="Two known groups: ATTRIBUTE:FIRST/SECOND or SCORE>=NUMBER. Repeatable.",
)
@click.option(
    "--reference",
    "references",
    multiple=True,
    metavar="SCORE",
    help="An observation or score with which these are correlated. Repeatable.",
)
@click.option(
    "--match-days",
    type=float,
    default=30.0,
    show_default=True,
    help="A reference is compared with the values within so many days of it.",
)
@click.option(
    "--statistic",
    type=click.Choice(("median", "mean")),
    help="How several values become one. [default: of the study's policy; the median]",
)
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Of all intervals.")
@click.option(
    "--verdict",
    type=click.Choice(("valid", "limited")),
    help="The least verdict of a study's recording that counts. [default: of the study's policy]",
)
@click.option("--mixed", is_flag=True, help="Fit a linear mixed model over the years as well (extra: stats).")
@click.option(
    "--keep",
    is_flag=True,
    help="Keep each score's measurement error as the study's own: its trends tell change from noise by it.",
)
@format_option("table", "csv", "json")
@click.option(
    "--output",
    "-o",
    metavar="PATH",
    help="Write to a file, which appears when it is complete. [default: standard output]",
)
def command(
    study: str | None,
    file: str | None,
    measures: tuple[str, ...],
    verdict: str | None,
    keep: bool,
    form: str,
    output: str | None,
    **words: Any,
) -> None:
    """Tell how reliable a study's scores are.

    For each score: intraclass correlations, standard error of measurement, smallest detectable change, coefficient of
    variation, Bland-Altman agreement of the first two repeats, effect sizes between known groups, correlations with
    references; all with confidence limits, and a reason where something cannot be computed.
    """
    if (study is None) == (file is None):
        raise click.UsageError("Say either --study or --file.")
    if study is not None and not measures:
        raise click.UsageError("Say which scores of the study with --measure.")
    if file is not None and (keep or verdict):
        raise click.UsageError("--keep and --verdict belong to a --study.")
    given = {name: told for name, told in words.items() if told is not None}
    if file is not None:
        scores, told = _of_file(file, measures, given)
    else:
        scores, told = _of_study(str(study), measures, verdict, given, keep)
    if form == "table" and output is None:
        _show(scores)
        return
    with whole_file(output) as out:
        out.write(_body(scores, told, form))


def _of_study(
    study: str, measures: tuple[str, ...], verdict: str | None, words: dict[str, Any], keep: bool
) -> tuple[Any, dict[str, Any]]:
    from konectom.workflows.following.reliability import keep_noise, reliability_of_study

    with installation() as services:
        found = reliability_of_study(
            services, UUID(study_named(services, study)["id"]), measures, words, verdict=verdict
        )
        if keep:
            kept = keep_noise(services, found)
            click.echo(f"{len(kept)} of {len(found.scores)} scores: measurement error kept", err=True)
    return found.scores, found.as_dict()


def _of_file(file: str, measures: tuple[str, ...], words: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    from konectom.scoring.reliability.study import study_reliability
    from konectom.workflows.following.reliability_design import design_of
    from konectom.workflows.tables.long_table import read_long_table

    design = design_of(**words)
    try:
        body = read_file(file)
    except FileUnreadable as error:
        raise Refusal(f"{file}: {error.detail}") from None
    scores = study_reliability(read_long_table(body), design, measures or None)
    return scores, {"design": design.as_dict(), "scores": [score.as_dict() for score in scores]}


def _body(scores: Any, told: dict[str, Any], form: str) -> bytes:
    import orjson

    from konectom.exports.reliability import reliability_csv

    if form == "json":
        return orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n"
    return reliability_csv(scores)


def _show(scores: Any) -> None:
    from konectom.exports.reliability import COLUMNS, reliability_rows

    rows = reliability_rows(scores)
    for score in dict.fromkeys(row["score"] for row in rows):
        click.echo(click.style(score, bold=True))
        own = [{name: _cell(value) for name, value in row.items()} for row in rows if row["score"] == score]
        show_rows(own, COLUMNS[1:], "table")
        click.echo()


def _cell(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else value
