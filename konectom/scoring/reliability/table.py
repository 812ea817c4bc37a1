"""The long table of a study, and how the values of one score in it become a table of repeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from konectom.errors import FieldInvalid
from konectom.recording import FloatArray
from konectom.scoring.reliability.design import Labels, Periods, Repeats, Statistic, Values, Windows
from konectom.scoring.reliability.estimate import vector

TextArray = NDArray[np.str_]

LEAD_DAYS = 0.5
"""How long before the first value windows begin, as those of trends do (:mod:`konectom.scoring.windows`)."""


@dataclass(frozen=True, slots=True, eq=False)
class StudyTable:
    """One row for each value: whose, of which score, when (days since 1970-01-01T00:00Z), the value, and a label (""
    for none).

    ``attributes`` tells of each patient what groups go by: ``{"sex": {"P1": "female", ...}}``. Rows may come in any
    order; a missing value (NaN) is a test that gave none: it counts for the run-in only.
    """

    patient: TextArray
    key: TextArray
    at_day: FloatArray
    value: FloatArray
    label: TextArray
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        vector(self.value, "value")
        if not np.isfinite(vector(self.at_day, "at_day")).all():
            raise FieldInvalid("a value without a time cannot be placed", at="/at_day")
        columns = {"patient": self.patient, "key": self.key, "at_day": self.at_day, "label": self.label}
        for name, column in columns.items():
            if column.shape != self.value.shape:
                raise FieldInvalid(f"there are {self.value.size} values, but {column.size} rows here", at=f"/{name}")

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys that there are, in order."""
        return tuple(map(str, np.unique(self.key)))

    def series(self, key: str, run_in: int = 0) -> ScoreSeries:
        """Return the values of one score by patient and time, without each patient's first ``run_in`` tests."""
        here = np.flatnonzero(self.key == key)
        codes, patient = np.unique(self.patient[here], return_inverse=True)
        order = np.lexsort((self.at_day[here], patient))
        here, patient = here[order], patient[order]
        first = np.searchsorted(patient, np.arange(codes.size))
        counts = (np.arange(here.size) - first[patient] >= run_in) & np.isfinite(self.value[here])
        here, patient = here[counts], patient[counts]
        left, patient = np.unique(patient, return_inverse=True)
        return ScoreSeries(key, codes[left], patient, self.at_day[here], self.value[here], self.label[here])


@dataclass(frozen=True, slots=True, eq=False)
class ScoreSeries:
    """One score: n values in order of patient, then time; ``patient`` is the index into ``codes``."""

    key: str
    codes: TextArray
    patient: NDArray[np.intp]
    at_day: FloatArray
    value: FloatArray
    label: TextArray

    @property
    def first(self) -> NDArray[np.intp]:
        """Return the place of each patient's first value."""
        return np.searchsorted(self.patient, np.arange(self.codes.size))


def repeat_of(series: ScoreSeries, repeats: Repeats) -> NDArray[np.intp]:
    """Return of which repeat each value is one, -1 for none."""
    if isinstance(repeats, Values):
        place = np.arange(series.value.size) - series.first[series.patient]
        return np.where(place < repeats.count, place, -1).astype(np.intp)
    if isinstance(repeats, Windows):
        since = series.at_day - series.at_day[series.first][series.patient]
        number = np.floor((since + LEAD_DAYS) / repeats.window_days)
        return np.where(number < repeats.count, number, -1).astype(np.intp)
    found = np.full(series.value.size, -1, dtype=np.intp)
    if isinstance(repeats, Periods):
        for which, period in enumerate(repeats.periods):
            found[(series.at_day >= period.start_day) & (series.at_day < period.end_day)] = which
    else:
        for which, name in enumerate(repeats.names):
            found[series.label == name] = which
    return found


def table_of(series: ScoreSeries, repeats: Repeats, statistic: Statistic) -> FloatArray:
    """Return the table of repeats, shape (patients, repeats); NaN where a repeat has too few values."""
    k = len(repeats.names)
    repeat = repeat_of(series, repeats)
    used = repeat >= 0
    cell = series.patient[used] * k + repeat[used]
    cells = series.codes.size * k
    least = 1 if isinstance(repeats, Values) else repeats.tests_min
    return gathered(cell, series.value[used], cells, statistic, least).reshape(series.codes.size, k)


def gathered(
    cell: NDArray[np.intp], value: FloatArray, cells: int, statistic: Statistic = "median", least: int = 1
) -> FloatArray:
    """Return the median or mean of the values of each cell, 0 to cells - 1; NaN where fewer than ``least``."""
    counts = np.bincount(cell, minlength=cells)
    enough = counts >= max(least, 1)
    out = np.full(cells, np.nan)
    if statistic == "mean":
        out[enough] = np.bincount(cell, value, minlength=cells)[enough] / counts[enough]
        return out
    ordered = value[np.lexsort((value, cell))]
    start = np.cumsum(counts) - counts
    low, high = start + (counts - 1) // 2, start + counts // 2
    out[enough] = ordered[low[enough]] / 2 + ordered[high[enough]] / 2
    return out


def has_several(repeats: Repeats) -> bool:
    """Return whether the single values of a repeat may be compared with those of another, time being of no matter."""
    return isinstance(repeats, Periods | Labels)
