"""Rows are carried as they are stored, between databases of any kind, whatever tables there are."""

from datetime import UTC, date, datetime
from uuid import UUID

import orjson
import pytest
from sqlalchemy import Column, Date, Float, ForeignKey, Integer, LargeBinary, MetaData, String, Table, text

from konectom.storage.models import Base
from konectom.storage.types import Instant
from konectom.workflows.transfer import rows as carrying
from konectom.workflows.transfer.rows import batches, every_table, plan_for


def test_all_tables_come_after_those_to_which_they_refer():
    ordered = every_table()
    assert set(ordered) == set(Base.metadata.tables.values())
    place = {table: number for number, table in enumerate(ordered)}
    for table in ordered:
        assert all(place[key.column.table] <= place[table] for key in table.foreign_keys)


def test_a_json_text_is_carried_as_it_stands(services, people):
    people.study("A")
    written = '{"z": 1.00,  "a": [1e3, "\\u00e9"]}'
    with services.db.engine.begin() as connection:
        connection.execute(text("UPDATE study SET policy = :policy"), {"policy": written})
    with services.db.engine.connect() as connection:
        plan = plan_for(Base.metadata.tables["study"], connection.dialect.name)
        (row,) = plan.read(connection)
    assert row[plan.columns.index("policy")] == written


def test_every_table_can_be_read_after_any_of_its_rows(services, persons):
    with services.db.engine.connect() as connection:
        for table in every_table():
            plan = plan_for(table, connection.dialect.name)
            everything = list(plan.read(connection))
            for number, row in enumerate(everything):
                after = plan.key_from(orjson.loads(orjson.dumps(plan.key_of(row))))
                assert list(plan.read(connection, after)) == everything[number + 1 :], table.name


KEYS = Table(
    "keys", MetaData(), Column("a", Instant, primary_key=True), Column("b", Date, primary_key=True),
    Column("c", LargeBinary, primary_key=True), Column("d", String, primary_key=True),
    Column("e", Integer, primary_key=True),
)  # fmt: skip


def test_a_key_of_any_kind_can_be_written_down():
    plan = plan_for(KEYS, "sqlite")
    row = (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), date(2026, 1, 2), b"\0\xff", "é", -7)
    told = orjson.loads(orjson.dumps(plan.key_of(row)))
    assert plan.key_from(told) == list(row)


NUMBERS = Table("numbers", MetaData(), Column("id", Integer, primary_key=True), Column("x", Float))


def test_what_a_row_says_tells_every_number_from_every_other():
    plan = plan_for(NUMBERS, "sqlite")
    told = [0.0, 5e-324, 1.0, 1.0000000000000002, float("inf"), float("-inf"), float("nan"), None]
    assert len({plan.written_down((1, each)) for each in told}) == len(told)
    assert plan.written_down((1, -0.0)) == plan.written_down((1, 0.0)), "SQLite keeps no sign of a zero"


def test_a_table_without_a_key_is_refused():
    with pytest.raises(TypeError, match="no primary key"):
        plan_for(Table("keyless", MetaData(), Column("x", Integer)), "sqlite")


def test_batches_are_bounded_by_rows_and_by_bytes(monkeypatch):
    monkeypatch.setattr(carrying, "BATCH_ROWS", 3)
    monkeypatch.setattr(carrying, "BATCH_BYTES", 60)
    table = Table("texts", MetaData(), Column("id", Integer, primary_key=True), Column("said", String))
    plan = plan_for(table, "sqlite")
    short = [(each, "") for each in range(7)]
    assert [len(some) for some, _ in batches(iter(short), plan)] == [3, 3, 1]
    long = [(each, "x" * 70) for each in range(3)]
    assert [len(some) for some, _ in batches(iter(long), plan)] == [1, 1, 1]


def test_ids_are_ids_and_times_are_times(services, persons):
    with services.db.engine.connect() as connection:
        plan = plan_for(Base.metadata.tables["patient"], connection.dialect.name)
        row = dict(zip(plan.columns, next(plan.read(connection)), strict=True))
    assert UUID(row["id"]).hex == row["id"]
    assert row["created_at"].tzinfo is UTC


def create(engine, *tables):
    """Create tables from copies: creating them on one kind of database leaves marks that are wrong for the other."""
    made = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in tables:
        table.to_metadata(made)
    made.create_all(engine)


@pytest.fixture
def tangled(monkeypatch):
    """Tables that refer to themselves and to each other, in every installation that is set up meanwhile."""
    from konectom.storage import migrate
    from konectom.storage.database import open_engine

    person = Table(
        "person", Base.metadata, Column("id", Integer, primary_key=True), Column("name", String, nullable=False),
        Column("chief", ForeignKey("person.id"), nullable=False), Column("home", ForeignKey("house.id")),
    )  # fmt: skip
    house = Table(
        "house", Base.metadata, Column("id", Integer, primary_key=True),
        Column("owner", ForeignKey("person.id", use_alter=True)),
    )  # fmt: skip
    upgrade = migrate.upgrade

    def upgrade_with_them(url):
        upgrade(url)
        engine = open_engine(url, foreign_keys=False)
        create(engine, person, house)
        engine.dispose()

    monkeypatch.setattr(migrate, "upgrade", upgrade_with_them)
    yield person, house
    for table in (person, house):
        Base.metadata.remove(table)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_tables_may_refer_to_themselves_and_in_circles(services, elsewhere, tangled, kind):
    from konectom.storage.database import open_engine
    from konectom.workflows.transfer import target
    from konectom.workflows.transfer.migrating import migrate_store
    from tests.workflows.transfer.conftest import contents

    person, house = tangled
    target._fresh.cache_clear()
    engine = open_engine(services.settings.database_url, foreign_keys=False)
    create(engine, person, house)
    with engine.begin() as connection:
        everybody = [{"id": each, "name": f"p{each}", "chief": each % 5 + 1} for each in range(1, 6)]
        connection.execute(person.insert().values(everybody))  # one statement: they refer to each other
        connection.execute(house.insert(), [{"id": each, "owner": each} for each in range(1, 6)])
        connection.execute(person.update().values(home=6 - person.c.id))
    engine.dispose()
    there = elsewhere(kind)
    moved = migrate_store(services, to_database=there.settings.database_url)
    assert (moved.tables["person"].rows, moved.tables["house"].rows) == (5, 5)
    assert contents(there) == contents(services)
    with there.db.engine.begin() as connection:
        if kind == "postgresql":
            assert connection.execute(person.insert().values(name="new", chief=1)).inserted_primary_key == (6,)
    target._fresh.cache_clear()
