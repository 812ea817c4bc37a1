"""A seal is over everything an entry says, and over what came before it."""

import hashlib
import hmac
from dataclasses import fields, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from konectom.errors import FieldInvalid, KeysMissing
from konectom.security.chain import (
    GENESIS,
    Anchor,
    Entry,
    canonical,
    canonical_json,
    fault_of_entry,
    fault_of_head,
    fault_of_key,
    seal_entry,
    seal_head,
)
from konectom.security.keyring import Term

ENTRY = Entry(
    seq=7,
    at=1_795_251_600_000_000,
    actor_kind="user",
    actor_id=UUID(int=1),
    actor_name="Ada",
    action="patient.edit",
    change="update",
    study_id=UUID(int=2),
    patient_id=None,
    entity="patient",
    entity_id="p",
    before=None,
    after="patient:00",
    why=b"\x02why",
    request_id="r",
    address="",
    detail={"columns": ["mass_kg"]},
)


class Ring:
    """Keys that are known by what they are called."""

    current_id = "one"

    def mac(self, purpose, data, key_id=None):
        key_id = key_id or self.current_id
        if key_id not in ("one", "two"):
            raise KeysMissing("there is no such key")
        return key_id, hmac.new(key_id.encode() + purpose, data, hashlib.sha256).hexdigest()

    def term(self, key_id):
        if key_id not in ("one", "two"):
            raise KeysMissing("there is no such key")
        return Term(0, datetime(2026, 11, 21, 12, tzinfo=UTC)) if key_id == "one" else Term(1, None)


KEYS = Ring()
OTHER = {
    int: lambda value: value + 1,
    str: lambda value: value + " ",
    UUID: lambda value: UUID(int=value.int + 1),
    bytes: lambda value: value + b"\0",
    type(None): lambda value: "",
    dict: lambda value: value | {"more": None},
}


@pytest.mark.parametrize("name", [each.name for each in fields(Entry)])
def test_the_seal_changes_with_every_field(name):
    seal = seal_entry(KEYS, ENTRY, "before", "one")
    assert fault_of_entry(KEYS, ENTRY, "before", "one", seal) is None
    value = getattr(ENTRY, name)
    other = replace(ENTRY, **{name: OTHER[type(value)](value)})
    assert fault_of_entry(KEYS, other, "before", "one", seal) == "seal"


def test_the_seal_changes_with_what_came_before_and_with_the_key():
    seal = seal_entry(KEYS, ENTRY, "before", "one")
    assert fault_of_entry(KEYS, ENTRY, "", "one", seal) == "seal"
    assert fault_of_entry(KEYS, ENTRY, "before", "two", seal) == "seal"
    assert fault_of_entry(KEYS, ENTRY, "before", "three", seal) == "key"
    assert fault_of_entry(KEYS, ENTRY, "before", "one", seal + "é") == "seal"


def test_an_older_key_seals_nothing_new():
    noon = 1_795_262_400_000_000
    assert fault_of_key(KEYS, noon, "one", "one") is None
    assert fault_of_key(KEYS, noon + 1, "one", "one") == "key_late"
    assert fault_of_key(KEYS, noon + 1, "two", "one") is None
    assert fault_of_key(KEYS, noon - 1, "one", "two") == "key_back"
    assert fault_of_key(KEYS, noon, "three", "one") == "key"


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
entries = st.builds(
    replace,
    st.just(ENTRY),
    actor_name=texts,
    action=texts,
    entity=texts,
    entity_id=texts,
    before=st.none() | texts,
    why=st.none() | st.binary(max_size=4),
    detail=st.dictionaries(texts, st.none() | texts | st.integers(0, 9), max_size=3),
)


@given(entries, entries, texts, texts)
def test_entries_that_say_different_things_have_different_bytes(one, two, before_one, before_two):
    same = (one, before_one) == (two, before_two)
    assert (canonical(one, "key", before_one) == canonical(two, "key", before_two)) == same


def test_what_moves_from_one_field_to_its_neighbour_is_another_entry():
    one = replace(ENTRY, entity="ab", entity_id="c")
    two = replace(ENTRY, entity="a", entity_id="bc")
    assert canonical(one, "k", "") != canonical(two, "k", "")


def test_details_are_written_one_way_in_whatever_order_they_come():
    assert canonical_json({"b": 1, "a": {"d": 2, "c": [UUID(int=0)]}}) == (
        b'{"a":{"c":["00000000-0000-0000-0000-000000000000"],"d":2},"b":1}'
    )


def test_a_head_is_sealed_as_a_whole_and_the_first_needs_no_key():
    head = seal_head(KEYS, 7, "s", "one")
    assert fault_of_head(KEYS, head) is None
    for other in (replace(head, seq=6), replace(head, seal="t"), replace(head, key="two"), replace(head, head_seal="")):
        assert fault_of_head(KEYS, other) == "head_seal"
    assert fault_of_head(KEYS, replace(head, key="three")) == "head_key"
    assert fault_of_head(KEYS, GENESIS) is None
    assert fault_of_head(KEYS, replace(GENESIS, seal="x")) == "head_key"
    assert fault_of_head(KEYS, seal_head(KEYS, 0, "", "one")) == "head_seal"


def test_the_seal_of_an_entry_is_no_seal_of_a_head():
    assert KEYS.mac(b"audit-entry", b"x") != KEYS.mac(b"audit-head", b"x")


def test_an_anchor_is_written_and_read():
    anchor = Anchor(12, "ab" * 32)
    assert Anchor.of(f" {anchor}\n") == anchor
    assert Anchor.of("0:") == Anchor(0, "")
    for text in ("", "12", "12:", "0:" + "ab" * 32, "x:" + "ab" * 32, "12:" + "AB" * 32, "-1:" + "ab" * 32):
        with pytest.raises(FieldInvalid, match="SEQ:SEAL"):
            Anchor.of(text)
