"""Consent: what patients are asked to agree to, what they decided, and what is restricted."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from konectom.api.schemas import Described
from konectom.api.schemas.pages import Instant, Page, PageQuery, Query
from konectom.workflows.consent.decisions import DECISIONS, STATES
from konectom.workflows.patients.people import CODE, CONSENT

VERSION = {"description": "1 to 64 letters, digits, points, hyphens or underscores.", "example": "2026-1"}
TYPES = {
    "description": "`movement`, `activity`, `touch`, `voice`, `questionnaires`, `location`, `clinical`, or the domain "
    "of a test that is of none of these; `other` is what a server does not know.",
    "example": ["movement", "touch"],
}
REASON = {"description": "Why; it stands in the audit.", "maxLength": 200}


class NewConsentForm(Schema):
    """A version of what patients are asked to agree to."""

    version = fields.String(required=True, metadata=VERSION | {"pattern": f"^{CODE.pattern}$"})
    title = fields.String(required=True, metadata={"example": "Gait in early MS: information and consent"})
    text = fields.String(
        required=True,
        metadata={"description": "In full, as it is shown: purpose, confidentiality, whom to ask, how to withdraw."},
    )
    data_types = fields.List(fields.String(), required=True, metadata=TYPES)


class ConsentForm(Described):
    """A version of what patients are asked to agree to. It is never changed."""

    id = fields.UUID(required=True)
    study = fields.UUID(required=True)
    version = fields.String(required=True, metadata=VERSION)
    title = fields.String(required=True)
    text = fields.String(required=True)
    data_types = fields.List(fields.String(), required=True, metadata=TYPES)
    created_at = fields.AwareDateTime(required=True)
    retired_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "Since when nobody agrees to it any more."}
    )


class ConsentFormPage(Page):
    """A page of consent forms, by version."""

    items = fields.List(fields.Nested(ConsentForm), required=True)


class ConsentFormsQuery(PageQuery):
    """Which forms."""

    retired = fields.Boolean(load_default=False, metadata={"description": "Also those that are no longer used."})


class NewDecision(Schema):
    """What a patient decided. Sending it again changes nothing."""

    state = fields.String(required=True, validate=validate.OneOf(DECISIONS))
    form = fields.String(
        metadata={"description": "Version of the form that was agreed to; `given` needs it where consent is kept here."}
    )
    data_types = fields.List(
        fields.String(), metadata=TYPES | {"description": "On which types; without it, on all that the form covers."}
    )
    decided_at = Instant(metadata={"description": "When, by default now; it may lie back, but not ahead."})


class Withdrawal(Schema):
    """Consent that is taken back. No reason is needed."""

    data_types = fields.List(fields.String(), metadata=TYPES | {"description": "To which types; without it, to all."})
    decided_at = Instant(metadata={"description": "When, by default now."})


class NewRestriction(Schema):
    """A restriction of the use of what is kept."""

    reason = fields.String(required=True, metadata=REASON)
    data_types = fields.List(fields.String(), metadata=TYPES | {"description": "Of which types; without it, of all."})


class ResumedQuery(Query):
    """Of what the use is resumed."""

    data_type = fields.String(metadata={"description": "One type of data; without it, all that is restricted."})


class CurrentDecision(Described):
    """What holds for a type of data. One that is not listed was never decided on."""

    data_type = fields.String(required=True)
    state = fields.String(required=True, allow_none=True, validate=validate.OneOf((*DECISIONS, None)))
    decided_at = fields.AwareDateTime(required=True, allow_none=True)
    form = fields.String(required=True, allow_none=True, metadata={"description": "Version of the form."})
    restricted_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "Since when it is neither shown nor used."}
    )


class Decision(Described):
    """A decision, or a restriction; the ones without `ended_at` hold."""

    data_type = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    form = fields.String(required=True, allow_none=True)
    decided_at = fields.AwareDateTime(required=True)
    entered_at = fields.AwareDateTime(required=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)


class Consents(Described):
    """A patient's consent: as it stands, as it came about, and the forms that may be agreed to."""

    patient = fields.UUID(required=True)
    kept = fields.String(required=True, validate=validate.OneOf(CONSENT), metadata={"description": "The study's."})
    restricted_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "Since when all that is kept is restricted."}
    )
    current = fields.List(fields.Nested(CurrentDecision), required=True)
    history = fields.List(
        fields.Nested(Decision), required=True, metadata={"description": "In the order in which it was entered."}
    )
    forms = fields.List(fields.Nested(ConsentForm), required=True)
