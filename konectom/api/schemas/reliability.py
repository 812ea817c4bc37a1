"""How reliable the scores of a study are."""

from __future__ import annotations

from marshmallow import fields, validate

from konectom.api.schemas import Described
from konectom.api.schemas.pages import Query
from konectom.workflows.following.reliability import LEAST_VERDICTS
from konectom.workflows.following.reliability_design import REPEATS


class ReliabilityQuery(Query):
    """Which scores, and the design of the study."""

    measure = fields.String(
        required=True,
        metadata={
            "description": "Scores by their keys, or quantities for all of their scores, separated by commas.",
            "example": "tap.valid_taps[left],tap.valid_taps[right]",
        },
    )
    repeats = fields.String(
        validate=validate.OneOf(REPEATS),
        metadata={
            "description": "What repeats of each other are: each patient's first windows (the default) or first "
            "values, named periods, or the values with each label.",
        },
    )
    count = fields.Integer(metadata={"description": "How many windows or values; 2 without it."})
    window_days = fields.Float(
        metadata={"description": "How long a window lasts; without it as the study's policy has it."}
    )
    tests_min = fields.Integer(
        metadata={"description": "Fewest values of a repeat; without it as the policy has it in a window, 1 elsewhere."}
    )
    run_in = fields.Integer(
        metadata={
            "description": "How many tests at each patient's start do not count; without it as the policy has it."
        }
    )
    periods = fields.String(
        metadata={
            "description": "`NAME=START/END`, separated by commas; the end is not included.",
            "example": "first=2026-01-01/2026-02-01,second=2026-02-01/2026-03-01",
        },
    )
    labels = fields.String(
        metadata={"description": "Separated by commas; without it `supervised,unsupervised`, as the sessions say."}
    )
    groups = fields.String(
        metadata={
            "description": "`ATTRIBUTE:FIRST/SECOND` or `SCORE>=NUMBER`, separated by commas.",
            "example": "sex:female/male",
        },
    )
    references = fields.String(
        metadata={"description": "Keys of the scores with which these are correlated, separated by commas."}
    )
    match_days = fields.Float(
        metadata={"description": "A reference is compared with the values within so many days of it; 30 without it."}
    )
    statistic = fields.String(
        validate=validate.OneOf(("median", "mean")),
        metadata={"description": "How several values become one; without it as the study's policy has it."},
    )
    confidence = fields.Float(metadata={"description": "Of all intervals; 0.95 without it."})
    verdict = fields.String(
        validate=validate.OneOf(tuple(LEAST_VERDICTS)),
        metadata={"description": "The least verdict of a recording that counts; without it as the policy has it."},
    )
    format = fields.String(
        validate=validate.OneOf(("json", "csv")),
        metadata={"description": "Stands above the Accept header."},
    )


def _number() -> fields.Float:
    return fields.Float(required=True, allow_none=True)


def _whole() -> fields.Integer:
    return fields.Integer(required=True, allow_none=True)


def _reason() -> fields.String:
    return fields.String(required=True, allow_none=True, metadata={"description": "Why something is null."})


class Estimate(Described):
    """A value with its confidence limits."""

    value = _number()
    low = _number()
    high = _number()
    reason = _reason()


def _estimate() -> fields.Nested:
    return fields.Nested(Estimate, required=True)


class Repeat(Described):
    """One of the repeats, and how many patients have it."""

    name = fields.String(required=True)
    patients = fields.Integer(required=True)


class IccForm(Described):
    """One form of the intraclass correlation, with the F test that it is 0."""

    form = fields.String(required=True, metadata={"example": "ICC(2,1)"})
    value = _number()
    low = _number()
    high = _number()
    f = _number()
    df1 = _whole()
    df2 = _whole()
    p = _number()
    reason = _reason()


class OneWay(Described):
    """Analysis of variance of the patients with at least 2 repeats."""

    patients = fields.Integer(required=True)
    left_out = fields.Integer(required=True)
    values = fields.Integer(required=True)
    repeats = fields.Float(required=True, metadata={"description": "k, or where it differs between patients, k0."})
    mean = fields.Float(required=True)
    ms_between = fields.Float(required=True)
    ms_within = fields.Float(required=True)


class TwoWay(Described):
    """Analysis of variance of the patients with every repeat."""

    patients = fields.Integer(required=True)
    left_out = fields.Integer(required=True)
    repeats = fields.Integer(required=True)
    mean = fields.Float(required=True)
    ms_patients = fields.Float(required=True)
    ms_repeats = fields.Float(required=True)
    ms_error = fields.Float(required=True)


class Icc(Described):
    """The intraclass correlations."""

    confidence = fields.Float(required=True)
    forms = fields.List(fields.Nested(IccForm), required=True)
    one_way = fields.Nested(OneWay, required=True, allow_none=True)
    two_way = fields.Nested(TwoWay, required=True, allow_none=True)


class MeasurementError(Described):
    """Standard error of measurement and smallest detectable change, in the score's unit."""

    sem = _estimate()
    mdc90 = _estimate()
    mdc95 = _estimate()
    mdc95_share = fields.Nested(Estimate, required=True, metadata={"description": "MDC95 over the mean."})


class BlandAltman(Described):
    """Agreement of the second repeat with the first (second minus first)."""

    method = fields.String(required=True)
    patients = fields.Integer(required=True)
    pairs = fields.Integer(required=True)
    agreement = fields.Float(required=True)
    bias = _estimate()
    sd = _number()
    lower = _estimate()
    upper = _estimate()
    slope = fields.Nested(
        Estimate, required=True, metadata={"description": "Change of the difference per unit of the pair's mean."}
    )
    slope_p = _number()


class Group(Described):
    """A group of patients."""

    n = fields.Integer(required=True)
    mean = _number()
    sd = _number()


class KnownGroups(Described):
    """The first group minus the second; t, df and p are Welch's."""

    first = fields.Nested(Group, required=True)
    second = fields.Nested(Group, required=True)
    difference = _estimate()
    t = _number()
    df = _number()
    p = _number()
    cohen_d = _estimate()
    hedges_g = _estimate()
    auc = _estimate()


class GroupComparison(Described):
    """Two known groups."""

    by = fields.String(required=True, metadata={"example": "sex"})
    first = fields.String(required=True)
    second = fields.String(required=True)
    compared = fields.Nested(KnownGroups, required=True)


class Correlation(Described):
    """A correlation."""

    method = fields.String(required=True)
    pairs = fields.Integer(required=True)
    patients = fields.Integer(required=True)
    r = _estimate()
    df = _whole()
    p = _number()


class ReferenceCorrelation(Described):
    """A score against a reference: between patients, and within those who have several pairs."""

    reference = fields.String(required=True)
    pearson = fields.Nested(Correlation, required=True)
    spearman = fields.Nested(Correlation, required=True)
    within = fields.Nested(Correlation, required=True)


class ScoreReliability(Described):
    """One score."""

    key = fields.String(required=True, metadata={"example": "tap.valid_taps[left]"})
    title = fields.String(required=True, allow_none=True)
    unit = fields.String(required=True, allow_none=True)
    better = fields.String(required=True, allow_none=True, validate=validate.OneOf(("higher", "lower", None)))
    versions = fields.List(
        fields.Integer(),
        required=True,
        metadata={"description": "Versions of the assessment among the values."},
    )
    patients = fields.Integer(required=True)
    values = fields.Integer(required=True)
    repeats = fields.List(fields.Nested(Repeat), required=True)
    mean = _number()
    sd = fields.Float(required=True, allow_none=True, metadata={"description": "Of the patients' means."})
    icc = fields.Nested(Icc, required=True)
    agreement = fields.Nested(MeasurementError, required=True, metadata={"description": "A shift is error."})
    consistency = fields.Nested(MeasurementError, required=True, metadata={"description": "A shift is no error."})
    cv_rms = _estimate()
    cv_log = _estimate()
    bland_altman = fields.Nested(BlandAltman, required=True)
    single_values = fields.Nested(BlandAltman, required=True, allow_none=True)
    groups = fields.List(fields.Nested(GroupComparison), required=True)
    correlations = fields.List(fields.Nested(ReferenceCorrelation), required=True)
    mixed = fields.Raw(required=True, allow_none=True, metadata={"description": "Null here; the command fits it."})


class Reliability(Described):
    """The reliability of some scores of a study, and the design by which it was computed."""

    study = fields.UUID(required=True)
    design = fields.Dict(keys=fields.String(), required=True)
    verdicts = fields.List(fields.String(), required=True, metadata={"description": "Those that count."})
    scores = fields.List(fields.Nested(ScoreReliability), required=True)
