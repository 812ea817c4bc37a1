"""A long table from a file."""

import numpy as np
import pytest

from konectom.errors import DataError
from konectom.workflows.following.reliability_design import design_of, split
from konectom.workflows.tables.long_table import read_long_table

HEAD = "patient,score,at,value"


def test_a_file_with_labels_and_attributes():
    body = (
        "\ufeffpatient,arm,score,at,value,label\r\n"
        "P1,new,tap.valid_taps[left],2026-03-01,40,remote\r\n"
        'P1,new,"pinch.time[left,small].mean",2026-03-01T12:00:00+01:00,1.5,\r\n'
        "P2,,tap.valid_taps[left],20514.25,,supervised\r\n"
    )
    table = read_long_table(body.encode())
    assert table.patient.tolist() == ["P1", "P1", "P2"]
    assert table.key.tolist()[1] == "pinch.time[left,small].mean"
    assert table.at_day.tolist() == pytest.approx([20513, 20513 + 11 / 24, 20514.25])
    assert np.isnan(table.value[2])
    assert table.label.tolist() == ["remote", "", "supervised"]
    assert table.attributes == {"arm": {"P1": "new"}}


@pytest.mark.parametrize(
    ("body", "code", "at"),
    [
        ("", "field_missing", "/patient"),
        ("patient,score,value\n", "field_missing", "/at"),
        (f"{HEAD},value\n", "field_invalid", None),
        (f"{HEAD}\nP1,a,1,x\n", "field_invalid", "/0/value"),
        (f"{HEAD}\nP1,a,1,2\nP1,a,1,nan\n", "field_invalid", "/1/value"),
        (f"{HEAD}\nP1,a,1,inf\n", "field_invalid", "/0/value"),
        (f"{HEAD}\nP1,a,yesterday,2\n", "field_invalid", "/0/at"),
        (f"{HEAD}\nP1,a,,2\n", "field_invalid", "/0/at"),
        (f"{HEAD}\n,a,1,2\n", "field_missing", "/0"),
        (f"{HEAD}\nP1,a,1\n", "field_invalid", "/0"),
        (f"{HEAD}\nP1,a,1,2,3\n", "field_invalid", "/0"),
        (f'{HEAD}\nP1,a,1,2\nP1,a,1,"2\n', "field_invalid", "/1"),
        (f"{HEAD},sex\nP1,a,1,2,female\nP1,a,2,2,male\n", "field_invalid", "/1/sex"),
    ],
)
def test_what_is_wrong_says_where(body, code, at):
    with pytest.raises(DataError) as refusal:
        read_long_table(body.encode())
    assert (refusal.value.code, refusal.value.at) == (code, at)


def test_a_file_that_is_not_utf8():
    with pytest.raises(DataError, match="not UTF-8"):
        read_long_table(b"patient,score,at,value\nP\xff,a,1,2\n")


def test_a_list_is_split_where_no_key_is():
    assert split("tap.a[left], pinch.b[left,small].mean ,,c") == ["tap.a[left]", "pinch.b[left,small].mean", "c"]


def test_words_make_a_design():
    told = design_of(
        repeats="periods",
        periods=["before=2026-01-01/2026-02-01", "after=2026-02-01/2026-03-01T06:00:00+01:00"],
        groups=["sex:female/male", "obs.edss.step >= 4.5"],
        tests_min=2,
    ).as_dict()
    assert [each["name"] for each in told["repeats"]["periods"]] == ["before", "after"]
    assert told["repeats"]["periods"][1]["end_day"] - told["repeats"]["periods"][1]["start_day"] == pytest.approx(
        28 + 5 / 24
    )
    assert told["groups"] == (
        {"attribute": "sex", "first": "female", "second": "male"},
        {"reference": "obs.edss.step", "threshold": 4.5},
    )
    assert design_of(repeats="labels").repeats.names == ("supervised", "unsupervised")


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ({"repeats": "days"}, "/query/repeats"),
        ({"labels": ["a", "b"]}, "/query/labels"),
        ({"repeats": "periods", "periods": ["a=1/2"]}, "/query/periods"),
        ({"repeats": "periods", "periods": ["first"]}, "/query/periods"),
        ({"repeats": "periods"}, "/query/periods"),
        ({"groups": ["obs.edss.step>=much"]}, "/query/groups"),
        ({"groups": ["obs.edss.step>=nan"]}, "/query/groups"),
        ({"groups": ["sex"]}, "/query/groups"),
        ({"confidence": 95.0}, "/query/confidence"),
    ],
)
def test_words_that_make_none_are_refused(words, at):
    with pytest.raises(DataError) as refusal:
        design_of(**words)
    assert refusal.value.at == at
