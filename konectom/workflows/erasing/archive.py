"""A portable copy of all that is kept of a patient, for the patient (GDPR, Articles 15 and 20).

What was uploaded is in it byte for byte, so that it can be handed over to another installation, or read by anybody.
What is restricted is in it too: a restriction stops the use of data, not the patient's right to have them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from konectom import __version__
from konectom.errors import NotFound, StoreUnavailable
from konectom.exports.archive import Archive
from konectom.exports.features import dictionary_csv
from konectom.security.principal import EVERYTHING
from konectom.storage.belonging import rows_of
from konectom.storage.models import Base, Blob, ConsentForm, Observation, Patient, QuarantineRow, SessionRow
from konectom.workflows.audit.trail import Which, export_audit
from konectom.workflows.consent.withheld import NOTHING
from konectom.workflows.observations.entering import show_observation
from konectom.workflows.pages import told
from konectom.workflows.patients.identity import get_identity
from konectom.workflows.patients.people import find_patient, find_study, show_study
from konectom.workflows.services import Services
from konectom.workflows.sessions.raw import Raw
from konectom.workflows.sessions.receipts import session_receipt
from konectom.workflows.tables.export import dictionary_of_patient, values_of_patient

SCHEMA = "konectom.archive/1"

HELD: Mapping[str, str] = {
    "patient": "patient.json",
    "identity": "identity.json",
    "consent": "consents.json",
    "device": "devices.json",
    "device_credential": "devices.json",
    "enrolment": "devices.json",
    "session": "sessions/",
    "quarantine": "quarantine/",
    "recording": "sessions/",
    "result": "features.csv",
    "score": "features.csv",
    "observation": "observations.json",
    "observed": "observations.json",
    "alert": "alerts.json",
    "schedule": "schedules.json",
    "care_patient": "care.json",
    "break_glass": "care.json",
    "campaign": "campaigns.json",
    "earlier_outcome": "campaigns.json",
}
"""In which file what a table holds of the patient is told."""

NOT_HELD: Mapping[str, str] = {
    "patient_key": "a secret of the installation, under which the uploads are sealed: here they are not",
    "renewal": "digests of secrets that are no longer used",
    "upload": "a session that is not whole yet: the phone has all of it",
    "upload_piece": "a session that is not whole yet: the phone has all of it",
    "review": "only says when the server last looked through the scores",
}
"""What is left out, and why."""

LISTS = {
    "devices.json": ("device", "device_credential", "enrolment"),
    "alerts.json": ("alert",),
    "schedules.json": ("schedule",),
    "care.json": ("care_patient", "break_glass"),
    "campaigns.json": ("campaign", "earlier_outcome"),
}
"""Files that hold rows as they are kept."""

README = """\
This archive holds all that konectom keeps of one patient, as of the time that manifest.json tells.

patient.json        the pseudonym, and what norms need: year of birth, sex, ...
identity.json       who the patient is, where that is kept here
consents.json       what the patient agreed to, refused or withdrew, and the texts that were agreed to
devices.json        the phones
sessions/ID/        one sitting with the phone: receipt.json tells what came of it, with every measure; the file beside
                    it is what the phone sent, byte for byte. It can be handed over to another installation:
                    PUT /api/v1/sessions/ID with the Content-Type and Content-Encoding that receipt.json tells
quarantine/ID/      an upload that could not be used: about.json tells why, and the file beside it is what was sent
features.csv        every computed value, one in a row; dictionary.csv says what each of them means
observations.json   what clinicians and laboratories found
alerts.json         what clinicians were asked to look at
schedules.json      what was due for this patient alone
care.json           the care teams, and access in emergencies
campaigns.json      what was computed again for this patient alone, and what was said of recordings before
audit.ndjson        who saw or changed any of this, when and why: one JSON object in a line
manifest.json       the name, size and SHA-256 of each file; uploads_damaged tells what could not be given

Times are ISO 8601; units are UCUM. Left out:
{left_out}
"""


ENDINGS = {
    "application/vnd.apache.arrow.file": ".arrow",
    "application/vnd.apache.arrow.stream": ".arrows",
    "application/vnd.apache.parquet": ".parquet",
    "application/vnd.konectom.session.v1+zip": ".zip",
    "application/zip": ".zip",
    "text/csv": ".csv",
}
"""How the name of a file of this type ends."""

DAMAGED = """\
What the phone sent cannot be given: {why}
The receipt beside this file tells what was computed from it. Ask those who run the study: there may be a backup.
"""


def patient_archive(services: Services, patient_id: UUID) -> Generator[bytes, None, None]:
    """Return the archive as a ZIP file, a piece at a time, from one state of the database.

    Raises :class:`~konectom.errors.NotFound` before the first byte. An upload whose bytes are damaged or lost is told
    of in its place and in the manifest. Where something else fails the archive stops without its end, and no program
    takes it for whole.
    """
    pieces = _pieces(services, patient_id)
    return _resumed(next(pieces), pieces)


def _resumed(first: bytes, rest: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    with closing(rest):  # whoever stops reading early gives the database back
        yield first
        yield from rest


def _pieces(services: Services, patient_id: UUID) -> Generator[bytes, None, None]:
    now = services.clock()
    archive = Archive(now)
    with services.db.read(within=services.settings.export_time_limit) as db:
        patient = find_patient(db, patient_id)
        study = find_study(db, patient.study_id)
        left_out = "\n".join(f"  {table}: {why}" for table, why in NOT_HELD.items())
        yield from archive.add("README.txt", README.format(left_out=left_out).encode())
        told_of = {"patient": _row(Patient.__table__, patient), "study": show_study(study)}  # type: ignore[arg-type]
        yield from archive.add_json("patient.json", told_of)
        yield from archive.add_json("identity.json", get_identity(services, patient_id))
        yield from archive.add_json("consents.json", _consents(db, patient_id))
        for name, tables in LISTS.items():
            yield from archive.add_json(name, {table: list(_rows(db, table, patient_id)) for table in tables})
        observations = select(Observation).where(Observation.patient_id == patient_id)
        shown = [show_observation(row) for row in db.scalars(observations.order_by(Observation.at, Observation.id))]
        yield from archive.add_json("observations.json", shown)
        damaged = yield from _sessions(services, db, archive, patient_id)
        damaged += yield from _quarantine(services, db, archive, patient_id)
        yield from archive.add("features.csv", values_of_patient(db, study, patient_id))
        yield from archive.add("dictionary.csv", dictionary_csv(dictionary_of_patient(db, study, patient_id)))
        yield from archive.add("audit.ndjson", _audit(services, patient_id))
        software = f"konectom {__version__}"
        yield from archive.end(
            {
                "schema": SCHEMA,
                "patient": str(patient_id),
                "made_at": told(now),
                "software": software,
                "uploads_damaged": damaged,
            }
        )


def _sessions(
    services: Services, db: Session, archive: Archive, patient_id: UUID
) -> Generator[bytes, None, list[dict[str, str]]]:
    """Yield each session with its upload; return those whose upload is damaged, and why."""
    damaged: list[dict[str, str]] = []
    chosen = select(SessionRow.id).where(SessionRow.patient_id == patient_id)
    for session_id in db.scalars(chosen.order_by(SessionRow.started_at, SessionRow.id)).all():
        row = db.get_one(SessionRow, session_id)
        upload, why, body = _upload(services, row, db.get_one(Blob, row.object).size_bytes)
        if why is not None:
            damaged.append({"session": str(session_id), "why": why})
        kept = _row(row.__table__, row)  # type: ignore[arg-type]
        receipt = {"receipt": session_receipt(db, row, NOTHING, measures=True), "session": kept, "upload": upload}
        yield from archive.add_json(f"sessions/{session_id}/receipt.json", receipt)
        compress = row.encoding is None or why is not None
        yield from archive.add(f"sessions/{session_id}/{upload['file']}", body, compress=compress)
        db.expunge_all()  # so that a thousand sessions take no more room than one
    return damaged


def _quarantine(
    services: Services, db: Session, archive: Archive, patient_id: UUID
) -> Generator[bytes, None, list[dict[str, str]]]:
    """Yield what is or was in quarantine, with the bytes that are held; return those that are damaged, and why."""
    damaged: list[dict[str, str]] = []
    chosen = select(QuarantineRow.id).where(QuarantineRow.patient_id == patient_id)
    for quarantine_id in db.scalars(chosen.order_by(QuarantineRow.arrival)).all():
        row = db.get_one(QuarantineRow, quarantine_id)
        about: dict[str, Any] = {"quarantine": _row(row.__table__, row)}  # type: ignore[arg-type]
        if row.object is None:
            yield from archive.add_json(f"quarantine/{quarantine_id}/about.json", about)
            continue
        upload, why, body = _upload(services, row, row.size_bytes)
        if why is not None:
            damaged.append({"quarantine": str(quarantine_id), "why": why})
        yield from archive.add_json(f"quarantine/{quarantine_id}/about.json", about | {"upload": upload})
        compress = row.encoding is None or why is not None
        yield from archive.add(f"quarantine/{quarantine_id}/{upload['file']}", body, compress=compress)
        db.expunge_all()
    return damaged


def _upload(
    services: Services, row: SessionRow | QuarantineRow, size_bytes: int
) -> tuple[dict[str, Any], str | None, Iterable[bytes]]:
    """Return what the archive tells of an upload, why it is damaged if it is, and its bytes or a note."""
    name, why = f"upload{_ending(row)}", None
    try:
        body = _closed_at_the_end(Raw.of(services, row, size_bytes))
    except (NotFound, StoreUnavailable) as error:
        services.ping_stores()  # where no upload can be reached, this one is not what is damaged
        why = error.detail
        name, body = "upload-damaged.txt", iter((DAMAGED.format(why=why).encode(),))
    told_of = {
        "file": name,
        "sha256": row.digest,
        "size_bytes": size_bytes,
        "content_type": row.media_type,
        "content_encoding": row.encoding,
    }
    return told_of, why, body


def _closed_at_the_end(raw: Raw) -> Iterator[bytes]:
    with closing(raw):
        yield from raw.pieces


def _audit(services: Services, patient_id: UUID) -> Iterator[bytes]:
    """Yield the entries about the patient, one in a line; of a list, that the patient was in it, and not who else."""
    for piece in export_audit(services, EVERYTHING, Which(patient=patient_id)):
        for line in piece.splitlines():
            entry = orjson.loads(line)
            detail = entry["detail"]
            if isinstance(detail.get("patients"), list):
                detail["patients"] = [str(patient_id)]
            if isinstance(detail.get("asked"), dict):
                detail["asked"].pop("patient", None)  # whoever asked may have named somebody else
            yield orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)


def _ending(row: SessionRow | QuarantineRow) -> str:
    """Return how the name of an upload ends, as far as its declared types tell."""
    media = (row.media_type or "").partition(";")[0].strip().lower()
    ending = ".json" if media.endswith("json") else ENDINGS.get(media, "")
    return ending + {"gzip": ".gz", "zstd": ".zst"}.get(row.encoding or "", "")


def _consents(db: Session, patient_id: UUID) -> dict[str, Any]:
    decisions = list(_rows(db, "consent", patient_id))
    forms = {UUID(each["form_id"]) for each in decisions if each["form_id"] is not None}
    texts = db.scalars(select(ConsentForm).where(ConsentForm.id.in_(forms)).order_by(ConsentForm.created_at))
    return {"decisions": decisions, "forms": [_row(ConsentForm.__table__, each) for each in texts]}  # type: ignore[arg-type]


def _rows(db: Session, name: str, patient_id: UUID) -> Iterator[dict[str, Any]]:
    table = Base.metadata.tables[name]
    chosen = select(table).where(rows_of(table, patient_id)).order_by(*table.primary_key.columns)
    for row in db.execute(chosen):
        yield _row(table, row)


def _row(table: Table, row: Any) -> dict[str, Any]:
    """Return a row as JSON has it, without its secrets."""
    shown = [column for column in table.columns if not column.info.get("secret")]
    return {column.name: _plain(getattr(row, column.name)) for column in shown}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return told(value)
    return value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, UUID) else value
