"""What every assessment owes, checked for each one that the registry finds."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konectom import formats
from konectom.assessments import every_assessment, get_assessment
from konectom.assessments.base import (
    MOST_SCORES,
    OWN_DEFINITION,
    REASONS,
    Catalogue,
    Measure,
    Result,
    with_evidence,
)
from konectom.errors import StreamError
from konectom.formats._columns import LARGEST
from konectom.recording import Defect, Part, Rejected
from konectom.workflows.sessions.process import Extracted, Failed, extract_recording
from tests.assessments.examples import (
    FAULTS,
    Wire,
    backwards,
    begun_again,
    emptied,
    example,
    faulty,
    holders,
    parse,
    run,
    sensors,
    tables,
    with_times,
)

NAMES = tuple(every_assessment())
UCUM_UNIT = re.compile(r"1|%|/?{0}([./]{0})*".format(r"(m|k|u)?(\[g\]|[a-zA-Z]+)\d*"))

SENTENCE = re.compile(r"[A-Z0-9][^.]*(\.\d[^.]*)*\.")
"""One sentence; a point within it stands in a number."""

ADDED_UP = ("alsfrs_r", "mood", "msis29", "neuroqol", "passive", "pdq39")
"""What takes the answers and intervals of all parts together."""

each_assessment = pytest.mark.parametrize("name", NAMES)


def owes_nothing(result: Result) -> None:
    """Check that every feature is a number or absent, every reason known, and nothing valid that gave no score."""
    assert not np.isinf(result.features).any()
    keys = {entry.key: entry.index for entry in result.catalogue}
    for key, reason in result.absent.items():
        assert reason in REASONS
        assert np.isnan(result.features[keys[key]]), f"{key} has a value and a reason for having none"
    orjson.dumps(result.quality.as_dict())
    if not any(result.scores()):
        assert result.quality.verdict == "invalid", "what gave no score cannot count"


@each_assessment
def test_the_declaration_is_complete(name: str) -> None:
    declared = get_assessment(name)
    assert declared.name == name
    assert declared.version >= 1
    assert declared.source, "an assessment says where it comes from"
    assert declared.description, "the extract function's docstring describes the test"
    assert 1 <= len(declared.catalogue.scores) <= MOST_SCORES
    for measure in declared.measures:
        assert SENTENCE.fullmatch(measure.means), f"{measure.quantity}: {measure.means}"
        assert UCUM_UNIT.fullmatch(measure.unit), f"{measure.quantity}: {measure.unit!r}"
        assert measure.better in ("higher", "lower", None)
        assert measure.evidence, f"{measure.quantity}: from whom the definition is"
    for score in declared.catalogue.scores:
        assert score.better in ("higher", "lower"), f"{score.key}: a score has a direction"
        assert score.plausible is not None, f"{score.key}: a score has a plausible range"


@each_assessment
def test_each_score_says_itself_what_stands_behind_it(name: str) -> None:
    """Other measures may have their assessment's source; a score that clinicians follow needs a word of its own."""
    declared = get_assessment(name)
    general = {OWN_DEFINITION, f"Definition: {declared.source}."}
    for entry in declared.catalogue:
        assert entry.evidence == entry.evidence.strip() != ""
    for score in declared.catalogue.scores:
        assert score.evidence not in general, score.key


def test_a_measure_without_evidence_has_that_of_its_source() -> None:
    plain, alias = Measure("plain", "1", "Plain."), Measure("alias", "1", "Alias.", aliases={"dispel": "a"})
    told = with_evidence(
        (plain, alias, replace(plain, quantity="told", evidence="A paper."), replace(alias, aliases={})), "L"
    )
    assert [each.evidence for each in told] == [OWN_DEFINITION, "Definition: L.", "A paper.", "Definition: L."]


@each_assessment
def test_what_patients_read_says_what_happened_in_plain_words(name: str) -> None:
    for rule in get_assessment(name).rules.values():
        assert rule.message.endswith("."), rule.code
        assert rule.message[0].isupper(), rule.code
        assert "_" not in rule.message, rule.code
        assert len(rule.message) <= 160, rule.code


@each_assessment
def test_patients_are_told_only_what_they_can_act_on(name: str) -> None:
    for rule in get_assessment(name).rules.values():
        assert ("please" in rule.message.lower()) is (rule.to == "patient"), rule.code


@each_assessment
def test_aliases_name_one_entry_each(name: str) -> None:
    for library in ("dispel",):
        aliases = [entry.aliases[library] for entry in get_assessment(name).catalogue if library in entry.aliases]
        assert len(set(aliases)) == len(aliases)
        for alias in aliases:
            # One published name has a blank in it.
            assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*(-[a-z0-9]+( ?_[a-z0-9]+)*)*", alias), alias


@each_assessment
def test_a_good_recording_gives_every_declared_measure_inside_its_range(name: str) -> None:
    result = run(example(name))
    owes_nothing(result)
    assert result.quality.verdict == "valid", result.quality
    low, high = result.catalogue.plausible_bounds
    outside = (result.features < low) | (result.features > high)
    assert not outside.any(), [result.catalogue.entries[i].key for i in np.flatnonzero(outside)]
    # What has neither value nor reason is left to conditions that this recording does not have.
    silent = [entry for entry in result.catalogue if np.isnan(result.features[entry.index])]
    recorded = {tuple(part.condition.items()) for part in parse(example(name)).parts}
    for entry in silent:
        if entry.key not in result.absent:
            assert entry.condition, f"{entry.key} is missing without a reason"
            assert not any(dict(one).items() <= entry.condition.items() and one for one in recorded), entry.key


@each_assessment
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_no_fault_of_a_recording_is_fatal(name: str, fault: Callable[[Wire], Wire]) -> None:
    owes_nothing(run(faulty(name, fault)))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ADDED_UP])
def test_of_a_part_done_twice_the_fullest_counts(name: str) -> None:
    result, once = run(faulty(name, begun_again)), run(example(name))
    assert f"{name}.part_repeated" in {flag.code for flag in result.quality.flags}
    assert result.features.tobytes() == once.features.tobytes()
    assert result.quality.verdict == once.quality.verdict


@each_assessment
def test_nothing_recorded_is_invalid_and_says_so(name: str) -> None:
    result = run(faulty(name, emptied))
    assert result.quality.verdict == "invalid"
    assert f"{name}.no_data" in {flag.code for flag in result.quality.flags}
    assert np.isnan(result.features).all()
    assert set(result.absent.values()) == {"no_data"}


@each_assessment
def test_each_required_input_is_required_and_each_optional_one_is_not(name: str) -> None:
    for wanted in get_assessment(name).inputs:
        wire = copy.deepcopy(example(name))
        for holder in holders(wire):
            if wanted.of == "stream":
                holder.get("streams", {}).pop(wanted.name, None)
            else:
                holder["events"] = [event for event in holder.get("events", []) if event["type"] != wanted.name]
        if wanted.optional:
            owes_nothing(run(wire))
        elif wanted.of == "event":
            assert run(wire).quality.verdict == "invalid", "events of which none occurred are nothing recorded"
        else:
            with pytest.raises(StreamError) as refused:
                run(wire)
            assert refused.value.at == wanted.place


def disordered(stream: Wire) -> None:
    """Make every fourth sample be stamped like the one before."""
    t = with_times(stream)["t"]
    stream["t"] = [t[row - 1] if row % 4 == 3 else t[row] for row in range(len(t))]


@each_assessment
def test_a_disturbed_clock_of_an_optional_input_is_only_noted(name: str) -> None:
    declared, good = get_assessment(name), run(example(name))
    instead = {each for wanted in declared.inputs if not wanted.optional for each in wanted.instead}
    for wanted in declared.inputs:
        wire = copy.deepcopy(example(name))
        found = [streams[wanted.name] for streams, each in tables(wire) if each == wanted.name]
        if wanted.of != "stream" or not found or "phase" in found[0]:
            continue
        for stream in found:
            disordered(stream)
        result = run(wire)
        flags = {flag.code.removeprefix(f"{name}."): flag for flag in result.quality.flags}
        if wanted.optional and wanted.name not in instead:
            assert flags["input_disordered"].evidence["stream"] == wanted.name
            assert flags["input_disordered"].severity == "info"
            assert "time_disorder" not in flags
            assert result.quality.verdict == good.quality.verdict, wanted.name
        else:
            assert flags["time_disorder"].evidence["stream"] == wanted.name
            assert result.quality.verdict != "valid"


@each_assessment
def test_an_optional_input_that_cannot_be_read_is_only_noted_with_what_it_cost(name: str) -> None:
    declared, whole = get_assessment(name), parse(example(name))
    for wanted in declared.inputs:
        if not (wanted.optional and any(wanted.name in part.streams for part in whole.parts)):
            continue
        lacking = replace(whole, parts=tuple(without(part, wanted.name) for part in whole.parts))
        defect = Defect(wanted.name, "unit_invalid", "no unit known here", wanted.place)
        unreadable = replace(lacking, parts=tuple(replace(part, defects=(defect,)) for part in lacking.parts))
        result, expected = declared.run(unreadable), declared.run(lacking)
        (flag,) = (flag for flag in result.quality.flags if flag.code == f"{name}.input_unreadable")
        assert (flag.severity, flag.evidence["stream"], flag.to) == ("info", wanted.name, "clinician")
        costs = {key for key, reason in result.absent.items() if reason == "input_missing"}
        quantities = {entry.quantity for entry in result.catalogue if entry.key in costs}
        assert flag.evidence["not_computed"] == sorted(quantities)[:20]
        assert result.quality.verdict == expected.quality.verdict
        assert result.features.tobytes() == expected.features.tobytes()


def without(part: Part, name: str) -> Part:
    return replace(part, streams={each: stream for each, stream in part.streams.items() if each != name})


@each_assessment
def test_the_same_bytes_give_the_same_numbers_to_the_last_bit(name: str) -> None:
    first, second = run(example(name)), run(example(name))
    assert first.features.tobytes() == second.features.tobytes()
    assert first.quality == second.quality
    reordered = example(name)
    for holder in holders(reordered):
        holder["streams"] = dict(reversed(holder.get("streams", {}).items()))
    assert run(reordered).features.tobytes() == first.features.tobytes()


@each_assessment
def test_the_order_of_arrival_does_not_matter(name: str) -> None:
    np.testing.assert_allclose(run(faulty(name, backwards)).features, run(example(name)).features, rtol=1e-9)


@each_assessment
def test_declared_units_are_honoured(name: str) -> None:
    other = {"m/s2": ("g", 1 / 9.80665), "rad/s": ("deg/s", 180 / np.pi)}
    wire = copy.deepcopy(example(name))
    for stream in sensors(wire):
        unit, factor = other.get(stream["unit"], (stream["unit"], 1.0))
        if factor == 1.0:  # sound has no other unit
            continue
        stream["unit"] = unit
        for axis in "xyz":
            stream[axis] = [value * factor for value in stream[axis]]
    np.testing.assert_allclose(run(wire).features, run(example(name)).features, rtol=1e-6, atol=1e-9)


@each_assessment
def test_an_unfinished_test_is_limited(name: str) -> None:
    wire = example(name) | {"completion": "cancelled"}
    result = run(wire)
    assert result.quality.verdict != "valid"
    assert f"{name}.unfinished" in {flag.code for flag in result.quality.flags}


@each_assessment
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_nothing_that_a_phone_may_send_is_fatal(name: str, data: st.DataObject) -> None:
    wire = copy.deepcopy(example(name))
    for streams, stream_name in tables(wire):
        _mangle(streams[stream_name], data)
    for holder in holders(wire):
        held = holder.get("events", [])
        keep = data.draw(st.sets(st.integers(0, max(len(held) - 1, 0)), max_size=20))
        if data.draw(st.booleans()):
            holder["events"] = [held[index] for index in sorted(keep) if index < len(held)]
    try:
        result = run(wire)
    except StreamError:
        return
    owes_nothing(result)


def _mangle(stream: Wire, data: Any) -> None:
    """Cut a stretch out, scale it, make values missing, or shuffle it."""
    from tests.assessments.examples import columns, pick, with_times

    rows = len(with_times(stream)["t"])
    action = data.draw(st.sampled_from(["none", "cut", "scale", "missing", "shuffle", "freeze"]))
    start = data.draw(st.integers(0, rows))
    stop = data.draw(st.integers(start, rows))
    numeric = [name for name in columns(stream) if name not in ("t", "phase")]
    if action == "cut":
        pick(stream, range(start, stop))
    elif action == "shuffle":
        pick(stream, data.draw(st.permutations(range(rows))) if rows < 50 else [*range(start, rows), *range(start)])
    for name in numeric if action in ("scale", "missing", "freeze") else ():
        factor = data.draw(st.sampled_from([0.0, -1.0, 1e-9, 1e9]))
        held = stream[name]
        changed = {
            "scale": lambda value, factor=factor: value * factor,
            "missing": lambda _value: None,
            "freeze": lambda _value, held=held: held[start],
        }[action]
        stream[name] = [changed(value) if start <= row < stop else value for row, value in enumerate(held)]


def numbers_of(wire: Wire) -> list[tuple[str, str]]:
    """Return each column of a stream, and each attribute of an event, that holds numbers in the first part."""
    holder = holders(wire)[0]
    found = {
        (name, column)
        for name, stream in holder.get("streams", {}).items()
        for column, values in stream.items()
        if isinstance(values, list) and values and not isinstance(values[0], str)
    }
    for event in holder.get("events", []):
        found |= {(event["type"], key) for key, value in event.items() if isinstance(value, int | float)}
    return sorted(found)


def with_number(wire: Wire, name: str, column: str, value: float, chosen: Callable[[int, int], bool]) -> Wire:
    """Put a number where the rows are chosen, by their index and how many there are."""
    changed = copy.deepcopy(wire)
    holder = holders(changed)[0]
    if name in holder.get("streams", {}):
        held = holder["streams"][name][column]
        new = [value if chosen(row, len(held)) else each for row, each in enumerate(held)]
        holder["streams"][name][column] = new
    own = [event for event in holder.get("events", []) if event["type"] == name and column in event]
    for row, event in enumerate(own):
        event[column] = value if chosen(row, len(own)) else event[column]
    return changed


ROWS: dict[str, Callable[[int, int], bool]] = {
    "one": lambda row, rows: row == rows // 2,
    "all": lambda row, rows: True,
}


@each_assessment
@pytest.mark.parametrize(
    ("value", "rows"), [(1e308, "all"), (-1e200, "one"), (LARGEST, "one"), (-LARGEST, "all"), (1e6, "one")]
)
def test_numbers_that_no_instrument_gives_are_refused_or_computed_without_a_warning(
    name: str, value: float, rows: str
) -> None:
    """Where they stand in a time they take no memory either; those beyond what the reader takes cost their stream."""
    wire = example(name)
    for stream, column in numbers_of(wire):
        body = orjson.dumps(
            {
                "schema": "konectom.session/1",
                "started_at": "2026-01-01T09:00:00+01:00",
                "recordings": [with_number(wire, stream, column, value, ROWS[rows])],
            },
            option=orjson.OPT_SERIALIZE_NUMPY,
        )
        (read,) = formats.read(body).recordings
        if isinstance(read, Rejected):
            assert read.error["code"] == "column_invalid"
            continue
        if abs(value) > LARGEST:
            defects = [defect for part in read.parts for defect in part.defects]
            assert [(each.stream, each.code) for each in defects] == [(stream, "column_invalid")]
        outcome = extract_recording(read, 0)  # a warning is an error here, and so a fault of ours
        assert not isinstance(outcome, Failed), (stream, column, outcome.fault)
        if isinstance(outcome, Extracted):
            owes_nothing(outcome.result)


def test_the_registry_refuses_a_declaration_that_contradicts_itself() -> None:
    measures = get_assessment(NAMES[0]).measures
    with pytest.raises(ValueError, match="declared twice"):
        Catalogue.of(NAMES[0], 1, (*measures, measures[0]))
