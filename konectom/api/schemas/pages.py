"""What the lists share: which page is asked for, and what a page is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields, validate

from konectom.api.schemas import Described


class Query(Schema):
    """The fields of a query; one that is not among them is refused, since it would silently do nothing."""


class Instant(fields.AwareDateTime):
    """An instant with its offset from UTC, within the years that a calendar in UTC holds.

    It is handed on in UTC, or, with ``local``, as it was told: where the day of the place matters.
    """

    def __init__(self, *, local: bool = False, **options: Any) -> None:
        super().__init__(format="iso", **options)
        self.local = local

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> datetime:
        told = super()._deserialize(value, attr, data, **options)
        try:
            in_utc = told.astimezone(UTC)
        except OverflowError:
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from None
        return told if self.local else in_utc


class PageQuery(Query):
    """Which page of a list."""

    cursor = fields.String(
        validate=validate.Length(min=1, max=500),
        metadata={"description": "`next` of the page before."},
    )
    limit = fields.Integer(
        validate=validate.Range(min=1),
        metadata={"description": "Most rows wanted on the page.", "example": 50},
    )


class Page(Described):
    """A page of a list: its items, and the cursor of the next page, null on the last."""

    next = fields.String(required=True, allow_none=True, metadata={"description": "The next page's `cursor`."})


class Place(Page):
    """A page of a list to which nothing is ever added before its end."""

    position = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "The place behind the last item, on every page. Keep it: as `cursor`, it leads to all that "
            "was added since, and nothing is missed. `null` where there is nothing yet."
        },
    )
