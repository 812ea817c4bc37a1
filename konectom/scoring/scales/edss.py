"""EDSS, the Expanded Disability Status Scale: 0 (normal) to 10, in half steps (there is no 0.5).

Given is the step, or the functional systems with the ambulation grade, from which the step follows, or both. Where both
are given and disagree, the rater's step stands and a notice tells it: the rule knows less than the rater.

Grades are those of the examination: visual and bowel/bladder before their conversion. Ambulation is graded 0 to 16:
0 unrestricted; 1 fully ambulatory; without aid 2 (300 to under 500 m), 3 (200 to under 300 m), 4 (100 to under 200 m),
5 (under 100 m); with aid 6 (one side, 50 m or more), 7 (both sides, 120 m or more), 8 (one side, under 50 m), 9 (both
sides, 5 to under 120 m); 10 to 15 wheelchair to bed, 16 death from MS.

Source of the rule: the scoring of functional systems by Kappos (Neurostatus), as published in the open implementation
adobrasinovic/edss (MIT), written afresh; agreement is with that implementation on every input, not with Neurostatus
itself, which is a registered definition and training.
"""

from __future__ import annotations

from collections.abc import Mapping

from konectom.scoring.scales.base import Component, Given, Notice, Outcome, Quantity, scale

STEPS = (0.0, *(half / 2 for half in range(2, 21)))
"""Every step there is."""

SYSTEMS = {
    "visual": 6,
    "brainstem": 5,
    "pyramidal": 6,
    "cerebellar": 5,
    "sensory": 6,
    "bowel_bladder": 6,
    "cerebral": 5,
}
"""The functional systems, each with its highest grade."""

CONVERTED = {
    "visual": (0.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0),
    "bowel_bladder": (0.0, 1.0, 2.0, 3.0, 3.0, 4.0, 5.0),
}
"""What a grade counts, by grade; elsewhere it counts as it is."""

FROM_WALKING = {3: 5.0, 4: 5.5, 5: 6.0, 6: 6.0, 7: 6.0, 8: 6.5, 9: 6.5}
FROM_WALKING |= {10: 7.0, 11: 7.5, 12: 8.0, 13: 8.5, 14: 9.0, 15: 9.5, 16: 10.0}
"""The step that an ambulation grade sets whatever the functional systems are."""

WALKS_UNDER_500_M = 2


def edss_step(systems: Mapping[str, float], ambulation: int) -> float:
    """Return the step from the functional systems' grades (unconverted, all seven) and the ambulation grade."""
    if ambulation in FROM_WALKING:
        return FROM_WALKING[ambulation]
    grades = sorted((counted(name, systems[name]) for name in SYSTEMS), reverse=True)
    highest = grades[0]
    if highest >= 4:
        return _from_severe(grades, ambulation)
    if highest == 3 and grades.count(3) >= 6:
        return 5.0
    if ambulation == WALKS_UNDER_500_M:
        return 4.5
    if highest == 3:
        return _from_moderate(grades)
    if highest == 2:
        return (2.0, 2.5, 3.0, 3.0, 3.5, 4.0, 4.0)[grades.count(2) - 1]
    if ambulation == 1:
        return 2.0
    return min(grades.count(1), 2) * 0.5 + 0.5 if highest == 1 else 0.0


def counted(system: str, grade: float) -> float:
    """Return what a grade counts after conversion."""
    return CONVERTED[system][int(grade)] if system in CONVERTED else grade


def _from_severe(grades: list[float], ambulation: int) -> float:
    """Return the step where a system has grade 4 or more; ``grades`` fall."""
    second = grades[1]
    if grades[0] >= 5 or second == 4 or grades.count(3) >= 3:
        return 5.0
    return 4.0 if second < 2 and ambulation < WALKS_UNDER_500_M else 4.5


def _from_moderate(grades: list[float]) -> float:
    """Return the step where the highest grade is 3, in five systems at most; ``grades`` fall."""
    threes, twos = grades.count(3), grades.count(2)
    if threes == 1:
        return 3.0 if not twos else 3.5 if twos <= 2 else 4.0
    if threes == 2 and not twos:
        return 3.5
    return 4.5 if threes == 5 else 4.0


def _grade(name: str, highest: int) -> Component:
    return Component(name, f"Grade of the functional system, 0 to {highest}.", "whole", possible=(0.0, float(highest)))


def _counted(name: str) -> Quantity:
    highest = CONVERTED[name][-1] if name in CONVERTED else float(SYSTEMS[name])
    means = f"Functional system as it counts in the step, 0 to {highest:g}."
    return Quantity(name, "1", means, better="lower", plausible=(0.0, highest), score=False)


@scale(
    "edss",
    title="Expanded Disability Status Scale (EDSS)",
    domain="clinician-rated",
    components=(
        Component("step", "The step as the rater set it.", possible=(0.0, 10.0), among=STEPS),
        *(_grade(name, highest) for name, highest in SYSTEMS.items()),
        Component("ambulation", "Ambulation grade, 0 to 16.", "whole", possible=(0.0, 16.0)),
    ),
    quantities=(
        Quantity("step", "1", "Disability, 0 to 10.", better="lower", plausible=(0.0, 9.5)),
        Quantity(
            "computed_step",
            "1",
            "The step that follows from functional systems and ambulation.",
            better="lower",
            plausible=(0.0, 10.0),
            score=False,
        ),
        *(_counted(name) for name in SYSTEMS),
        Quantity("ambulation", "1", "Ambulation grade.", better="lower", plausible=(0.0, 16.0), score=False),
    ),
    notices=(
        Notice("step_disagrees", "The step that was given is not the one that the functional systems give. It stands."),
    ),
    source="Kurtzke 1983, Neurology 33:1444-1452; rule as in github.com/adobrasinovic/edss (MIT)",
    licence="Neurostatus definitions and forms are registered and licensed; none of their text is here.",
)
def edss(given: Given, out: Outcome) -> None:
    """Disability in multiple sclerosis from functional systems and walking."""
    grades = {name: grade for name in SYSTEMS if (grade := given.number(name)) is not None}
    for name, grade in grades.items():
        out(name, counted(name, grade))
    ambulation, step = given.number("ambulation"), given.number("step")
    out("ambulation", ambulation)
    computed = None
    if ambulation is not None and (int(ambulation) in FROM_WALKING or len(grades) == len(SYSTEMS)):
        computed = edss_step(grades, int(ambulation))
    told = ambulation is not None or bool(grades)
    out("computed_step", computed, "items_missing" if told else "not_given")
    out("step", computed if step is None else step, "items_missing")
    disagree = step is not None and computed is not None and step != computed
    out.flag("step_disagrees", when=disagree, step=step, computed_step=computed)
