"""The audit: what was read is noted, who did or saw what is listed and handed over."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Select, String, and_, cast, false, or_, select, true
from sqlalchemy.orm import Session

from konectom.errors import NotFound
from konectom.security.acting import acting, acting_as
from konectom.security.chain import Change, canonical_json
from konectom.security.matrix import MATRIX
from konectom.security.principal import Scope
from konectom.storage.audit import note
from konectom.storage.models import AuditRow, Patient, Study
from konectom.storage.scopes import patients_in
from konectom.storage.whose import keys_of_patients, unseal_why
from konectom.workflows.pages import Asked, Readers, id_if_any, page, told
from konectom.workflows.services import Services

EVERYBODY = "all"
"""Stands in ``detail.patients`` where what was shown is of all patients of the study.

Of all at those sites that ``detail.sites`` names, where it names any.
"""

BY_NUMBER: Readers = (int,)
AT_ONCE = 1000
"""Entries read in one question for an export."""

COLUMNS = (
    *("seq", "at", "actor_kind", "actor_id", "actor_name", "action", "change", "study", "patient", "entity"),
    *("entity_id", "before", "after", "why", "why_destroyed", "why_withheld", "request_id", "address", "detail"),
    *("key", "seal"),
)
"""Of the CSV form."""

Form = Literal["ndjson", "csv"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which entries are asked for; what is None narrows nothing. ``until`` itself is no longer among them.

    ``patient`` finds what was done with this patient, and every list and table in which this patient was shown.
    """

    study: UUID | None = None
    patient: UUID | None = None
    actor: UUID | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def note_read(
    services: Services,
    *,
    entity: str,
    entity_id: str = "",
    action: str | None = None,
    change: Change = "read",
    study_id: UUID | None = None,
    patient_id: UUID | None = None,
    patients: Sequence[UUID] | Literal["all"] | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Note that what is of patients was seen: of one (``patient_id``), of those listed, or of a study's all.

    Patients of several studies are noted study by study, so that each study's own audit tells of them. Raises an
    :class:`~konectom.errors.OperationError` where the audit cannot be written; nothing must be shown then.
    """
    facts = dict(detail or {})
    who = acting() if action is None else replace(acting(), action=action)
    with acting_as(who), services.db.write() as db:
        if patient_id is not None or not patients or isinstance(patients, str):
            if patients is not None:
                facts["patients"] = patients
            note(db, change=change, entity=entity, entity_id=entity_id, study_id=study_id, patient_id=patient_id,
                 detail=facts)  # fmt: skip
            return
        for study, shown in _by_study(db, patients).items():
            here = facts | {"patients": [str(each) for each in shown]}
            note(db, change=change, entity=entity, entity_id=entity_id, study_id=study, detail=here)


def there_is(services: Services, study_id: UUID | None, patient_id: UUID | None) -> tuple[UUID | None, UUID | None]:
    """Return study and patient as far as there are such: the patient's own study, else the one that is named."""
    if study_id is None and patient_id is None:
        return None, None
    with services.db.read() as db:
        of = db.scalar(select(Patient.study_id).where(Patient.id == patient_id)) if patient_id is not None else None
        if of is not None:
            return of, patient_id
        return db.scalar(select(Study.id).where(Study.id == study_id)) if study_id is not None else None, None


def note_audit_read(services: Services, scope: Scope, which: Which, **detail: Any) -> None:
    """Note that entries of the audit were seen or taken away: one entry, however many and of whom they were.

    It is of the study and the patient that were asked for. Raises :class:`NotFound` for a patient outside of ``scope``
    or of the study: nobody writes into the audit of others.
    """
    with services.db.read() as db:
        study_id = _study_asked_for(db, scope, which, services.clock())
    asked = {each.name: str(value) for each in fields(which) if (value := getattr(which, each.name)) is not None}
    if which.action not in MATRIX:
        asked.pop("action", None)  # it may be anything that somebody wrote
    detail |= {"asked": asked}
    note_read(services, entity="audit", study_id=study_id, patient_id=which.patient, detail=detail)


def _study_asked_for(db: Session, scope: Scope, which: Which, now: datetime) -> UUID | None:
    """Return the one study of which entries are asked for, None where they may be of several."""
    if which.patient is None:
        reached = scope.studies
        return next(iter(reached)) if which.study is None and reached and len(reached) == 1 else which.study
    if db.get(Patient, which.patient) is not None:
        within = patients_in(scope, now)
        study_id = db.scalar(select(Patient.study_id).where(Patient.id == which.patient, within))
    else:  # of who was erased, the audit tells the study
        about = AuditRow.patient_id == which.patient, AuditRow.study_id.is_not(None)
        study_id = db.scalar(select(AuditRow.study_id).where(*about, _within(scope)).limit(1))
    if study_id is None or which.study not in (None, study_id):
        raise NotFound("there is no such patient", at="/query/patient")
    return study_id


def list_audit(
    services: Services,
    scope: Scope,
    which: Which,
    *,
    reasons: bool = True,
    cursor: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return a page of entries, newest last; without ``reasons`` those about patients are withheld."""
    asked = Asked.of(services.settings, cursor, limit)
    with services.db.read() as db:
        found = page(db, _statement(db, scope, which), (AuditRow.seq,), BY_NUMBER, lambda row: {"row": row}, asked)
        return found | {"items": _shown(services, db, [each["row"] for each in found["items"]], reasons)}


def last_entries(services: Services, scope: Scope, which: Which, most: int) -> list[dict[str, Any]]:
    """Return the newest entries, newest last."""
    with services.db.read() as db:
        statement = _statement(db, scope, which).order_by(AuditRow.seq.desc()).limit(most)
        return _shown(services, db, db.scalars(statement).all()[::-1], reasons=True)


def export_audit(
    services: Services, scope: Scope, which: Which, form: Form = "ndjson", *, reasons: bool = True
) -> Generator[bytes, None, None]:
    """Yield all entries that are asked for, newest last: one JSON object a line, or CSV. Close it when done.

    Without ``reasons`` those about patients are withheld.
    """
    yield b"" if form == "ndjson" else _csv([dict.fromkeys(COLUMNS)], head=True)
    after = 0
    with services.db.read(within=services.settings.export_time_limit) as db:
        statement = _statement(db, scope, which).order_by(AuditRow.seq).limit(AT_ONCE)
        while rows := db.scalars(statement.where(AuditRow.seq > after)).all():
            after = rows[-1].seq
            shown = _shown(services, db, rows, reasons)
            yield _csv(shown) if form == "csv" else b"".join(orjson.dumps(each) + b"\n" for each in shown)
            db.expunge_all()


def _statement(db: Session, scope: Scope, which: Which) -> Select[AuditRow]:
    asked: list[ColumnElement[bool]] = [_within(scope)]
    if which.study is not None:
        asked.append(AuditRow.study_id == which.study)
    if which.patient is not None:
        asked.append(_about(db, which.patient))
    if which.actor is not None:
        asked.append(AuditRow.actor_id == which.actor)
    if which.action is not None:
        asked.append(AuditRow.action == which.action)
    if which.since is not None:
        asked.append(AuditRow.at >= which.since)
    if which.until is not None:
        asked.append(AuditRow.at < which.until)
    return select(AuditRow).where(*asked)


def _within(scope: Scope) -> ColumnElement[bool]:
    """Return the condition that an entry is of the studies, or of the patients at the sites, that ``scope`` reaches."""
    if scope.studies is None:
        return true()
    parts: list[ColumnElement[bool]] = []
    for study, site in scope.places:
        here = select(Patient.id).where(Patient.study_id == study, Patient.site_id == site)
        parts.append(AuditRow.study_id == study if site is None else AuditRow.patient_id.in_(here))
    return or_(*parts) if parts else false()


def _about(db: Session, patient: UUID) -> ColumnElement[bool]:
    # Lists and tables name in their detail whom they showed. Once a patient is erased, the audit tells the study.
    of_patient = AuditRow.patient_id == patient
    study = db.scalars(select(Patient.study_id).where(Patient.id == patient)).one_or_none()
    if study is None:
        study = db.scalars(select(AuditRow.study_id).where(of_patient, AuditRow.study_id.is_not(None)).limit(1)).first()
    shown = cast(AuditRow.detail, String)
    of_all = shown.contains(f'"patients":"{EVERYBODY}"')
    site = db.execute(select(Patient.site_id).where(Patient.id == patient)).one_or_none()
    if site is not None:  # whose site is not known any more may have been at any
        here = shown.contains(f'"{site[0]}"') if site[0] is not None else false()
        of_all = and_(of_all, or_(shown.not_like('%"sites":%'), here))
    in_list = and_(
        AuditRow.change == "read",
        AuditRow.study_id == study,
        AuditRow.patient_id.is_(None),
        or_(shown.contains(f'"{patient}"'), of_all),
    )
    return or_(of_patient, in_list)


def _by_study(db: Session, patients: Iterable[UUID]) -> dict[UUID | None, list[UUID]]:
    wanted = list(dict.fromkeys(patients))
    study_of = {
        row[0]: row[1] for row in db.execute(select(Patient.id, Patient.study_id).where(Patient.id.in_(wanted)))
    }
    found: dict[UUID | None, list[UUID]] = defaultdict(list)
    for patient in wanted:
        found[study_of.get(patient)].append(patient)
    return found


def _shown(services: Services, db: Session, rows: Sequence[AuditRow], reasons: bool) -> list[dict[str, Any]]:
    """Return entries as they stand on the wire; a reason whose key was destroyed, or is withheld, is told to have been.

    What is said about a patient is for those who see to patients: administrators see who did what, and not that.
    """
    whose = {row.patient_id for row in rows if row.why is not None and row.patient_id is not None}
    keys = keys_of_patients(db.connection(), services.keys, whose) if whose and reasons else {}
    return [_show(row, keys, withheld=row.patient_id is not None and not reasons) for row in rows]


def _show(row: AuditRow, keys: Mapping[UUID, bytes], *, withheld: bool) -> dict[str, Any]:
    withheld = withheld and row.why is not None
    patient_key = None if row.patient_id is None else keys.get(row.patient_id)
    why = None if row.why is None or withheld else unseal_why(patient_key, row.why)
    return {
        "seq": row.seq,
        "at": told(row.at),
        "actor": {"kind": row.actor_kind, "id": id_if_any(row.actor_id), "name": row.actor_name},
        "action": row.action,
        "change": row.change,
        "study": id_if_any(row.study_id),
        "patient": id_if_any(row.patient_id),
        "entity": row.entity,
        "entity_id": row.entity_id,
        "before": row.before,
        "after": row.after,
        "why": why,
        "why_destroyed": row.why is not None and why is None and not withheld,
        "why_withheld": withheld,
        "request_id": row.request_id,
        "address": row.address,
        "detail": row.detail,
        "key": row.key,
        "seal": row.seal,
    }


def _csv(shown: Iterable[Mapping[str, Any]], *, head: bool = False) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore")
    if head:
        writer.writeheader()
        return out.getvalue().encode()
    for each in shown:
        actor = {f"actor_{name}": value for name, value in each["actor"].items()}
        flat = dict(each) | actor | {"detail": canonical_json(each["detail"]).decode()}
        writer.writerow({name: _plain(value) for name, value in flat.items()})
    return out.getvalue().encode()


def _plain(value: Any) -> Any:
    # A spreadsheet would compute a text that begins like a formula.
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
