"""A patient's scores over time, and what follows from them."""

from __future__ import annotations

from marshmallow import fields, validate

from konectom.api.schemas import WITHHELD, Described
from konectom.api.schemas.following import Sums
from konectom.api.schemas.pages import Instant, Query
from konectom.scoring.followed import FATES

BETTER = validate.OneOf(("higher", "lower", None))
INSTANT = {"description": "ISO 8601, in UTC."}


class SummaryQuery(Query):
    """As of when."""

    end = Instant(data_key="to", metadata={"description": "As of when; what came later does not count."})


class TrendsQuery(SummaryQuery):
    """Which scores, when, and how they are followed."""

    as_of = Instant(
        metadata={
            "description": "As it was known at this instant: what came here or was computed later does not count."
        }
    )
    measure = fields.String(
        metadata={
            "description": "A score's key, or a quantity for all its scores; without it every score.",
            "example": "tap.valid_taps",
        },
    )
    start = Instant(
        data_key="from",
        metadata={"description": "Leaves out of the answer what lies before it. A baseline stays what it was."},
    )
    window = fields.Float(
        validate=validate.Range(min=1, max=366),
        metadata={"description": "Length of the windows in days, instead of the study's."},
    )
    definition = fields.String(
        metadata={
            "description": "Definition of confirmed change, instead of the study's; `/definitions` lists them.",
            "example": "edss-cdw-24w/1",
        },
    )


class Score(Described):
    """How a score is declared."""

    key = fields.String(required=True, metadata={"example": "tap.valid_taps[left]"})
    measure = fields.String(required=True)
    unit = fields.String(required=True)
    better = fields.String(required=True, allow_none=True, validate=BETTER)
    title = fields.String(required=True)
    source = fields.String(required=True, validate=validate.OneOf(("assessment", "observation")))
    assessment = fields.String(required=True, metadata={"description": "Or the code of the observations."})
    assessment_title = fields.String(required=True)


class Level(Described):
    """An aggregate that is compared: the baseline, or the present value."""

    index = fields.Integer(required=True, metadata={"description": "Its place among the aggregates."})
    at = fields.AwareDateTime(required=True, metadata=INSTANT)
    start_at = fields.AwareDateTime(required=True)
    end_at = fields.AwareDateTime(required=True)
    value = fields.Float(required=True)
    n = fields.Integer(required=True, metadata={"description": "Tests in it."})


class Change(Described):
    """The change from baseline to the present value; what is null has its reason in `absent`."""

    direction = fields.String(required=True, validate=validate.OneOf(("worse", "better", "same", "changed")))
    amount = fields.Float(required=True, metadata={"description": "In the score's unit."})
    share = fields.Float(required=True, allow_none=True, metadata={"description": "Of the baseline; 0.1 is 10 %."})
    sem = fields.Float(required=True, allow_none=True)
    mdc95 = fields.Float(required=True, allow_none=True, metadata={"description": "Smallest detectable change."})
    mdc90 = fields.Float(required=True, allow_none=True)
    reliable = fields.Boolean(required=True, allow_none=True, metadata={"description": "More than `mdc95`."})
    rci = fields.Float(required=True, allow_none=True, metadata={"description": "Reliable change index."})
    rci_practised = fields.Float(required=True, allow_none=True)
    important = fields.Boolean(required=True, allow_none=True)
    absent = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class Slope(Described):
    """Theil and Sen's slope per year with its 95 % interval; Mann and Kendall's test."""

    per_year = fields.Float(required=True)
    low = fields.Float(required=True)
    high = fields.Float(required=True)
    intercept = fields.Float(required=True)
    origin_at = fields.AwareDateTime(required=True)
    n = fields.Integer(required=True)
    s = fields.Float(required=True)
    variance = fields.Float(required=True)
    z = fields.Float(required=True)
    p = fields.Float(required=True)
    inflation = fields.Float(required=True, metadata={"description": "Of the variance, by autocorrelation."})
    lag1 = fields.Float(required=True, allow_none=True, metadata={"description": "Autocorrelation at one step."})
    thinned_from = fields.Integer(required=True, allow_none=True)


class Verdict(Described):
    """The one line that a clinician reads."""

    code = fields.String(required=True, metadata={"example": "no_change"})
    words = fields.String(required=True)
    since_at = fields.AwareDateTime(required=True, allow_none=True)
    lapsed_since_at = fields.AwareDateTime(required=True, allow_none=True)


class Followed(Score):
    """A score, its baseline, its present value, and the verdict."""

    baseline = fields.Nested(Level, required=True, allow_none=True)
    now = fields.Nested(Level, required=True, allow_none=True)
    change = fields.Nested(Change, required=True, allow_none=True)
    slope = fields.Nested(Slope, required=True, allow_none=True)
    verdict = fields.Nested(Verdict, required=True)


class Limit(Described):
    """A limit of a norm, and whether the value lies beyond it."""

    value = fields.Float(required=True)
    beyond = fields.String(required=True, validate=validate.OneOf(("above", "below")))
    means = fields.String(required=True)
    passed = fields.Boolean(required=True, allow_none=True)


class Compared(Described):
    """The present value beside a norm; `outside` says why nothing is given."""

    norm = fields.String(required=True, metadata={"example": "sixmwt_enright_1998/1"})
    source = fields.String(required=True)
    z = fields.Float(required=True, allow_none=True)
    percentile = fields.Float(required=True, allow_none=True)
    predicted = fields.Float(required=True, allow_none=True)
    share_of_predicted = fields.Float(required=True, allow_none=True)
    limit = fields.Nested(Limit, required=True, allow_none=True)
    outside = fields.String(required=True, allow_none=True)
    notes = fields.List(fields.String(), required=True)


class Point(Described):
    """One value in time, and what became of it."""

    session = fields.UUID(required=True, allow_none=True)
    recording = fields.Integer(required=True, allow_none=True, metadata={"description": "Its index in the session."})
    observation = fields.UUID(required=True, allow_none=True)
    source = fields.String(required=True, allow_none=True, metadata={"description": "The observation's."})
    at = fields.AwareDateTime(required=True, metadata={"description": "When it was taken, local time."})
    value = fields.Float(required=True)
    verdict = fields.String(required=True, validate=validate.OneOf(("valid", "limited", "invalid")))
    flags = fields.List(fields.String(), required=True, metadata={"description": "Codes of the flags."})
    version = fields.Integer(required=True, metadata={"description": "Of the assessment, or of the scale's rules."})
    run = fields.Integer(required=True, metadata={"description": "The how-manieth test of its kind it was."})
    fate = fields.String(required=True, validate=validate.OneOf(FATES))
    aggregate = fields.Integer(required=True, allow_none=True, metadata={"description": "Into which it went."})


class Aggregate(Described):
    """A window of days, or one value that stands alone."""

    index = fields.Integer(required=True)
    start = fields.AwareDateTime(required=True)
    end = fields.AwareDateTime(required=True)
    at = fields.AwareDateTime(required=True, metadata={"description": "Mean time of its tests."})
    value = fields.Float(required=True, allow_none=True)
    n = fields.Integer(required=True)
    spread = fields.Float(required=True, allow_none=True)
    absent = fields.String(required=True, allow_none=True, metadata={"description": "Why it has no value."})


class Reason(Described):
    """Why something is missing."""

    code = fields.String(required=True)
    message = fields.String(required=True)


class RunIn(Described):
    """How many first runs do not count, and why."""

    runs = fields.Integer(required=True)
    source = fields.String(required=True)


class Bands(Described):
    """What lies between may be chance."""

    low = fields.Float(required=True)
    high = fields.Float(required=True)


class Trend(Followed):
    """One score over time, oldest first, with all that follows from it; what is null has its reason in `absent`."""

    condition = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    statistic = fields.String(required=True, allow_none=True)
    versions = fields.List(fields.Integer(), required=True, metadata={"description": "Versions among the points."})
    version = fields.Integer(
        required=True, allow_none=True, metadata={"description": "The one whose values are compared."}
    )
    points = fields.List(fields.Nested(Point), required=True)
    aggregates = fields.List(fields.Nested(Aggregate), required=True)
    window_days = fields.Float(required=True)
    run_in = fields.Nested(RunIn, required=True)
    bands = fields.Nested(Bands, required=True, allow_none=True)
    noise = fields.Dict(required=True, allow_none=True, metadata={"description": "And where it is known from."})
    learning = fields.Dict(required=True, allow_none=True, metadata={"description": "The curve of practice."})
    definition = fields.Dict(required=True, allow_none=True, metadata={"description": "Of the events, in full."})
    events = fields.List(fields.Dict(), required=True, metadata={"description": "Confirmed changes, by onset."})
    norms = fields.List(fields.Nested(Compared), required=True)
    absent = fields.Dict(keys=fields.String(), values=fields.Nested(Reason), required=True)
    notes = fields.List(fields.String(), required=True)
    plausible = fields.List(fields.Float(), required=True, allow_none=True)


class Trends(Described):
    """A patient's scores over time: computed ones in the order in which they are declared, then observed ones."""

    patient = fields.UUID(required=True)
    trends = fields.List(fields.Nested(Trend), required=True)
    withheld = fields.List(fields.String(), required=True, metadata=WITHHELD)


class Line(Followed):
    """One score in one line."""

    values = fields.Integer(required=True, metadata={"description": "How many there are."})
    last_at = fields.AwareDateTime(required=True, allow_none=True)
    norms = fields.List(fields.Nested(Compared), required=True)
    notes = fields.List(fields.String(), required=True)


class ScheduleLine(Sums):
    """One schedule in one line."""

    schedule = fields.UUID(required=True)
    assessment = fields.String(required=True)


class Summary(Described):
    """A patient in one line per score."""

    patient = fields.UUID(required=True)
    as_of = fields.AwareDateTime(required=True)
    scores = fields.List(fields.Nested(Line), required=True)
    schedules = fields.List(fields.Nested(ScheduleLine), required=True)
    open_alerts = fields.Integer(
        required=True, metadata={"description": "Alerts found by then, neither acknowledged nor over."}
    )
    withheld = fields.List(fields.String(), required=True, metadata=WITHHELD)


class Definitions(Described):
    """The definitions of confirmed change, in full."""

    items = fields.List(fields.Dict(), required=True)


class Norms(Described):
    """The norms, each with its source, its population and its numbers."""

    items = fields.List(fields.Dict(), required=True)
