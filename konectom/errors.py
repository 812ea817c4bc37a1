"""Everything konectom refuses, as one tree.

::

    KonectomError
    ├── BodyError                  the request body as a whole cannot be used
    │   ├── BodyTooLarge           413  body_too_large
    │   ├── BatchTooLong           413  batch_too_long
    │   ├── BatchInvalid           400  batch_invalid
    │   ├── InflatedTooLarge       413  inflated_too_large
    │   ├── InflationRatioExceeded 413  inflation_ratio_exceeded
    │   ├── CompressionCorrupt     400  compression_corrupt
    │   ├── EncodingUnsupported    415  encoding_unsupported
    │   ├── NotJson                400  not_json
    │   ├── BodyDamaged            400  body_damaged
    │   └── FormatUnknown          415  format_unknown
    ├── DataError                  422  what the body says is wrong somewhere
    │   ├── FieldMissing                field_missing
    │   ├── FieldInvalid                field_invalid
    │   ├── AssessmentUnknown           assessment_unknown
    │   ├── ScaleUnknown                scale_unknown
    │   ├── NothingUsable               nothing_usable
    │   ├── TooManyRecordings           too_many_recordings
    │   ├── TooManySamples              too_many_samples
    │   └── StreamError                 a stream of samples or events is wrong
    │       ├── StreamMissing           stream_missing
    │       ├── StreamUnknown           stream_unknown
    │       ├── ColumnMissing           column_missing
    │       ├── ColumnInvalid           column_invalid
    │       ├── LengthMismatch          stream_length_mismatch
    │       ├── TimeMissing             time_missing
    │       ├── TimeNotFinite           time_not_finite
    │       ├── UnitMissing             unit_missing
    │       ├── UnitInvalid             unit_invalid
    │       ├── MemberInvalid           member_invalid
    │       └── AudioUndecodable        audio_undecodable
    ├── AccessError
    │   ├── NotAuthenticated       401  not_authenticated
    │   │   └── SecondFactorNeeded 401  second_factor_needed
    │   │   ├── EnrolmentRefused        enrolment_refused
    │   │   ├── RenewalRefused          renewal_refused
    │   │   └── RenewalSuperseded       renewal_superseded
    │   ├── NotPermitted           403  not_permitted
    │   ├── ConsentMissing         403  consent_missing
    │   ├── ConsentWithdrawn       403  consent_withdrawn
    │   ├── PatientRestricted      403  patient_restricted
    │   └── NotFound               404  not_found
    ├── ConflictError              409
    │   ├── DigestConflict              session_digest_conflict
    │   ├── SessionIdTaken              session_id_taken
    │   ├── AlreadyExists               already_exists
    │   ├── LastAdministrator           last_administrator
    │   ├── EnrolmentUsed               enrolment_used
    │   ├── CampaignState               campaign_state
    │   ├── CampaignOutdated            campaign_outdated
    │   ├── QuarantineEnded             quarantine_ended
    │   └── ObservationConflict         observation_conflict
    ├── UploadError                an upload that comes in pieces
    │   ├── UploadOffsetWrong      409  upload_offset_wrong
    │   ├── UploadGone             410  upload_gone
    │   ├── UploadsTooMany         429  uploads_too_many
    │   ├── ChecksumUnsupported    400  checksum_unsupported
    │   └── ChecksumMismatch       460  checksum_mismatch
    └── OperationError             the operator has to act
        ├── SettingInvalid         500  setting_invalid
        ├── SettingUnsafe          500  setting_unsafe
        ├── MigrationNeeded        503  migration_needed
        ├── CatalogueChanged       503  catalogue_changed
        ├── AuditBroken            503  audit_broken
        ├── ExtraMissing           501  extra_missing
        ├── WorkersLost            503  workers_lost
        ├── WorkersDiffer          503  workers_differ
        ├── KeysMissing            503  keys_missing
        ├── KeysInvalid            503  keys_invalid
        ├── KeyInUse               409  key_in_use
        ├── TargetInUse            409  target_in_use
        ├── SourceChanged          409  source_changed
        ├── TransferBroken         409  transfer_broken
        ├── BackupInvalid          409  backup_invalid
        ├── StoreUnavailable       503  store_unavailable
        │   ├── SealBroken              seal_broken
        │   └── StoreFull               store_full
        ├── ProcessingParked       500  processing_parked
        ├── TooSlow                503  too_slow
        └── TooBusy                503  too_busy

``code`` never changes once released; ``detail`` is for people and may. ``at`` is a JSON pointer (RFC 6901) into the
body that was sent, or into the query (``/query/limit``).
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID


class KonectomError(Exception):
    """Base of all refusals: a stable code, an HTTP status, a title, and where the fault lies."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Error"
    private: ClassVar[bool] = False
    """Whether ``detail`` is for the operator alone: over HTTP only the kind of failure is told."""

    def __init__(self, detail: str, *, at: str | None = None, **context: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.at = at
        self.context = context

    def as_dict(self) -> dict[str, Any]:
        """Return code, pointer and detail as they stand in an answer beside a recording."""
        told: dict[str, Any] = {"code": self.code, "detail": self.detail}
        if self.at is not None:
            told["at"] = self.at
        return told | self.context


class BodyError(KonectomError):
    """The request body as a whole cannot be used."""

    status = 400


class BodyTooLarge(BodyError):
    """The body is larger than the server accepts."""

    code, status, title = "body_too_large", 413, "Body too large"


class BatchTooLong(BodyError):
    """The batch has more sessions than accepted."""

    code, status, title = "batch_too_long", 413, "Too many sessions in one batch"


class BatchInvalid(BodyError):
    """The parts of the batch cannot be told apart, or it ended before its last boundary."""

    code, title = "batch_invalid", "Batch cannot be taken apart"


class InflatedTooLarge(BodyError):
    """The body would be larger than accepted once decompressed."""

    code, status, title = "inflated_too_large", 413, "Decompressed body too large"


class InflationRatioExceeded(BodyError):
    """The body inflates far more than any recording does."""

    code, status, title = "inflation_ratio_exceeded", 413, "Compression ratio too high"


class CompressionCorrupt(BodyError):
    """The compressed body is cut short or damaged."""

    code, title = "compression_corrupt", "Compressed body is damaged"


class EncodingUnsupported(BodyError):
    """The Content-Encoding is none of those accepted."""

    code, status, title = "encoding_unsupported", 415, "Content-Encoding not supported"


class NotJson(BodyError):
    """The body is not a JSON document."""

    code, title = "not_json", "Body is not JSON"


class BodyDamaged(BodyError):
    """A binary body (Arrow, Parquet, archive) is cut short, damaged, or built in a way that is not read here."""

    code, title = "body_damaged", "Body is damaged"


class FormatUnknown(BodyError):
    """No reader recognises the document."""

    code, status, title = "format_unknown", 415, "Format not recognised"


class DataError(KonectomError):
    """What the body says is wrong somewhere."""

    code, status, title = "data_invalid", 422, "Data invalid"


class FieldMissing(DataError):
    """A required field is missing."""

    code, title = "field_missing", "Field missing"


class FieldInvalid(DataError):
    """A field has the wrong type or value."""

    code, title = "field_invalid", "Field invalid"


class AssessmentUnknown(DataError):
    """The named assessment does not exist here."""

    code, title = "assessment_unknown", "Assessment unknown"


class ScaleUnknown(DataError):
    """The named clinical scale does not exist here."""

    code, title = "scale_unknown", "Scale unknown"


class NothingUsable(DataError):
    """Not one recording of the session can be used."""

    code, title = "nothing_usable", "No usable recording"


class TooManyRecordings(DataError):
    """The session has more recordings or parts than accepted."""

    code, status, title = "too_many_recordings", 413, "Too many recordings"


class TooManySamples(DataError):
    """A recording has more samples than accepted."""

    code, status, title = "too_many_samples", 413, "Too many samples"


class StreamError(DataError):
    """A stream of samples or events is wrong."""


class StreamMissing(StreamError):
    """The assessment needs a stream that the recording does not have."""

    code, title = "stream_missing", "Stream missing"


class StreamUnknown(StreamError):
    """The stream's name is none that this format knows."""

    code, title = "stream_unknown", "Stream unknown"


class ColumnMissing(StreamError):
    """A stream lacks a column it must have."""

    code, title = "column_missing", "Column missing"


class ColumnInvalid(StreamError):
    """A column holds values of the wrong kind."""

    code, title = "column_invalid", "Column invalid"


class LengthMismatch(StreamError):
    """The columns of a stream differ in length."""

    code, title = "stream_length_mismatch", "Columns differ in length"


class TimeMissing(StreamError):
    """A stream has neither time stamps nor a rate."""

    code, title = "time_missing", "Time base missing"


class TimeNotFinite(StreamError):
    """A time stamp is null or not a finite number."""

    code, title = "time_not_finite", "Time stamp not finite"


class UnitMissing(StreamError):
    """A stream that has a unit does not say which."""

    code, title = "unit_missing", "Unit missing"


class UnitInvalid(StreamError):
    """The unit is unknown or does not fit the stream."""

    code, title = "unit_invalid", "Unit invalid"


class MemberInvalid(StreamError):
    """A member of the archive that holds a stream is missing, damaged, or of a kind that is not read here."""

    code, title = "member_invalid", "Member of the archive cannot be read"


class AudioUndecodable(StreamError):
    """A sound recording is empty, damaged, or in a codec that is not read here."""

    code, title = "audio_undecodable", "Audio cannot be decoded"


class AccessError(KonectomError):
    """The caller may not do this."""


class NotAuthenticated(AccessError):
    """No valid credential came with the request."""

    code, status, title = "not_authenticated", 401, "Not authenticated"


class SecondFactorNeeded(NotAuthenticated):
    """The password is right; a code of the second factor is needed besides.

    ``user_id`` and ``state`` say of whom, and on which state of the account the first factor was right. They are for
    the second step, and no answer tells them.
    """

    code, title = "second_factor_needed", "Second factor needed"

    def __init__(self, detail: str, *, user_id: UUID, state: str) -> None:
        super().__init__(detail)
        self.user_id = user_id
        self.state = state


class EnrolmentRefused(NotAuthenticated):
    """The enrolment code cannot be used: unknown, expired, void, or used by another phone."""

    code, title = "enrolment_refused", "Enrolment refused"


class RenewalRefused(NotAuthenticated):
    """The renewal secret renews nothing, or no longer."""

    code, title = "renewal_refused", "Renewal refused"


class RenewalSuperseded(NotAuthenticated):
    """The phone has renewed its token since."""

    code, title = "renewal_superseded", "Renewal superseded"


class NotPermitted(AccessError):
    """The credential does not allow this."""

    code, status, title = "not_permitted", 403, "Not permitted"


class ConsentMissing(AccessError):
    """The patient has not agreed that data of this type are collected."""

    code, status, title = "consent_missing", 403, "No consent"


class ConsentWithdrawn(AccessError):
    """The patient no longer agrees that data of this type are collected."""

    code, status, title = "consent_withdrawn", 403, "Consent withdrawn"


class PatientRestricted(AccessError):
    """What is kept of the patient, or of this type, is neither shown nor used at present, and nothing is added."""

    code, status, title = "patient_restricted", 403, "Use is restricted"


class NotFound(AccessError):
    """There is no such thing, or none that the caller may see."""

    code, status, title = "not_found", 404, "Not found"


class KeyDestroyed(NotFound):
    """The patient's key is gone, and with it all that was sealed under it; told like anything that is not there."""


class ConflictError(KonectomError):
    """The request contradicts what is already stored."""

    status = 409


class DigestConflict(ConflictError):
    """Other bytes are already stored under this session id."""

    code, title = "session_digest_conflict", "Session id already used for other bytes"


class SessionIdTaken(ConflictError):
    """The session id belongs to somebody else's session, or differs from the id inside the body."""

    code, title = "session_id_taken", "Session id not available"


class AlreadyExists(ConflictError):
    """Something of that name exists already."""

    code, title = "already_exists", "Already exists"


class CampaignState(ConflictError):
    """A campaign cannot do this in its present state."""

    code, title = "campaign_state", "Not in this state of the campaign"


class CampaignOutdated(ConflictError):
    """An assessment has another version by now than the one with which the campaign was planned."""

    code, title = "campaign_outdated", "Campaign planned for other versions"


class LastAdministrator(ConflictError):
    """Nobody would be left who can administer the installation."""

    code, title = "last_administrator", "Last administrator"


class EnrolmentUsed(ConflictError):
    """A phone was enrolled with this code already."""

    code, title = "enrolment_used", "Enrolment code used"


class QuarantineEnded(ConflictError):
    """The upload is not held in quarantine any more."""

    code, title = "quarantine_ended", "Not in quarantine any more"


class ObservationConflict(ConflictError):
    """Another value of the same scale, time and source is stored already."""

    code, title = "observation_conflict", "Contradicts a stored observation"


class UploadError(KonectomError):
    """An upload that comes in pieces cannot go on like this."""

    status = 400


class UploadOffsetWrong(UploadError):
    """The bytes do not begin where the upload ends, or another request has gone on with it meanwhile."""

    code, status, title = "upload_offset_wrong", 409, "Offset differs"


class UploadGone(UploadError):
    """The upload was given up, or its time is over."""

    code, status, title = "upload_gone", 410, "Upload is gone"


class UploadsTooMany(UploadError):
    """The patient has as many unfinished uploads, or bytes in them, as there may be."""

    code, status, title = "uploads_too_many", 429, "Too many unfinished uploads"


class ChecksumUnsupported(UploadError):
    """The checksum cannot be read, or is of an algorithm that is not known here."""

    code, title = "checksum_unsupported", "Checksum not supported"


class ChecksumMismatch(UploadError):
    """The bytes that came do not have the checksum that was told."""

    code, status, title = "checksum_mismatch", 460, "Checksum mismatch"


class OperationError(KonectomError):
    """The operator has to act."""


class SettingInvalid(OperationError):
    """A setting has a value that cannot be used."""

    code, title = "setting_invalid", "Setting invalid"


class SettingUnsafe(OperationError):
    """A setting, or who may read a file, is not fit for patients' data."""

    code, title = "setting_unsafe", "Not fit for patients' data"


class MigrationNeeded(OperationError):
    """The database schema is not the one this version needs."""

    code, status, title = "migration_needed", 503, "Database migration needed"


class CatalogueChanged(OperationError):
    """An assessment's declaration changed without a new version."""

    code, status, title = "catalogue_changed", 503, "Catalogue changed without a new version"


class AuditBroken(OperationError):
    """The audit was changed from outside, so that nothing can be written to it."""

    code, status, title = "audit_broken", 503, "Audit broken"


class ExtraMissing(OperationError):
    """What was asked for needs a package that is not installed here."""

    code, status, title = "extra_missing", 501, "Optional package not installed"


class KeysMissing(OperationError):
    """The installation's keys are not there, or not the one that is needed."""

    code, status, title, private = "keys_missing", 503, "Keys missing", True


class KeysInvalid(OperationError):
    """The installation's keys cannot be used: damaged, or others could read them."""

    code, status, title, private = "keys_invalid", 503, "Keys cannot be used", True


class KeyInUse(OperationError):
    """A key cannot be retired: something is still sealed under it."""

    code, status, title = "key_in_use", 409, "Key in use"


class TargetInUse(OperationError):
    """What was to be filled holds something already."""

    code, status, title = "target_in_use", 409, "Target in use"


class SourceChanged(OperationError):
    """What was being copied was changed meanwhile."""

    code, status, title = "source_changed", 409, "Source changed meanwhile"


class TransferBroken(OperationError):
    """A copy cannot be gone on with, or did not become what was copied."""

    code, status, title = "transfer_broken", 409, "Copy not whole"


class BackupInvalid(OperationError):
    """A backup is not whole, was damaged, or is of another installation."""

    code, status, title = "backup_invalid", 409, "Backup not usable"


class StoreUnavailable(OperationError):
    """The database or the object store cannot be used at present."""

    code, status, title = "store_unavailable", 503, "Storage not available"


class SealBroken(StoreUnavailable):
    """Something that is stored sealed was changed or damaged, or belongs elsewhere."""

    code, title = "seal_broken", "Stored data damaged"


class StoreFull(StoreUnavailable):
    """Too little room is left, so that nothing is accepted that could not be kept."""

    code, title = "store_full", "Storage full"


class ProcessingParked(OperationError):
    """What was tried several times to be computed, and is not tried any more; its bytes are kept."""

    code, status, title = "processing_parked", 500, "Given up"


class WorkersLost(OperationError):
    """The processes that compute for a campaign cannot be reached, or end at once."""

    code, status, title = "workers_lost", 503, "Workers lost"


class WorkersDiffer(OperationError):
    """A process that computes for a campaign has another release of the assessments."""

    code, status, title = "workers_differ", 503, "Workers have other versions"


class TooSlow(OperationError):
    """The database was stopped at the limit of time that one question may take."""

    code, status, title = "too_slow", 503, "Answer takes too long"


class TooBusy(OperationError):
    """As many passwords as may be are being looked at; nothing of this one was counted."""

    code, status, title = "too_busy", 503, "Too busy at present"


def pointer_token(name: object) -> str:
    """Return a name as it stands in a JSON pointer (RFC 6901)."""
    return str(name).replace("~", "~0").replace("/", "~1")


def every_error() -> tuple[type[KonectomError], ...]:
    """Return each error that has a code of its own, in the order of the tree."""
    found: list[type[KonectomError]] = []

    def walk(parent: type[KonectomError]) -> None:
        for child in parent.__subclasses__():
            if "code" in vars(child):
                found.append(child)
            walk(child)

    walk(KonectomError)
    return tuple(found)


def error_class(code: str) -> type[KonectomError]:
    """Return the error whose code is ``code``."""
    return {error.code: error for error in every_error()}[code]
