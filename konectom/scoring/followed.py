"""What the scoring pipeline gives back: one score of one patient, followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from konectom.scoring.change import Change, Noise, Point
from konectom.scoring.learning import Learning
from konectom.scoring.policy import Policy
from konectom.scoring.runs import RunIn
from konectom.scoring.series import IntArray, Series
from konectom.scoring.slope import Slope
from konectom.scoring.windows import Aggregates

if TYPE_CHECKING:
    from konectom.scoring.progression import Event

FATES = ("counted", "run_in", "not_usable", "absent", "other_version", "in_future")
"""What became of a value; ``Followed.fate`` holds the index into this.

``counted``        it went into a window, or stands as an aggregate of its own.
``run_in``         one of the first runs, before practice has settled.
``not_usable``     the verdict on the recording is one that the policy does not accept.
``absent``         the test was done and the score could not be computed.
``other_version``  computed by another version of the assessment than the one that is followed.
``in_future``      dated more than a day after today: a clock was wrong.
"""

REASONS: Mapping[str, str] = {
    "no_values": "There is no value yet.",
    "practising": "The runs in which the test is still being learned are not over.",
    "too_few_tests": "No window of days holds enough usable tests.",
    "one_value": "There is one value only: nothing to compare with.",
    "noise_unknown": "How far this score goes up and down without cause is not known.",
    "practice_unknown": "How much people gain by practice from here on is not known.",
    "not_a_ratio": "Zero does not mean none of it here, so a change in per cent would mean nothing.",
    "baseline_near_zero": "The baseline is too near to zero for a change in per cent.",
    "no_threshold": "No clinically important change is published for this score.",
    "no_direction": "Neither more nor less of this is better, so nothing can worsen.",
    "too_few_aggregates": "There are too few values for a trend.",
    "no_definition": "No definition of confirmed change applies to this score.",
    "not_practised": "This is not a test that one gets better at by doing it.",
    "too_few_runs": "Too few runs were done to tell practice.",
    "start_not_seen": "The first runs are not known, in which most is learned.",
    "no_practice_seen": "No gain by practice stands out from the noise.",
    "plateau_not_reached": "Practice has not levelled off within the runs that are known.",
}
"""Why something is missing."""


VERDICT_CODES = (
    "confirmed_worsening",
    "confirmed_improvement",
    "worse_unconfirmed",
    "better_unconfirmed",
    "no_change",
    "changed",
    "noise_unknown",
    "practising",
    "too_few_tests",
    "one_value",
    "lapsed",
    "unable",
    "no_values",
)
"""Every code of a verdict; docs/scoring.md shows the sentences."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one line that a clinician reads: a stable code of :data:`VERDICT_CODES`, and the sentence.

    ``since_day`` is when what it says began, where it has a beginning. ``lapsed_since_day`` is the last test's time
    where that is longer ago than the policy's ``lapse_days``.
    """

    code: str
    words: str
    since_day: float | None = None
    lapsed_since_day: float | None = None


@dataclass(frozen=True, slots=True)
class Bands:
    """Baseline minus and plus the smallest detectable change: what lies between may be chance."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """One score of one patient, from single values to the verdict.

    ``fate`` and ``of`` have one element per value of ``series``: the index into :data:`FATES`, and the index of the
    aggregate into which it went (-1: none). ``version`` is the assessment's version whose values are followed,
    ``versions`` all that occur. What is None has its reason, a code of :data:`REASONS`, in ``absent`` under its name.
    ``notes`` are sentences about choices that were made on the way; ``definition`` is the key of that of ``events``.
    """

    series: Series
    policy: Policy
    run_in: RunIn
    fate: NDArray[np.int8]
    of: IntArray
    version: int | None
    versions: tuple[int, ...]
    aggregates: Aggregates
    baseline: Point | None
    now: Point | None
    noise: Noise | None
    bands: Bands | None
    change: Change | None
    slope: Slope | None
    learning: Learning | None
    definition: str | None
    events: tuple[Event, ...]
    absent: Mapping[str, str]
    notes: tuple[str, ...]
    verdict: Verdict

    @property
    def fates(self) -> list[str]:
        """Return each value's fate by name."""
        return [FATES[code] for code in self.fate.tolist()]
