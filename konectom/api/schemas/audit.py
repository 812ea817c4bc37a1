"""The audit: who did and saw what."""

from __future__ import annotations

from marshmallow import fields, validate

from konectom.api.schemas import Described
from konectom.api.schemas.pages import Instant, Page, PageQuery, Query

CHANGES = ("read", "insert", "update", "delete", "event")


class Entries(Query):
    """Which entries are asked for."""

    study = fields.UUID(metadata={"description": "Only those of this study."})
    patient = fields.UUID(
        metadata={"description": "What was done with this patient, and the lists and tables that showed it."}
    )
    actor = fields.UUID(metadata={"description": "Only what this user, phone or program did."})
    action = fields.String(metadata={"description": "Only this permission or command.", "example": "trend.read"})
    since = Instant(metadata={"description": "From this instant on."})
    until = Instant(metadata={"description": "Before this instant."})


class AuditQuery(Entries, PageQuery):
    """Which entries to list."""


class AuditExportQuery(Entries):
    """Which entries to take away, and how."""

    format = fields.String(
        validate=validate.OneOf(("ndjson", "csv")), metadata={"description": "Without it, what Accept likes best."}
    )


class Actor(Described):
    """Who acted: a phone, a member of staff, a program, whoever ran a command on the machine, or the server itself."""

    kind = fields.String(
        required=True, validate=validate.OneOf(("device", "user", "service", "operator", "server", "anybody"))
    )
    id = fields.UUID(required=True, allow_none=True)
    name = fields.String(required=True)


class AuditEntry(Described):
    """One entry: a row that was made, changed or removed, something seen, or something that happened."""

    seq = fields.Integer(required=True, metadata={"description": "Its number: from 1, without gaps."})
    at = fields.AwareDateTime(required=True)
    actor = fields.Nested(Actor, required=True)
    action = fields.String(required=True, metadata={"description": "The permission that was used, or the command."})
    change = fields.String(required=True, validate=validate.OneOf(CHANGES))
    study = fields.UUID(required=True, allow_none=True)
    patient = fields.UUID(required=True, allow_none=True)
    entity = fields.String(required=True, metadata={"description": "What kind of thing it is about."})
    entity_id = fields.String(required=True)
    before = fields.String(required=True, allow_none=True, metadata={"description": "Keyed digest of the row before."})
    after = fields.String(required=True, allow_none=True, metadata={"description": "Keyed digest of the row after."})
    why = fields.String(required=True, allow_none=True, metadata={"description": "The reason that was given."})
    why_destroyed = fields.Boolean(
        required=True, metadata={"description": "A reason was given; nobody can read it since the patient's erasure."}
    )
    why_withheld = fields.Boolean(
        required=True, metadata={"description": "A reason about a patient was given; administrators are not told it."}
    )
    request_id = fields.String(required=True)
    address = fields.String(required=True, metadata={"description": "Network address of staff and programs."})
    detail = fields.Dict(required=True)
    key = fields.String(required=True, metadata={"description": "The key under which it is sealed."})
    seal = fields.String(required=True)


class AuditPage(Page):
    """A page of entries, newest last."""

    items = fields.List(fields.Nested(AuditEntry), required=True)
