"""Clinical values from tables and from FHIR: bytes in, :class:`Observations` out.

Both readers take what is said and guess nothing: a value keeps the unit that stands beside it, a time without a zone
needs the zone that the caller states. What cannot be read is a problem that says where and what; the others are read.
Whether a code, a component or a value makes sense is for the scales to say.
"""

from __future__ import annotations

from konectom.formats.observations._csv import read_csv
from konectom.formats.observations._fhir import OWN_SYSTEM, read_fhir
from konectom.formats.observations._rows import ObservationLimits, Observations, Row

__all__ = ["OWN_SYSTEM", "ObservationLimits", "Observations", "Row", "read_csv", "read_fhir"]
