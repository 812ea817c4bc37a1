"""Studies and patients: made, found, listed. Answers are as they stand on the wire.

Where a ``scope`` narrows a question, what lies outside of it is not found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from konectom.errors import AlreadyExists, FieldInvalid, NotFound, PatientRestricted
from konectom.security.acting import because
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import Patient, Site, Study
from konectom.storage.scopes import patients_in, studies_in
from konectom.workflows.pages import BY_TEXT_AND_ID, Asked, id_if_any, page, told, told_if_any
from konectom.workflows.patients.patient_keys import make_patient_key
from konectom.workflows.services import Services

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Codes are plain, so that they can stand in addresses, file names and spreadsheets."""

SEXES = ("female", "male", "other")
HANDS = ("left", "right", "both")
FACTS = ("birth_year", "sex", "education_years", "height_m", "mass_kg", "handedness")
"""What norms use; all of it may be unknown."""

CONSENT = ("here", "elsewhere")
"""Where a study keeps its patients' consent."""


def create_study(services: Services, *, code: str, name: str = "", consent: str = "here") -> dict[str, Any]:
    """Make a study; raises :class:`AlreadyExists` where the code is taken.

    Where consent is kept ``here``, nothing is collected that a patient has not agreed to; ``elsewhere`` says that it is
    on paper, and that only refusals and withdrawals are entered.
    """
    row = Study(
        id=uuid4(),
        code=checked_code(code),
        name=checked_text(name, "name"),
        consent=_one_of(consent, "consent", CONSENT) or CONSENT[0],
        created_at=services.clock(),
    )
    return _kept(services, row, show_study, f"there is a study {code!r} already")


def get_study(services: Services, study: UUID) -> dict[str, Any]:
    """Return a study."""
    with services.db.read() as db:
        return show_study(find_study(db, study))


def find_study(db: Session, study: UUID, *, lock: bool = False) -> Study:
    """Return a study's row; raises :class:`NotFound`."""
    row = db.get(Study, study, with_for_update=lock)
    if row is None:
        raise NotFound("there is no such study")
    return row


def list_studies(
    services: Services, *, scope: Scope = EVERYTHING, cursor: str | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Return a page of the studies into which ``scope`` reaches, by code."""
    statement = select(Study).where(studies_in(scope))
    with services.db.read() as db:
        order = (Study.code, Study.id)
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, statement, order, BY_TEXT_AND_ID, show_study, asked)


def create_patient(
    services: Services,
    *,
    study_id: UUID,
    code: str,
    site_id: UUID | None = None,
    scope: Scope = EVERYTHING,
    **facts: Any,
) -> dict[str, Any]:
    """Make a patient, with a key and what norms use (:data:`FACTS`); the site must be the study's, within ``scope``.

    Raises :class:`AlreadyExists` where the code is taken in the study, :class:`FieldInvalid` for a fact that cannot be.
    """
    now = services.clock()
    row = Patient(
        id=uuid4(),
        study_id=study_id,
        site_id=site_id,
        code=checked_code(code),
        created_at=now,
        **_facts(facts, now.year),
    )
    get_study(services, study_id)
    with services.db.read() as db:
        _require_site(db, study_id, site_id, scope)
    taken = f"there is a patient {code!r} in this study already"
    return _kept(services, row, show_patient, taken, lambda db: make_patient_key(services, db, row.id))


def edit_patient(
    services: Services, patient_id: UUID, *, scope: Scope = EVERYTHING, reason: str = "", **changes: Any
) -> dict[str, Any]:
    """Change what norms use, or the site; what is not named stays. Raises as :func:`create_patient`."""
    now = services.clock()
    facts = _facts({name: value for name, value in changes.items() if name != "site_id"}, now.year)
    with because(checked_text(reason, "reason")), services.db.write() as db:
        row = find_patient(db, patient_id)
        if "site_id" in changes:
            _require_site(db, row.study_id, changes["site_id"], scope)
            row.site_id = changes["site_id"]
        for name, value in facts.items():
            setattr(row, name, value)
        return show_patient(row)


def get_patient(services: Services, patient: UUID, *, study_id: UUID | None = None) -> dict[str, Any]:
    """Return a patient."""
    with services.db.read() as db:
        return show_patient(find_patient(db, patient, study_id=study_id))


def find_patient(
    db: Session, patient: UUID, *, study_id: UUID | None = None, at: str | None = None, lock: bool = False
) -> Patient:
    """Return a patient's row; raises :class:`NotFound`, with ``at`` for where the patient was named.

    ``lock`` lets nobody erase or restrict the patient, or decide on consent, before this transaction ends; others that
    lock likewise are not waited for. Such a transaction must not change the patient's row.
    """
    # FOR SHARE: the weaker FOR KEY SHARE would let FOR NO KEY UPDATE pass, with which consent is decided on.
    row = db.get(Patient, patient, with_for_update={"read": True} if lock else None)
    if row is None or study_id not in (None, row.study_id):
        raise NotFound("there is no such patient", at=at)
    return row


def hold_patient(db: Session, patient: UUID) -> None:
    """Lock a patient as :func:`find_patient` does, without reading more; raises :class:`NotFound`.

    On SQLite whoever writes is alone already, and nothing is asked.
    """
    alone = db.get_bind().dialect.name == "sqlite"
    if not alone and db.connection().execute(_HOLD, {"patient": patient}).one_or_none() is None:
        raise NotFound("there is no such patient")


_HOLD = select(Patient.id).where(Patient.id == bindparam("patient")).with_for_update(read=True)
"""Made once: an upload waits for it."""


def require_patient(
    services: Services,
    patient: UUID,
    *,
    scope: Scope,
    study_id: UUID | None = None,
    at: str | None = None,
    even_restricted: bool = True,
) -> None:
    """Raise :class:`NotFound` unless the patient is there and lies within ``scope``, and in the study.

    Unless ``even_restricted``, raise :class:`PatientRestricted` where the use of what is kept is restricted; of a
    phone's own patient that is left to whoever reads it.
    """
    if scope.patient_id == patient and study_id is None:
        return
    now = services.clock()
    within = _patient_within(scope, now) if scope.emergency else _patient_always_within(scope)
    with services.db.ask() as connection:
        found = connection.execute(within, {"patient": patient}).one_or_none()
    if found is None or study_id not in (None, found.study_id):
        raise NotFound("there is no such patient", at=at)
    if found.restricted_at is not None and not even_restricted:
        raise PatientRestricted("the use of what is kept of this patient is restricted", at=at)


def _patient_within(scope: Scope, now: datetime) -> Select[datetime | None, UUID]:
    return select(Patient.restricted_at, Patient.study_id).where(
        Patient.id == bindparam("patient"), patients_in(scope, now)
    )


@lru_cache(1000)
def _patient_always_within(scope: Scope) -> Select[datetime | None, UUID]:
    """Return the question for a scope that does not depend on the time; to put it together costs more than to ask."""
    return _patient_within(scope, datetime.min.replace(tzinfo=UTC))


def list_patients(
    services: Services,
    *,
    scope: Scope = EVERYTHING,
    study_id: UUID | None = None,
    code: str | None = None,
    cursor: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return a page of the patients within ``scope``, by code; ``code`` asks for one code."""
    statement = select(Patient).where(patients_in(scope, services.clock()))
    if study_id is not None:
        statement = statement.where(Patient.study_id == study_id)
    if code is not None:
        statement = statement.where(Patient.code == code)
    with services.db.read() as db:
        order = (Patient.code, Patient.id)
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, statement, order, BY_TEXT_AND_ID, show_patient, asked)


def show_study(row: Study) -> dict[str, Any]:
    """Return a study as it stands on the wire."""
    return {
        "id": str(row.id),
        "code": row.code,
        "name": row.name,
        "consent": row.consent,
        "retain_until": None if row.retain_until is None else row.retain_until.isoformat(),
        "created_at": told(row.created_at),
    }


def show_patient(row: Patient) -> dict[str, Any]:
    """Return a patient as it stands on the wire; of one who is restricted, not what norms need."""
    return {
        "id": str(row.id),
        "study": str(row.study_id),
        "site": id_if_any(row.site_id),
        "code": row.code,
        **{name: getattr(row, name) if row.restricted_at is None else None for name in FACTS},
        "created_at": told(row.created_at),
        "restricted_at": told_if_any(row.restricted_at),
    }


def _kept(
    services: Services, row: Any, show: Any, taken: str, and_with_it: Callable[[Session], object] = bool
) -> dict[str, Any]:
    answer: dict[str, Any] = show(row)
    try:
        with services.db.write() as db:
            db.add(row)
            db.flush()
            and_with_it(db)
    except IntegrityError:
        raise AlreadyExists(taken) from None
    return answer


def checked_code(code: str) -> str:
    """Return a code as it is; raises :class:`FieldInvalid` at ``/code``."""
    if not CODE.fullmatch(code):
        raise FieldInvalid(
            "a code is 1 to 64 letters, digits, points, hyphens or underscores, the first a letter or digit",
            at="/code",
        )
    return code


def checked_text(value: str, field: str, *, within: str = "") -> str:
    """Return a short text as it is.

    Raises :class:`FieldInvalid` at ``within/field`` where a database might not hold it.
    """
    if len(value) > 200 or "\0" in value:
        raise FieldInvalid(f"{field} must be text of at most 200 characters", at=f"{within}/{field}")
    return value


def _require_site(db: Session, study_id: UUID, site_id: UUID | None, scope: Scope) -> None:
    site = None if site_id is None else db.get(Site, site_id)
    if (site_id is not None and (site is None or site.study_id != study_id)) or not scope.reaches_site(
        study_id, site_id
    ):
        raise NotFound("the study has no such site", at="/site")


def _facts(told: Mapping[str, Any], year: int) -> dict[str, Any]:
    """Return what norms use, checked; raises :class:`FieldInvalid` at the field, TypeError for what is none of it."""
    strange = told.keys() - set(FACTS)
    if strange:
        raise TypeError(f"{sorted(strange)[0]} is nothing that a patient has")
    checks: dict[str, Callable[[Any], Any]] = {
        "birth_year": lambda value: _within(value, "birth_year", 1890, year),
        "sex": lambda value: _one_of(value, "sex", SEXES),
        "education_years": lambda value: _within(value, "education_years", 0, 40),
        "height_m": lambda value: _within(value, "height_m", 0.3, 2.6),
        "mass_kg": lambda value: _within(value, "mass_kg", 2, 500),
        "handedness": lambda value: _one_of(value, "handedness", HANDS),
    }
    return {name: checks[name](value) for name, value in told.items()}


def _within(value: Any, field: str, least: float, most: float) -> Any:
    if value is not None and not least <= value <= most:
        raise FieldInvalid(f"{field} must be from {least:g} to {most:g}", at=f"/{field}")
    return value


def _one_of(value: str | None, field: str, known: tuple[str, ...]) -> str | None:
    if value is not None and value not in known:
        raise FieldInvalid(f"{field} must be one of {', '.join(known)}", at=f"/{field}")
    return value
