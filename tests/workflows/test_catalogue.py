import orjson
import pytest

from konectom.assessments import every_assessment
from konectom.errors import AssessmentUnknown, FieldInvalid
from konectom.workflows.catalogue import describe_assessment, list_assessments, list_measures


@pytest.fixture(autouse=True)
def _probe(probe):
    pass


def test_every_assessment_is_listed():
    listed = {each["name"]: each for each in list_assessments()}
    assert set(listed) == set(every_assessment())
    assert listed["probe"] == {
        "name": "probe",
        "title": "Probe",
        "version": 1,
        "domain": "none",
        "measure_count": 5,
        "scores": ["probe.samples", "probe.level[left].mean", "probe.level[right].mean"],
    }


def test_an_assessment_tells_all_that_it_declares():
    told = describe_assessment("probe")
    assert told["description"] == "Magnitude of the acceleration."
    assert told["inputs"] == [
        {
            "name": "accelerometer",
            "of": "stream",
            "columns": ["x", "y", "z"],
            "unit": "m/s2",
            "optional": False,
            "means": "",
        }
    ]
    assert told["conditions"] == [{"name": "hand", "levels": ["left", "right"], "means": ""}]
    assert {"probe.short", "probe.unfinished"} <= {rule["code"] for rule in told["quality"]}
    assert len(told["measures"]) == told["measure_count"] == 5
    with pytest.raises(AssessmentUnknown):
        describe_assessment("no such test")


def test_measures_are_told_by_assessment_and_by_score():
    (level,) = [each for each in list_measures("probe", score=True) if each["key"] == "probe.level[left].mean"]
    assert (level["assessment"], level["version"], level["unit"], level["better"]) == ("probe", 1, "m/s2", "lower")
    assert level["aliases"] == {"dispel": "pr-left-mean"}
    assert len(list_measures("probe")) == 5
    assert len(list_measures("probe", score=True)) == 3
    assert len(list_measures("probe", score=False)) == 2
    assert len(list_measures()) == sum(len(each.catalogue) for each in every_assessment().values())
    with pytest.raises(FieldInvalid):
        list_measures("no such test")


def test_all_of_it_is_plain_json():
    for told in (list_assessments(), list_measures(), [describe_assessment(name) for name in every_assessment()]):
        assert orjson.loads(orjson.dumps(told)) == told
