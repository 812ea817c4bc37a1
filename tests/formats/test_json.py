"""JSON documents: parsed without their samples, where nobody wants those."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konectom import formats
from konectom.errors import NotJson
from konectom.formats import _json
from konectom.formats._json import LONG_BYTES, MOST_ARRAYS, without_samples
from tests.formats.test_session1 import SESSION

texts = st.one_of(st.text(), st.text('[]{},:"\\01ein '))
numbers = st.one_of(st.none(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))
documents = st.recursive(
    st.one_of(texts, st.booleans(), numbers, st.lists(numbers)),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(texts, inner)),
)


def emptied(value: Any) -> Any:
    """Return a document with a 0 alone in its arrays of numbers and nulls."""
    if isinstance(value, dict):
        return {name: emptied(each) for name, each in value.items()}
    if not isinstance(value, list):
        return value
    samples = all(each is None or type(each) in (int, float) for each in value)
    return [0] if samples else [emptied(each) for each in value]


@settings(deadline=None)
@given(document=documents, spaced=st.booleans())
def test_nothing_but_samples_is_left_out(document: Any, spaced: bool) -> None:
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 if spaced else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json, "LONG_BYTES", 0)
        assert orjson.loads(without_samples(text)) == emptied(document)


@pytest.mark.parametrize(
    "inside",
    [b'"' + b"1" * LONG_BYTES + b'"', b"true," * LONG_BYTES, b"NaN," * LONG_BYTES, b"{}," * LONG_BYTES, b"1,2"],
    ids=["text", "words", "no JSON", "objects", "short"],
)
def test_what_is_no_long_array_of_numbers_stays(inside: bytes) -> None:
    text = b'{"a":[' + inside + b"]}"
    assert without_samples(text) is text


def test_brackets_in_texts_are_texts() -> None:
    digits = "1," * LONG_BYTES
    document = {"[": f"[{digits}]", "]": f'\\"[{digits}]\\', '"': f"[{digits}", "x": [1] * LONG_BYTES, "y": "]"}
    assert orjson.loads(without_samples(orjson.dumps(document))) == document | {"x": [0]}


def test_behind_many_arrays_samples_stay() -> None:
    samples = b"[" + b"1," * LONG_BYTES + b"1]"
    assert without_samples(b"[" + b"[]," * (MOST_ARRAYS - 1) + samples).endswith(b",[0]")
    text = b"[" + b"[]," * MOST_ARRAYS + samples
    assert without_samples(text) is text


@pytest.mark.parametrize("wrong", ["1.2.3", "1 2", "01", "nul", "1,,2", "-"])
def test_samples_that_are_no_json_are_refused_by_who_reads_them(wrong: str) -> None:
    text = orjson.dumps(SESSION).replace(b'"accelerometer":{', b'"accelerometer":{"w":[%b],', 1)
    text %= b"1," * LONG_BYTES + wrong.encode()
    (recording,) = formats.outline(text).recordings
    assert "accelerometer" in (recording.beside or ())
    with pytest.raises(NotJson):
        formats.read(text)


def test_what_is_wrong_elsewhere_is_refused_at_its_place() -> None:
    text = orjson.dumps([SESSION, [1] * LONG_BYTES]) + b"!"
    refusals = []
    for read in (formats.read, formats.outline):
        with pytest.raises(NotJson) as refused:
            read(text)
        refusals.append(refused.value.detail)
    assert refusals[0] == refusals[1]
    assert f"char {len(text) - 1}" in refusals[0]
