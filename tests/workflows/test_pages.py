import base64

import orjson
import pytest

from konectom.errors import FieldInvalid
from konectom.workflows.patients.devices import list_devices
from konectom.workflows.patients.people import list_patients


def all_pages(ask, **how):
    """Follow the cursors to the end; return the pages."""
    pages, cursor = [], None
    while True:
        page = ask(cursor=cursor, **how)
        pages.append([item["id"] for item in page["items"]])
        cursor = page["next"]
        if cursor is None:
            return pages


def patients_of(services, study):
    return lambda **how: list_patients(services, study_id=study, **how)


def test_pages_follow_each_other_without_gap_or_repetition(services, people):
    study = people.study()
    made = {f"P{number:02}": str(people.patient(study, f"P{number:02}")) for number in range(11)}
    pages = all_pages(patients_of(services, study), limit=4)
    assert [len(page) for page in pages] == [4, 4, 3]
    assert [item for page in pages for item in page] == [made[code] for code in sorted(made)]


def test_a_full_last_page_has_no_next(services, people):
    study = people.study()
    for _ in range(4):
        people.patient(study)
    assert [len(page) for page in all_pages(patients_of(services, study), limit=2)] == [2, 2]


def test_rows_that_come_meanwhile_do_not_shift_the_others(services, people):
    study = people.study()
    for code in ("B", "D", "F"):
        people.patient(study, code)
    first = list_patients(services, study_id=study, limit=2)
    people.patient(study, "A")
    people.patient(study, "E")
    second = list_patients(services, study_id=study, limit=2, cursor=first["next"])
    assert [item["code"] for item in (*first["items"], *second["items"])] == ["B", "D", "E", "F"]


def test_rows_of_the_same_instant_are_told_apart(services, people, patient):
    made = {str(people.device(patient)) for _ in range(5)}
    pages = all_pages(lambda **how: list_devices(services, patient_id=patient, **how), limit=1)
    assert [len(page) for page in pages] == [1] * 5
    assert {page[0] for page in pages} == made


def cursor_of(value):
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


STRANGE_KEYS = ("text", 5, [], ["A"], ["A", "B"], [1, 2], [None, None], {"a": 1, "b": 2}, ["\0", "0" * 32])


@pytest.mark.parametrize("cursor", ["", "x", "é", "====", "a" * 5000, *map(cursor_of, STRANGE_KEYS)])
def test_a_cursor_that_no_page_gave_is_refused(services, people, cursor):
    with pytest.raises(FieldInvalid) as refused:
        list_patients(services, cursor=cursor)
    assert refused.value.at == "/query/cursor"


@pytest.mark.parametrize("cursor", [cursor_of(["2026-01-01T00:00:00", "0" * 32]), cursor_of([5, "0" * 32])])
def test_a_cursor_with_a_naive_time_is_refused(services, patient, cursor):
    with pytest.raises(FieldInvalid):
        list_devices(services, patient_id=patient, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_a_page_has_bounds(services, limit):
    with pytest.raises(FieldInvalid) as refused:
        list_patients(services, limit=limit)
    assert refused.value.at == "/query/limit"


def test_the_size_of_a_page_is_a_setting(services, people):
    study = people.study()
    for _ in range(51):
        people.patient(study)
    assert len(list_patients(services)["items"]) == services.settings.page_size == 50
