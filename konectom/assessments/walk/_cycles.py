"""What is declared of each gait cycle: 26 quantities in four selections of bouts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from konectom.assessments.base import Measure
from konectom.assessments.walk._conditions import ALL_STATISTICS, BOURKE, DEL_DIN, ZIJLSTRA, in_bouts


@dataclass(frozen=True, slots=True)
class Cycle:
    """A quantity of each gait cycle, with the library's name of it.

    ``asymmetry`` is the largest plausible difference from one to the next, None where none is measured; ``ratio`` asks
    for its logarithm as well; ``score`` is the statistic that clinicians follow.
    """

    quantity: str
    dispel: str
    unit: str
    better: Literal["higher", "lower"] | None
    plausible: tuple[float, float]
    means: str
    asymmetry: float | None = None
    ratio: bool = False
    score: str = ""

    def measures(self) -> tuple[Measure, ...]:
        """Return the quantity, its asymmetry and the logarithm of that, in each selection of bouts."""
        evidence = f"{DEL_DIN}; {ZIJLSTRA if self.unit in ('m', 'm/s') else BOURKE}"
        base = Measure(
            self.quantity,
            self.unit,
            self.means,
            better=self.better,
            plausible=self.plausible,
            statistics=ALL_STATISTICS,
            evidence=evidence,
        )
        found = in_bouts(base, self._alias(""), score=self.score)
        what = self.quantity.replace("_", " ")
        if self.asymmetry is not None:
            means = f"By how much the {what} differs from one to the next."
            found += in_bouts(
                replace(
                    base,
                    quantity=f"{self.quantity}_asymmetry",
                    means=means,
                    better="lower",
                    plausible=(0, self.asymmetry),
                ),
                self._alias("_asym"),
            )
        if self.ratio:
            means = f"Logarithm of the smaller {what} over the larger of two in a row: 0 where they are equal."
            found += in_bouts(
                replace(
                    base,
                    quantity=f"{self.quantity}_asymmetry_ln",
                    unit="1",
                    means=means,
                    better="higher",
                    plausible=(-4, 0),
                ),
                self._alias("_asym_ln"),
            )
        return found

    def _alias(self, ending: str) -> str:
        return f"gp_{{bouts}}-{self.dispel}{ending}-{{statistic}}"


CYCLES = (
    Cycle(
        "stride_duration",
        "stride_dur",
        "s",
        "lower",
        (0.4, 2.25),
        "Time from a foot's contact with the ground to its next.",
        2.25,
        True,
    ),
    Cycle(
        "step_duration",
        "step_dur",
        "s",
        "lower",
        (0.1, 2.25),
        "Time from one foot's contact with the ground to the other's.",
        2.25,
        True,
    ),
    Cycle("cadence", "cadence", "/min", "higher", (25, 600), "Steps per minute while walking.", score="mean"),
    Cycle(
        "initial_double_support",
        "init_double_supp",
        "s",
        "lower",
        (0, 0.45),
        "Time with both feet on the ground, the leading one just set down.",
        0.5,
    ),
    Cycle(
        "terminal_double_support",
        "term_double_supp",
        "s",
        "lower",
        (-2.25, 1.6),
        "Time with both feet on the ground, the trailing one about to leave.",
        4,
    ),
    Cycle(
        "double_support",
        "double_supp",
        "s",
        "lower",
        (-2.25, 2.1),
        "Time with both feet on the ground during a stride.",
        4.5,
    ),
    Cycle(
        "single_support",
        "single_limb_supp",
        "s",
        None,
        (-1.6, 400),
        "Time with one foot on the ground, the other swinging.",
        400,
    ),
    Cycle("stance", "stance", "s", "lower", (0, 1.6), "Time for which a foot stays on the ground.", 1.6),
    Cycle("swing", "swing", "s", None, (-1.6, 2.25), "Time for which a foot is in the air.", 4),
    Cycle(
        "step_length",
        "step_len",
        "m",
        "higher",
        (0, 2.7),
        "Way from one foot's contact to the other's, from the rise of the trunk.",
        2.7,
        True,
    ),
    Cycle(
        "stride_length",
        "stride_len",
        "m",
        "higher",
        (0, 5.4),
        "Way from a foot's contact to its next, from the rise of the trunk.",
        5.4,
        True,
    ),
    Cycle("gait_speed", "gait_speed", "m/s", "higher", (0, 8), "Length of a stride over its duration.", score="mean"),
)
GAIT = tuple(measure for cycle in CYCLES for measure in cycle.measures())
CYCLE_COLUMNS = tuple(dict.fromkeys(measure.quantity for measure in GAIT))
