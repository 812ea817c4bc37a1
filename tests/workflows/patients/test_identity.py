"""Who a patient is: sealed, apart, and nowhere else."""

import orjson
import pytest
import structlog
from sqlalchemy import select, update

from konectom.errors import FieldInvalid, KeyDestroyed, NotFound, SealBroken
from konectom.storage.models import Identity, PatientKey
from konectom.workflows.patients.identity import MOST_CHARACTERS, get_identity, remove_identity, set_identity

ADA = {
    "given_name": "Augusta Ada",
    "family_name": "Byron-Zweistein",
    "birth_date": "1815-12-10",
    "email": "ada.zweistein@example.org",
    "phone": "+32 2 555 98 76",
    "hospital_number": "H-4711-0815",
    "note": "Lieber vormittags anrufen — ☎",
}


def rows(services):
    with services.db.read() as db:
        return db.scalars(select(Identity)).all()


def test_what_was_said_is_told(services, patient, clock):
    nothing = dict.fromkeys(ADA)
    assert get_identity(services, patient) == {"patient": str(patient), **nothing, "changed_at": None}
    said = set_identity(services, patient, **ADA)
    assert (
        said == get_identity(services, patient) == {"patient": str(patient), **ADA, "changed_at": clock.now.isoformat()}
    )
    clock.forward(hours=1)
    said = set_identity(services, patient, given_name="Ada", family_name=None, phone="")
    assert said == get_identity(services, patient)
    assert {name for name, value in said.items() if value is not None} == {"patient", "given_name", "changed_at"}
    assert said["changed_at"] == clock.now.isoformat()
    assert list(said)[1:-1] == list(MOST_CHARACTERS)


def test_what_is_removed_is_gone(services, patient):
    set_identity(services, patient, **ADA)
    remove_identity(services, patient)
    assert rows(services) == []
    remove_identity(services, patient)
    set_identity(services, patient, **ADA)
    assert set_identity(services, patient) == get_identity(services, patient)
    assert rows(services) == []


def test_no_byte_of_it_lies_open_anywhere(services, patient):
    with structlog.testing.capture_logs() as log:
        set_identity(services, patient, **ADA)
        get_identity(services, patient)
    services.close()
    kept = b"".join(file.read_bytes() for file in services.settings.data_dir.rglob("*") if file.is_file())
    for value in ADA.values():
        assert value.encode() not in kept
        assert orjson.dumps(value)[1:-1] not in kept
        assert value not in str(log)
    (row,) = rows(services)
    assert not any(value in repr(vars(row)) for value in ADA.values())


def test_patients_do_not_share_seals_even_where_they_share_names(services, people):
    first, second = people.patient(), people.patient()
    for each in (first, second):
        set_identity(services, each, **ADA)
    one, other = rows(services)
    assert one.sealed != other.sealed
    with services.db.write() as db:
        db.get(Identity, first).sealed = other.sealed if one.patient_id == first else one.sealed
    with pytest.raises(SealBroken):
        get_identity(services, first)
    assert get_identity(services, second)["email"] == ADA["email"]


def test_a_key_in_anothers_row_opens_nothing(services, people):
    first, second = people.patient(), people.patient()
    set_identity(services, first, **ADA)
    with services.db.engine.begin() as connection:
        key = select(PatientKey.sealed).where(PatientKey.patient_id == first).scalar_subquery()
        connection.execute(update(PatientKey).where(PatientKey.patient_id == second).values(sealed=key))
        connection.execute(update(Identity).values(patient_id=second))
    with pytest.raises(SealBroken):
        get_identity(services, second)


def test_without_the_key_of_the_patient_it_is_lost(services, patient):
    set_identity(services, patient, **ADA)
    with services.db.write() as db:
        db.delete(db.get(PatientKey, patient))
    with pytest.raises(KeyDestroyed) as refused:
        get_identity(services, patient)
    assert (refused.value.code, refused.value.status) == (NotFound.code, 404)


@pytest.mark.parametrize("how", [get_identity, set_identity, remove_identity])
def test_of_nobody_there_is_nothing_to_say(services, how):
    from uuid import uuid4

    with pytest.raises(NotFound):
        how(services, uuid4())


@pytest.mark.parametrize("name", MOST_CHARACTERS)
def test_what_is_too_long_is_refused_without_being_repeated(services, patient, name):
    value = "9" * (MOST_CHARACTERS[name] + 1)
    with pytest.raises(FieldInvalid) as refused:
        set_identity(services, patient, **{name: value})
    assert refused.value.at == f"/{name}"
    assert "999" not in refused.value.detail
    assert rows(services) == []


@pytest.mark.parametrize("fields", [{"birth_date": "17.5.1980"}, {"birth_date": "1980-02-30"}, {"note": "a\0b"}])
def test_what_cannot_be_is_refused(services, patient, fields):
    with pytest.raises(FieldInvalid) as refused:
        set_identity(services, patient, **fields)
    assert [refused.value.at] == [f"/{name}" for name in fields]
