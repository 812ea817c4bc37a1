"""Campaigns: what is computed again, how far it has come, and what changes."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from konectom.api.schemas import Described
from konectom.api.schemas.pages import Instant, Page, PageQuery
from konectom.workflows.campaigns.decisions import STATES


class Counts(fields.Dict):
    """Numbers by name."""

    def __init__(self, means: str) -> None:
        super().__init__(keys=fields.String(), values=fields.Integer(), required=True, metadata={"description": means})


class NewCampaign(Schema):
    """Which recordings; every field narrows."""

    study = fields.UUID(required=True)
    patient = fields.UUID(metadata={"description": "Of this patient only."})
    assessment = fields.String(metadata={"example": "pinch"})
    version = fields.Integer(
        strict=True, metadata={"description": "Only recordings whose newest result is of this version."}
    )
    statuses = fields.List(
        fields.String(),
        metadata={
            "description": "`processed`: with results of an older version only; `failed`, `rejected`, `parked`: "
            "without a result. By default `processed` and `failed`.",
        },
    )
    start = Instant(metadata={"description": "Only sessions that began then or later."})
    until = Instant(metadata={"description": "Only sessions that began before."})
    note = fields.String(metadata={"description": "At most 200 characters."})


class Campaign(Described):
    """Recordings that are computed again, and how far that has come."""

    id = fields.UUID(required=True)
    study = fields.UUID(required=True, allow_none=True)
    patient = fields.UUID(required=True, allow_none=True)
    assessment = fields.String(required=True, allow_none=True)
    version = fields.Integer(required=True, allow_none=True)
    statuses = fields.List(fields.String(), required=True)
    start = fields.AwareDateTime(required=True, allow_none=True)
    until = fields.AwareDateTime(required=True, allow_none=True)
    versions = Counts("By which version of each assessment it computes.")
    note = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    phase = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf(("dry_run", "running")),
        metadata={"description": "What is under way, was last, or is paused."},
    )
    chosen = Counts("Sessions and recordings that were due when it was planned.")
    counts = Counts("What has come of them so far in this phase.")
    error = fields.Dict(
        required=True, allow_none=True, metadata={"description": "Why it was paused, where the operator has to act."}
    )
    created_at = fields.AwareDateTime(required=True)
    changed_at = fields.AwareDateTime(required=True, metadata={"description": "When its state last changed."})
    active_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "When somebody last worked on it in this phase."}
    )


class Size(Described):
    """How large changes are, over the values that change."""

    median = fields.Float(required=True, allow_none=True, metadata={"description": "Within 1 %."})
    largest = fields.Float(required=True, allow_none=True)


class MeasureDifference(Described):
    """What changes of a measure."""

    key = fields.String(required=True)
    unit = fields.String(required=True)
    compared = fields.Integer(required=True, metadata={"description": "Recordings for which both versions give it."})
    changed = fields.Integer(required=True)
    changed_beyond_rounding = fields.Integer(required=True, metadata={"description": "By more than 1e-9 relative."})
    appeared = fields.Integer(required=True)
    vanished = fields.Integer(required=True)
    absolute = fields.Nested(Size, required=True)
    relative = fields.Nested(Size, required=True, metadata={"description": "To the larger of the two values."})


class VersionDifference(Described):
    """What changes between two versions of an assessment."""

    assessment = fields.String(required=True)
    from_version = fields.Integer(required=True)
    to_version = fields.Integer(required=True)
    results = fields.Integer(required=True, metadata={"description": "That were compared."})
    unchanged = fields.Integer(required=True, metadata={"description": "Measures of which nothing changes."})
    measures = fields.List(fields.Nested(MeasureDifference), required=True)


class VerdictDifference(Described):
    """How many recordings have which verdict before and after."""

    assessment = fields.String(required=True)
    before = fields.String(required=True, data_key="from")
    after = fields.String(required=True, data_key="to")
    recordings = fields.Integer(required=True)


class NewFailure(Described):
    """Recordings with a result that would get none from the new version."""

    assessment = fields.String(required=True)
    status = fields.String(required=True)
    code = fields.String(required=True)
    recordings = fields.Integer(required=True)


class Recovery(Described):
    """Recordings without a result that would get one."""

    assessment = fields.String(required=True)
    status = fields.String(required=True, metadata={"description": "What they are now."})
    recordings = fields.Integer(required=True)


class Report(Described):
    """What a dry run found."""

    assessments = fields.List(fields.Nested(VersionDifference), required=True)
    verdicts = fields.List(fields.Nested(VerdictDifference), required=True)
    failures = fields.List(fields.Nested(NewFailure), required=True)
    recovered = fields.List(fields.Nested(Recovery), required=True)


class ReportedCampaign(Campaign):
    """A campaign with the report of its dry run, null before that and after an erasure among its patients."""

    report = fields.Nested(Report, required=True, allow_none=True)


class CampaignsQuery(PageQuery):
    """Which campaigns."""

    study = fields.UUID()
    state = fields.String(validate=validate.OneOf(STATES))


class CampaignPage(Page):
    """A page of campaigns, as they were planned."""

    items = fields.List(fields.Nested(Campaign), required=True)
