"""Erasing a patient, for good: the key first, then every row, then the objects; what is left is a certificate.

All rows go in one transaction, which also writes the certificate, an entry of the audit, and down what is still to be
removed when it is over (:class:`~konectom.storage.models.Residue`): the objects, and what freed room of the database
may still hold. That is then removed, and crossed off only when it is gone. So a crash before the end of the transaction
leaves the patient as he or she was; one after it leaves a list that :func:`finish_erasures` works off, whoever calls
it. Meanwhile the objects are there and nobody reads them: the key under which they are sealed went with the rows.

What is kept is the patient's id, a random number: in the certificate, and in the audit with who did what and when.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import delete, func, make_url, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from konectom.errors import FieldInvalid, MigrationNeeded, NotFound, StoreUnavailable
from konectom.storage import jobs
from konectom.storage.audit import note
from konectom.storage.belonging import rows_of, tables_of_patients
from konectom.storage.compaction import compact
from konectom.storage.guard import removing
from konectom.storage.models import (
    AuditRow,
    Blob,
    Erasure,
    NoiseRow,
    Patient,
    PatientKey,
    QuarantineRow,
    Residue,
    SessionRow,
    Upload,
    UploadPiece,
)
from konectom.workflows.campaigns.decisions import forget_reports
from konectom.workflows.erasing.certificates import Removed, certified, digest_of, show_certificate
from konectom.workflows.services import Services
from konectom.workflows.sessions.blobs import is_unused
from konectom.workflows.sessions.discarding import sweep_quarantine
from konectom.workflows.sessions.sweeping import MOST, batched, sweep_objects

log = structlog.get_logger()

DATABASE = ""
"""Names the freed room of the database among the residues."""

REASONS = ("asked_by_patient", "withdrawn", "retention", "entered_in_error", "other")
"""Why somebody is erased: words that stay for good, and so none in which a person could be named."""


def erase_patient(
    services: Services, patient_id: UUID, *, reason: str, code: str | None = None, finish: bool = True
) -> dict[str, Any]:
    """Erase a patient and return the certificate; of one who was erased before, the certificate of then.

    ``code`` is the patient's, where somebody was asked to tell it once more. ``finish`` also removes what lies outside
    of the rows; without it, :func:`finish_erasures` has to be called. Raises :class:`NotFound` for a patient who never
    was here, :class:`FieldInvalid` at ``/reason``, unless it is one of :data:`REASONS`, and at ``/code``.
    """
    require_reason(reason)
    with services.db.write() as db:
        row = _certificate_of(db, patient_id) or _erase(services, db, patient_id, reason, code)
        erasure_id = row.id
    if finish:
        finish_erasures(services)
    with services.db.read() as db:
        return show_certificate(db, db.get_one(Erasure, erasure_id))


def finish_erasures(services: Services, *, most: int | None = MOST) -> bool:
    """Remove what erasures have left outside of the rows; tell whether all of it is gone.

    It is not where the object store cannot be reached, the database is written or has no room to be rewritten, or
    somebody still reads an older state of it. Then it is for the next call. Objects that uploads have left go with it,
    ``most`` and None as of :func:`~konectom.workflows.sessions.sweeping.sweep_objects`, and what is in quarantine too
    long.
    """
    with services.db.read() as db:
        left = [(row.erasure_id, row.object) for row in db.scalars(select(Residue))]
    gone = list(_remove_objects(services, (each for each in left if each[1] != DATABASE)))
    _cross_off(services, gone)
    rewritten = [each for each in left if each[1] == DATABASE]
    if rewritten and _compact(services):
        _cross_off(services, rewritten)
        gone += rewritten
    sweep_quarantine(services)
    swept = sweep_objects(services, most=most)
    return swept and len(gone) == len(left)


def finish_soon(services: Services) -> None:
    """Let :func:`finish_erasures` run in the background of this process; the certificates tell when it is done."""

    def finish() -> None:
        try:
            finish_erasures(services)
        except (StoreUnavailable, MigrationNeeded) as error:
            log.warning("erasure.unfinished", reason=error.detail)

    services.background.start("finish erasures", finish)


def require_reason(reason: str) -> None:
    """Raise :class:`FieldInvalid` unless it is one of :data:`REASONS`."""
    if reason not in REASONS:
        raise FieldInvalid(f"the reason is one of {', '.join(REASONS)}", at="/reason")


def _certificate_of(db: Session, patient_id: UUID) -> Erasure | None:
    return db.scalars(select(Erasure).where(Erasure.patient_id == patient_id)).one_or_none()


def _erase(services: Services, db: Session, patient_id: UUID, reason: str, code: str | None) -> Erasure:
    # Whoever is adding something to the patient is waited for; whoever comes later finds no patient. In the same order
    # as uploads do: the key first.
    db.get(PatientKey, patient_id, with_for_update=True)
    patient = db.get(Patient, patient_id, with_for_update=True)
    if patient is None:
        done = _certificate_of(db, patient_id)  # by another, who was waited for just now
        if done is None:
            raise NotFound("there is no such patient")
        return done
    if code not in (None, patient.code):
        raise FieldInvalid("this is not the patient's code", at="/code")
    study_id = patient.study_id
    db.expunge_all()
    with removing(db):
        removed = _remove_rows(db, patient_id, study_id)
    row = Erasure(id=uuid4(), study_id=study_id, patient_id=patient_id, erased_at=services.clock(), certificate={})
    audited = db.scalar(select(func.count()).select_from(AuditRow).where(AuditRow.patient_id == patient_id))
    row.certificate = certified(services, row, reason, removed.told, audited or 0)
    db.add(row)
    db.flush()
    names = (DATABASE, *removed.objects)
    db.add_all([Residue(erasure_id=row.id, object=name) for name in names])
    note(
        db,
        entity="patient",
        entity_id=str(patient_id),
        study_id=study_id,
        patient_id=patient_id,
        detail={"erasure": str(row.id), "certificate": digest_of(row.certificate)},
    )
    log.info("patient.erased", erasure=str(row.id), objects=len(removed.objects))
    return row


@dataclass(frozen=True, slots=True)
class _RowsRemoved:
    """What was removed, and the names of the objects that have to follow."""

    told: Removed
    objects: Sequence[str]


def _remove_rows(db: Session, patient_id: UUID, study_id: UUID) -> _RowsRemoved:
    key = db.scalar(select(PatientKey.key).where(PatientKey.patient_id == patient_id))
    objects = _objects_of(db, patient_id)
    jobs.forget(db, db.scalars(select(SessionRow.id).where(SessionRow.patient_id == patient_id)).all())
    unfinished = select(UploadPiece.object, UploadPiece.length).join(Upload).where(Upload.patient_id == patient_id)
    pieces = {row.object: row.length for row in db.execute(unfinished)}
    counts: dict[str, int] = {}
    tables = sorted(tables_of_patients(), key=lambda table: table is not PatientKey.__table__)
    for table in tables:
        counts[str(table.name)] = db.execute(table.delete().where(rows_of(table, patient_id))).rowcount  # type: ignore[attr-defined]
    sizes: dict[str, int] = {}
    for names in batched(objects):
        unused = Blob.object.in_(names) & is_unused()
        sizes |= {row.object: row.size_bytes for row in db.execute(select(Blob.object, Blob.size_bytes).where(unused))}
    for names in batched(sizes):
        db.execute(delete(Blob).where(Blob.object.in_(names)), execution_options={"synchronize_session": False})
    counts[str(Blob.__tablename__)] = len(sizes)
    # The study's noise follows from the scores of all its patients, this one's too; it can be computed again.
    noise = db.scalars(select(NoiseRow).where(NoiseRow.study_id == study_id)).all()
    for row in noise:  # one by one: the audit tells of each
        db.delete(row)
    db.flush()
    counts[str(NoiseRow.__tablename__)] = len(noise)
    forget_reports(db, study_id)
    sizes |= pieces
    return _RowsRemoved(Removed(counts, len(sizes), sum(sizes.values()), key), tuple(sizes))


def _objects_of(db: Session, patient_id: UUID) -> list[str]:
    """Return the names of the objects to which the patient's rows refer."""
    used = select(SessionRow.object).where(SessionRow.patient_id == patient_id)
    held = select(QuarantineRow.object).where(QuarantineRow.patient_id == patient_id, QuarantineRow.object.is_not(None))
    return sorted(set(db.scalars(used)) | {name for name in db.scalars(held) if name is not None})


def _remove_objects(services: Services, left: Iterable[tuple[UUID, str]]) -> Iterator[tuple[UUID, str]]:
    """Remove objects and yield each that is gone, up to the first that cannot be reached."""
    for erasure_id, name in left:
        try:
            services.objects.delete(name)
        except StoreUnavailable as error:
            log.error("erasure.unfinished", erasure=str(erasure_id), reason=error.detail)
            return
        yield erasure_id, name


def _compact(services: Services) -> bool:
    tables = [*tables_of_patients(), Blob.__table__, Residue.__table__]
    if make_url(services.db.url).get_backend_name() == "postgresql":
        tables += jobs.TABLES
    try:
        clean = compact(services.db.url, tables)  # type: ignore[arg-type]
    except OperationalError as error:
        log.error("erasure.unfinished", reason=f"the database cannot be rewritten: {error.orig}")
        return False
    if not clean:
        log.warning("erasure.unfinished", reason="somebody reads an older state of the database")
    return clean


def _cross_off(services: Services, gone: Sequence[tuple[UUID, str]]) -> None:
    for erasure_id in dict.fromkeys(erasure_id for erasure_id, _ in gone):
        for names in batched([name for of, name in gone if of == erasure_id]):
            with services.db.write() as db:
                db.execute(delete(Residue).where(Residue.erasure_id == erasure_id, Residue.object.in_(names)))
