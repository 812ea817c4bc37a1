"""Erasure and its certificates."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from konectom.api.schemas import Described
from konectom.api.schemas.pages import Page, PageQuery
from konectom.workflows.erasing.erasure import REASONS


class NewErasure(Schema):
    """That a patient is to be erased."""

    code = fields.String(
        required=True, metadata={"description": "The patient's code once more: nobody is erased by a slip of the hand."}
    )
    reason = fields.String(
        required=True,
        validate=validate.OneOf(REASONS),
        metadata={"description": "Stays in the certificate when the patient is gone.", "example": "asked_by_patient"},
    )


class ErasedBy(Described):
    """Who erased."""

    kind = fields.String(required=True, metadata={"example": "user"})
    id = fields.UUID(required=True, allow_none=True)
    name = fields.String(required=True)


class RemovedData(Described):
    """What was removed."""

    rows = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "By table. Rows of noise were the study's, computed from this patient among others."},
    )
    objects = fields.Integer(required=True)
    size_bytes = fields.Integer(required=True, metadata={"description": "Of the objects, as they were uploaded."})
    key_sealed_under = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Id of the installation's key under which the patient's key was sealed."},
    )


class KeptData(Described):
    """What is kept, and why."""

    what = fields.String(required=True)
    entries = fields.Integer(required=True)
    why = fields.String(required=True)


class CertificateSeal(Described):
    """Under which key of the installation the certificate is sealed, and the HMAC-SHA256 of the rest of it."""

    key = fields.String(required=True)
    mac = fields.String(required=True)


class Certificate(Described):
    """What was removed of a patient, what is kept, by whom and why."""

    schema = fields.String(required=True)
    id = fields.UUID(required=True)
    patient = fields.UUID(required=True)
    study = fields.UUID(required=True)
    erased_at = fields.AwareDateTime(required=True)
    by = fields.Nested(ErasedBy, required=True)
    reason = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf((*REASONS, None)),
        metadata={"description": "Not told to administrators (null). The seal is of the certificate with it."},
    )
    removed = fields.Nested(RemovedData, required=True)
    kept = fields.List(fields.Nested(KeptData), required=True)
    software = fields.String(required=True)
    seal = fields.Nested(CertificateSeal, required=True)


class ErasureResidue(Described):
    """What is still to be removed: objects that nobody can read, and what freed room of the database may hold."""

    objects = fields.Integer(required=True)
    database = fields.Boolean(
        required=True,
        metadata={
            "description": "Whether the database has still to be rewritten. On PostgreSQL false means that the room of "
            "the removed rows is free to be overwritten, and that nobody sees them any more."
        },
    )


class Erasure(Described):
    """An erasure: its certificate, and what is left to be done."""

    certificate = fields.Nested(Certificate, required=True)
    residue = fields.Nested(ErasureResidue, required=True)


class ErasurePage(Page):
    """A page of erasures."""

    items = fields.List(fields.Nested(Erasure), required=True)


class ErasuresQuery(PageQuery):
    """Which erasures to list."""

    patient = fields.UUID(metadata={"description": "Only that of this patient."})
