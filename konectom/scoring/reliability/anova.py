"""Analysis of variance of a table of repeats: the mean squares on which ICC and measurement error rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from konectom.recording import FloatArray
from konectom.scoring.reliability.estimate import Result, is_rounding

FEW_PATIENTS = "fewer than 2 patients have at least 2 repeats"
FEW_COMPLETE = "fewer than 2 patients have every repeat"
FEW_REPEATS = "there are fewer than 2 repeats"


@dataclass(frozen=True, slots=True)
class OneWay(Result):
    """Between and within patients; the order of the repeats is of no matter, and their number may differ.

    ``repeats`` is k0 = (N - sum(k_i^2) / N) / (n - 1), which is k where every patient has k (Lessells & Boag 1987).
    """

    patients: int
    left_out: int
    values: int
    repeats: float
    mean: float
    ms_between: float
    ms_within: float

    @property
    def df_between(self) -> int:
        """Return the degrees of freedom between patients."""
        return self.patients - 1

    @property
    def df_within(self) -> int:
        """Return the degrees of freedom within patients."""
        return self.values - self.patients


@dataclass(frozen=True, slots=True)
class TwoWay(Result):
    """Patients, repeats and what is left, from the patients who have every repeat."""

    patients: int
    left_out: int
    repeats: int
    mean: float
    ms_patients: float
    ms_repeats: float
    ms_error: float

    @property
    def df_error(self) -> int:
        """Return the degrees of freedom of the error."""
        return (self.patients - 1) * (self.repeats - 1)


def one_way(table: FloatArray) -> OneWay | str:
    """Return the one-way analysis of the patients with at least 2 values, or why there is none."""
    if table.shape[1] < 2:
        return FEW_REPEATS
    counts = np.isfinite(table).sum(axis=1)
    used = counts >= 2
    n, k = int(used.sum()), counts[used]
    if n < 2:
        return FEW_PATIENTS
    rows = table[used]
    size = float(np.nanmax(np.abs(rows)))
    total = int(k.sum())
    centre = float(np.nansum(rows)) / total
    centred = rows - centre  # sums of squares of the values themselves would lose digits
    means = np.nansum(centred, axis=1) / k
    between = float((k * (means - float(np.nansum(centred)) / total) ** 2).sum()) / (n - 1)
    within = float(np.nansum((centred - means[:, np.newaxis]) ** 2)) / (total - n)
    return OneWay(
        patients=n,
        left_out=int((counts == 1).sum()),
        values=total,
        repeats=float((total - (k**2).sum() / total) / (n - 1)),
        mean=centre,
        ms_between=_unless_rounding(between, size),
        ms_within=_unless_rounding(within, size),
    )


def two_way(table: FloatArray) -> TwoWay | str:
    """Return the two-way analysis, without replication, of the complete rows, or why there is none."""
    known = np.isfinite(table)
    complete = known.all(axis=1)
    n, k = int(complete.sum()), table.shape[1]
    if k < 2:
        return FEW_REPEATS
    if n < 2:
        return FEW_COMPLETE
    rows = table[complete]
    size = float(np.abs(rows).max())
    centre = float(rows.mean())
    centred = rows - centre
    by_patient, by_repeat = centred.mean(axis=1), centred.mean(axis=0)
    rest = centred - by_patient[:, np.newaxis] - by_repeat + centred.mean()
    return TwoWay(
        patients=n,
        left_out=int((known.any(axis=1) & ~complete).sum()),
        repeats=k,
        mean=centre,
        ms_patients=_unless_rounding(k * float(by_patient.var(ddof=1)), size),
        ms_repeats=_unless_rounding(n * float(by_repeat.var(ddof=1)), size),
        ms_error=_unless_rounding(float((rest**2).sum()) / ((n - 1) * (k - 1)), size),
    )


def _unless_rounding(mean_square: float, size: float) -> float:
    return 0.0 if is_rounding(mean_square, size) else mean_square
