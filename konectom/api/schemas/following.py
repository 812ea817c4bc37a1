"""How scores are followed: schedules, adherence, alerts."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from konectom.api.schemas import WITHHELD, Described
from konectom.api.schemas.pages import Page, PageQuery
from konectom.workflows.following.alerts import STATUSES
from konectom.workflows.following.findings import KINDS

DATE = {"example": "2026-11-22"}


class NewSchedule(Schema):
    """What is due, and how often."""

    assessment = fields.String(required=True, metadata={"example": "cps"})
    patient = fields.UUID(metadata={"description": "For this patient only, instead of the study's."})
    start = fields.String(required=True, metadata=DATE | {"description": "The day from which it holds."})
    until = fields.String(allow_none=True, metadata=DATE | {"description": "The last day."})
    times = fields.Integer(strict=True, metadata={"description": "Days with a test in each period; 1 by default."})
    per_days = fields.Integer(strict=True, metadata={"description": "Length of a period; 7 by default."})
    tolerance_days = fields.Integer(strict=True, metadata={"description": "Days after a period to make up for it."})
    time_zone = fields.String(metadata={"description": "Whose days count; UTC by default.", "example": "Europe/Paris"})


class Schedule(Described):
    """What is due, and how often, by local calendar days."""

    id = fields.UUID(required=True)
    study = fields.UUID(required=True)
    patient = fields.UUID(required=True, allow_none=True)
    assessment = fields.String(required=True)
    start = fields.Date(required=True)
    until = fields.Date(required=True, allow_none=True)
    times = fields.Integer(required=True)
    per_days = fields.Integer(required=True)
    tolerance_days = fields.Integer(required=True)
    time_zone = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)


class SchedulePage(Page):
    """A page of schedules, by assessment."""

    items = fields.List(fields.Nested(Schedule), required=True)


class SchedulesQuery(PageQuery):
    """Whose schedules."""

    patient = fields.UUID(metadata={"description": "Those that hold for this patient."})


class Period(Described):
    """One period of a schedule. While it, or its tolerance, runs, nothing is missed."""

    start = fields.Date(required=True)
    days = fields.Integer(required=True)
    due = fields.Integer(required=True)
    done = fields.Integer(required=True)
    late = fields.Integer(required=True)
    missed = fields.Integer(required=True)
    open = fields.Boolean(required=True)


class Sums(Described):
    """How a schedule was kept, over the periods that are closed."""

    due = fields.Integer(required=True)
    done = fields.Integer(required=True)
    late = fields.Integer(required=True)
    missed = fields.Integer(required=True)
    extra = fields.Integer(required=True, metadata={"description": "Days with a test beyond what was due."})
    share = fields.Float(required=True, allow_none=True, metadata={"description": "(done + late) / due."})
    lapsed_since = fields.Date(
        required=True, allow_none=True, metadata={"description": "Last day with a test, if too long ago."}
    )


class Kept(Schedule, Sums):
    """A schedule, and how it was kept; the sums are over the periods that are closed."""

    holds_from = fields.Date(
        required=True, metadata={"description": "The patient's first day: a study's schedule may be older."}
    )
    periods = fields.List(fields.Nested(Period), required=True, metadata={"description": "The last 60."})


class Adherence(Described):
    """How a patient keeps the schedules that hold for the patient."""

    patient = fields.UUID(required=True)
    schedules = fields.List(fields.Nested(Kept), required=True)
    withheld = fields.List(fields.String(), required=True, metadata=WITHHELD)


class AlertsQuery(PageQuery):
    """Which alerts."""

    status = fields.String(load_default="open", validate=validate.OneOf(STATUSES))
    kind = fields.String(validate=validate.OneOf(KINDS))
    patient = fields.UUID(metadata={"description": "Only those of this patient."})


class Alert(Described):
    """Something to look at."""

    id = fields.UUID(required=True)
    study = fields.UUID(required=True)
    patient = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    key = fields.String(required=True, metadata={"description": "The score, the scale or the assessment."})
    at = fields.AwareDateTime(required=True, metadata={"description": "When it happened."})
    message = fields.String(required=True)
    evidence = fields.Dict(
        required=True, metadata={"description": "What it rests on; of a change the event and its whole definition."}
    )
    found_at = fields.AwareDateTime(required=True)
    ended_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "When it was no longer found."}
    )
    acknowledged_at = fields.AwareDateTime(required=True, allow_none=True)
    acknowledged_by = fields.String(required=True, allow_none=True)
    note = fields.String(required=True, allow_none=True)


class AlertPage(Page):
    """A page of alerts, in the order in which they were found."""

    items = fields.List(fields.Nested(Alert), required=True)
    pending = fields.Integer(
        required=True,
        metadata={"description": "Patients of whom something came that was not looked through yet: ask again."},
    )


class Acknowledgement(Schema):
    """What was made of an alert."""

    note = fields.String(metadata={"description": "At most 200 characters."})


class NewPolicy(Schema):
    """How a study wants its scores followed; what is not named has its default."""

    version = fields.Raw(load_default=1)
    window_days = fields.Raw(metadata={"description": "Length of a window; 14 by default."})
    tests_min = fields.Raw(metadata={"description": "Usable tests from which a window has a value; 3 by default."})
    widest_days = fields.Raw(metadata={"description": "Windows are widened up to this where tests come rarely."})
    statistic = fields.Raw(metadata={"description": "`median` or `mean` of a window."})
    verdicts = fields.Raw(metadata={"description": "Which recordings count: `valid`, `limited`."})
    run_in = fields.Raw(metadata={"description": "First runs that do not count, by assessment."})
    taken = fields.Raw(metadata={"description": "`window` or `each`, by assessment or scale."})
    definition = fields.Raw(allow_none=True, metadata={"description": "Of confirmed change, for windowed scores."})
    definitions = fields.Raw(metadata={"description": "The same by score, assessment or scale."})
    noise = fields.Raw(metadata={"description": "Where noise is taken from, in order of preference."})
    trend_min = fields.Raw(metadata={"description": "Fewest aggregates for a slope."})
    lapse_days = fields.Raw(metadata={"description": "Days without a test after which the verdict says so."})
    relapses_since = fields.Raw(
        allow_none=True,
        metadata={
            "description": "Day from which on every relapse is on record; else none is called independent of them."
        },
    )


class Policy(Described):
    """How a study's scores are followed, in full."""

    version = fields.Integer(required=True)
    window_days = fields.Float(required=True)
    tests_min = fields.Integer(required=True)
    widest_days = fields.Float(required=True)
    statistic = fields.String(required=True)
    verdicts = fields.List(fields.String(), required=True)
    run_in = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    taken = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    definition = fields.String(required=True, allow_none=True)
    definitions = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    noise = fields.List(fields.String(), required=True)
    trend_min = fields.Integer(required=True)
    lapse_days = fields.Float(required=True)
    relapses_since = fields.Date(required=True, allow_none=True)
