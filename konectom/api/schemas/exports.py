"""The researcher's tables."""

from __future__ import annotations

from marshmallow import fields, validate

from konectom.api.schemas.pages import Query


class FeaturesQuery(Query):
    """Which features, and in which form."""

    assessment = fields.String(
        metadata={"description": "One row per result and one column per measure; without it one row per value."},
    )
    version = fields.Integer(
        validate=validate.Range(min=1),
        metadata={"description": "Results of this version; without it the newest of each recording."},
    )
    format = fields.String(
        validate=validate.OneOf(("csv", "parquet")),
        metadata={"description": "Stands above the Accept header."},
    )


class DictionaryQuery(Query):
    """In which form the dictionary comes."""

    format = fields.String(
        validate=validate.OneOf(("csv", "json")),
        metadata={"description": "Stands above the Accept header."},
    )
