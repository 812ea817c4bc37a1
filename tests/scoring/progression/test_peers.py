"""The events that two published packages find, recorded: msclinical 0.1.0 and pymsprog 1.0.7.

The file says which command wrote it. benchmarks/progression_peers.py runs the comparison afresh, on more courses, where
the packages are installed; progression_pairs.py beside it holds the definitions that both sides were given.
"""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
RECORDED: dict[str, Any] = json.loads((ROOT / "tests" / "scoring" / "data" / "progression_peers.json").read_text())
LAST_BIT = {("pymsprog", "t25fw", 6)}
"""The recorded courses on which a change of exactly 20 % decides."""

LINES = [(line["peer"], line["pair"], line["scale"]) for line in RECORDED["events"]]


def _pairs() -> ModuleType:
    spec = spec_from_file_location("progression_pairs", ROOT / "benchmarks" / "progression_pairs.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


PAIRS_FILE = _pairs()


@pytest.mark.parametrize(("peer", "name", "scale"), LINES)
def test_the_same_events_as_the_peer(peer: str, name: str, scale: str) -> None:
    (pair,) = (pair for pair in PAIRS_FILE.PAIRS if (pair.peer, pair.name) == (peer, name))
    (line,) = (
        line for line in RECORDED["events"] if (line["peer"], line["pair"], line["scale"]) == (peer, name, scale)
    )
    definition = pair.ours(scale)
    for index, (course, expected) in enumerate(zip(RECORDED["courses"][scale], line["found"], strict=True)):
        find = PAIRS_FILE.to_the_last_bit if (peer, scale, index) in LAST_BIT else PAIRS_FILE.our_events
        told = find(PAIRS_FILE.Course(scale, *course), definition)
        assert [list(event) for event in told] == expected, course


def test_a_fifth_is_a_fifth_where_the_peer_leaves_it_to_the_last_bit() -> None:
    """4.8 s after 4.0 s is 20 % slower, though 4.8 - 4.0 is 0.7999999999999998 in binary: the peer misses it."""
    (peer, scale, index), *others = LAST_BIT
    assert not others
    course = PAIRS_FILE.Course(scale, *RECORDED["courses"][scale][index])
    (pair,) = (
        pair for pair in PAIRS_FILE.PAIRS if (pair.peer, pair.name) == (peer, "fixed, first worsening, 24 w, kept 48 w")
    )
    (event,) = PAIRS_FILE.our_events(course, pair.ours(scale))
    values = dict(zip(course.day, course.value, strict=True))
    assert (values[0], min(values[day] for day in course.day if event[2] <= day <= event[3])) == (4.0, 4.8)
    assert PAIRS_FILE.to_the_last_bit(course, pair.ours(scale)) != [event]


def test_nothing_of_the_comparison_is_left_out() -> None:
    assert {(pair.peer, pair.name, scale) for pair in PAIRS_FILE.PAIRS for scale in pair.scales} == set(LINES)
    assert RECORDED["versions"]["pymsprog"] == "1.0.7"
    assert RECORDED["versions"]["msclinical"] == "0.1.0"


def test_the_record_holds_every_kind_of_event() -> None:
    events = [event for line in RECORDED["events"] for course in line["found"] for event in course]
    assert {event[0] for event in events} == {"worsening", "improvement"}
    assert {event[4] for event in events} == {None, "RAW", "PIRA", "undefined"}
