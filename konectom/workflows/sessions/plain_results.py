"""A result without its catalogue, as it travels between processes and goes into the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from konectom.assessments.base import Result
from konectom.recording import FloatArray
from konectom.workflows.sessions.receipts import Runs, absent_in_runs


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """A result without its catalogue, which has thousands of entries and is known at both ends by its ``digest``."""

    assessment: str
    version: int
    digest: str
    verdict: str
    flags: list[dict[str, Any]]
    absent: Runs
    features: FloatArray


def values_of(result: Result) -> Values:
    """Return a result without its catalogue."""
    catalogue = result.catalogue
    return Values(
        assessment=catalogue.assessment,
        version=catalogue.version,
        digest=catalogue.digest,
        verdict=result.quality.verdict,
        flags=[flag.as_dict() for flag in result.quality.flags],
        absent=absent_in_runs(catalogue, result.absent),
        features=result.features,
    )
