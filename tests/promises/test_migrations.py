"""The migrations make what the models say, from a checkout and from an installed package."""

import multiprocessing
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from alembic import command
from alembic.util import CommandError
from sqlalchemy import inspect, text

from konectom.errors import MigrationNeeded
from konectom.storage import migrate
from konectom.storage.database import open_engine
from konectom.storage.models import Base, Study

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/konectom.sqlite3"
        return
    postgres = request.getfixturevalue("postgres")
    name = postgres.new()
    yield postgres.url(name)
    postgres.drop(name)


def test_the_migrations_make_what_the_models_say(url):
    migrate.upgrade(url)
    assert migrate.differences(url) == []
    migrate.check(url)
    assert migrate.current_revision(url) == migrate.head_revision()


def test_they_are_checked_without_a_database():
    migrate.check_scripts()


def test_upgrading_again_changes_nothing(url):
    migrate.upgrade(url)
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO study (id, code, name, consent, created_at) VALUES (:id, 'A', '', 'here', '2026-01-01')"),
            {"id": "0" * 32},
        )
    migrate.upgrade(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT code FROM study")).scalars().all() == ["A"]
    engine.dispose()


def test_a_database_that_was_never_set_up_does_not_pass(url):
    assert migrate.current_revision(url) is None
    with pytest.raises(MigrationNeeded, match="konectom db upgrade"):
        migrate.check(url)


def test_a_database_of_a_later_version_is_left_alone(url):
    migrate.upgrade(url)
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    engine.dispose()
    for ask in (migrate.check, migrate.upgrade):
        with pytest.raises(MigrationNeeded, match="later version of konectom"):
            ask(url)


def test_a_database_that_differs_does_not_pass(url):
    migrate.upgrade(url)
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_session_received_at_id"))
    engine.dispose()
    with pytest.raises(MigrationNeeded, match="ix_session_received_at_id"):
        migrate.check(url)


def test_a_forgotten_migration_does_not_pass(url, monkeypatch):
    from sqlalchemy import Column, Integer

    migrate.upgrade(url)
    changed = Base.metadata.tables["study"]
    column = Column("forgotten", Integer)
    changed.append_column(column)
    try:
        with pytest.raises(MigrationNeeded, match="forgotten"):
            migrate.check(url)
    finally:
        changed._columns.remove(column)
    assert "forgotten" not in Study.__table__.columns


def test_all_the_way_down_and_up_again(url):
    migrate.upgrade(url)
    migrate.downgrade(url, "base")
    engine = open_engine(url)
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    engine.dispose()
    migrate.upgrade(url)
    migrate.check(url)


def test_step_by_step_down_and_up_again(url):
    """Each migration is undone for itself, and what it made before is made again."""
    steps = [script.revision for script in migrate.ScriptDirectory.from_config(migrate._config()).walk_revisions()]
    migrate.upgrade(url)
    for earlier in (*steps[1:], "base"):
        migrate.downgrade(url, earlier)
        assert (migrate.current_revision(url) or "base") == earlier
    for later in reversed(steps):
        with migrate._connection(url) as connection:
            command.upgrade(migrate._config(connection), later)
    migrate.check(url)


def test_a_revision_that_is_not_earlier_is_refused(url):
    migrate.upgrade(url)
    for other in (migrate.head_revision(), "none"):
        with pytest.raises(MigrationNeeded, match="no earlier one"):
            migrate.downgrade(url, other)
    migrate.check(url)


STUDY, PATIENT, SESSION, RECORDING, RESULT = (f"{number:032x}" for number in range(1, 6))

FIRST_SCHEMA = {
    "study": {"id": STUDY, "code": "A", "name": "", "created_at": "2026-01-01"},
    "patient": {"id": PATIENT, "study_id": STUDY, "code": "P", "created_at": "2026-01-01"},
    "measure": {"id": 1, "key": "tap.valid_taps"},
    "catalogue": {"id": 7, "assessment": "tap", "version": 1, "digest": "d", "entries": "[]"},
    "blob": {"digest": "d", "size_bytes": 1, "stored_at": "2026-01-01"},
    "session": {
        "id": SESSION, "patient_id": PATIENT, "digest": "d", "format": "f", "started_at": "2026-01-01",
        "utc_offset_s": 3600, "phone": "{}", "received_at": "2026-01-01", "status": "processed",
    },
    "recording": {
        "id": RECORDING, "session_id": SESSION, "index": 2, "assessment": "tap", "condition": "{}", "offset_s": 0.0,
        "status": "processed",
    },
    "result": {
        "id": RESULT, "recording_id": RECORDING, "catalogue_id": 7, "created_at": "2026-01-01", "verdict": "limited",
        "flags": '[{"code": "tap.few"}, {"code": "tap.slow"}]', "absent": "{}", "features": b"",
    },
}  # fmt: skip


def plain(row):
    """A row as SQLite gives it back."""
    return {
        name: value.hex
        if isinstance(value, UUID)
        else f"{value:%Y-%m-%d %H:%M:%S.%f}"
        if isinstance(value, datetime)
        else value
        for name, value in row.items()
    }


@pytest.mark.parametrize(
    "at",
    [
        "2026-11-22 09:12:03.250001",
        "2026-11-22 09:12:03.000000",
        "1969-12-31 23:59:59.999999",
        "1969-12-31 00:00:00.000000",
    ],
)
def test_scores_of_the_first_schema_are_carried_over_and_back(url, at):
    with migrate._connection(url) as connection:
        command.upgrade(migrate._config(connection), "0001")
        told = FIRST_SCHEMA | {
            "score": {"result_id": RESULT, "measure_id": 1, "patient_id": PATIENT, "at": at, "value": 41.5}
        }
        for table, row in told.items():
            marks, columns = ", ".join(f":{name}" for name in row), ", ".join(f'"{name}"' for name in row)
            connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({marks})"), row)
        before = connection.execute(text("SELECT * FROM score")).mappings().one()
        command.upgrade(migrate._config(connection), "0002")
        after = connection.execute(text("SELECT * FROM score")).mappings().one()
        command.downgrade(migrate._config(connection), "0001")
        again = connection.execute(text("SELECT * FROM score")).mappings().one()
    at_us = (datetime.fromisoformat(at + "+00:00") - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert plain(after) == {
        "patient_id": PATIENT, "measure_id": 1, "at": at_us, "session_id": SESSION, "index": 2, "catalogue_id": 7,
        "utc_offset_s": 3600, "verdict": "limited", "flags": "tap.few tap.slow", "value": 41.5,
    }  # fmt: skip
    assert plain(again) == plain(before)
    assert plain(before)["at"] == at


def test_a_migration_that_fails_leaves_the_database_as_it_was(url, monkeypatch):
    def fail(*args, **kwargs):
        with_tables = args[0].attributes["connection"]
        with_tables.execute(text("CREATE TABLE half_way (id INTEGER)"))
        raise RuntimeError("half way")

    monkeypatch.setattr(command, "upgrade", fail)
    with pytest.raises(RuntimeError):
        migrate.upgrade(url)
    engine = open_engine(url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_several_processes_may_upgrade_at_once(url):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=migrate.upgrade, args=(url,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    migrate.check(url)


def test_each_migration_has_a_name_and_stands_alone():
    files = sorted((ROOT / "migrations" / "versions").glob("*.py"))
    assert files
    for file in files:
        assert file.name[:10].replace("_", "").isdigit(), "the name begins with a date"
        assert "konectom" not in file.read_text(), "a migration must not change with the code"


@pytest.mark.slow
def test_an_installed_package_finds_them(tmp_path):
    """Build the wheel and run it from elsewhere, without the checkout."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    wheel = next((tmp_path / "dist").glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    script = "from konectom.storage import migrate; print(migrate.scripts()); migrate.check_scripts()"
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r}); {script}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == str(tmp_path / "installed" / "konectom" / "storage" / "migrations")


def test_what_nothing_brings_back_is_not_dropped(services, people):
    """Who did what, and the keys under which there may be backups."""
    people.patient()
    url = services.settings.database_url
    services.db.close()
    with pytest.raises(CommandError, match="audit, patient_key"), migrate._connection(url) as connection:
        command.downgrade(migrate._config(connection), "0002")
    migrate.check(url)
