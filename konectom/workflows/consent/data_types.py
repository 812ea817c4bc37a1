"""Types of data: what a patient agrees to, one by one.

They follow from what assessments declare: each has the type of its domain, and a recording that carries positions or
sound is of that type besides, whatever the test, and whether it can be read or not. What clinicians and laboratories
found is ``clinical``. A recording whose test nobody here knows is ``other``, and so is one with a stream that nobody
knows, or that is damaged so that its streams cannot be told: what it holds is not known.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from konectom.assessments import every_assessment
from konectom.errors import FieldInvalid, FieldMissing, StreamUnknown
from konectom.formats import KINDS
from konectom.recording import Recording, Rejected

CLINICAL, LOCATION, VOICE, OTHER = "clinical", "location", "voice", "other"

BY_DOMAIN = {
    "gait": "movement",
    "balance": "movement",
    "mobility": "activity",
    "upper limb": "touch",
    "cognition": "touch",
    "speech": VOICE,
    "patient-reported": "questionnaires",
}
"""Any other domain is a type of its own."""

BY_STREAM = {"gps": LOCATION, "audio": VOICE}
"""Streams that tell more of a person than the test they belong to."""

OBSERVED = "obs"
"""How the keys begin of what follows from observations."""


def data_type_of(assessment: str) -> str:
    """Return the main type of an assessment's data, ``other`` where there is no such assessment."""
    declared = every_assessment().get(assessment)
    return OTHER if declared is None else BY_DOMAIN.get(declared.domain, declared.domain)


def data_types_of(recording: Recording | Rejected) -> frozenset[str]:
    """Return every type of data that a recording carries, also in streams that could not be read.

    The bytes of one that was rejected are kept with the session's, so it is asked of in the same way.
    """
    if isinstance(recording, Rejected):
        streams = recording.streams
        carried = {OTHER} if streams is None else _types_of_streams(streams, unknown=streams - KINDS.keys())
        return frozenset({data_type_of(recording.assessment or ""), *carried})
    defects = [each for part in recording.parts for each in part.defects]
    names = {name for part in recording.parts for name in part.streams} | {each.stream for each in defects}
    unknown = {each.stream for each in defects if each.code == StreamUnknown.code}
    return frozenset({data_type_of(recording.assessment), *_types_of_streams(names | recording.beside, unknown)})


def _types_of_streams(names: Collection[str], unknown: Collection[str]) -> set[str]:
    return {BY_STREAM[name] for name in names if name in BY_STREAM} | ({OTHER} if unknown else set())


def data_types_of_key(key: str) -> frozenset[str]:
    """Return the types of the data that a score follows from: ``key`` is a score's, a measure's or a test's.

    Of ``walk.distance[6mwt]`` they are those of ``walk`` and, since it follows from positions, ``location``.
    """
    name, _, rest = key.partition(".")
    if name == OBSERVED:
        return frozenset({CLINICAL})
    declared = every_assessment().get(name)
    if declared is None:
        return frozenset({OTHER})
    quantity = rest.split("[", 1)[0].split(".", 1)[0]
    streams = {each.stream for each in declared.measures if each.quantity == quantity and each.stream}
    return frozenset({data_type_of(name), *(BY_STREAM[stream] for stream in streams if stream in BY_STREAM)})


def every_data_type() -> tuple[str, ...]:
    """Return every type there is, in order of name; ``other`` comes last."""
    found = {data_type_of(name) for name in every_assessment()} | set(BY_STREAM.values()) | {CLINICAL}
    return (*sorted(found - {OTHER}), OTHER)


def assessments_of(data_type: str) -> tuple[str, ...]:
    """Return the names of the assessments whose data are of this type."""
    return tuple(name for name in every_assessment() if data_type_of(name) == data_type)


def checked_types(data_types: Sequence[str], *, among: Collection[str] | None = None) -> list[str]:
    """Return types of data in order of name, each once; raises at ``/data_types`` for what is none.

    ``among`` narrows what may be named, to what a form covers.
    """
    if not data_types:
        raise FieldMissing("name at least one type of data", at="/data_types")
    known = every_data_type()
    for index, name in enumerate(data_types):
        if name not in known:
            raise FieldInvalid(
                f"there is no type of data {name[:80]!r}; there are: {', '.join(known)}", at=f"/data_types/{index}"
            )
        if among is not None and name not in among:
            raise FieldInvalid(f"the form does not cover {name}", at=f"/data_types/{index}")
    return [name for name in known if name in data_types]
