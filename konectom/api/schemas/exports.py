"""The researcher's tables."""

from __future__ import annotations

from marshmallow import fields, validate

from konectom.api.schemas.pages import Instant, Query


class FeaturesQuery(Query):
    """Which features, and in which form."""

    assessment = fields.String(
        metadata={"description": "One row per result and one column per measure; without it one row per value."},
    )
    version = fields.Integer(
        validate=validate.Range(min=1),
        metadata={"description": "Results of this version; without it the newest of each recording."},
    )
    as_of = Instant(
        metadata={"description": "What was known at this instant: results of then, not those that came since."}
    )
    format = fields.String(
        validate=validate.OneOf(("csv", "parquet")),
        metadata={"description": "Stands above the Accept header."},
    )


class DictionaryQuery(Query):
    """Of when the dictionary is, and in which form it comes."""

    as_of = Instant(
        metadata={"description": "What was known at this instant: results of then, not those that came since."}
    )
    format = fields.String(
        validate=validate.OneOf(("csv", "json")),
        metadata={"description": "Stands above the Accept header."},
    )
