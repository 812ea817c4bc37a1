"""What there is to measure."""

from __future__ import annotations

from marshmallow import fields, validate

from konectom.api.schemas import Described
from konectom.api.schemas.pages import Query


class MeasuresQuery(Query):
    """Which measures to list."""

    assessment = fields.String(metadata={"description": "Only those of this assessment."})
    score = fields.Boolean(metadata={"description": "Only scores (`true`), or only what is none (`false`)."})


class DeclaredMeasure(Described):
    """One entry of the data dictionary."""

    assessment = fields.String(required=True)
    version = fields.Integer(required=True)
    key = fields.String(required=True, metadata={"example": "tap.inter_tap_interval[left].mean"})
    measure = fields.String(required=True, metadata={"example": "tap.inter_tap_interval"})
    condition = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    statistic = fields.String(required=True, allow_none=True)
    unit = fields.String(required=True, metadata={"description": "UCUM."})
    better = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf(("higher", "lower", None)),
        metadata={"description": "The direction of better function; null where neither is."},
    )
    plausible = fields.List(
        fields.Float(),
        required=True,
        allow_none=True,
        metadata={"description": "Lowest and highest plausible value."},
    )
    means = fields.String(required=True)
    evidence = fields.String(
        required=True,
        metadata={"description": "What stands behind it: a paper, a standard, or whose definition it is."},
    )
    aliases = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "The same quantity's name in public libraries."},
    )
    score = fields.Boolean(required=True, metadata={"description": "Whether clinicians follow it over time."})


class Measures(Described):
    """The data dictionary."""

    items = fields.List(fields.Nested(DeclaredMeasure), required=True)


class AssessmentLine(Described):
    """A test in short."""

    name = fields.String(required=True, metadata={"example": "tap"})
    title = fields.String(required=True)
    version = fields.Integer(required=True)
    domain = fields.String(required=True)
    measure_count = fields.Integer(required=True)
    scores = fields.List(fields.String(), required=True, metadata={"description": "Keys of the scores."})


class Assessments(Described):
    """The tests that there are."""

    items = fields.List(fields.Nested(AssessmentLine), required=True)


class DeclaredInput(Described):
    """A stream or a type of event that the test reads."""

    name = fields.String(required=True)
    of = fields.String(required=True, validate=validate.OneOf(("stream", "event")))
    columns = fields.List(fields.String(), required=True)
    unit = fields.String(required=True, allow_none=True)
    optional = fields.Boolean(required=True)
    means = fields.String(required=True)


class DeclaredCondition(Described):
    """Something that is varied within the test."""

    name = fields.String(required=True)
    levels = fields.List(fields.String(), required=True)
    means = fields.String(required=True)


class DeclaredRule(Described):
    """A reason why a recording may not count."""

    code = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(("technical", "behavioural")))
    effect = fields.String(required=True, validate=validate.OneOf(("none", "limited", "invalid")))
    to = fields.String(required=True, validate=validate.OneOf(("patient", "clinician")))
    message = fields.String(required=True, metadata={"description": "What the patient or the clinician is told."})
    aliases = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class DeclaredAssessment(AssessmentLine):
    """A test with all that it declares."""

    description = fields.String(required=True)
    source = fields.String(required=True)
    inputs = fields.List(fields.Nested(DeclaredInput), required=True)
    conditions = fields.List(fields.Nested(DeclaredCondition), required=True)
    quality = fields.List(fields.Nested(DeclaredRule), required=True)
    measures = fields.List(fields.Nested(DeclaredMeasure), required=True)
