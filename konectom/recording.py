"""What a phone recorded, as values: Session > Recording > Part > Stream.

A *session* is one sitting. A *recording* is one performed test in it. A *part* is a stretch of the recording made
under one condition (the left hand, the symbol-digit level): most tests have one, some have several that only make
sense together. A *stream* is a table over time: samples of a sensor, touches, or events of one type.

Units are SI: m/s2, rad/s, T, s. Positions on the screen keep the unit in which they came (``px``, ``pt`` or ``mm``),
since pixels become millimetres only by knowing the screen; the stream says which. All arrays are read-only.
Axes are the phone's own (x to the right, y up along the long side, z out of the screen).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class _Empty(Mapping[str, Any]):
    """A mapping without entries: hashable, so that a dataclass takes it as a default, and picklable."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __hash__(self) -> int:
        return hash(())

    def __repr__(self) -> str:
        return "{}"


EMPTY: Mapping[str, Any] = _Empty()

STANDARD_GRAVITY_MPS2 = 9.80665
"""One standard gravity (CGPM 1901), by which accelerations in g become m/s2."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Columns over one time base.

    ``t_s`` holds n seconds from the recording's start on the phone's monotonic clock, in the order in which they were
    recorded: a clock that jumped back shows here as it was. Each column has n values: float64, or text. A number that
    was missing is NaN, a text that was missing is "".
    """

    name: str
    t_s: FloatArray
    columns: Mapping[str, NDArray[Any]]
    units: Mapping[str, str] = EMPTY

    def __post_init__(self) -> None:
        self.t_s.setflags(write=False)
        for name, values in self.columns.items():
            if values.shape[0] != self.t_s.shape[0]:
                raise ValueError(f"column {name} has {values.shape[0]} values for {self.t_s.shape[0]} times")
            values.setflags(write=False)

    def __len__(self) -> int:
        return int(self.t_s.shape[0])

    def __contains__(self, column: object) -> bool:
        return column in self.columns

    def __getitem__(self, column: str) -> NDArray[Any]:
        return self.columns[column]

    def matrix(self, *columns: str) -> FloatArray:
        """Return the named columns (default: x, y, z) side by side, shape (n, k), float64."""
        return np.column_stack([self.columns[name] for name in columns or ("x", "y", "z")])

    def where(self, keep: NDArray[np.bool_]) -> Stream:
        """Return the rows for which ``keep`` (n booleans) is true."""
        kept = {name: values[keep] for name, values in self.columns.items()}
        return Stream(self.name, self.t_s[keep], kept, self.units)


@dataclass(frozen=True, slots=True)
class Screen:
    """The phone's screen; what is not known is None."""

    width_px: float | None = None
    height_px: float | None = None
    width_pt: float | None = None
    height_pt: float | None = None
    pt_per_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """The phone and the app that recorded."""

    platform: str | None = None
    model: str | None = None
    os: str | None = None
    app: str | None = None
    screen: Screen = Screen()


@dataclass(frozen=True, slots=True)
class Defect:
    """A stream that came but could not be read: which one, and why (code and detail as of the error)."""

    stream: str
    code: str
    detail: str
    at: str


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A stretch of a recording under one condition.

    ``start_s`` and ``duration_s`` are seconds on the recording's clock; ``duration_s`` is None where it was not told.
    """

    condition: Mapping[str, str] = EMPTY
    start_s: float = 0.0
    duration_s: float | None = None
    streams: Mapping[str, Stream] = EMPTY
    events: Mapping[str, Stream] = EMPTY
    answers: Mapping[str, Any] = EMPTY
    defects: tuple[Defect, ...] = ()

    @property
    def end_s(self) -> float | None:
        """The part's end on the recording's clock, or None where its duration was not told."""
        return None if self.duration_s is None else self.start_s + self.duration_s


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One performed test.

    ``beside`` names streams that came with it and were not read: the test does not use them.
    """

    assessment: str
    parts: tuple[Part, ...]
    condition: Mapping[str, str] = EMPTY
    offset_s: float = 0.0
    duration_s: float | None = None
    finished: bool = True
    interruption: str | None = None
    device: Device = Device()
    beside: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A recording that could not be read: which assessment it named, if any, and the error's dict.

    ``streams`` names all streams that it carried, in whatever part and state; it is None where they cannot be told.
    """

    assessment: str | None
    error: Mapping[str, Any]
    streams: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """One sitting, as a format's reader understood it.

    ``started_at`` is an instant with its UTC offset; ``time_zone`` the IANA zone, where told. ``id`` is set only where
    the format itself carries one.
    """

    format: str
    started_at: datetime
    time_zone: str | None = None
    setting: str | None = None
    supervised: bool | None = None
    device: Device = Device()
    recordings: tuple[Recording | Rejected, ...] = field(default=())
    id: UUID | None = None
