from uuid import uuid4

import pytest
from sqlalchemy import delete, select, update

from konectom.storage.guard import RowImmutable
from konectom.storage.models import (
    IMMUTABLE,
    Blob,
    CatalogueRow,
    EarlierOutcome,
    Erasure,
    MeasureRow,
    NoiseRow,
    Patient,
    RecordingRow,
    ResultRow,
    ScoreRow,
    SessionRow,
)
from konectom.workflows.sessions.ingest import ingest_session
from tests.probe import session_body


@pytest.fixture
def stored(services, patient, probe):
    ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body())
    with services.db.write() as db:
        study, measure = db.scalars(select(Patient.study_id)).one(), db.scalars(select(MeasureRow.id)).first()
        erased = {"patient_id": uuid4(), "erased_at": services.clock(), "certificate": {}}
        db.add(Erasure(id=uuid4(), study_id=study, **erased))
        db.add(NoiseRow(id=uuid4(), study_id=study, measure_id=measure, computed_at=services.clock(), told={}))
        db.add(Erasure(id=uuid4(), study_id=study, patient_id=uuid4(), erased_at=services.clock(), certificate={}))
        recording = db.scalars(select(RecordingRow.id)).first()
        db.add(EarlierOutcome(recording_id=recording, until=services.clock(), status="failed", error=None))
    return services.db


@pytest.mark.parametrize("model", IMMUTABLE, ids=lambda model: model.__tablename__)
def test_rows_cannot_be_deleted(stored, model):
    with pytest.raises(RowImmutable, match=model.__tablename__), stored.write() as db:
        db.delete(db.scalars(select(model)).first())
    with pytest.raises(RowImmutable, match=model.__tablename__), stored.write() as db:
        db.execute(delete(model))
    with pytest.raises(RowImmutable, match=model.__tablename__), stored.write() as db:
        db.execute(delete(model.__table__))
    with stored.read() as db:
        assert db.scalars(select(model)).first() is not None


@pytest.mark.parametrize(
    ("model", "column", "value"),
    [(Blob, "size_bytes", 1), (ResultRow, "verdict", "valid?"), (ScoreRow, "value", 1e9), (CatalogueRow, "digest", "")],
)
def test_rows_cannot_be_changed(stored, model, column, value):
    with pytest.raises(RowImmutable, match=model.__tablename__), stored.write() as db:
        setattr(db.scalars(select(model)).first(), column, value)
    with pytest.raises(RowImmutable, match=model.__tablename__), stored.write() as db:
        db.execute(update(model).values({column: value}))
    with stored.read() as db:
        assert getattr(db.scalars(select(model)).first(), column) != value


def test_other_rows_can_be_changed(stored):
    with stored.write() as db:
        db.scalars(select(SessionRow)).one().setting = "clinic"
    with stored.read() as db:
        assert db.scalars(select(SessionRow.setting)).one() == "clinic"
