"""Clinical values from tables and from FHIR: bytes in, :class:`Observations` out.

Both readers take what is said and guess nothing: a value keeps the unit that stands beside it, a time without a zone
needs the zone that the caller states. What cannot be read is a problem that says where and what; the others are read.
Whether a code, a component or a value makes sense is for the scales to say.
"""

from __future__ import annotations

from datetime import tzinfo

from konectom.errors import FormatUnknown
from konectom.formats._inflate import encoding_of, inflate
from konectom.formats.observations._csv import read_csv
from konectom.formats.observations._fhir import OWN_SYSTEM, Loinc, read_fhir
from konectom.formats.observations._rows import ObservationLimits, Observations, Row
from konectom.recording import EMPTY

__all__ = [
    "CSV_TYPE",
    "FHIR_TYPES",
    "OWN_SYSTEM",
    "ObservationLimits",
    "Observations",
    "Row",
    "read",
    "read_csv",
    "read_fhir",
]

CSV_TYPE = "text/csv"
FHIR_TYPES = ("application/fhir+json", "application/json")


def read(
    body: bytes,
    *,
    encoding: str | None = None,
    media_type: str | None = None,
    zone: tzinfo | None = None,
    loinc: Loinc = EMPTY,
    limits: ObservationLimits | None = None,
) -> Observations:
    """Return the observations in ``body``, a table or a FHIR document by its media type.

    Where ``encoding`` (``gzip``, ``zstd``, ``identity``) or ``media_type`` is None, the body itself tells. Raises
    :class:`~konectom.errors.BodyError` and :class:`~konectom.errors.DataError` where nothing can be read.
    """
    limits = limits or ObservationLimits()
    plain = inflate(body, encoding_of(body) if encoding is None else encoding, limits.of_body)
    if media_type is None:
        media_type = FHIR_TYPES[0] if plain.lstrip()[:1] == b"{" else CSV_TYPE
    if media_type == CSV_TYPE:
        return read_csv(plain, zone=zone, limits=limits)
    if media_type in FHIR_TYPES:
        return read_fhir(plain, zone=zone, loinc=loinc, limits=limits)
    raise FormatUnknown(f"observations come as {CSV_TYPE} or {FHIR_TYPES[0]}, not as {media_type[:80]!r}")
