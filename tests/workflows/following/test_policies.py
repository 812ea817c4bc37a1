"""A study's policy: set, shown, refused where it names what there is not."""

from uuid import uuid4

import pytest

from konectom.errors import FieldInvalid, NotFound
from konectom.scoring.policy import Policy
from konectom.storage.models import Patient
from konectom.workflows.following.policies import get_policy, set_policy
from konectom.workflows.following.reviews import patients_due, review_patient


@pytest.fixture
def study(people):
    return people.study()


def test_a_study_begins_with_the_defaults(services, study):
    assert get_policy(services, study) == Policy().as_dict()


def test_what_is_not_named_has_its_default(services, study):
    told = set_policy(services, study, {"window_days": 28, "run_in": {"cps": 2}})
    assert told == Policy().as_dict() | {"window_days": 28.0, "widest_days": 56.0, "run_in": {"cps": 2}}
    assert get_policy(services, study) == told
    assert set_policy(services, study, {}) == Policy().as_dict()
    assert get_policy(services, study) == Policy().as_dict()


def test_another_study_keeps_its_own(services, people, study):
    set_policy(services, study, {"tests_min": 1})
    assert get_policy(services, people.study())["tests_min"] == Policy().tests_min


def test_a_policy_names_definitions_of_what_they_were_made_for(services, study):
    definitions = {
        "edss": "edss-roving-cdw-12w/1",
        "obs.sdmt.correct": "sdmt-8-24w/1",
        "tap": "digital-24w/1",
        "cps.substitution_time": "digital-roving-12w/1",
    }
    told = set_policy(services, study, {"definition": "digital-12w/1", "definitions": definitions})
    assert (told["definition"], told["definitions"]) == ("digital-12w/1", definitions)


@pytest.mark.parametrize(
    ("document", "at"),
    [
        ({"definition": "edss-cdw-12w/2"}, "/definition"),
        ({"definition": "edss-cdw-12w/1"}, "/definition"),  # made for EDSS, not for tests of a phone
        ({"definitions": {"edss": "none/1"}}, "/definitions/edss"),
        ({"definitions": {"edss": "sdmt-4-12w/1"}}, "/definitions/edss"),
        ({"definitions": {"obs.sdmt.correct": "edss-cdw-12w/1"}}, "/definitions/obs.sdmt.correct"),
        ({"definitions": {"tap/left": "digital-12w/1"}}, "/definitions/tap~1left"),
        ({"definitions": {"tapp": "digital-12w/1"}}, "/definitions/tapp"),
        ({"run_in": {"cpss": 1}}, "/run_in/cpss"),
        ({"taken": {"edsss": "each"}}, "/taken/edsss"),
        ({"window": 14}, "/window"),
        ({"window_days": None}, "/window_days"),
        ({"window_days": float("nan")}, "/window_days"),
        ({"version": 2}, "/version"),
    ],
)
def test_what_there_is_not_is_refused_where_it_is_set(services, study, document, at):
    with pytest.raises(FieldInvalid) as refused:
        set_policy(services, study, document)
    assert refused.value.at == at
    assert get_policy(services, study) == Policy().as_dict()


def test_a_study_that_there_is_not_has_none(services):
    with pytest.raises(NotFound):
        get_policy(services, uuid4())
    with pytest.raises(NotFound):
        set_policy(services, uuid4(), {})


def test_patients_are_reviewed_anew_under_another_policy(services, people, study):
    patient, other = people.patient(study), people.patient()
    for each in (patient, other):
        review_patient(services, each)
    assert patients_due(services, study) == []
    set_policy(services, study, {"tests_min": 2})
    assert patients_due(services, study) == [patient]
    assert patients_due(services, _study_of(services, other)) == []


def _study_of(services, patient):
    with services.db.read() as db:
        return db.get_one(Patient, patient).study_id
