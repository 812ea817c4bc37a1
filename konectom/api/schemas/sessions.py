"""Sessions: what one uploads, and what comes back."""

from __future__ import annotations

from marshmallow import INCLUDE, Schema, fields, validate

from konectom.api.schemas import WITHHELD, Described
from konectom.api.schemas.pages import Instant, PageQuery, Place, Query
from konectom.api.schemas.problem import Problem
from konectom.assessments.base import REASONS
from konectom.workflows.sessions.known import MOST, STATES

DIGEST = {
    "description": "sha256 of the body's bytes as they were received, still compressed if so sent.",
    "example": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}


NO_DIGEST = "must be sha256: and 64 hexadecimal digits in lower case"
RECORDING_STATUSES = ("received", "processed", "rejected", "failed", "parked")
SESSION_STATUSES = RECORDING_STATUSES


class UploadQuery(Query):
    """For whom a member of staff uploads."""

    patient = fields.UUID(
        metadata={"description": "The patient; staff must say it, a phone's token already does."},
    )


class UploadHeaders(Schema):
    """How the body is sent."""

    encoding = fields.String(
        data_key="Content-Encoding",
        metadata={
            "description": "How the body is compressed; without it the body's first bytes tell.",
            "enum": ["gzip", "zstd", "identity"],
        },
    )


class SessionQuery(Query):
    """How much of a session to tell, and of when."""

    as_of = Instant(
        metadata={"description": "What was known at this instant: results of then, not those that came since."}
    )
    measures = fields.String(
        load_default="scores",
        validate=validate.OneOf(("scores", "all")),
        metadata={"description": "`all` adds every measure to the few scores."},
    )


class SessionsQuery(PageQuery):
    """Which sessions to list."""

    since = Instant(
        metadata={"description": "Only from the first session on that was received at or after this instant."},
    )
    status = fields.String(
        validate=validate.OneOf(SESSION_STATUSES),
        metadata={"description": "Only those of this status; `parked` also where one of their recordings is."},
    )


class Flag(Described):
    """A quality rule that was met."""

    code = fields.String(required=True, metadata={"example": "tap.too_few_taps"})
    kind = fields.String(required=True, validate=validate.OneOf(("technical", "behavioural")))
    severity = fields.String(required=True, validate=validate.OneOf(("info", "warning", "error")))
    to = fields.String(
        required=True,
        validate=validate.OneOf(("patient", "clinician")),
        metadata={"description": "Whom the message is for: what a patient can do nothing about is for the clinician."},
    )
    message = fields.String(required=True, metadata={"description": "What happened and, for patients, what to do."})
    evidence = fields.Dict(required=True, metadata={"description": "The numbers that show it."})
    aliases = fields.Dict(keys=fields.String(), values=fields.String())


class Quality(Described):
    """Whether the recording counts, and why not."""

    verdict = fields.String(required=True, validate=validate.OneOf(("valid", "limited", "invalid")))
    flags = fields.List(fields.Nested(Flag), required=True)


class Score(Described):
    """One measured number."""

    measure = fields.String(required=True, metadata={"example": "tap.valid_taps"})
    condition = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    statistic = fields.String(required=True, allow_none=True)
    value = fields.Float(required=True)
    unit = fields.String(required=True)


class Value(Score):
    """One measured number, with the names that public libraries give it."""

    aliases = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class RecordingError(Described):
    """Why a recording was not processed; it may carry further facts."""

    class Meta:
        """Some errors add facts of their own, such as the limit that was exceeded."""

        unknown = INCLUDE

    code = fields.String(required=True)
    at = fields.String(metadata={"description": "JSON pointer into the body that was sent."})
    detail = fields.String(required=True)


class ReceivedRecording(Described):
    """What became of one recording."""

    index = fields.Integer(required=True, metadata={"description": "Its place in the body's `recordings`."})
    assessment = fields.String(required=True, allow_none=True)
    status = fields.String(
        required=True,
        validate=validate.OneOf(RECORDING_STATUSES),
        metadata={
            "description": "`received`: not computed yet. `rejected`: its data are wrong. `failed`: we are. `parked`: "
            "it was given up after several tries. The bytes are kept in any case."
        },
    )
    error = fields.Nested(RecordingError, metadata={"description": "Where it was not processed."})
    version = fields.Integer(metadata={"description": "The assessment's version that computed the values."})
    condition = fields.Dict(keys=fields.String(), values=fields.String())
    quality = fields.Nested(Quality)
    scores = fields.List(fields.Nested(Score))
    measures = fields.List(fields.Nested(Value), metadata={"description": "With `measures=all`."})
    withheld = fields.List(fields.String(), metadata=WITHHELD)
    absent = fields.Dict(
        keys=fields.String(),
        values=fields.String(validate=validate.OneOf(tuple(REASONS))),
        metadata={"description": "With `measures=all`: why an expected measure has no value, by key."},
    )


class SessionLine(Described):
    """A session as it stands in a list: enough to compare with what a phone still holds."""

    id = fields.UUID(required=True)
    digest = fields.String(required=True, metadata=DIGEST)
    status = fields.String(
        required=True,
        validate=validate.OneOf(SESSION_STATUSES),
        metadata={
            "description": "`received`: kept, not computed yet; ask again. `processed`: at least one recording is. "
            "Else what stands for all of them: `rejected`, `failed` or `parked`."
        },
    )
    patient = fields.UUID(required=True)
    started_at = fields.AwareDateTime(required=True, metadata={"description": "In the phone's local time."})
    time_zone = fields.String(required=True, allow_none=True, metadata={"example": "Europe/Paris"})
    received_at = fields.AwareDateTime(required=True)
    format = fields.String(required=True, metadata={"example": "konectom.session/1"})
    held_since = fields.AwareDateTime(
        metadata={"description": "When the bytes first came, where they were in quarantine before they could be used."}
    )


class Receipt(SessionLine):
    """What arrived and what became of it; the same for the upload and for every later look."""

    error = fields.Nested(RecordingError, metadata={"description": "Where the session as a whole cannot be computed."})
    recordings = fields.List(fields.Nested(ReceivedRecording), required=True)


class SessionPage(Place):
    """A page of sessions."""

    items = fields.List(fields.Nested(SessionLine), required=True)


class BatchedSession(Described):
    """What came of one session of a batch."""

    id = fields.UUID(
        required=True, allow_none=True, metadata={"description": "The part's name; `null` where it is no UUID."}
    )
    status = fields.Integer(
        required=True, metadata={"description": "The status that `PUT` would have answered.", "example": 201}
    )
    receipt = fields.Nested(Receipt, metadata={"description": "With 201 and 200."})
    error = fields.Nested(
        Problem, metadata={"description": "With any other status; `at` begins with `/sessions/` and the part's place."}
    )


class Batch(Described):
    """What came of each session of a batch, in the order in which they were sent."""

    patient = fields.UUID(required=True)
    sessions = fields.List(fields.Nested(BatchedSession), required=True)


class HeldSession(Schema):
    """A session that the caller holds."""

    id = fields.UUID(required=True)
    digest = fields.String(
        required=True, validate=validate.Regexp(r"sha256:[0-9a-f]{64}\Z", error=NO_DIGEST), metadata=DIGEST
    )


class HeldSessions(Schema):
    """Sessions that the caller holds, to learn which of them are here."""

    sessions = fields.List(
        fields.Nested(HeldSession), required=True, validate=validate.Length(max=MOST), metadata={"maxItems": MOST}
    )


class KnownSession(Described):
    """What is here of a session that the caller holds."""

    id = fields.UUID(required=True)
    state = fields.String(
        required=True,
        validate=validate.OneOf(STATES),
        metadata={
            "description": "`stored`: these very bytes are; let go of them. `held`: they were refused, and are in "
            "quarantine; `released`: they were, and are another session now; `discarded`: they were let go of. "
            "`differs`: other bytes are stored under this id. `missing`: send them."
        },
    )
    quarantine = fields.UUID(metadata={"description": "Under which id the bytes are, or were, in quarantine."})


class KnownSessions(Described):
    """What is here of sessions that the caller holds, in the order in which they were asked for."""

    sessions = fields.List(fields.Nested(KnownSession), required=True)
