"""The tables.

``people`` are studies, patients and phones, ``access`` who may come in, ``data`` sessions and what was computed from
them, ``uploads`` those that are still coming, ``campaigns`` what is computed again, ``following`` what serves the
following of scores over years, ``audit`` who did or saw what.
Rows of :data:`IMMUTABLE` tables are written once (:mod:`konectom.storage.guard`); a newer version adds rows.
"""

from konectom.storage.models.access import (
    BreakGlass,
    CareMember,
    CarePatient,
    CareTeam,
    DeviceCredential,
    Enrolment,
    GrantRow,
    Invitation,
    Login,
    RecoveryCode,
    Renewal,
    ServiceToken,
    User,
)
from konectom.storage.models.audit import AuditHead, AuditRow
from konectom.storage.models.base import NAMES, SECRET, Base, Json
from konectom.storage.models.campaigns import Campaign, EarlierOutcome
from konectom.storage.models.data import (
    Arrival,
    Blob,
    CatalogueRow,
    MeasureRow,
    QuarantineRow,
    RecordingRow,
    ResultRow,
    ScoreRow,
    SessionRow,
)
from konectom.storage.models.following import Alert, NoiseRow, Observation, ObservedRow, Review, Schedule
from konectom.storage.models.people import (
    Consent,
    ConsentForm,
    Device,
    Erasure,
    Identity,
    Patient,
    PatientKey,
    Residue,
    Site,
    Study,
)
from konectom.storage.models.uploads import Upload, UploadPiece

IMMUTABLE = (AuditRow, Blob, CatalogueRow, EarlierOutcome, Erasure, ResultRow, MeasureRow, ScoreRow, NoiseRow)
"""Rows of these are written once and never changed."""

ERASABLE = (Blob, EarlierOutcome, ResultRow, ScoreRow, NoiseRow)
"""Of these, rows go with the patient who is erased, or are computed from a study's patients and go with any of them."""

__all__ = [
    "ERASABLE",
    "IMMUTABLE",
    "NAMES",
    "SECRET",
    "Alert",
    "Arrival",
    "AuditHead",
    "AuditRow",
    "Base",
    "Blob",
    "BreakGlass",
    "Campaign",
    "CareMember",
    "CarePatient",
    "CareTeam",
    "CatalogueRow",
    "Consent",
    "ConsentForm",
    "Device",
    "DeviceCredential",
    "EarlierOutcome",
    "Enrolment",
    "Erasure",
    "GrantRow",
    "Identity",
    "Invitation",
    "Json",
    "Login",
    "MeasureRow",
    "NoiseRow",
    "Observation",
    "ObservedRow",
    "Patient",
    "PatientKey",
    "QuarantineRow",
    "RecordingRow",
    "RecoveryCode",
    "Renewal",
    "Residue",
    "ResultRow",
    "Review",
    "Schedule",
    "ScoreRow",
    "ServiceToken",
    "SessionRow",
    "Site",
    "Study",
    "Upload",
    "UploadPiece",
    "User",
]
