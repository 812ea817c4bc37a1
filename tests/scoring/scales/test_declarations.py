"""What every scale keeps to, and how wrong values are told."""

import math
import re
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from konectom.errors import DataError, FieldInvalid, FieldMissing, ScaleUnknown
from konectom.formats.observations import read_csv
from konectom.scoring.scales import Scale, every_scale, find_scale, loinc_codes
from konectom.scoring.scales.base import REASONS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "observations.md"
SCALES = list(every_scale().values())
ASKED_FOR = {
    *("edss", "sdmt", "pasat", "nhpt", "t25fw", "msfc", "sixmwt", "tug", "alsfrs_r", "svc", "fvc", "hhd", "grip"),
    *("nfl", "moca", "phq9", "gad7", "pdds", "msis29", "msws12", "neuroqol", "hfmse", "rulm"),
    *("relapse", "treatment", "mri"),
}


def likely(scale: Scale) -> dict[str, Any]:
    """A likely value for each component."""
    told: dict[str, Any] = {}
    for component in scale.components:
        if component.kind in ("number", "whole"):
            low, high = component.plausible or component.possible or (0.0, 1.0)
            number = component.among[1] if component.among else float(int((low + min(high, low + 4)) / 2)) or 1.0
            number = min(max(number, low), high)
            told[component.name] = number if component.units is None else {"value": number, "unit": component.unit}
        elif component.kind == "choice":
            told[component.name] = component.choices[0]
        else:
            told[component.name] = {"yes_no": True, "text": "x", "date": "2024-05-01"}[component.kind]
    return told


def test_all_that_was_asked_for_is_there() -> None:
    assert set(every_scale()) == ASKED_FOR
    assert list(every_scale()) == sorted(ASKED_FOR)


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.code)
def test_a_scale_says_what_it_is(scale: Scale) -> None:
    assert scale.title
    assert scale.description.endswith(".")
    assert scale.source
    for each in (*scale.components, *scale.quantities):
        assert each.means.endswith("."), each.name
        assert each.name == each.name.lower()
    for quantity in scale.quantities:
        assert quantity.better is not None or not quantity.score, quantity.name
        assert scale.key(quantity.name) == f"obs.{scale.code}.{quantity.name}"


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.code)
def test_every_quantity_is_there_or_absent_with_a_reason(scale: Scale) -> None:
    scored = scale.score(likely(scale), on=date(2025, 5, 1))
    assert scored.values
    assert {*scored.values, *scored.absent} == set(scale.quantity)
    assert not {*scored.values} & {*scored.absent}
    assert set(scored.absent.values()) <= set(REASONS)
    assert all(math.isfinite(value) for value in scored.values.values())


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.code)
def test_impossible_values_point_to_their_component(scale: Scale) -> None:
    for component in scale.components:
        wrong: Any = {"choice": "no such", "yes_no": "perhaps", "text": "", "date": "01.05.2024"}.get(component.kind)
        if component.possible is not None:
            wrong = component.possible[1] * 2 + 1
            wrong = wrong if component.units is None else {"value": wrong, "unit": component.unit}
        with pytest.raises(DataError) as refused:
            scale.score(likely(scale) | {component.name: wrong})
        assert refused.value.at == f"/values/{component.name}"


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.code)
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), True, "five", [5], 10**400, {"value": None}])
def test_what_is_no_number_is_refused(scale: Scale, wrong: Any) -> None:
    numbers = [each for each in scale.components if each.possible is not None]
    for component in numbers[:1]:
        with pytest.raises(DataError) as refused:
            scale.score(likely(scale) | {component.name: wrong})
        assert refused.value.at == f"/values/{component.name}"


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 400),
    st.floats(),
    st.text(max_size=5),
    st.fixed_dictionaries(
        {"value": st.floats(-10, 400), "unit": st.sampled_from(["s", "kg", "N", "m", "L", "mL", "%", ""])}
    ),
)


@given(st.data())
def test_whatever_is_sent_is_scored_or_refused_with_a_pointer(data: st.DataObject) -> None:
    scale = data.draw(st.sampled_from(SCALES))
    values = data.draw(st.dictionaries(st.sampled_from(list(scale.component)), ANYTHING, max_size=6))
    try:
        scored, place = scale.score(values), "/values"
    except DataError as refused:
        scored, place = None, refused.at or ""
    assert place.startswith("/values")
    if scored is not None:
        assert {*scored.values, *scored.absent} == set(scale.quantity)
        assert all(math.isfinite(value) for value in scored.values.values())


def test_a_name_that_is_none_is_named_with_its_pointer_escaped() -> None:
    with pytest.raises(FieldInvalid) as refused:
        find_scale("edss").score({"a/b~c": 1})
    assert refused.value.at == "/values/a~1b~0c"
    with pytest.raises(FieldMissing) as empty:
        find_scale("edss").score({"step": None})
    assert empty.value.at == "/values"
    with pytest.raises(ScaleUnknown) as unknown:
        find_scale("edds")
    assert (unknown.value.at, unknown.value.code) == ("/code", "scale_unknown")


def test_codes_of_loinc_lead_to_components() -> None:
    codes = loinc_codes()
    assert codes["44261-6"] == ("phq9", "total")
    assert codes["44260-8"] == ("phq9", "item_9")
    assert codes["44249-1"] == ("phq9", "")
    assert codes["72172-0"] == ("moca", "total")
    assert all(find_scale(code).component[name] for code, name in codes.values() if name)


def test_a_relapse_and_a_treatment_by_their_days() -> None:
    relapse = find_scale("relapse").score({"onset": "1970-01-11", "end": "1970-02-10", "steroid_treated": "yes"})
    assert relapse.values == {"onset_day": 10.0, "end_day": 40.0, "duration": 30.0, "steroid_treated": 1.0}
    with pytest.raises(FieldInvalid) as backwards:
        find_scale("relapse").score({"onset": "2024-05-02", "end": "2024-05-01"})
    assert backwards.value.at == "/values/end"
    with pytest.raises(FieldInvalid):
        find_scale("relapse").score({"onset": "2024-05-02"}, on=date(2024, 5, 1))
    treatment = find_scale("treatment").score({"name": "natalizumab", "start": "2020-02-28"})
    assert (treatment.absent["stop_day"], treatment.facts["name"]) == ("not_given", "natalizumab")
    with pytest.raises(FieldMissing):
        find_scale("treatment").score({"name": "natalizumab"})
    with pytest.raises(FieldInvalid, match="1900"):
        find_scale("treatment").score({"name": "x", "start": "1024-02-28"})


def test_every_scale_is_documented() -> None:
    rows = [line.split("|")[1] for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", "".join(rows))) == list(every_scale())


def test_the_table_on_the_page_is_read() -> None:
    table = PAGE.read_text("utf-8").split("```csv\n")[1].split("```")[0]
    found = read_csv(table.encode(), zone=ZoneInfo("Europe/Paris"))
    values = [find_scale(row.code).score(row.values, on=row.day).values for row in found.rows]
    assert values == [{"time": 5.0, "speed": pytest.approx(1.524)}, {"step": 3.5}]


def test_a_table_s_row_is_what_a_scale_takes() -> None:
    table = b"patient,code,at,component,value,unit\nP1,t25fw,2026-03-02T10:00Z,trial_1,5.0,s\n"
    row = read_csv(table).rows[0]
    assert find_scale(row.code).score(row.values, on=row.day).values["time"] == 5.0
    with pytest.raises(FieldInvalid) as refused:
        find_scale("t25fw").score({"trial_1": {"value": 999, "unit": "s"}})
    assert row.where(refused.value) == "/lines/2/value"
