"""An installation, made ready for work: the schema of its database, and its keys."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import select

from konectom.security.acting import acting, acting_as
from konectom.storage import migrate
from konectom.storage.audit import begin
from konectom.storage.models import Patient, PatientKey
from konectom.workflows.keys import is_unused
from konectom.workflows.patients.patient_keys import make_patient_key
from konectom.workflows.services import Services


@dataclass(frozen=True, slots=True)
class SetUp:
    """The revisions of the database before (None: there was none) and after, and the id of a key that was made."""

    before: str | None
    after: str
    key: str | None


def set_up(services: Services) -> SetUp:
    """Bring the database to the newest schema, and see to it that there are keys.

    Keys are made only with a schema that is new, and where nothing lies sealed yet; else their absence is an error.
    Patients who are older than keys are given theirs. With the schema begins the audit. Safe to repeat.
    """
    url = services.settings.database_url
    before, audited = migrate.current_revision(url), migrate.has_audit(url)
    key = None
    if before is not None and not audited:  # once there is an audit, it has to begin: not without keys
        key = services.keys.create(services.clock()) if services.keys.source.version() is None else None
        services.keys.check()
    migrate.upgrade(url)
    after = migrate.head_revision()
    if before != after and is_unused(services) and services.keys.source.version() is None:
        key = services.keys.create(services.clock())
    services.require_keys()
    if not audited:
        _begin_audit(services)
    if before != after:
        _make_missing_patient_keys(services)
    return SetUp(before, after, key)


def _begin_audit(services: Services) -> None:
    with acting_as(replace(acting(), action="audit.begin")), services.db.write() as db:
        begin(db)


def _make_missing_patient_keys(services: Services) -> None:
    without = select(Patient.id).where(Patient.id.not_in(select(PatientKey.patient_id)))
    with services.db.write() as db:
        for patient_id in db.scalars(without).all():
            make_patient_key(services, db, patient_id)
