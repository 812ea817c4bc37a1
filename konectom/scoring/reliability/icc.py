"""Intraclass correlation of repeats: the six forms of Shrout & Fleiss, with F tests and confidence intervals.

ICC(1,.) asks how alike any two repeats of a patient are; ICC(2,.) the same where each repeat has a shift of its own
that counts as error (absolute agreement); ICC(3,.) where that shift does not count (consistency). (.,1) is the
reliability of one value, (.,k) that of the mean of k.

Sources: Shrout & Fleiss, Psychological Bulletin 86 (1979) 420-428, for the forms and their F tests (of the hypothesis
that the correlation is 0); McGraw & Wong, Psychological Methods 1 (1996) 30-46, for the limits. The limits of the
(.,k) forms are the limits of one value stepped up by Spearman & Brown, which is McGraw & Wong's interval too.

Incomplete tables: the one-way forms take every patient with at least 2 values, with k0 in the place of k (the limits
are then approximate); the others need every repeat, and ``two_way.left_out`` says how many patients had to be left
out. An estimate may be negative, where patients differ less than their repeats; it is given as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from konectom.errors import FieldInvalid
from konectom.scoring.reliability.anova import OneWay, TwoWay, one_way, two_way
from konectom.scoring.reliability.estimate import Estimate, Result, absent, check_level, estimate, repeats_table

FORMS = ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)")

ALL_EQUAL = "all values are equal"
NO_ERROR = "repeats do not vary within patients, so that there is no error to compute limits from"
NO_DIFFERENCES = "patients do not differ on average"


@dataclass(frozen=True, slots=True)
class IccForm(Result):
    """One form: the estimate with its limits, and F with its degrees of freedom and p; ``reason`` for what is
    missing.
    """

    form: str
    value: float | None
    low: float | None
    high: float | None
    f: float | None
    df1: int | None
    df2: int | None
    p: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Icc(Result):
    """All six forms, and the analyses of variance behind them (None where there are too few data)."""

    confidence: float
    forms: tuple[IccForm, ...]
    one_way: OneWay | None
    two_way: TwoWay | None

    def __getitem__(self, form: str) -> IccForm:
        """Return one of :data:`FORMS`."""
        for each in self.forms:
            if each.form == form:
                return each
        raise FieldInvalid(f"there is no form {form!r}; there are: {', '.join(FORMS)}", at="/form")


def icc(values: ArrayLike, *, confidence: float = 0.95) -> Icc:
    """Return the intraclass correlations of a table of repeats, shape (patients, repeats), NaN where missing.

    Raises :class:`~konectom.errors.FieldInvalid` for another shape, infinite values and a confidence that is none.
    """
    table, alpha = repeats_table(values), 1 - check_level(confidence)
    simple, crossed = one_way(table), two_way(table)
    kinds = (_from_one_way(simple, alpha), *_from_two_way(crossed, alpha))
    return Icc(
        confidence=confidence,
        forms=tuple(_form(name, *kinds[index % 3][index // 3]) for index, name in enumerate(FORMS)),
        one_way=None if isinstance(simple, str) else simple,
        two_way=None if isinstance(crossed, str) else crossed,
    )


@dataclass(frozen=True, slots=True)
class _Test:
    """F, its degrees of freedom, and p; all None where there is no test."""

    f: float | None = None
    df1: int | None = None
    df2: int | None = None
    p: float | None = None


_Found = tuple[Estimate, _Test]
"""One form: the estimate, and its test."""


def _from_one_way(found: OneWay | str, alpha: float) -> tuple[_Found, _Found]:
    """Return ICC(1,1) and ICC(1,k)."""
    if isinstance(found, str):
        return (absent(found), _Test()), (absent(found), _Test())
    between, within, k = found.ms_between, found.ms_within, found.repeats
    single = _ratio(between, within, k, found.df_between, found.df_within, alpha)
    test = _f_test(between, within, found.df_between, found.df_within)
    return (single, test), (_stepped_up(single, k), test)


def _from_two_way(found: TwoWay | str, alpha: float) -> tuple[tuple[_Found, _Found], ...]:
    """Return ICC(2,1) and ICC(2,k), then ICC(3,1) and ICC(3,k)."""
    if isinstance(found, str):
        return (((absent(found), _Test()), (absent(found), _Test())),) * 2
    df, k = found.patients - 1, found.repeats
    test = _f_test(found.ms_patients, found.ms_error, df, found.df_error)
    agreement = _agreement(found, alpha)
    consistency = _ratio(found.ms_patients, found.ms_error, k, df, found.df_error, alpha)
    return tuple(((single, test), (_stepped_up(single, k), test)) for single in (agreement, consistency))


def _ratio(between: float, error: float, k: float, df1: int, df2: int, alpha: float) -> Estimate:
    """Return (between - error) / (between + (k - 1) error); its limits follow from those of the ratio F."""
    from scipy.special import fdtri

    if between == 0 and error == 0:
        return absent(ALL_EQUAL)
    value = (between - error) / (between + (k - 1) * error)
    if error == 0:
        return Estimate(value, reason=NO_ERROR)
    if between == 0:
        return Estimate(value, reason=NO_DIFFERENCES)
    f = between / error
    low = f / float(fdtri(df1, df2, 1 - alpha / 2))
    high = f * float(fdtri(df2, df1, 1 - alpha / 2))
    return estimate(value, (low - 1) / (low + k - 1), (high - 1) / (high + k - 1))


def _agreement(found: TwoWay, alpha: float) -> Estimate:
    """Return ICC(2,1); its limits take Satterthwaite's degrees of freedom v (McGraw & Wong 1996, table 7)."""
    from scipy.special import fdtri

    n, k = found.patients, found.repeats
    patients, shifts, error = found.ms_patients, found.ms_repeats, found.ms_error
    whole = n * patients + (k * n - k - n) * error + k * shifts
    if patients == 0 and error == 0:
        return absent(ALL_EQUAL if shifts == 0 else NO_DIFFERENCES)
    if whole <= 0:
        return absent(NO_DIFFERENCES)
    value = n * (patients - error) / whole
    if shifts == 0 and error == 0:
        return Estimate(value, reason=NO_ERROR)
    if patients == 0:
        return Estimate(value, reason=NO_DIFFERENCES)
    # a and b times (1 - value), which cancels in v and may be 0
    a, b = k * value / n * shifts, ((1 - value) + k * value * (n - 1) / n) * error
    spread = a**2 / (k - 1) + b**2 / found.df_error
    v = (a + b) ** 2 / spread if spread > 0 else 0.0
    if v <= 0:
        return Estimate(value, reason="the degrees of freedom of its limits are 0")
    upper, lower = float(fdtri(n - 1, v, 1 - alpha / 2)), float(fdtri(v, n - 1, 1 - alpha / 2))
    rest = k * shifts + (k * n - k - n) * error
    return estimate(
        value,
        n * (patients - upper * error) / (upper * rest + n * patients),
        n * (lower * patients - error) / (rest + n * lower * patients),
    )


def _stepped_up(single: Estimate, k: float) -> Estimate:
    """Return the reliability of the mean of k values, by Spearman & Brown."""
    if single.value is None:
        return single
    value = _mean_of(k, single.value)
    if value is None:
        return absent(NO_DIFFERENCES)
    if single.low is None or single.high is None:
        return Estimate(value, reason=single.reason)
    low, high = _mean_of(k, single.low), _mean_of(k, single.high)
    if low is None or high is None:
        return Estimate(value, reason="a limit lies where the mean of k repeats has no variance")
    return Estimate(value, low, high)


def _mean_of(k: float, single: float) -> float | None:
    share = 1 + (k - 1) * single
    return k * single / share if share > 1e-12 else None


def _f_test(between: float, error: float, df1: int, df2: int) -> _Test:
    from scipy.special import fdtrc

    if error == 0:
        return _Test(None, df1, df2, None)
    f = between / error
    return _Test(f, df1, df2, float(fdtrc(df1, df2, f)))


def _form(name: str, found: Estimate, test: _Test) -> IccForm:
    """Return the form. Limits that are approximate can miss a negative estimate: such an interval says nothing."""
    if found.value is not None and found.low is not None and found.high is not None:
        slack = 1e-9 * max(1.0, abs(found.value))
        if not found.low - slack <= found.value <= found.high + slack:
            found = Estimate(found.value, reason="the approximation of its limits fails here")
    return IccForm(name, found.value, found.low, found.high, test.f, test.df1, test.df2, test.p, found.reason)
