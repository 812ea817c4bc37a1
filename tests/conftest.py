"""Fixtures that all tests may use: settings in a directory of their own, services, people, and a small assessment."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import settings as hypothesis_settings

from konectom.assessments import every_assessment
from konectom.security.keys import Keychain
from konectom.settings import Settings
from konectom.storage import migrate
from konectom.workflows.patients.enrolments import enrol_device
from konectom.workflows.patients.people import create_patient, create_study
from konectom.workflows.readiness import Readiness
from konectom.workflows.services import Services
from tests.backends import REAL, Bucket, Embedded, Real, bucket, installer
from tests.people import QUICK, Staff
from tests.postgres import Postgres, running
from tests.probe import probe_of

# Continuous integration draws the same examples each time: what it says of a change is of the change. Elsewhere every
# run draws others.
hypothesis_settings.register_profile("ci", derandomize=True, database=None)
if os.environ.get("CI"):
    hypothesis_settings.load_profile("ci")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for all tests of this process; each makes databases of its own."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[Bucket]:
    """A bucket for all tests of this process; each takes a prefix of its own."""
    with bucket() as made:
        yield made


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that was set up once, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "konectom.sqlite3"
    migrate.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> Embedded | Real:
    """What the installations of the tests stand on; see tests/backends.py."""
    if REAL:
        return Real(request.getfixturevalue("postgres"), request.getfixturevalue("s3"))
    return Embedded(request.getfixturevalue("migrated"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if REAL:
        other = pytest.mark.skip(reason="about SQLite's file or a directory of objects")
        for item in items:
            if item.get_closest_marker("embedded"):
                item.add_marker(other)


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The keys of all installations, to be copied."""
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    Keychain.open(f"file://{file}").create(datetime(2026, 11, 1, tzinfo=UTC))
    return file


@pytest.fixture(scope="session")
def set_up(backend: Embedded | Real, key_file: Any) -> Callable[[Path], Settings]:
    """Makes an installation in a directory: its database is set up and empty. Returns its settings.

    Callers are not slowed down: tests of that (tests/api/test_limits.py) turn it on.
    """
    return installer(backend, key_file)


@pytest.fixture(scope="session")
def installed(set_up: Callable[[Path], Settings]) -> Callable[[Path], Services]:
    """Opens a new installation in a directory; whoever asks closes it."""
    return lambda directory: Services.open(set_up(directory), clock=Clock())


@pytest.fixture
def settings(tmp_path: Path, set_up: Callable[[Path], Settings], backend: Embedded | Real) -> Iterator[Settings]:
    """The settings of an installation whose database is set up and empty."""
    settings = set_up(tmp_path)
    yield settings
    backend.remove(settings)


@pytest.fixture
def services(settings: Settings, clock: Clock) -> Iterator[Services]:
    at_once = Readiness(kept_s=0.0)  # tests break things and look again
    services = replace(Services.open(settings, clock=clock), passwords=QUICK, readiness=at_once)
    yield services
    services.close()


@dataclass(frozen=True)
class People:
    """Makes people; each has a code of its own unless it is given one."""

    services: Services

    def study(self, code: str | None = None, consent: str = "elsewhere") -> UUID:
        code = code or f"S{uuid4().hex[:8]}"
        return UUID(create_study(self.services, code=code, consent=consent)["id"])

    def patient(self, study_id: UUID | None = None, code: str | None = None, **facts: Any) -> UUID:
        study_id = study_id or self.study()
        code = code or f"P{uuid4().hex[:8]}"
        return UUID(create_patient(self.services, study_id=study_id, code=code, **facts)["id"])

    def device(self, patient_id: UUID | None = None, **facts: Any) -> UUID:
        patient_id = patient_id or self.patient()
        return enrol_device(self.services, patient_id=patient_id, **facts).device_id


@pytest.fixture
def people(services: Services) -> People:
    return People(services)


@pytest.fixture
def staff_members(services: Services) -> Staff:
    return Staff(services)


@pytest.fixture
def patient(people: People) -> UUID:
    return people.patient()


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Installs the assessment ``probe``, version 1; called, another version of it."""

    def install(version: int = 1, **how: Any) -> Any:
        declared = probe_of(version, **how)
        monkeypatch.setitem(every_assessment(), "probe", declared)
        return declared

    install()
    return install


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: compressed ones hold the time, so that two processes would name a test unlike."""
    return argname if isinstance(val, bytes) else None
