"""Which tables are of a patient follows from the models; here it is worked out from the database itself."""

from uuid import uuid4

from sqlalchemy import create_engine, inspect, select

from konectom.storage.belonging import rows_of, tables_of_patients
from konectom.storage.models import Base
from konectom.workflows.erasing.archive import HELD, NOT_HELD

KNOWS_THE_ID_ALONE = {"audit", "erasure"}


def references(url):
    """Each table with those to which it refers, as the database has them."""
    engine = create_engine(url)
    database = inspect(engine)
    names = database.get_table_names()
    found = {name: {key["referred_table"] for key in database.get_foreign_keys(name)} for name in names}
    engine.dispose()
    return found


def test_every_table_from_which_a_patient_is_reached_is_among_them(settings):
    refers = references(settings.database_url)
    reached, before = {"patient"}, set()
    while reached != before:
        before = set(reached)
        reached |= {name for name, to in refers.items() if to & reached}
    assert {table.name for table in tables_of_patients()} == reached
    assert len(reached) > 15


def test_what_refers_stands_before_what_it_refers_to(settings):
    refers = references(settings.database_url)
    order = [table.name for table in tables_of_patients()]
    for index, name in enumerate(order):
        assert not refers[name] & set(order[:index]), name
    assert order[-1] == "patient"


def test_no_other_table_names_a_patient():
    named = {table.name for table in Base.metadata.tables.values() if "patient_id" in table.columns}
    assert named - {table.name for table in tables_of_patients()} == KNOWS_THE_ID_ALONE


def test_the_rows_of_each_can_be_asked_for(services):
    with services.db.read() as db:
        for table in tables_of_patients():
            assert db.execute(select(table).where(rows_of(table, uuid4()))).all() == []


def test_the_archive_speaks_of_each():
    names = {table.name for table in tables_of_patients()}
    assert {*HELD, *NOT_HELD} == names
    assert not set(HELD) & set(NOT_HELD)
