"""Who a patient is."""

from __future__ import annotations

from marshmallow import Schema, fields

from konectom.api.schemas import Described
from konectom.workflows.patients.identity import MOST_CHARACTERS


def _text(name: str, example: str) -> fields.String:
    return fields.String(allow_none=True, metadata={"example": example, "maxLength": MOST_CHARACTERS[name]})


class NewIdentity(Schema):
    """Who a patient is, as far as it need be known. What is left out is not known from then on."""

    given_name = _text("given_name", "Ada")
    family_name = _text("family_name", "Example")
    birth_date = fields.String(allow_none=True, metadata={"example": "1980-05-17", "format": "date"})
    email = _text("email", "ada@example.org")
    phone = _text("phone", "+32 2 555 01 23")
    hospital_number = _text("hospital_number", "H-000123")
    note = _text("note", "Prefers to be called in the morning.")


class Identity(Described):
    """Who a patient is; null for what nobody has said."""

    patient = fields.UUID(required=True)
    given_name = fields.String(required=True, allow_none=True)
    family_name = fields.String(required=True, allow_none=True)
    birth_date = fields.Date(required=True, allow_none=True)
    email = fields.String(required=True, allow_none=True)
    phone = fields.String(required=True, allow_none=True)
    hospital_number = fields.String(required=True, allow_none=True)
    note = fields.String(required=True, allow_none=True)
    changed_at = fields.AwareDateTime(required=True, allow_none=True)
