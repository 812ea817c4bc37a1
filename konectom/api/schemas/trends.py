"""A patient's scores over time."""

from __future__ import annotations

from marshmallow import fields, validate

from konectom.api.schemas import Described
from konectom.api.schemas.pages import Instant, Query


class TrendsQuery(Query):
    """Which scores, and when."""

    measure = fields.String(
        metadata={
            "description": "A score's key, or a quantity for all its scores; without it every score.",
            "example": "tap.valid_taps",
        },
    )
    start = Instant(metadata={"description": "Earliest beginning of a recording, included."})
    end = Instant(metadata={"description": "Latest beginning of a recording, included."})


class Point(Described):
    """One value in time."""

    session = fields.UUID(required=True)
    recording = fields.Integer(required=True, metadata={"description": "Its index in the session."})
    at = fields.AwareDateTime(required=True, metadata={"description": "When the recording began, local time."})
    value = fields.Float(required=True)
    verdict = fields.String(required=True, validate=validate.OneOf(("valid", "limited", "invalid")))
    flags = fields.List(fields.String(), required=True, metadata={"description": "Codes of the quality flags."})
    version = fields.Integer(required=True, metadata={"description": "The assessment's version."})


class Trend(Described):
    """One score over time, oldest first."""

    key = fields.String(required=True, metadata={"example": "tap.valid_taps[left]"})
    measure = fields.String(required=True)
    condition = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    statistic = fields.String(required=True, allow_none=True)
    unit = fields.String(required=True)
    better = fields.String(required=True, allow_none=True, validate=validate.OneOf(("higher", "lower", None)))
    title = fields.String(required=True)
    assessment = fields.String(required=True)
    assessment_title = fields.String(required=True)
    versions = fields.List(
        fields.Integer(),
        required=True,
        metadata={"description": "Versions among the points. Where there are two, a step may be theirs."},
    )
    points = fields.List(fields.Nested(Point), required=True)


class Trends(Described):
    """A patient's scores over time, in the order in which they are declared."""

    patient = fields.UUID(required=True)
    trends = fields.List(fields.Nested(Trend), required=True)
