"""The demonstration's data directory: what was planned in it, and the people that it needs."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from konectom.commands._output import Refusal
from konectom.errors import AlreadyExists, NotFound

if TYPE_CHECKING:
    from konectom.settings import Settings
    from konectom.simulate.patients import Patient
    from konectom.workflows.services import Services

STUDY = "demo"
MARK = "demo.json"
FORM = "1"
CONSENT_TEXT = "These patients are simulated. They agree that their phones send what they record, and may withdraw."
STAFF_TOKEN_LIFETIME = timedelta(days=1)


class DemoRefused(Refusal):
    """The directory cannot be used for the demonstration."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a demonstration simulates. ``catalogues`` are the digests of the measures that it was computed with."""

    seed: int
    patients: int
    weeks: int
    catalogues: dict[str, str] = field(default_factory=dict)
    start: str = ""
    complete: bool = False

    def same_as(self, other: Plan) -> bool:
        """Tell whether the other plan gives the same data but for the dates."""
        return replace(self, start="", complete=False) == replace(other, start="", complete=False)


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Hold the directory for this demonstration alone; make it where it is not there.

    Raises :class:`DemoRefused` where another demonstration runs in it, or where it holds anything else.
    """
    if directory.exists() and any(directory.iterdir()) and not (directory / MARK).exists():
        raise DemoRefused(f"{directory} holds something that is not a demonstration; name another with --data-dir")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / MARK).open("ab") as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoRefused(f"another demonstration runs in {directory}; name another with --data-dir") from None
        yield


def earlier_plan(directory: Path) -> Plan | None:
    """Return what an earlier run planned here, or None where there was none."""
    try:
        return Plan(**orjson.loads((directory / MARK).read_bytes()))
    except (ValueError, TypeError):  # none yet, cut short, or that of another version
        return None


def note_plan(directory: Path, plan: Plan) -> None:
    """Write down what is planned. The file is kept, since the lock is on it."""
    (directory / MARK).write_bytes(orjson.dumps(asdict(plan), option=orjson.OPT_INDENT_2) + b"\n")


def clear(directory: Path) -> None:
    """Remove an earlier demonstration's data, and nothing else."""
    for name in (*(f"konectom.sqlite3{end}" for end in ("", "-wal", "-shm", "-next", "-turn")), "keys.json"):
        (directory / name).unlink(missing_ok=True)
    shutil.rmtree(directory / "objects", ignore_errors=True)


def settings_of(directory: Path) -> dict[str, str]:
    """Return the settings of the demonstration: these alone, whatever the environment says."""
    return {
        "KONECTOM_DATA_DIR": str(directory.absolute()),
        "KONECTOM_MODE": "development",
        "KONECTOM_RATE_LIMITS": "off",
    }


def open_settings(directory: Path) -> Settings:
    """Return the settings as the server will read them."""
    from konectom.settings import load_settings

    return load_settings(settings_of(directory))


@dataclass(frozen=True, slots=True)
class People:
    """The study's id, a token for the clinic's program, and the id of each patient by code."""

    study_id: UUID
    staff_token: str
    patient_ids: dict[str, UUID]


def make_people(services: Services, patients: list[Patient]) -> People:
    """Return the people, making those that are not there yet. The token is new each time: it is never kept."""
    from konectom.commands._installation import every_row, study_named
    from konectom.workflows.access.service_tokens import ALL, issue_service_token
    from konectom.workflows.consent.decisions import record_consent
    from konectom.workflows.patients import people

    try:
        study = study_named(services, STUDY)
    except NotFound:
        study = people.create_study(services, code=STUDY, name="Simulated patients")
    study_id = UUID(study["id"])
    form = _consent_form(services, study_id)
    known = {row["code"]: row for row in every_row(people.list_patients, services, study_id=study_id)}
    ids = {}
    for patient in patients:
        row = known.get(patient.code) or people.create_patient(services, study_id=study_id, code=patient.code)
        ids[patient.code] = UUID(row["id"])
        record_consent(services, ids[patient.code], state="given", form=form)
    staff = issue_service_token(
        services, name="demo", permissions=[ALL], study_id=study_id, lifetime=STAFF_TOKEN_LIFETIME
    )
    return People(study_id, staff.token, ids)


def _consent_form(services: Services, study_id: UUID) -> str:
    """Return the version of the form to which the simulated patients agree; make it where it is not there yet."""
    from konectom.simulate.cohort import QUANTITIES
    from konectom.workflows.consent.data_types import CLINICAL, LOCATION, data_type_of
    from konectom.workflows.consent.forms import create_consent_form

    types = sorted({CLINICAL, LOCATION, *(data_type_of(each.assessment) for each in QUANTITIES)})
    with suppress(AlreadyExists):
        create_consent_form(
            services, study_id, version=FORM, title="Simulated patients", text=CONSENT_TEXT, data_types=types
        )
    return FORM
