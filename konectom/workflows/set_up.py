"""An installation, made ready for work: the schema of its database, and its keys."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from konectom.storage import migrate
from konectom.storage.models import Patient, PatientKey
from konectom.workflows.keys import is_unused
from konectom.workflows.patient_keys import make_patient_key
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
    Patients who are older than keys are given theirs. Safe to repeat.
    """
    url = services.settings.database_url
    before = migrate.current_revision(url)
    migrate.upgrade(url)
    after, key = migrate.head_revision(), None
    if before != after and is_unused(services) and services.keys.source.version() is None:
        key = services.keys.create(services.clock())
    services.require_keys()
    if before != after:
        _make_missing_patient_keys(services)
    return SetUp(before, after, key)


def _make_missing_patient_keys(services: Services) -> None:
    without = select(Patient.id).where(Patient.id.not_in(select(PatientKey.patient_id)))
    with services.db.write() as db:
        for patient_id in db.scalars(without).all():
            make_patient_key(services, db, patient_id)
