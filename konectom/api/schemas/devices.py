"""Phones: the codes that enrol them, what they exchange, and what staff see of them."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from konectom.api.schemas import Described
from konectom.api.schemas.pages import Page, Query
from konectom.workflows.patients.credentials import COPIED
from konectom.workflows.patients.devices import REASONS

RENEWAL = {
    "description": "Made and written down by the phone before it sends it: `kr_` and 32 random bytes as base64url.",
    "pattern": "^kr_[A-Za-z0-9_-]{43}$",
}
FACT = {"maxLength": 200}


class Enrolment(Described):
    """A code with which one phone becomes a patient's, and what became of it. The code itself is not kept."""

    id = fields.UUID(required=True)
    patient = fields.UUID(required=True)
    state = fields.String(required=True, validate=validate.OneOf(("open", "used", "revoked", "expired")))
    created_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True)
    used_at = fields.AwareDateTime(required=True, allow_none=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)
    device = fields.UUID(required=True, allow_none=True, metadata={"description": "The phone that has used it."})


class NewEnrolment(Enrolment):
    """A code that was just made: shown this once, and never again."""

    code = fields.String(required=True, metadata={"example": "ke_7K2M-Q4TX-93AB-HJ5R-0WZ8-EVC6-D1NF"})
    qr = fields.String(required=True, metadata={"description": "What the QR code says: a JSON text."})


class EnrolmentPage(Page):
    """A page of enrolments."""

    items = fields.List(fields.Nested(Enrolment), required=True)


class DeviceFacts(Schema):
    """What a phone tells of itself; all of it optional."""

    platform = fields.String(allow_none=True, metadata=FACT | {"example": "ios"})
    model = fields.String(allow_none=True, metadata=FACT | {"example": "iPhone15,2"})
    os = fields.String(allow_none=True, metadata=FACT | {"example": "19.1"})
    app = fields.String(allow_none=True, metadata=FACT | {"example": "1.4.2"})


class Exchange(Schema):
    """A phone that asks to become a patient's."""

    code = fields.String(required=True, metadata={"description": "As scanned, or typed in any case."})
    renewal = fields.String(required=True, metadata=RENEWAL)
    device = fields.Nested(DeviceFacts)


class Renew(Schema):
    """A phone that asks for a new access token."""

    renewal = fields.String(required=True, metadata=RENEWAL | {"description": "The renewal secret that holds."})
    next = fields.String(required=True, metadata=RENEWAL)


class AccessToken(Described):
    """The token that opens, for a short time."""

    token = fields.String(required=True, metadata={"example": "kd_…"})
    expires_at = fields.AwareDateTime(required=True)


class RenewalTerm(Described):
    """Until when the phone can renew its token, if it does not do so before."""

    expires_at = fields.AwareDateTime(required=True)


class Access(Described):
    """What a phone holds from now on, beside the secret that it made."""

    device = fields.UUID(required=True)
    patient = fields.UUID(required=True)
    access = fields.Nested(AccessToken, required=True)
    renewal = fields.Nested(RenewalTerm, required=True)


class Device(Described):
    """A patient's phone, as it was when enrolled, and whether it still has access."""

    id = fields.UUID(required=True)
    patient = fields.UUID(required=True)
    platform = fields.String(required=True, allow_none=True)
    model = fields.String(required=True, allow_none=True)
    os = fields.String(required=True, allow_none=True)
    app = fields.String(required=True, allow_none=True)
    enrolled_at = fields.AwareDateTime(required=True)
    renewed_at = fields.AwareDateTime(required=True, allow_none=True)
    renewal_expires_at = fields.AwareDateTime(required=True, allow_none=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)
    revoked_for = fields.String(required=True, allow_none=True, validate=validate.OneOf((*REASONS, COPIED, None)))


class DevicePage(Page):
    """A page of phones."""

    items = fields.List(fields.Nested(Device), required=True)


class RevokeQuery(Query):
    """Why a phone is shut out."""

    reason = fields.String(load_default="other", validate=validate.OneOf(REASONS))
