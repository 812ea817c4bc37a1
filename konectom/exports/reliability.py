"""A reliability study as a table: one row for each figure, with its limits, or the reason why it is missing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from konectom.scoring.reliability.bland_altman import BlandAltman
from konectom.scoring.reliability.correlation import Correlation
from konectom.scoring.reliability.estimate import Estimate
from konectom.scoring.reliability.icc import Icc
from konectom.scoring.reliability.mixed import MixedModel
from konectom.scoring.reliability.sem import MeasurementError
from konectom.scoring.reliability.study import GroupComparison, ReferenceCorrelation, ScoreReliability

COLUMNS = ("score", "statistic", "of", "n", "value", "low", "high", "p", "reason")
"""``n`` is the number of patients behind the figure, ``low`` and ``high`` its confidence limits."""

Row = tuple[Any, ...]


def reliability_rows(scores: Iterable[ScoreReliability]) -> list[dict[str, Any]]:
    """Return the table's rows, each with all of :data:`COLUMNS` (None where there is nothing to tell)."""
    return [dict(zip(COLUMNS, (score.key, *row), strict=True)) for score in scores for row in _score_rows(score)]


def reliability_csv(scores: Iterable[ScoreReliability]) -> bytes:
    """Return the table as CSV (UTF-8); numbers read back to the same float64."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, COLUMNS)
    writer.writeheader()
    writer.writerows(reliability_rows(scores))
    return buffer.getvalue().encode()


def _score_rows(score: ScoreReliability) -> Iterator[Row]:
    yield ("values", "", score.patients, score.values, None, None, None, None)
    for repeat in score.repeats:
        yield ("patients", repeat.name, repeat.patients, None, None, None, None, None)
    for name, value in (("mean", score.mean), ("SD", score.sd)):
        reason = None if value is not None else "too few patients"
        yield (name, "patients' means", None, value, None, None, None, reason)
    yield from _icc_rows(score.icc)
    several = None if score.icc.one_way is None else score.icc.one_way.patients
    complete = None if score.icc.two_way is None else score.icc.two_way.patients
    yield from _error_rows("agreement", several, score.agreement)
    yield from _error_rows("consistency", complete, score.consistency)
    yield _row("CV within patients", "root mean square", several, score.cv_rms)
    yield _row("CV within patients", "logarithms", several, score.cv_log)
    pair = f"{score.repeats[1].name} - {score.repeats[0].name}"
    yield from _agreement_rows(pair, score.bland_altman)
    if score.single_values is not None:
        yield from _agreement_rows(f"{pair}, single values", score.single_values)
    for group in score.groups:
        yield from _group_rows(group)
    for reference in score.correlations:
        yield from _correlation_rows(reference)
    if score.mixed is not None:
        yield from _course_rows(score.mixed)


def _row(statistic: str, of: str, n: int | None, found: Estimate, p: float | None = None) -> Row:
    return (statistic, of, n, found.value, found.low, found.high, p, found.reason)


def _icc_rows(found: Icc) -> Iterator[Row]:
    for form in found.forms:
        analysis = found.one_way if form.form.startswith("ICC(1") else found.two_way
        n = None if analysis is None else analysis.patients
        yield (form.form, "repeats", n, form.value, form.low, form.high, form.p, form.reason)


def _error_rows(kind: str, n: int | None, found: MeasurementError) -> Iterator[Row]:
    yield _row("SEM", kind, n, found.sem)
    yield _row("MDC90", kind, n, found.mdc90)
    yield _row("MDC95", kind, n, found.mdc95)
    yield _row("MDC95 / mean", kind, n, found.mdc95_share)


def _agreement_rows(of: str, found: BlandAltman) -> Iterator[Row]:
    share = f"{100 * found.agreement:g} %"
    yield _row("bias", of, found.patients, found.bias)
    yield _row(f"lower limit of agreement ({share})", of, found.patients, found.lower)
    yield _row(f"upper limit of agreement ({share})", of, found.patients, found.upper)
    yield _row("slope of the difference", of, found.patients, found.slope, found.slope_p)


def _group_rows(group: GroupComparison) -> Iterator[Row]:
    found = group.compared
    of, n = f"{group.by}: {group.first} - {group.second}", found.first.n + found.second.n
    yield _row("difference of means", of, n, found.difference, found.p)
    yield _row("Cohen's d", of, n, found.cohen_d)
    yield _row("Hedges' g", of, n, found.hedges_g)
    yield _row("AUC", of, n, found.auc)


def _correlation_rows(reference: ReferenceCorrelation) -> Iterator[Row]:
    told: tuple[tuple[str, Correlation], ...] = (
        ("Pearson's r", reference.pearson),
        ("Spearman's rho", reference.spearman),
        ("r within patients", reference.within),
    )
    for name, found in told:
        yield _row(name, reference.reference, found.patients, found.r, found.p)


def _course_rows(found: MixedModel) -> Iterator[Row]:
    yield _row("intercept", "mixed model", found.patients, found.intercept)
    yield _row("slope per year", "mixed model", found.patients, found.slope, found.slope_p)
    sds = (
        ("SD of intercepts", found.sd_intercept),
        ("SD of slopes per year", found.sd_slope),
        ("SD of values", found.sd_residual),
    )
    for name, value in sds:
        yield (name, "mixed model", found.patients, value, None, None, None, found.reason)
