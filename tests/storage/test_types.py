from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import StatementError

from konectom.storage.models import Study
from konectom.storage.types import Vector, pack, unpack


@given(st.binary(max_size=4000).map(lambda raw: np.frombuffer(raw[: len(raw) // 8 * 8], "<f8")))
def test_every_bit_of_a_vector_comes_back(values):
    assert unpack(pack(values)).tobytes() == values.tobytes()


def test_a_vector_of_a_big_endian_machine_is_kept_little_endian():
    assert pack(np.array([1.5, np.nan], ">f8")) == pack(np.array([1.5, np.nan], "<f8"))


def test_a_vector_that_was_read_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        unpack(pack(np.zeros(3)))[0] = 1.0


def test_vectors_are_compared_bit_by_bit():
    same = Vector().compare_values
    assert same(np.array([np.nan, 1.0]), np.array([np.nan, 1.0]))
    assert not same(np.array([0.0]), np.array([-0.0]))
    assert not same(np.array([0.0]), None)


def test_a_vector_that_is_mostly_missing_is_small():
    values = np.full(2500, np.nan)
    values[:100] = np.random.default_rng(1).normal(size=100)
    assert len(pack(values)) < 2000


def test_an_instant_comes_back_in_utc(services, people):
    row = Study(id=people.study(), code="X", name="", created_at=None)
    at = datetime(2026, 3, 29, 1, 59, 59, 123456, timezone(timedelta(hours=5, minutes=45)))
    with services.db.write() as db:
        db.get(Study, row.id).created_at = at
    with services.db.read() as db:
        kept = db.get(Study, row.id).created_at
    assert kept == at
    assert kept.tzinfo is UTC


def test_a_time_without_its_offset_is_refused(services, people):
    study = people.study()
    with pytest.raises(StatementError, match="without its offset"), services.db.write() as db:
        db.get(Study, study).created_at = datetime(2026, 1, 1)  # noqa: DTZ001
