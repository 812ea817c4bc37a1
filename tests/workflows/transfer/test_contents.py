"""The digest of a table tells any difference of any cell, and no difference of order."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from konectom.storage.database import open_engine
from konectom.storage.models import Base
from konectom.workflows.transfer.contents import Sum, content_of, contents_of, different
from tests.workflows.transfer.conftest import contents, mind_no_references


def test_the_order_does_not_matter():
    said = [random.randbytes(20) for _ in range(50)]
    first, second = Sum(), Sum()
    first.add(said)
    for each in reversed(said):
        second.add([each])
    assert first.content == second.content
    assert first.content.rows == 50


@given(st.lists(st.binary(max_size=4), max_size=6), st.lists(st.binary(max_size=4), max_size=6))
def test_other_rows_are_another_digest(first, second):
    sums = [Sum(), Sum()]
    sums[0].add(first)
    sums[1].add(second)
    assert (sums[0].content == sums[1].content) == (sorted(first) == sorted(second))


CELLS = [(table.name, column.name) for table in Base.metadata.sorted_tables for column in table.columns]


@pytest.fixture
def loose(services, persons):
    """The installation through a connection that lets anything be written."""
    engine = open_engine(services.settings.database_url, foreign_keys=False)
    with engine.connect() as connection:
        mind_no_references(connection)
        connection.commit()
        yield connection
    engine.dispose()


@pytest.mark.embedded
def test_a_change_of_any_cell_of_any_table_is_told(loose):
    before = contents_of(loose)
    told = 0
    for table, column in CELLS:
        key = ", ".join(f'"{each.name}"' for each in Base.metadata.tables[table].primary_key.columns)
        some = f'({key}) = (SELECT {key} FROM "{table}" WHERE "{column}" IS NOT NULL LIMIT 1)'
        kind = loose.execute(text(f'SELECT typeof("{column}"), "{column}" FROM "{table}" WHERE {some}')).one_or_none()
        if kind is None:
            continue
        other = _another(*kind)
        loose.execute(text(f'UPDATE "{table}" SET "{column}" = :other WHERE {some}'), {"other": other})
        assert content_of(loose, Base.metadata.tables[table]) != before[table], column
        loose.rollback()
        told += 1
    assert told > 150


def _another(kind, value):
    """Another value that the column's type can be read as."""
    if kind == "text":
        return value[:-1] + ("1" if value[-1:] != "1" else "2") if value else "x"
    if kind == "blob":
        return bytes(value)[:-1] + bytes([value[-1] ^ 1]) if value else b"x"
    return value + (0.5 if kind == "real" else 1000)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_row_less_is_told(loose, data):
    before = contents_of(loose)
    table = data.draw(st.sampled_from(sorted(name for name, each in before.items() if each.rows)))
    key = ", ".join(f'"{each.name}"' for each in Base.metadata.tables[table].primary_key.columns)
    loose.execute(text(f'DELETE FROM "{table}" WHERE ({key}) = (SELECT {key} FROM "{table}" LIMIT 1)'))
    assert different(before, contents_of(loose)) == [table]
    loose.rollback()


def test_reading_twice_is_the_same(services, persons):
    assert contents(services) == contents(services)
