"""Clinical values from FHIR R4: an Observation, or a Bundle of them.

* ``code``: in the system ``urn:konectom:observation`` a scale's code (``t25fw``), or code and component
  (``edss.step``); in LOINC a code that the caller's table knows. ``component.code`` alike: in our system the
  component's name.
* ``value[x]``: Quantity with its UCUM code, integer, boolean, string, dateTime of a day; CodeableConcept with a coding
  in our system. A value with a comparator (below, above) is refused: it is no number.
* ``subject.identifier.value`` names the patient, or ``subject.reference`` leads to a Patient in the same Bundle that
  has one identifier (of the system that the caller names, where there are several).
* ``effectiveDateTime`` or ``effectiveInstant`` is the time; ``status`` is final, amended or corrected.

A problem points into the document (RFC 6901). Where one part of an observation is wrong, the whole of it is left out.
Resources of other types are counted and skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import orjson

from konectom.errors import BodyTooLarge, DataError, FieldInvalid, FieldMissing, FormatUnknown, NotJson, UnitMissing
from konectom.formats._shared import LONGEST_WORD, named, word
from konectom.formats.observations._rows import ObservationLimits, Observations, Row
from konectom.formats.observations._times import read_time
from konectom.recording import EMPTY

OWN_SYSTEM = "urn:konectom:observation"
LOINC_SYSTEM = "http://loinc.org"
UCUM_SYSTEM = "http://unitsofmeasure.org"
STATUSES = ("final", "amended", "corrected")
PLAIN = {"valueInteger": int, "valueBoolean": bool, "valueString": str, "valueDateTime": str}
LONGEST_NOTE = 2000

Loinc = Mapping[str, tuple[str, str]]
"""LOINC codes, each with the scale's code and the component's name; "" where the code is of the scale as a whole."""


@dataclass(frozen=True, slots=True)
class _Context:
    zone: tzinfo | None
    loinc: Loinc
    patients: Mapping[str, Any]
    patient_system: str | None
    limits: ObservationLimits


def read_fhir(
    body: bytes,
    *,
    loinc: Loinc = EMPTY,
    zone: tzinfo | None = None,
    patient_system: str | None = None,
    limits: ObservationLimits | None = None,
) -> Observations:
    """Return the observations of a Bundle or Observation.

    ``zone`` is that of times without an offset. Raises :class:`~konectom.errors.BodyError` where the body is too large,
    no JSON, or neither a Bundle nor an Observation.
    """
    limits = limits or ObservationLimits()
    limits.check_size(body)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotJson(f"the body is not a JSON document: {error}") from None
    resources = list(_resources(document, limits))
    patients = dict(_patients(resources))
    context = _Context(zone, loinc, patients, patient_system, limits)
    rows: list[Row] = []
    problems: list[DataError] = []
    skipped: Counter[str] = Counter()
    for place, _, resource in resources:
        kind = resource.get("resourceType")
        if kind != "Observation":
            skipped[(kind if isinstance(kind, str) else "without a type")[:LONGEST_WORD]] += 1
            continue
        try:
            rows.append(_row(resource, place, context))
        except DataError as error:
            error.__context__ = error.__traceback__ = None  # there may be very many
            problems.append(error)
    return Observations(tuple(rows), tuple(problems), dict(skipped))


def _resources(document: Any, limits: ObservationLimits) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each resource with its pointer and its full URL."""
    kind = document.get("resourceType") if isinstance(document, dict) else None
    if kind == "Observation":
        yield "", "", document
        return
    if kind != "Bundle":
        raise FormatUnknown("the document is neither a FHIR Bundle nor an Observation", at="/resourceType")
    entries = document.get("entry", [])
    if not isinstance(entries, list):
        raise FormatUnknown("the Bundle's entry is no list", at="/entry")
    if len(entries) > limits.max_rows:
        raise BodyTooLarge(f"the Bundle has more than {limits.max_rows} entries", limit_rows=limits.max_rows)
    for n, entry in enumerate(entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            yield f"/entry/{n}/resource", str(entry.get("fullUrl") or ""), resource
        else:
            yield f"/entry/{n}", "", {}


def _patients(resources: list[tuple[str, str, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for _, url, resource in resources:
        if resource.get("resourceType") == "Patient":
            if url:
                yield url, resource
            if isinstance(resource.get("id"), str):
                yield f"Patient/{resource['id']}", resource


def _row(resource: dict[str, Any], place: str, context: _Context) -> Row:
    status = resource.get("status")
    if status not in STATUSES:
        raise FieldInvalid(f"the status is {named(status)}; taken are: {', '.join(STATUSES)}", at=f"{place}/status")
    code, component = _code(resource.get("code"), f"{place}/code", context)
    effective = "effectiveDateTime" if "effectiveDateTime" in resource else "effectiveInstant"
    at, day = read_time(resource.get(effective), context.zone, f"{place}/{effective}")
    patient = _patient(resource.get("subject"), f"{place}/subject", context)
    values, places = _values(resource, code, component, place, context)
    return Row(
        patient, code, at, day, values, place, places, _external_id(resource, place), _source(resource), _note(resource)
    )


def _code(told: Any, place: str, context: _Context) -> tuple[str, str]:
    """Return the scale's code and the component's name, "" where none is named."""
    codings = told.get("coding") if isinstance(told, dict) else None
    if not isinstance(codings, list) or not codings:
        raise FieldMissing("the code has no coding", at=f"{place}/coding")
    known = [coding for coding in codings if isinstance(coding, dict) and isinstance(coding.get("code"), str)]
    for coding in known:
        if coding.get("system") == OWN_SYSTEM:
            code, _, component = coding["code"].partition(".")
            return code, component
    for coding in known:
        if coding.get("system") == LOINC_SYSTEM and coding["code"] in context.loinc:
            return context.loinc[coding["code"]]
    shown = ", ".join(f"{str(each.get('system'))[:40]} {each['code'][:40]}" for each in known[:3]) or "none"
    raise FieldInvalid(f"no coding is known here: {shown}", at=f"{place}/coding")


def _patient(told: Any, place: str, context: _Context) -> str:
    subject = told if isinstance(told, dict) else {}
    name = _identifier(subject.get("identifier"), place)
    if name:
        return name
    reference = subject.get("reference")
    found = context.patients.get(reference) if isinstance(reference, str) else None
    if found is None:
        raise FieldMissing("the subject has no identifier and leads to no Patient of this Bundle", at=place)
    held = [each for each in _list(found.get("identifier")) if isinstance(each, dict)]
    if context.patient_system is not None:
        held = [each for each in held if each.get("system") == context.patient_system]
    names = [name for each in held if (name := _identifier(each, place))]
    if len(names) != 1:
        raise FieldInvalid(
            f"the Patient has {len(names)} identifiers of the kind that is looked for, not one", at=place
        )
    return names[0]


def _identifier(told: Any, place: str) -> str:
    value = told.get("value") if isinstance(told, dict) else None
    name = value.strip() if isinstance(value, str) else ""
    if len(name) > LONGEST_WORD:
        raise FieldInvalid(f"an identifier has {len(name)} characters, more than {LONGEST_WORD}", at=place)
    return name


def _values(
    resource: dict[str, Any], code: str, component: str, place: str, context: _Context
) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {}
    places: dict[str, str] = {}

    def add(name: str, holder: dict[str, Any], at: str) -> None:
        found = _value(holder, at)
        if found is None:
            return
        if name in values:
            raise FieldInvalid(f"{named(name)} came before, at {places[name]}", at=at)
        places[name], values[name] = found

    if component:
        add(component, resource, place)
    elif any(key.startswith("value") for key in resource):
        raise FieldInvalid(f"a value needs a component: code it as {code[:40]}.<component>", at=f"{place}/code")
    parts = _list(resource.get("component"))
    if len(parts) > context.limits.max_components:
        raise FieldInvalid(f"more than {context.limits.max_components} components", at=f"{place}/component")
    for n, part in enumerate(parts):
        at = f"{place}/component/{n}"
        add(_part_name(part, code, at, context), part, at)
    if not values:
        raise FieldMissing("the observation has no value", at=place)
    return values, places


def _part_name(part: Any, code: str, at: str, context: _Context) -> str:
    """Return the component's name: in our system that itself, or after its scale's code and a dot."""
    told = part.get("code") if isinstance(part, dict) else None
    first, second = _code(told, f"{at}/code", context)
    if not second:
        return first
    if first != code:
        raise FieldInvalid(f"a component of {named(first)} stands in an observation of {named(code)}", at=f"{at}/code")
    return second


def _value(holder: dict[str, Any], at: str) -> tuple[str, Any] | None:
    """Return where the value stands and what a scale takes; None where the sender says that it is absent."""
    keys = [key for key in holder if key.startswith("value")]
    if not keys:
        if "dataAbsentReason" in holder:
            return None
        raise FieldMissing("there is no value, and no reason why it is absent", at=at)
    if len(keys) > 1:
        raise FieldInvalid(f"there are several values: {', '.join(keys)[:80]}", at=at)
    key, place = keys[0], f"{at}/{keys[0]}"
    told = holder[key]
    if key == "valueQuantity":
        return place, _quantity(told, place)
    if key == "valueCodeableConcept":
        return place, _concept(told, place)
    if key not in PLAIN:
        raise FieldInvalid(f"{key[:40]} is not taken here", at=place)
    if type(told) is not PLAIN[key]:
        raise FieldInvalid(f"{key} is {named(told)}", at=place)
    return place, told


def _quantity(told: Any, place: str) -> Any:
    quantity = told if isinstance(told, dict) else {}
    if quantity.get("comparator"):
        raise FieldInvalid(f"the value is only known to be {named(quantity['comparator'])}", at=f"{place}/comparator")
    value, unit = quantity.get("value"), quantity.get("code")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FieldInvalid(f"the value is {named(value)}, no number", at=f"{place}/value")
    if unit is None and quantity.get("unit") is None:
        return value
    if quantity.get("system") != UCUM_SYSTEM or not isinstance(unit, str):
        raise UnitMissing(f"the unit has no UCUM code (system {UCUM_SYSTEM})", at=place)
    return {"value": value, "unit": unit}


def _concept(told: Any, place: str) -> str:
    codings = _list(told.get("coding")) if isinstance(told, dict) else []
    for coding in codings:
        if isinstance(coding, dict) and coding.get("system") == OWN_SYSTEM and isinstance(coding.get("code"), str):
            return str(coding["code"])
    raise FieldInvalid(f"no coding is of {OWN_SYSTEM}", at=f"{place}/coding")


def _external_id(resource: dict[str, Any], place: str) -> str:
    at = f"{place}/identifier"
    names = [name for each in _list(resource.get("identifier")) if (name := _identifier(each, at))]
    return names[0] if names else (word(resource.get("id")) or "")


def _source(resource: dict[str, Any]) -> str:
    shown = [word(each.get("display")) for each in _list(resource.get("performer")) if isinstance(each, dict)]
    return next((name for name in shown if name), "")


def _note(resource: dict[str, Any]) -> str:
    texts = [each.get("text") for each in _list(resource.get("note")) if isinstance(each, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))[:LONGEST_NOTE]


def _list(told: Any) -> list[Any]:
    return told if isinstance(told, list) else []
