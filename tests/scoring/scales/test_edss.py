"""EDSS steps against the open implementation adobrasinovic/edss 1.0.6 (MIT, commit 2281b06), run once under node 20.20.

The 20,000 inputs below were written to a file as JSON and given to its ``calculateEDSS`` one by one:

    const e = require("./index.js"), rows = JSON.parse(require("fs").readFileSync("in.json"));
    console.log(rows.map((row) => e.calculateEDSS(...row).toFixed(1)).join(","));

The digest is the SHA-256 of that line (without its end). All 8,816,472 possible inputs were compared once in the same
way, with the same outcome; that takes too long for a test.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator

import pytest

from konectom.errors import FieldInvalid
from konectom.scoring.scales import find_scale
from konectom.scoring.scales.edss import SYSTEMS, edss_step

HIGHEST = (6, 5, 6, 5, 6, 6, 5, 16)
DIGEST = "9e1af1665d3996e71e10e35ee64092074a4e751d2a7ec6779fbc9d52d4fa5057"
OUTCOMES = {0: 360, 1: 212, 1.5: 183, 2: 2578, 2.5: 1782, 3: 2604, 3.5: 839, 4: 861, 4.5: 3973, 5: 2789, 5.5: 333}
OUTCOMES |= {6: 834, 6.5: 626, 7: 309, 7.5: 305, 8: 302, 8.5: 277, 9: 263, 9.5: 274, 10: 296}
SAMPLE = {
    (0, 0, 4, 1, 4, 3, 0, 1): 5.0,
    (1, 0, 1, 0, 0, 0, 0, 1): 2.0,
    (0, 0, 0, 0, 1, 3, 0, 2): 4.5,
    (5, 3, 6, 2, 2, 0, 3, 14): 9.0,
    (1, 0, 0, 2, 2, 1, 2, 0): 3.0,
    (1, 1, 1, 0, 2, 0, 0, 0): 2.0,
    (3, 3, 0, 0, 0, 0, 0, 1): 3.5,
    (0, 0, 2, 3, 0, 0, 1, 2): 4.5,
}


def inputs(count: int = 20_000) -> Iterator[tuple[int, ...]]:
    """Grades in the order of the systems, then ambulation: from a generator that any language can repeat."""
    state = 20_261_122

    def draw(most: int) -> int:
        nonlocal state
        state = (1_103_515_245 * state + 12_345) % 2**31
        return (state >> 16) % (most + 1)

    for n in range(count):
        most = (6, 4, 2, 3)[n % 4]
        grades = [draw(min(highest, most)) for highest in HIGHEST[:7]]
        if n % 4 == 3:
            grades = [grade if draw(3) == 0 else 0 for grade in grades]
        yield (*grades, draw((16, 2, 1, 2)[n % 4]))


def step(row: tuple[int, ...]) -> float:
    return edss_step(dict(zip(SYSTEMS, map(float, row[:7]), strict=True)), row[7])


def values(row: tuple[int, ...]) -> dict[str, int]:
    return dict(zip((*SYSTEMS, "ambulation"), row, strict=True))


def test_the_steps_are_those_of_the_public_implementation() -> None:
    steps = [step(row) for row in inputs()]
    assert Counter(steps) == OUTCOMES
    assert hashlib.sha256(",".join(f"{each:.1f}" for each in steps).encode()).hexdigest() == DIGEST


def test_a_sample_of_them_in_plain_sight() -> None:
    drawn = set(inputs())
    for row, expected in SAMPLE.items():
        assert row in drawn
        assert find_scale("edss").score(values(row)).values["step"] == expected


def test_the_published_example() -> None:
    """The README of that implementation: 1, 2, 1, 3, 1, 4, 2 and ambulation 1 give 4."""
    scored = find_scale("edss").score(values((1, 2, 1, 3, 1, 4, 2, 1)))
    assert scored.values["step"] == scored.values["computed_step"] == 4.0
    assert scored.values["bowel_bladder"] == 3.0  # grade 4 counts 3
    assert scored.flags == ()


def test_a_step_that_disagrees_stands_and_is_flagged() -> None:
    scored = find_scale("edss").score({**values((1, 2, 1, 3, 1, 4, 2, 1)), "step": 4.5})
    assert (scored.values["step"], scored.values["computed_step"]) == (4.5, 4.0)
    assert [(flag.code, flag.evidence) for flag in scored.flags] == [
        ("step_disagrees", {"step": 4.5, "computed_step": 4.0})
    ]


def test_a_step_alone() -> None:
    scored = find_scale("edss").score({"step": 3.5})
    assert scored.values == {"step": 3.5}
    assert scored.absent["computed_step"] == "not_given"


def test_walking_alone_sets_the_step_from_300_m_downwards_only() -> None:
    assert find_scale("edss").score({"ambulation": 6}).values["step"] == 6.0
    scored = find_scale("edss").score({"ambulation": 2, "visual": 1})
    assert "step" not in scored.values
    assert scored.absent["step"] == scored.absent["computed_step"] == "items_missing"


@pytest.mark.parametrize("wrong", [{"step": 0.5}, {"step": 3.2}, {"step": 10.5}, {"visual": 7}, {"cerebral": 2.5}])
def test_what_is_not_on_the_scale_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(FieldInvalid) as refused:
        find_scale("edss").score(wrong)
    assert refused.value.at == f"/values/{next(iter(wrong))}"
