"""One value as it stands in every JSON answer, of the server and of ``konectom extract``."""

from __future__ import annotations

from typing import Any

from konectom.assessments.base import Entry


def value_told(entry: Entry, value: float, *, aliases: bool = False) -> dict[str, Any]:
    """Return one value as it stands on the wire."""
    answer = {
        "measure": entry.measure,
        "condition": dict(entry.condition),
        "statistic": entry.statistic or None,
        "value": value,
        "unit": entry.unit,
    }
    return answer | {"aliases": dict(entry.aliases)} if aliases else answer
