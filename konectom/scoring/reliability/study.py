"""How reliable the scores of a study are, from its long table and a declared design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.scoring.reliability.bland_altman import BlandAltman, bland_altman, repeated_values
from konectom.scoring.reliability.correlation import Correlation, pearson, repeated, spearman
from konectom.scoring.reliability.design import ByAttribute, Design, Grouping, Statistic
from konectom.scoring.reliability.estimate import Estimate, Result
from konectom.scoring.reliability.groups import KnownGroups, known_groups
from konectom.scoring.reliability.icc import Icc, icc
from konectom.scoring.reliability.mixed import MixedModel, mixed_model
from konectom.scoring.reliability.sem import MeasurementError, cv_within, sem_from_repeats
from konectom.scoring.reliability.table import ScoreSeries, StudyTable, gathered, has_several, repeat_of, table_of

DAYS_A_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Repeat(Result):
    """One of the repeats that were compared: its name, and how many patients have it."""

    name: str
    patients: int


@dataclass(frozen=True, slots=True)
class GroupComparison(Result):
    """Two groups: what they go by, what they are called, and how they differ in the patients' mean over their
    repeats.
    """

    by: str
    first: str
    second: str
    compared: KnownGroups


@dataclass(frozen=True, slots=True)
class ReferenceCorrelation(Result):
    """A score against a reference: between patients (each patient's means), and within those who have several pairs."""

    reference: str
    pearson: Correlation
    spearman: Correlation
    within: Correlation


@dataclass(frozen=True, slots=True)
class ScoreReliability(Result):
    """One score: its repeats, and all that they say of it.

    ``bland_altman`` compares the first two repeats, as aggregates; ``single_values`` the single values behind them,
    where the repeats are periods or labels (None for others). ``mixed`` is None unless the design asks for it.
    """

    key: str
    patients: int
    values: int
    repeats: tuple[Repeat, ...]
    mean: float | None
    sd: float | None
    icc: Icc
    agreement: MeasurementError
    consistency: MeasurementError
    cv_rms: Estimate
    cv_log: Estimate
    bland_altman: BlandAltman
    single_values: BlandAltman | None
    groups: tuple[GroupComparison, ...]
    correlations: tuple[ReferenceCorrelation, ...]
    mixed: MixedModel | None


def study_reliability(
    table: StudyTable, design: Design, keys: Sequence[str] | None = None
) -> tuple[ScoreReliability, ...]:
    """Return the reliability of each score; ``keys`` chooses and orders them (default: all but the references).

    A score of which there is no value is told as one, with its reasons. Raises :class:`~konectom.errors.DataError`
    for a design or values that cannot be used, and :class:`~konectom.errors.ExtraMissing` for a mixed model without
    statsmodels.
    """
    chosen = [key for key in table.keys if key not in design.every_reference] if keys is None else keys
    references = {key: table.series(key) for key in design.every_reference}
    return tuple(_of_score(table, design, key, references) for key in chosen)


def _of_score(table: StudyTable, design: Design, key: str, references: dict[str, ScoreSeries]) -> ScoreReliability:
    series = table.series(key, design.run_in_of(key))
    repeats = table_of(series, design.repeats, design.statistic)
    each = _patients_means(repeats)
    known = each[np.isfinite(each)]
    level = design.confidence
    pairs = {name: _pairs(series, reference, design) for name, reference in references.items()}
    return ScoreReliability(
        key=key,
        patients=series.codes.size,
        values=series.value.size,
        repeats=tuple(
            Repeat(name, int(np.isfinite(column).sum()))
            for name, column in zip(design.repeats.names, repeats.T, strict=True)
        ),
        mean=float(known.mean()) if known.size else None,
        sd=float(known.std(ddof=1)) if known.size > 1 else None,
        icc=icc(repeats, confidence=level),
        agreement=sem_from_repeats(repeats, kind="agreement", confidence=level),
        consistency=sem_from_repeats(repeats, kind="consistency", confidence=level),
        cv_rms=cv_within(repeats, method="rms", confidence=level),
        cv_log=cv_within(repeats, method="log", confidence=level),
        bland_altman=bland_altman(repeats[:, 0], repeats[:, 1], confidence=level),
        single_values=_single_values(series, design),
        groups=tuple(_compared(group, table, series, each, pairs, level) for group in design.groups),
        correlations=tuple(_correlated(name, pairs[name], level) for name in design.references),
        mixed=_course(series, level) if design.mixed else None,
    )


def _patients_means(repeats: FloatArray) -> FloatArray:
    """Return each patient's mean over the repeats that there are, NaN where there is none."""
    known = np.isfinite(repeats)
    counts = known.sum(axis=1)
    sums = np.where(known, repeats, 0.0).sum(axis=1)
    means: FloatArray = np.divide(sums, counts, out=np.full(counts.size, np.nan), where=counts > 0)
    return means


def _single_values(series: ScoreSeries, design: Design) -> BlandAltman | None:
    if not has_several(design.repeats):
        return None
    repeat = repeat_of(series, design.repeats)
    here = (repeat == 0) | (repeat == 1)
    return repeated_values(series.patient[here], repeat[here] == 1, series.value[here], confidence=design.confidence)


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """A score's values around each observation of a reference: patient (index into the score's codes), score,
    reference.
    """

    patient: NDArray[np.intp]
    score: FloatArray
    reference: FloatArray
    patients: int

    def by_patient(self, values: FloatArray, statistic: Statistic = "mean") -> FloatArray:
        """Return one value for each of the score's patients, NaN for those without a pair."""
        return gathered(self.patient, values, self.patients, statistic)


def _pairs(series: ScoreSeries, reference: ScoreSeries, design: Design) -> _Pairs:
    patients, scores, observed = [], [], []
    place = {code: index for index, code in enumerate(series.codes)}
    bounds = np.append(series.first, series.value.size)
    reduce = np.median if design.statistic == "median" else np.mean
    for who, at_day, value in zip(reference.codes[reference.patient], reference.at_day, reference.value, strict=True):
        index = place.get(who)
        if index is None:
            continue
        own = slice(bounds[index], bounds[index + 1])
        days = series.at_day[own]
        low = np.searchsorted(days, at_day - design.match_days, side="left")
        high = np.searchsorted(days, at_day + design.match_days, side="right")
        if high > low:
            patients.append(index)
            scores.append(float(reduce(series.value[own][low:high])))
            observed.append(float(value))
    return _Pairs(np.array(patients, dtype=np.intp), np.array(scores), np.array(observed), series.codes.size)


def _correlated(name: str, pairs: _Pairs, level: float) -> ReferenceCorrelation:
    score, reference = pairs.by_patient(pairs.score), pairs.by_patient(pairs.reference)
    return ReferenceCorrelation(
        reference=name,
        pearson=pearson(score, reference, confidence=level),
        spearman=spearman(score, reference, confidence=level),
        within=repeated(pairs.patient, pairs.score, pairs.reference, confidence=level),
    )


def _compared(
    group: Grouping,
    table: StudyTable,
    series: ScoreSeries,
    each: FloatArray,
    pairs: dict[str, _Pairs],
    level: float,
) -> GroupComparison:
    if isinstance(group, ByAttribute):
        known = table.attributes.get(group.attribute, {})
        levels = np.array([known.get(str(code), "") for code in series.codes], dtype=np.str_)
        first, second = levels == group.first, levels == group.second
        names = (group.attribute, group.first, group.second)
    else:
        reference = pairs[group.reference].by_patient(pairs[group.reference].reference, "median")
        first, second = reference >= group.threshold, reference < group.threshold
        names = (group.reference, f">= {group.threshold:g}", f"< {group.threshold:g}")
    return GroupComparison(*names, known_groups(each[first], each[second], confidence=level))


def _course(series: ScoreSeries, level: float) -> MixedModel:
    years = (series.at_day - series.at_day[series.first][series.patient]) / DAYS_A_YEAR
    return mixed_model(series.patient, years, series.value, confidence=level)
