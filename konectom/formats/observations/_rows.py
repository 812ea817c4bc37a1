"""What the readers of clinical values give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from konectom.errors import BodyTooLarge, DataError
from konectom.formats._limits import MEBIBYTE, Limits
from konectom.recording import EMPTY


@dataclass(frozen=True, slots=True)
class ObservationLimits:
    """Bounds on one import; each is checked before the work is done.

    ``max_body_bytes`` bounds the body as it comes and once decompressed, ``max_rows`` counts lines, or resources.
    """

    max_body_bytes: int = 16 * MEBIBYTE
    max_rows: int = 100_000
    max_components: int = 200
    max_inflation_ratio: int = 100

    @property
    def of_body(self) -> Limits:
        """Return the bounds on the body, as decompression takes them."""
        return Limits(
            max_body_bytes=self.max_body_bytes,
            max_inflated_bytes=self.max_body_bytes,
            max_inflation_ratio=self.max_inflation_ratio,
        )

    def check_size(self, body: bytes) -> None:
        """Raise :class:`BodyTooLarge` where the body is."""
        if len(body) > self.max_body_bytes:
            raise BodyTooLarge(
                f"the import has {len(body)} bytes, more than {self.max_body_bytes}", limit_bytes=self.max_body_bytes
            )


@dataclass(frozen=True, slots=True)
class Row:
    """One observation as it was sent.

    ``at`` knows its offset from UTC; ``day`` is the calendar day where the patient was. ``values`` maps components to
    what a scale takes; ``place`` points to the observation, ``places`` to each component's value. ``external_id`` is
    the sender's name for it, "" where there is none.
    """

    patient: str
    code: str
    at: datetime
    day: date
    values: Mapping[str, Any]
    place: str
    places: Mapping[str, str]
    external_id: str = ""
    source: str = ""
    note: str = ""

    def where(self, error: DataError) -> str:
        """Return where in the body a scale's error lies: at the component that it names, or at the observation."""
        name = (error.at or "").removeprefix("/values/").replace("~1", "/").replace("~0", "~")
        return self.places.get(name, self.place)


@dataclass(frozen=True, slots=True)
class Observations:
    """What could be read, what could not (each error says where), and what was no observation, by kind."""

    rows: tuple[Row, ...]
    problems: tuple[DataError, ...]
    skipped: Mapping[str, int] = field(default=EMPTY)
