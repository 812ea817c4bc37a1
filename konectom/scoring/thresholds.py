"""How large a change must be to count: kinds of thresholds, and the important changes published for each score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from konectom.scoring._threshold_kinds import (
    NOTHING,
    TOLERANCE,
    Absolute,
    Booleans,
    Both,
    ByDirection,
    Direction,
    Either,
    Floats,
    Given,
    Important,
    Noise,
    Share,
    Steps,
    Threshold,
)

__all__ = [
    "NOTHING",
    "TOLERANCE",
    "Absolute",
    "Booleans",
    "Both",
    "ByDirection",
    "Direction",
    "Either",
    "Floats",
    "Given",
    "Important",
    "ImportantChange",
    "Noise",
    "Share",
    "Steps",
    "Threshold",
    "edss_steps",
    "important_changes",
    "important_threshold",
]

Meaning = Literal["important", "reliable"]


def edss_steps(one_point_to: float) -> Steps:
    """Return the EDSS rule: 1.5 points from 0, 1.0 up to ``one_point_to``, 0.5 above.

    At a reference of 5.5 sources disagree: half a point (``one_point_to`` 5.0: Müller et al. 2023,
    doi:10.1001/jamaneurol.2023.3331; PMC8058428; the package msprog) or a whole one (``one_point_to`` 5.5: trials that
    ask for half a point only above 5.5; the package msclinical).
    """
    return Steps(((0.0, 1.5), (one_point_to, 1.0), (10.0, 0.5)))


@dataclass(frozen=True, slots=True)
class ImportantChange:
    """A change of one score that a publication calls important, or reliable.

    Attributes:
        direction: the direction that it was shown for.
        threshold: how large it is.
        meaning: ``important``: people, or an anchor, notice it; ``reliable``: it is more than measurement error.
        source: who says so, and for whom.
    """

    direction: Direction
    threshold: Threshold
    meaning: Meaning
    source: str

    @property
    def amount(self) -> float | None:
        """The amount in the score's unit, where it is the same from every reference."""
        return self.threshold.size if isinstance(self.threshold, Absolute) else None

    @property
    def share(self) -> float | None:
        """The share of the reference, where it is one."""
        return self.threshold.share if isinstance(self.threshold, Share) else None

    def as_dict(self) -> dict[str, Any]:
        """Return the change as JSON."""
        return {
            "direction": self.direction,
            "threshold": self.threshold.as_dict(),
            "meaning": self.meaning,
            "source": self.source,
        }


def _both(threshold: Threshold, source: str, meaning: Meaning = "important") -> tuple[ImportantChange, ...]:
    return (
        ImportantChange("worsening", threshold, meaning, source),
        ImportantChange("improvement", threshold, meaning, source),
    )


MS_REVIEW = "Pardo et al. 2021, J Neurol 269:1282-1297 (PMC8857110), table 1: people with MS."
TIMED = _both(Share(0.20), MS_REVIEW)
BENEDICT = "Weinstock et al. 2022, Mult Scler 28:1101-1111 (doi:10.1177/13524585211049397): people with MS."
SMA = "PMC9291175: SMA types 2 and 3, over 12 months; up to 2 points either way count as stable."

IMPORTANT: dict[str, tuple[ImportantChange, ...]] = {
    "obs.edss.step": _both(edss_steps(5.0), "Müller et al. 2023, doi:10.1001/jamaneurol.2023.3331; PMC8058428: MS."),
    "obs.t25fw.time": TIMED,
    "obs.nhpt.dominant": TIMED,
    "obs.nhpt.non_dominant": TIMED,
    "obs.nhpt.mean": TIMED,
    "obs.sixmwt.distance": TIMED,
    "obs.tug.time": (
        ImportantChange("worsening", Share(0.31), "important", MS_REVIEW),
        ImportantChange("improvement", Share(0.24), "important", MS_REVIEW),
    ),
    "obs.sdmt.correct": (
        *_both(Absolute(4.0), f"{BENEDICT} Tied to changes of employment."),
        ImportantChange("worsening", Absolute(8.0), "reliable", f"{BENEDICT} Decline at 80 % confidence."),
    ),
    "obs.msws12.impact": (
        ImportantChange(
            "improvement", Absolute(8.0), "important", "Mehta et al., PMC5460630: MSWS-12 version 1, people with MS."
        ),
    ),
    "obs.hfmse.total": _both(Absolute(2.0, beyond=True), SMA),
    "obs.rulm.total": _both(Absolute(2.0, beyond=True), SMA),
}
"""By score. Where a direction was not studied it has no entry; where a publication gives a range, the larger end
stands here (TUG: 30-31 % slower, 23-24 % faster)."""


def important_changes(key: str) -> tuple[ImportantChange, ...]:
    """Return the published changes of this score that count; none where none was found."""
    return IMPORTANT.get(key, ())


def important_threshold(key: str) -> Threshold | None:
    """Return the important change of this score in both directions as one threshold; ``None`` unless both are known."""
    found = {change.direction: change.threshold for change in important_changes(key) if change.meaning == "important"}
    if len(found) < 2:
        return None
    worsening, improvement = found["worsening"], found["improvement"]
    return worsening if worsening == improvement else ByDirection(worsening, improvement)
